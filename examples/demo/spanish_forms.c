#include "spanish_forms.h"

#include <stdio.h>
#include <string.h>

static bool ends_in(const char *word, const char *ending) {
  size_t size = strlen(word), tail = strlen(ending);
  return size >= tail && !strcmp(word + size - tail, ending);
}

static void cut(char *word, size_t bytes) { word[strlen(word) - bytes] = 0; }

static void append(char out[FORM], const char *ending) {
  size_t size = strlen(out);
  snprintf(out + size, FORM - size, "%s", ending);
}

static bool ends_in_vowel(const char *word) {
  static const char *const vowels[] = {"a", "e", "i", "o", "u", "á", "é", "í", "ó", "ú"};
  for (size_t i = 0; i < sizeof vowels / sizeof *vowels; i++)
    if (ends_in(word, vowels[i])) return true;
  return false;
}

// A syllable more makes the accent of a last syllable superfluous: limón, limones; inglés, inglesa.
static void drop_last_accent(char *word) {
  static const char *const accented[] = {"á", "é", "í", "ó", "ú"};
  size_t size = strlen(word);
  if (size < 3 || !strchr("ns", word[size - 1])) return;
  for (int i = 0; i < 5; i++) {
    if (memcmp(word + size - 3, accented[i], 2)) continue;
    word[size - 3] = "aeiou"[i];
    memmove(word + size - 2, word + size - 1, 2);
  }
}

static void make_plural(char word[FORM]) {
  if (ends_in_vowel(word)) {
    append(word, "s");
    return;
  }
  drop_last_accent(word);
  if (ends_in(word, "z")) {
    cut(word, 1);
    append(word, "c");
  }
  append(word, "es");
}

const char *spanish_noun(char out[FORM], const struct noun *noun, bool plural) {
  snprintf(out, FORM, "%s", plural && noun->spanish_plural ? noun->spanish_plural : noun->spanish);
  if (plural && !noun->spanish_plural) make_plural(out);
  return out;
}

const char *spanish_adjective(char out[FORM], const struct adjective *adjective, struct agreement agreement, bool before_noun) {
  bool feminine = agreement.gender == FEMININE;
  const char *brief = feminine ? adjective->short_feminine : adjective->short_masculine;
  const char *plural = feminine ? adjective->feminine_plural : adjective->masculine_plural;
  if (before_noun && !agreement.plural && brief) {
    snprintf(out, FORM, "%s", brief);
  } else if (agreement.plural && plural) {
    snprintf(out, FORM, "%s", plural);
  } else {
    snprintf(out, FORM, "%s", feminine && adjective->feminine ? adjective->feminine : adjective->masculine);
    if (feminine && !adjective->feminine && ends_in(out, "o")) out[strlen(out) - 1] = 'a';
    if (agreement.plural) make_plural(out);
  }
  return out;
}

// Word number `index` of a list separated by blanks.
static const char *nth(char out[FORM], const char *list, int index) {
  for (; index > 0; index--) list = strchr(list, ' ') + 1;
  snprintf(out, FORM, "%.*s", (int)strcspn(list, " "), list);
  return out;
}

// Replaces the last vowel of a stem: encontr, encuentr; env with í: envi, enví.
static void change_stem(char stem[FORM], const char *change) {
  size_t at = strlen(stem);
  if (ends_in(stem, "gu")) at--;  // that u is silent: seguir
  while (at > 0 && !strchr("aeiou", stem[at - 1])) at--;
  if (!at) return;
  char tail[FORM];
  snprintf(tail, FORM, "%s", stem + at);
  stem[at - 1] = 0;
  append(stem, change);
  append(stem, tail);
}

enum conjugation { AR, ER, IR };

static enum conjugation conjugation_of(const char *infinitive) {
  if (ends_in(infinitive, "ar")) return AR;
  return ends_in(infinitive, "er") ? ER : IR;
}

static const char *present(char out[FORM], const struct verb *verb, enum person person) {
  static const char *const endings[3][PERSONS] = {
      {"o", "as", "a", "amos", "an"}, {"o", "es", "e", "emos", "en"}, {"o", "es", "e", "imos", "en"}};
  if (verb->present) return nth(out, verb->present, person);
  snprintf(out, FORM, "%s", person == FIRST && verb->first ? verb->first : verb->spanish);
  if (person == FIRST && verb->first) return out;
  enum conjugation conjugation = conjugation_of(verb->spanish);
  cut(out, 2);
  if (verb->change && person != FIRST_PLURAL) change_stem(out, verb->change);
  if (ends_in(verb->spanish, "uir") && !ends_in(verb->spanish, "guir") && person != FIRST_PLURAL) append(out, "y");  // construyo
  if (person == FIRST && conjugation != AR) {  // the sound of the stem stays before o: protejo, sigo, traduzco
    bool soft = ends_in(out, "g"), silent = ends_in(out, "gu"), lisps = ends_in(out, "c");
    if (soft || silent || lisps) cut(out, 1);
    append(out, soft ? "j" : lisps ? "zc" : "");
  }
  append(out, endings[conjugation][person]);
  return out;
}

// Before é: busqué, llegué, abracé.
static void keep_sound_before_e(char stem[FORM]) {
  const char *instead = ends_in(stem, "c") ? "qu" : ends_in(stem, "g") ? "gu" : ends_in(stem, "z") ? "c" : NULL;
  if (!instead) return;
  cut(stem, 1);
  append(stem, instead);
}

static const char *preterite(char out[FORM], const struct verb *verb, enum person person) {
  static const char *const endings[3][PERSONS] = {
      {"é", "aste", "ó", "amos", "aron"}, {"í", "iste", "ió", "imos", "ieron"}, {"í", "iste", "ió", "imos", "ieron"}};
  if (verb->preterite) return nth(out, verb->preterite, person);
  enum conjugation conjugation = conjugation_of(verb->spanish);
  bool third = person == THIRD || person == THIRD_PLURAL;
  snprintf(out, FORM, "%s", verb->spanish);
  cut(out, ends_in(out, "ír") ? 3 : 2);
  if (conjugation == AR && person == FIRST) keep_sound_before_e(out);
  if (conjugation == IR && third && verb->change) change_stem(out, !strcmp(verb->change, "ue") ? "u" : "i");  // durmió, siguió
  const char *ending = endings[conjugation][person];
  bool sounded_u = ends_in(out, "u") && !ends_in(out, "gu") && !ends_in(out, "qu");
  bool after_vowel = conjugation != AR && (sounded_u || ends_in(out, "e") || ends_in(out, "o") || ends_in(out, "a"));
  if (after_vowel && third) {  // leyó, construyeron
    append(out, "y");
    append(out, ending + 1);
  } else if (after_vowel && !sounded_u && person != FIRST) {  // leíste, oímos
    append(out, "í");
    append(out, ending + 1);
  } else {
    append(out, ending);
  }
  return out;
}

static const char *future(char out[FORM], const struct verb *verb, enum person person) {
  static const char *const endings[PERSONS] = {"é", "ás", "á", "emos", "án"};
  snprintf(out, FORM, "%s", verb->future ? verb->future : verb->spanish);
  if (ends_in(out, "ír")) {  // oír, oiré
    cut(out, 3);
    append(out, "ir");
  }
  append(out, endings[person]);
  return out;
}

const char *spanish_verb(char out[FORM], const struct verb *verb, enum tense tense, enum person person) {
  if (tense == PRESENT) return present(out, verb, person);
  return tense == PAST ? preterite(out, verb, person) : future(out, verb, person);
}

const char *spanish_copula(enum copula copula, enum tense tense, enum person person) {
  static const char *const forms[2][3][PERSONS] = {
      {{"soy", "eres", "es", "somos", "son"},
       {"era", "eras", "era", "éramos", "eran"},
       {"seré", "serás", "será", "seremos", "serán"}},
      {{"estoy", "estás", "está", "estamos", "están"},
       {"estaba", "estabas", "estaba", "estábamos", "estaban"},
       {"estaré", "estarás", "estará", "estaremos", "estarán"}}};
  return forms[copula][tense][person];
}
