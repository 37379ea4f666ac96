#include "english_forms.h"

#include <stdio.h>
#include <string.h>

static bool ends_in(const char *word, const char *ending) {
  size_t size = strlen(word), tail = strlen(ending);
  return size >= tail && !strcmp(word + size - tail, ending);
}

static bool is_vowel(char c) { return c && strchr("aeiou", c); }

static bool ends_in_consonant_y(const char *word) {
  size_t size = strlen(word);
  return size >= 2 && word[size - 1] == 'y' && !is_vowel(word[size - 2]);
}

// The -s of nouns and verbs: boxes, watches, cries, goes.
static const char *add_s(char out[FORM], const char *word) {
  bool hisses = ends_in(word, "s") || ends_in(word, "x") || ends_in(word, "z") || ends_in(word, "ch") || ends_in(word, "sh");
  if (ends_in_consonant_y(word))
    snprintf(out, FORM, "%.*sies", (int)strlen(word) - 1, word);
  else
    snprintf(out, FORM, "%s%s", word, hisses || ends_in(word, "o") ? "es" : "s");
  return out;
}

const char *english_plural(char out[FORM], const struct noun *noun) {
  if (!noun->english_plural) return add_s(out, noun->english);
  snprintf(out, FORM, "%s", noun->english_plural);
  return out;
}

const char *english_third_person(char out[FORM], const struct verb *verb) {
  if (!verb->third) return add_s(out, verb->english);
  snprintf(out, FORM, "%s", verb->third);
  return out;
}

const char *english_past(char out[FORM], const struct verb *verb) {
  int size = (int)strlen(verb->english);
  if (verb->past)
    snprintf(out, FORM, "%s", verb->past);
  else if (ends_in_consonant_y(verb->english))
    snprintf(out, FORM, "%.*sied", size - 1, verb->english);
  else
    snprintf(out, FORM, "%s%s", verb->english, ends_in(verb->english, "e") ? "d" : "ed");
  return out;
}

const char *english_article(const char *next_word) {
  bool silent_h = !strncmp(next_word, "honest", 6);
  return silent_h || is_vowel(next_word[0]) || next_word[0] == 'E' || next_word[0] == 'I' ? "an" : "a";
}
