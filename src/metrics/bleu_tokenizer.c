// sacreBLEU's tokenizers: 13a (that of mteval-v13a.pl), none, char. 13a is a sequence of substitutions, done here one after
// the other as there. All patterns are ASCII, so they work on bytes.
#include <string.h>

#include "metrics/bleu.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_point(char c) { return c == '.' || c == ','; }

// [\{-\~\[-\` -\&\(-\+\:-\@\/]: ASCII's punctuation and blank, without ' , - .
static bool is_split_character(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

static void replace(struct buffer *text, struct buffer *scratch, const char *from, const char *to) {
  if (!text->size || !memmem(text->data, text->size, from, strlen(from))) return;
  buffer_clear(scratch);
  const char *at = text->data, *end = text->data + text->size, *found;
  while ((found = memmem(at, (size_t)(end - at), from, strlen(from)))) {
    buffer_append(scratch, at, (size_t)(found - at));
    buffer_text(scratch, to);
    at = found + strlen(from);
  }
  buffer_append(scratch, at, (size_t)(end - at));
  struct buffer swap = *text;
  *text = *scratch;
  *scratch = swap;
}

// s/([SPLIT])/ \1 /
static void split_punctuation(struct buffer *out, const struct buffer *text) {
  for (size_t i = 0; i < text->size; i++) {
    bool split = is_split_character(text->data[i]);
    if (split) buffer_char(out, ' ');
    buffer_char(out, text->data[i]);
    if (split) buffer_char(out, ' ');
  }
}

// s/([^0-9])([.,])/\1 \2 /
static void split_point_after_no_digit(struct buffer *out, const struct buffer *text) {
  for (size_t i = 0; i < text->size; i++) {
    buffer_char(out, text->data[i]);
    if (i + 1 == text->size || is_digit(text->data[i]) || !is_point(text->data[i + 1])) continue;
    buffer_char(out, ' ');
    buffer_char(out, text->data[++i]);
    buffer_char(out, ' ');
  }
}

// s/([.,])([^0-9])/ \1 \2/
static void split_point_before_no_digit(struct buffer *out, const struct buffer *text) {
  for (size_t i = 0; i < text->size; i++) {
    bool split = i + 1 < text->size && is_point(text->data[i]) && !is_digit(text->data[i + 1]);
    if (split) buffer_char(out, ' ');
    buffer_char(out, text->data[i]);
    if (!split) continue;
    buffer_char(out, ' ');
    buffer_char(out, text->data[++i]);
  }
}

// s/([0-9])(-)/\1 \2 /
static void split_dash_after_digit(struct buffer *out, const struct buffer *text) {
  for (size_t i = 0; i < text->size; i++) {
    buffer_char(out, text->data[i]);
    if (i + 1 == text->size || !is_digit(text->data[i]) || text->data[i + 1] != '-') continue;
    buffer_text(out, " - ");
    i++;
  }
}

static void tokenize_13a(struct buffer *out, struct metric_text line) {
  static void (*const steps[])(struct buffer *, const struct buffer *) = {
      split_punctuation, split_point_after_no_digit, split_point_before_no_digit, split_dash_after_digit};
  struct buffer text = {0}, scratch = {0};
  buffer_append(&text, line.data, line.size);
  replace(&text, &scratch, "<skipped>", "");
  replace(&text, &scratch, "-\n", "");
  replace(&text, &scratch, "\n", " ");
  replace(&text, &scratch, "&quot;", "\"");
  replace(&text, &scratch, "&amp;", "&");
  replace(&text, &scratch, "&lt;", "<");
  replace(&text, &scratch, "&gt;", ">");
  buffer_clear(&scratch);
  buffer_char(&scratch, ' ');
  buffer_append(&scratch, text.data, text.size);
  buffer_char(&scratch, ' ');
  for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
    buffer_clear(&text);
    steps[i](&text, &scratch);
    struct buffer swap = text;
    text = scratch;
    scratch = swap;
  }
  buffer_append(out, scratch.data, scratch.size);
  if (text.failed || scratch.failed) out->failed = true;
  buffer_free(&text);
  buffer_free(&scratch);
}

static void split_characters(struct buffer *out, struct metric_text text) {
  const char *at = text.data, *end = text.data + text.size;
  while (at < end) {
    uint32_t character;
    int length = metric_character(at, end, &character);
    buffer_append(out, at, (size_t)length);
    buffer_char(out, ' ');
    at += length;
  }
}

void bleu_tokenize(struct buffer *out, enum bleu_tokenizer tokenizer, struct metric_text text) {
  struct buffer split = {0};
  text = metric_trim_end(text);
  if (tokenizer == BLEU_TOKENIZER_13A)
    tokenize_13a(&split, text);
  else if (tokenizer == BLEU_TOKENIZER_CHARACTERS)
    split_characters(&split, text);
  else
    buffer_append(&split, text.data, text.size);
  struct metric_text rest = {split.data, split.size}, word;
  for (bool first = true; metric_next_word(&rest, &word); first = false) {
    if (!first) buffer_char(out, ' ');
    buffer_append(out, word.data, word.size);
  }
  if (split.failed) out->failed = true;
  buffer_free(&split);
}
