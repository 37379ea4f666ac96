#include "phrase.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static size_t next_word(const char **text, char out[FORM]) {
  *text += strspn(*text, " ");
  size_t size = strcspn(*text, " ");
  assert(size < FORM);
  snprintf(out, FORM, "%.*s", (int)size, *text);
  *text += size;
  return size;
}

int phrase_english(struct phrase *phrase, const char *text) {
  int first = phrase->english_count;
  while (next_word(&text, phrase->english[phrase->english_count])) {
    phrase->english_count++;
    assert(phrase->english_count < MOST_WORDS);
  }
  return first;
}

void phrase_spanish(struct phrase *phrase, const char *text, int source) {
  while (next_word(&text, phrase->spanish[phrase->spanish_count].text)) {
    phrase->spanish[phrase->spanish_count++].source = source;
    assert(phrase->spanish_count < MOST_WORDS);
  }
}

int phrase_add_english(struct phrase *phrase, const struct phrase *part) {
  int base = phrase->english_count;
  for (int i = 0; i < part->english_count; i++) phrase_english(phrase, part->english[i]);
  return base;
}

void phrase_add_spanish(struct phrase *phrase, const struct phrase *part, int base) {
  for (int i = 0; i < part->spanish_count; i++) {
    int source = part->spanish[i].source;
    phrase_spanish(phrase, part->spanish[i].text, source == NO_SOURCE ? NO_SOURCE : source + base);
  }
}

// a el, de el become al, del.
static void contract(struct phrase *phrase) {
  int kept = 0;
  for (int i = 0; i < phrase->spanish_count; i++) {
    struct spanish_word *last = kept ? &phrase->spanish[kept - 1] : NULL;
    bool article = !strcmp(phrase->spanish[i].text, "el");
    if (last && article && (!strcmp(last->text, "a") || !strcmp(last->text, "de"))) {
      strcpy(last->text, last->text[0] == 'a' ? "al" : "del");
      last->source = phrase->spanish[i].source;
    } else {
      phrase->spanish[kept++] = phrase->spanish[i];
    }
  }
  phrase->spanish_count = kept;
}

static bool has_crossing(const struct phrase *phrase) {
  int furthest = NO_SOURCE;
  for (int i = 0; i < phrase->spanish_count; i++) {
    int source = phrase->spanish[i].source;
    if (source == NO_SOURCE) continue;
    if (source < furthest) return true;
    furthest = source;
  }
  return false;
}

static void append(char out[SENTENCE], const char *text) {
  size_t size = strlen(out);
  assert(size + strlen(text) < SENTENCE);
  snprintf(out + size, SENTENCE - size, "%s", text);
}

// ASCII letters, and the accented ones of Latin-1, whose UTF-8 starts with the byte C3.
static void capitalize(char *word) {
  unsigned char *bytes = (unsigned char *)word;
  if (bytes[0] >= 'a' && bytes[0] <= 'z') bytes[0] -= 32;
  if (bytes[0] == 0xC3 && bytes[1] >= 0xA0) bytes[1] -= 32;
}

void phrase_finish(struct phrase *phrase, struct pair *pair, bool question) {
  contract(phrase);
  pair->english_words = (size_t)phrase->english_count;
  pair->spanish_words = (size_t)phrase->spanish_count;
  pair->crosses = has_crossing(phrase);
  capitalize(phrase->english[0]);
  capitalize(phrase->spanish[0].text);
  pair->english[0] = pair->spanish[0] = 0;
  if (question) append(pair->spanish, "¿");
  for (int i = 0; i < phrase->english_count; i++) {
    if (i) append(pair->english, " ");
    append(pair->english, phrase->english[i]);
  }
  for (int i = 0; i < phrase->spanish_count; i++) {
    if (i) append(pair->spanish, " ");
    append(pair->spanish, phrase->spanish[i].text);
  }
  append(pair->english, question ? "?" : ".");
  append(pair->spanish, question ? "?" : ".");
}
