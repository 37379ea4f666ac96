// The words of the demo's language: English words with their only Spanish translation here, and what can be said with them.
// Only irregular forms are listed; english_forms.h and spanish_forms.h make the others.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gender { MASCULINE, FEMININE };

// What a noun names. Adjectives and verbs say with a set of these what they go with.
enum noun_class {
  PERSON = 1 << 0,
  ANIMAL = 1 << 1,
  FOOD = 1 << 2,
  DRINK = 1 << 3,
  TEXT = 1 << 4,       // can be read and written
  THING = 1 << 5,      // can be carried, lost and sold
  CLOTHES = 1 << 6,
  VEHICLE = 1 << 7,
  PLACE = 1 << 8,      // one can go to it
  BUILDING = 1 << 9,   // can be built
  FURNITURE = 1 << 10, // something can lie on it
  MUSIC = 1 << 11,     // an instrument
  SONG = 1 << 12,
  OPENS = 1 << 13,
  BREAKS = 1 << 14,
  TOOL = 1 << 15,      // can be used and repaired
  PLANT = 1 << 16,
  LANGUAGE = 1 << 17,
  INSIDE = 1 << 18,    // one can be in it
  SURFACE = 1 << 19,   // one can be on it
  ROAD = 1 << 20,      // is driven
};

struct noun {
  const char *english, *english_plural;  // NULL: regular
  const char *spanish, *spanish_plural;
  enum gender gender;
  uint32_t classes;
  bool mass;      // is not counted: no plural, no "a"
  bool stressed_a;  // feminine, but el and un directly before it: el agua
};

enum adjective_place { AFTER_NOUN, BEFORE_NOUN };
enum copula { SER, ESTAR };

struct adjective {
  const char *english;
  const char *masculine, *feminine, *masculine_plural, *feminine_plural;  // NULL: regular
  const char *short_masculine, *short_feminine;  // before a noun in the singular: buen, gran; NULL: the usual form
  uint32_t classes;  // of the nouns that it goes with
  enum copula copula;
  enum adjective_place place;
  bool graded;  // goes with "very"
};

enum tense { PRESENT, PAST, FUTURE };
enum verb_kind { INTRANSITIVE, TRANSITIVE, MOTION, GIVING, LIKING };

struct verb {
  const char *english, *third, *past;  // NULL: regular
  const char *particle;                // follows the English verb: look FOR; the direction of a motion: go TO
  const char *spanish;                 // the infinitive, without -se
  const char *change;                  // of the last vowel of the stem where it is stressed: "ie", "ue", "i", "í"
  const char *present, *preterite;     // all five forms; NULL: regular apart from `change`
  const char *first;                   // the first person of the present alone
  const char *future;                  // the stem
  const char *direction;               // of a motion: "a", "de", "en"
  enum verb_kind kind;
  bool reflexive;
  bool needs_place;                    // "he lives" alone says something else
  bool manner;                         // goes with adverbs of manner
  uint32_t subjects, objects;  // classes of nouns
};

struct name {
  const char *name;
  enum gender gender;
};

enum { ANY_TIME = 1 << PRESENT | 1 << PAST | 1 << FUTURE };

struct adverb {
  const char *english, *spanish;
  int tenses;   // bits
  bool opens;   // may also stand first in the sentence
  bool manner;  // how something is done: well, slowly
};

struct preposition {
  const char *english, *spanish;
  uint32_t classes;
};

enum definiteness { INDEFINITE, DEFINITE, UNIVERSAL };
enum number_use { SINGULAR_ONLY, PLURAL_ONLY, BOTH_NUMBERS };

struct determiner {
  const char *english, *english_plural;
  const char *spanish[4];  // masculine, feminine, masculine plural, feminine plural
  const char *before_stressed_a;  // NULL: the feminine
  enum number_use use;
  enum definiteness definiteness;
  bool with_mass;  // goes with nouns that are not counted
  int weight;      // how often it is chosen
};

extern const struct noun nouns[];
extern const size_t noun_count;
extern const struct adjective adjectives[];
extern const size_t adjective_count;
extern const struct verb verbs[];
extern const size_t verb_count;
extern const struct name names[];
extern const size_t name_count;
extern const struct adverb adverbs[];
extern const size_t adverb_count;
extern const struct preposition prepositions[];
extern const size_t preposition_count;
extern const struct determiner determiners[];
extern const size_t determiner_count;
