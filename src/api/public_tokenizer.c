// Tokenizers: opened from files, used on texts, learnt from files.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/learn.h"

struct qkv_tokenizer {
  struct tokenizer *tokenizer;
};

struct qkv_tokenizer *qkv_tokenizer_open(struct qkv_context *context, const char *path) {
  struct error *error = public_begin(context);
  struct qkv_tokenizer *tokenizer = memory_new(error, 1, sizeof *tokenizer);
  if (!tokenizer) return NULL;
  tokenizer->tokenizer = tokenizer_open(path, error);
  if (tokenizer->tokenizer) return tokenizer;
  free(tokenizer);
  return NULL;
}

void qkv_tokenizer_free(struct qkv_tokenizer *tokenizer) {
  if (!tokenizer) return;
  tokenizer_free(tokenizer->tokenizer);
  free(tokenizer);
}

size_t qkv_tokenizer_size(const struct qkv_tokenizer *tokenizer) { return tokenizer_size(tokenizer->tokenizer); }

const char *qkv_tokenizer_token(const struct qkv_tokenizer *tokenizer, int32_t id) {
  return tokenizer_token(tokenizer->tokenizer, id);
}

int32_t qkv_tokenizer_id(const struct qkv_tokenizer *tokenizer, const char *token) {
  return tokenizer_id(tokenizer->tokenizer, token);
}

// Encoding -------------------------------------------------------------------------------------------------------------

// What the caller gets, with what it points into.
struct public_encoding {
  struct qkv_encoding result;  // first, so that the pointer to it is the pointer to all
  struct encoding encoding;
};

// Byte offsets become character offsets, in place. Tokens mostly follow one another, so one walk does; where an offset lies
// before the last one the walk starts again.
static void count_characters(struct encoding *encoding, int sequence, const char *text, size_t size) {
  size_t at = 0, characters = 0;
  for (size_t i = 0; i < encoding->count; i++) {
    if (encoding->sequences[i] != sequence) continue;
    uint32_t *offsets[2] = {&encoding->starts[i], &encoding->ends[i]};
    for (int k = 0; k < 2; k++) {
      if (*offsets[k] > size) continue;
      if (*offsets[k] < at) at = characters = 0;
      // An invalid byte is a character of its own; a byte that continues a character is not.
      while (at < *offsets[k]) {
        uint32_t ignored;
        at += (size_t)utf8_decode(text + at, text + size, &ignored, NULL);
        characters++;
      }
      *offsets[k] = (uint32_t)characters;
    }
  }
}

static bool encode(const struct tokenizer *tokenizer, const char *text, const struct qkv_encode_options *options,
                   struct encoding *out, struct error *error) {
  bool specials = !options || !options->without_special_tokens;
  const char *pair = options ? options->pair : NULL;
  size_t size = strlen(text), pair_size = pair ? strlen(pair) : 0;
  out->keep_all = options && options->without_truncation;
  bool ok = pair ? tokenizer_encode_pair(tokenizer, text, size, pair, pair_size, specials, out, error)
                 : tokenizer_encode(tokenizer, text, size, specials, out, error);
  if (!ok) return false;
  count_characters(out, 0, text, size);
  if (pair) count_characters(out, 1, pair, pair_size);
  return true;
}

struct qkv_encoding *qkv_encode(struct qkv_context *context, const struct qkv_tokenizer *tokenizer, const char *text,
                                const struct qkv_encode_options *options, struct qkv_encoding *reuse) {
  struct error *error = public_begin(context);
  struct public_encoding *own = reuse ? (struct public_encoding *)reuse : memory_new(error, 1, sizeof *own);
  if (!own) return NULL;
  bool ok = encode(tokenizer->tokenizer, text, options, &own->encoding, error);
  // Also after a failure the arrays may have moved; a given result then says that it has no tokens.
  const struct encoding *encoding = &own->encoding;
  own->result = (struct qkv_encoding){encoding->ids,       encoding->types,           encoding->starts, encoding->ends,
                                      encoding->sequences, ok ? encoding->count : 0, encoding->cut,    encoding->invalid};
  if (ok) return &own->result;
  if (!reuse) qkv_encoding_free(&own->result);
  return NULL;
}

void qkv_encoding_free(struct qkv_encoding *encoding) {
  if (!encoding) return;
  encoding_free(&((struct public_encoding *)encoding)->encoding);
  free(encoding);
}

char *qkv_decode(struct qkv_context *context, const struct qkv_tokenizer *tokenizer, const int32_t *ids, size_t count,
                 bool with_special_tokens) {
  struct error *error = public_begin(context);
  struct buffer text = {0};
  buffer_append(&text, "", 0);
  if (tokenizer_decode(tokenizer->tokenizer, ids, count, !with_special_tokens, &text, error) && buffer_check(&text, error))
    return text.data;
  buffer_free(&text);
  return NULL;
}

// Learning -------------------------------------------------------------------------------------------------------------

struct qkv_tokenizer_train_options qkv_tokenizer_train_options_default(void) {
  return (struct qkv_tokenizer_train_options){
      .type = "bpe", .vocab_size = -1, .min_frequency = -1, .max_length = -1, .max_words = -1};
}

static bool choose_type(struct tokenizer_options *out, const char *type, struct error *error) {
  static const struct {
    const char *name;
    enum tokenizer_kind kind;
  } kinds[] = {{"bpe", TOKENIZER_BPE_BYTES},
               {"bpe-words", TOKENIZER_BPE_END},
               {"bpe-blanks", TOKENIZER_BPE_START},
               {"word", TOKENIZER_WORD},
               {"char", TOKENIZER_CHAR},
               {"wordpiece", TOKENIZER_WORDPIECE},
               {"unigram", TOKENIZER_UNIGRAM}};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (strcmp(type, kinds[i].name) == 0) {
      out->kind = kinds[i].kind;
      return true;
    }
  return error_set(error, ERROR_USAGE, "type is \"%s\"; wanted bpe, bpe-words, bpe-blanks, wordpiece, unigram, word or char",
                   type);
}

static bool choose_form(struct tokenizer_options *out, const char *form, struct error *error) {
  static const char *const names[][2] = {{"nfc", "NFC"}, {"nfd", "NFD"}, {"nfkc", "NFKC"}, {"nfkd", "NFKD"}};
  for (int i = 0; i < 4; i++)
    if (strcmp(form, names[i][0]) == 0) {
      out->unicode_form = names[i][1];
      return true;
    }
  return error_set(error, ERROR_USAGE, "normalize is \"%s\"; wanted nfc, nfd, nfkc or nfkd", form);
}

static bool choose_layout(struct tokenizer_options *out, const char *layout, struct error *error) {
  if (strcmp(layout, "marian") == 0) *out = tokenizer_options_marian();
  else if (strcmp(layout, "pegasus") == 0) *out = tokenizer_options_pegasus();
  else if (strcmp(layout, "gpt2") == 0) *out = tokenizer_options_gpt2();
  else if (strcmp(layout, "bert") == 0) *out = tokenizer_options_bert();
  else return error_set(error, ERROR_USAGE, "layout is \"%s\"; wanted marian, pegasus, gpt2 or bert", layout);
  return true;
}

static bool make_options(struct tokenizer_options *out, const struct qkv_tokenizer_train_options *options, struct error *error) {
  const char *type = options->type ? options->type : "bpe", *usual = strcmp(type, "wordpiece") == 0 ? "bert" : "marian";
  if (!choose_layout(out, options->layout ? options->layout : usual, error) || !choose_type(out, type, error))
    return false;
  if (options->normalize && !choose_form(out, options->normalize, error)) return false;
  if (options->vocab_size >= 0) out->vocab_size = (size_t)options->vocab_size;
  if (options->min_frequency >= 0) out->min_frequency = (uint64_t)options->min_frequency;
  if (options->max_length >= 0) out->model_max_length = (size_t)options->max_length;
  if (options->max_words >= 0) out->max_words = (size_t)options->max_words;
  out->lowercase = options->lowercase;
  return true;
}

// Lines of several files, one after the other. Line ends (LF or CRLF) and a byte order mark are not part of them.
struct line_source {
  const struct qkv_strings *files;
  size_t file;             // the one that is open, from 1; 0: none yet
  struct file_map map;     // a file, or what was read from standard input
  struct buffer standard;  // holds that
  size_t at;
};

static void close_source(struct line_source *source) {
  if (source->map.size && source->map.data != source->standard.data) file_map_close(&source->map);
  buffer_free(&source->standard);
  source->map = (struct file_map){0};
}

static bool open_source(struct line_source *source, const char *path, struct error *error) {
  if (strcmp(path, "-") != 0) return file_map_open(&source->map, path, error);
  if (!file_read(&source->standard, path, error)) return false;
  source->map = (struct file_map){source->standard.data, source->standard.size};
  return true;
}

static bool open_next(struct line_source *source, struct error *error) {
  close_source(source);
  source->at = 0;
  if (source->file == source->files->count) return false;
  if (!open_source(source, source->files->items[source->file++], error)) return false;
  if (source->map.size >= 3 && memcmp(source->map.data, "\xEF\xBB\xBF", 3) == 0) source->at = 3;
  return true;
}

static bool next_line(void *data, const char **line, size_t *size, struct error *error) {
  struct line_source *source = data;
  while (source->at >= source->map.size)
    if (!open_next(source, error)) return false;
  const char *start = source->map.data + source->at, *stop = memchr(start, '\n', source->map.size - source->at);
  *line = start;
  *size = stop ? (size_t)(stop - start) : source->map.size - source->at;
  source->at += *size + 1;
  if (*size && start[*size - 1] == '\r') --*size;
  return true;
}

bool qkv_tokenizer_train(struct qkv_context *context, const char *out, const struct qkv_strings *files,
                         const struct qkv_tokenizer_train_options *options, size_t *size) {
  struct error *error = public_begin(context);
  struct qkv_tokenizer_train_options defaults = qkv_tokenizer_train_options_default();
  struct tokenizer_options chosen;
  if (!make_options(&chosen, options ? options : &defaults, error)) return false;
  if (files->count == 0) return error_set(error, ERROR_USAGE, "no file to learn from was given");
  char path[4096];
  if (file_exists(file_join(path, out, "tokenizer.json")))
    return error_set(error, ERROR_USAGE, "%s is there already; name another directory, or remove it", path);
  struct line_source source = {.files = files};
  struct tokenizer *tokenizer = tokenizer_learn(&chosen, next_line, &source, error);
  close_source(&source);
  bool ok = tokenizer && tokenizer_save(tokenizer, out, NULL, error);
  if (ok && size) *size = tokenizer_size(tokenizer);
  tokenizer_free(tokenizer);
  return ok;
}
