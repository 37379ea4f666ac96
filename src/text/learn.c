#include "text/learn.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "text/learn_bpe.h"
#include "text/learn_unigram.h"
#include "text/tokenizer_parts.h"

#define END_MARK "</w>"
#define START_MARK "\xE2\x96\x81"  // U+2581

#define INNER_MARK "##"

enum { DEFAULT_MAX_WORDS = 8000000 };

struct tokenizer_options tokenizer_options_marian(void) {
  return (struct tokenizer_options){
      .kind = TOKENIZER_BPE_BYTES,
      .vocab_size = 10000,
      .suffix = "</s>",
      .special_count = 3,
      .specials = {
          {"</s>", SPECIAL_FIRST, "eos_token"}, {"<unk>", SPECIAL_FIRST, "unk_token"}, {"<pad>", SPECIAL_LAST, "pad_token"}}};
}

struct tokenizer_options tokenizer_options_pegasus(void) {
  return (struct tokenizer_options){
      .kind = TOKENIZER_BPE_BYTES,
      .vocab_size = 10000,
      .suffix = "</s>",
      .special_count = 3,
      .specials = {
          {"<pad>", SPECIAL_FIRST, "pad_token"}, {"</s>", SPECIAL_FIRST, "eos_token"}, {"<unk>", SPECIAL_FIRST, "unk_token"}}};
}

// As GPT-2, whose one special token plays all roles; words and characters need an unknown token besides.
struct tokenizer_options tokenizer_options_gpt2(void) {
  return (struct tokenizer_options){.kind = TOKENIZER_BPE_BYTES,
                                    .vocab_size = 10000,
                                    .special_count = 1,
                                    .specials = {{"<|endoftext|>", SPECIAL_LAST, "eos_token"}}};
}

struct tokenizer_options tokenizer_options_bert(void) {
  return (struct tokenizer_options){.kind = TOKENIZER_WORDPIECE,
                                    .lowercase = true,
                                    .vocab_size = 10000,
                                    .prefix = "[CLS]",
                                    .suffix = "[SEP]",
                                    .special_count = 5,
                                    .specials = {{"[PAD]", SPECIAL_FIRST, "pad_token"},
                                                 {"[UNK]", SPECIAL_FIRST, "unk_token"},
                                                 {"[CLS]", SPECIAL_FIRST, "cls_token"},
                                                 {"[SEP]", SPECIAL_FIRST, "sep_token"},
                                                 {"[MASK]", SPECIAL_FIRST, "mask_token"}}};
}

// Options --------------------------------------------------------------------------------------------------------------

static const char *token_of_role(const struct tokenizer_options *options, const char *role) {
  for (int i = 0; i < options->special_count; i++)
    if (options->specials[i].role && strcmp(options->specials[i].role, role) == 0) return options->specials[i].text;
  return NULL;
}

static bool is_special(const struct tokenizer_options *options, const char *text) {
  for (int i = 0; i < options->special_count; i++)
    if (strcmp(options->specials[i].text, text) == 0) return true;
  return false;
}

static bool needs_unknown(const struct tokenizer_options *options) { return options->kind != TOKENIZER_BPE_BYTES; }

static bool check_options(const struct tokenizer_options *options, struct error *error) {
  size_t least = (size_t)options->special_count + (options->kind == TOKENIZER_BPE_BYTES ? 256 : 1);
  if (options->special_count < 0 || options->special_count > TOKENIZER_SPECIAL_MAX)
    return error_set(error, ERROR_USAGE, "%d special tokens; at most %d are possible", options->special_count,
                     TOKENIZER_SPECIAL_MAX);
  if (options->vocab_size < least)
    return error_set(error, ERROR_USAGE, "a vocabulary of %zu tokens is too small: %zu are the least (%d special tokens and %s)",
                     options->vocab_size, least, options->special_count,
                     options->kind == TOKENIZER_BPE_BYTES ? "256 bytes" : "one character");
  if (options->vocab_size > 1 << 25)
    return error_set(error, ERROR_USAGE, "a vocabulary of %zu tokens is too large", options->vocab_size);
  const char *const around[] = {options->prefix, options->suffix};
  for (int i = 0; i < 2; i++)
    if (around[i] && !is_special(options, around[i]))
      return error_set(error, ERROR_USAGE, "\"%s\" is to be put around texts, but is not among the special tokens", around[i]);
  for (int i = 0; i < options->special_count; i++) {
    if (!options->specials[i].text || !*options->specials[i].text)
      return error_set(error, ERROR_USAGE, "a special token is empty");
    for (int k = 0; k < i; k++)
      if (strcmp(options->specials[i].text, options->specials[k].text) == 0)
        return error_set(error, ERROR_USAGE, "the special token \"%s\" is given twice", options->specials[i].text);
  }
  if (needs_unknown(options) && !token_of_role(options, "unk_token"))
    return error_set(error, ERROR_USAGE, "a vocabulary of words or characters needs a special token of the role unk_token");
  if (options->unicode_form && !strstr(" NFC NFD NFKC NFKD ", options->unicode_form))
    return error_set(error, ERROR_USAGE, "the Unicode form \"%s\" is none of NFC, NFD, NFKC, NFKD", options->unicode_form);
  return true;
}

// The tokenizer without its vocabulary, as the text of a tokenizer.json ------------------------------------------------

static void write_text(struct buffer *out, const char *text) { json_write_text(out, text, strlen(text)); }

static void write_normalizer(struct buffer *out, const struct tokenizer_options *options) {
  bool bert = options->kind == TOKENIZER_WORDPIECE, second = bert || options->lowercase, both = options->unicode_form && second;
  if (both) buffer_text(out, "{\"type\": \"Sequence\", \"normalizers\": [");
  if (options->unicode_form) buffer_format(out, "{\"type\": \"%s\"}", options->unicode_form);
  if (both) buffer_text(out, ", ");
  if (bert)
    buffer_format(out,
                  "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": true, \"strip_accents\": null, "
                  "\"lowercase\": %s}",
                  options->lowercase ? "true" : "false");
  else if (options->lowercase) buffer_text(out, "{\"type\": \"Lowercase\"}");
  if (both) buffer_text(out, "]}");
  if (!options->unicode_form && !second) buffer_text(out, "null");
}

static const char *pretokenizer_json(enum tokenizer_kind kind) {
  switch (kind) {
    case TOKENIZER_BPE_BYTES:
      return "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}";
    case TOKENIZER_BPE_START:
      return "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Metaspace\", \"replacement\": \"" START_MARK
             "\", \"prepend_scheme\": \"always\", \"split\": true}, {\"type\": \"Punctuation\", \"behavior\": \"Isolated\"}]}";
    case TOKENIZER_BPE_END:
    case TOKENIZER_WORD: return "{\"type\": \"WhitespaceSplit\"}";
    case TOKENIZER_WORDPIECE: return "{\"type\": \"BertPreTokenizer\"}";
    case TOKENIZER_UNIGRAM:
      return "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}, {\"type\": \"Metaspace\", "
             "\"replacement\": "
             "\"" START_MARK "\", \"prepend_scheme\": \"always\", \"split\": true}]}";
    case TOKENIZER_CHAR: break;
  }
  return "null";
}

static const char *decoder_json(enum tokenizer_kind kind) {
  switch (kind) {
    case TOKENIZER_BPE_BYTES:
      return "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": true, \"use_regex\": true}";
    case TOKENIZER_BPE_START:
    case TOKENIZER_UNIGRAM:
      return "{\"type\": \"Metaspace\", \"replacement\": \"" START_MARK "\", \"prepend_scheme\": \"always\", \"split\": true}";
    case TOKENIZER_BPE_END: return "{\"type\": \"BPEDecoder\", \"suffix\": \"" END_MARK "\"}";
    case TOKENIZER_CHAR: return "{\"type\": \"Fuse\"}";
    case TOKENIZER_WORDPIECE: return "{\"type\": \"WordPiece\", \"prefix\": \"" INNER_MARK "\", \"cleanup\": true}";
    case TOKENIZER_WORD: break;
  }
  return "null";
}

static void write_special_piece(struct buffer *out, const char *token, int type) {
  buffer_text(out, "{\"SpecialToken\": {\"id\": ");
  write_text(out, token);
  buffer_format(out, ", \"type_id\": %d}}", type);
}

static void write_template(struct buffer *out, const struct tokenizer_options *options, bool pair) {
  buffer_char(out, '[');
  if (options->prefix) {
    write_special_piece(out, options->prefix, 0);
    buffer_text(out, ", ");
  }
  for (int i = 0; i <= (int)pair; i++) {
    buffer_format(out, "%s{\"Sequence\": {\"id\": \"%c\", \"type_id\": %d}}", i ? ", " : "", 'A' + i, i);
    if (!options->suffix) continue;
    buffer_text(out, ", ");
    write_special_piece(out, options->suffix, i);
  }
  buffer_char(out, ']');
}

static void write_template_token(struct buffer *out, const char *token, int32_t id) {
  write_text(out, token);
  buffer_text(out, ": {\"id\": ");
  write_text(out, token);
  buffer_format(out, ", \"ids\": [%d], \"tokens\": [", id);
  write_text(out, token);
  buffer_text(out, "]}");
}

static void write_postprocessor(struct buffer *out, const struct tokenizer_options *options,
                                const struct vocabulary *vocabulary) {
  if (!options->prefix && !options->suffix) {
    buffer_text(out, options->kind == TOKENIZER_BPE_BYTES
                         ? "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"trim_offsets\": false, \"use_regex\": true}"
                         : "null");
    return;
  }
  buffer_text(out, "{\"type\": \"TemplateProcessing\", \"single\": ");
  write_template(out, options, false);
  buffer_text(out, ", \"pair\": ");
  write_template(out, options, true);
  buffer_text(out, ", \"special_tokens\": {");
  bool both = options->prefix && options->suffix && strcmp(options->prefix, options->suffix) != 0;
  if (options->prefix)
    write_template_token(out, options->prefix, vocabulary_find(vocabulary, options->prefix, strlen(options->prefix)));
  if (both) buffer_text(out, ", ");
  if (options->suffix && (both || !options->prefix))
    write_template_token(out, options->suffix, vocabulary_find(vocabulary, options->suffix, strlen(options->suffix)));
  buffer_text(out, "}}");
}

// In the order of their ids, as `tokenizers` wants them.
static void write_added_tokens(struct buffer *out, const struct tokenizer_options *options, const struct vocabulary *vocabulary) {
  const char *between = "";
  for (size_t id = 0; id < vocabulary->size; id++) {
    const char *token = vocabulary_token(vocabulary, (int32_t)id, NULL);
    if (!token || !is_special(options, token)) continue;
    buffer_format(out, "%s{\"id\": %zu, \"content\": ", between, id);
    write_text(out, token);
    buffer_text(out, ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, \"special\": true}");
    between = ", ";
  }
}

static void write_model(struct buffer *out, const struct tokenizer_options *options, const struct vocabulary *vocabulary) {
  if (options->kind == TOKENIZER_UNIGRAM) {
    const char *unknown = token_of_role(options, "unk_token");
    int32_t id = vocabulary_find(vocabulary, unknown, strlen(unknown));
    buffer_text(out, "{\"type\": \"Unigram\", \"unk_id\": ");
    if (id >= 0) buffer_format(out, "%d", (int)id);
    else buffer_text(out, "null");
    buffer_text(out, ", \"byte_fallback\": false}");
    return;
  }
  if (options->kind == TOKENIZER_WORD) {
    buffer_text(out, "{\"type\": \"WordLevel\", \"unk_token\": ");
    write_text(out, token_of_role(options, "unk_token"));
    buffer_char(out, '}');
    return;
  }
  if (options->kind == TOKENIZER_WORDPIECE) {
    buffer_text(out, "{\"type\": \"WordPiece\", \"unk_token\": ");
    write_text(out, token_of_role(options, "unk_token"));
    buffer_text(out, ", \"continuing_subword_prefix\": \"" INNER_MARK "\", \"max_input_chars_per_word\": 100}");
    return;
  }
  buffer_text(out, "{\"type\": \"BPE\", \"dropout\": null, \"unk_token\": ");
  if (needs_unknown(options)) write_text(out, token_of_role(options, "unk_token"));
  else buffer_text(out, "null");
  buffer_format(out,
                ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": %s, \"fuse_unk\": %s, \"byte_fallback\": false, "
                "\"ignore_merges\": false}",
                options->kind == TOKENIZER_BPE_END ? "\"" END_MARK "\"" : "null",
                options->kind == TOKENIZER_BPE_START || options->kind == TOKENIZER_BPE_END ? "true" : "false");
}

// vocabulary may be empty: then ids are missing, but normalizer and pre-tokenizer are right.
static cJSON *make_json(const struct tokenizer_options *options, const struct vocabulary *vocabulary, struct error *error) {
  struct buffer out = {0};
  buffer_text(&out, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [");
  write_added_tokens(&out, options, vocabulary);
  buffer_text(&out, "], \"normalizer\": ");
  write_normalizer(&out, options);
  buffer_format(&out, ", \"pre_tokenizer\": %s, \"post_processor\": ", pretokenizer_json(options->kind));
  write_postprocessor(&out, options, vocabulary);
  buffer_format(&out, ", \"decoder\": %s, \"model\": ", decoder_json(options->kind));
  write_model(&out, options, vocabulary);
  buffer_char(&out, '}');
  cJSON *json = buffer_check(&out, error) ? json_parse(buffer_string(&out), out.size, "learnt tokenizer", error) : NULL;
  buffer_free(&out);
  return json;
}

// BERT's own class sets up normalizer, special tokens and what stands around texts itself, from these keys.
static bool is_bert(const struct tokenizer_options *options) {
  return options->kind == TOKENIZER_WORDPIECE && !options->unicode_form && token_of_role(options, "mask_token") &&
         token_of_role(options, "cls_token") && options->prefix && options->suffix &&
         strcmp(options->prefix, token_of_role(options, "cls_token")) == 0;
}

static cJSON *make_config(const struct tokenizer_options *options, struct error *error) {
  cJSON *config = cJSON_CreateObject();
  bool bert = is_bert(options);
  bool ok = config &&
            cJSON_AddStringToObject(config, "tokenizer_class", bert ? "BertTokenizerFast" : "PreTrainedTokenizerFast") &&
            cJSON_AddFalseToObject(config, "clean_up_tokenization_spaces");
  if (ok && bert)
    ok = cJSON_AddBoolToObject(config, "do_lower_case", options->lowercase) &&
         cJSON_AddTrueToObject(config, "tokenize_chinese_chars") && cJSON_AddNullToObject(config, "strip_accents");
  for (int i = 0; ok && i < options->special_count; i++)
    if (options->specials[i].role) ok = cJSON_AddStringToObject(config, options->specials[i].role, options->specials[i].text);
  if (ok && options->model_max_length)
    ok = cJSON_AddNumberToObject(config, "model_max_length", (double)options->model_max_length);
  if (ok) return config;
  cJSON_Delete(config);
  error_memory(error, 0);
  return NULL;
}

// Vocabularies ---------------------------------------------------------------------------------------------------------

static int more_frequent(const void *a, const void *b) {
  const struct word_view *x = a, *y = b;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  size_t size = x->size < y->size ? x->size : y->size;
  int order = memcmp(x->text, y->text, size);
  if (order) return order;
  return x->size < y->size ? -1 : x->size > y->size;
}

// Whole words or single characters, the most frequent first; of equally frequent ones the smaller bytes first.
static bool learn_words(const struct tokenizer_options *options, struct word_view *words, size_t count, size_t room,
                        struct vocabulary *vocabulary, struct error *error) {
  uint64_t least = options->min_frequency ? options->min_frequency : 1;
  if (count) qsort(words, count, sizeof *words, more_frequent);
  for (size_t i = 0; i < count && vocabulary->count < room && words[i].count >= least; i++) {
    if (memchr(words[i].text, 0, words[i].size) || vocabulary_find(vocabulary, words[i].text, words[i].size) >= 0) continue;
    if (!vocabulary_add(vocabulary, words[i].text, words[i].size, (long long)vocabulary->size, "learnt vocabulary", error))
      return false;
  }
  return true;
}

static enum model_kind model_of(enum tokenizer_kind kind) {
  switch (kind) {
    case TOKENIZER_WORD: return MODEL_WORD_LEVEL;
    case TOKENIZER_WORDPIECE: return MODEL_WORD_PIECE;
    case TOKENIZER_UNIGRAM: return MODEL_UNIGRAM;
    default: return MODEL_BPE;
  }
}

static struct vocabulary *model_vocabulary(struct token_model *model) {
  return (struct vocabulary *)token_model_vocabulary(model);
}

static void warn_of_cut(size_t cut, struct error *error) {
  if (cut) error_warn(error, "the text has %zu characters more than the vocabulary has room for: the rarest were left out", cut);
}

static bool learn_pieces(const struct tokenizer_options *options, struct word_view *words, size_t count, size_t room,
                         struct unigram *model, struct error *error) {
  struct unigram_learning learning = {words, count, room, options->min_frequency ? options->min_frequency : 2};
  size_t cut;
  if (!unigram_learn(&learning, model, &cut, error)) return false;
  warn_of_cut(cut, error);
  return true;
}

static bool learn_model(const struct tokenizer_options *options, struct word_view *words, size_t count, size_t room,
                        struct token_model *model, struct error *error) {
  if (options->kind == TOKENIZER_WORD) return learn_words(options, words, count, room, &model->word_level.vocabulary, error);
  if (options->kind == TOKENIZER_CHAR) return learn_words(options, words, count, room, &model->bpe.vocabulary, error);
  if (options->kind == TOKENIZER_UNIGRAM) return learn_pieces(options, words, count, room, &model->unigram, error);
  bool pieces = options->kind == TOKENIZER_WORDPIECE;
  struct bpe_learning learning = {words,
                                  count,
                                  room,
                                  options->min_frequency ? options->min_frequency : 2,
                                  options->kind == TOKENIZER_BPE_BYTES,
                                  options->kind == TOKENIZER_BPE_END ? END_MARK : NULL,
                                  pieces ? INNER_MARK : NULL};
  struct learnt_merge *merges;
  size_t merge_count, cut;
  bool ok = bpe_learn(&learning, model_vocabulary(model), &merges, &merge_count, &cut, error);
  for (size_t i = 0; ok && !pieces && i < merge_count; i++)
    ok = bpe_add_merge(&model->bpe, merges[i].left, merges[i].right, error);
  free(merges);
  if (ok) warn_of_cut(cut, error);
  return ok;
}

static bool add_special(struct token_model *model, const char *text, struct error *error) {
  struct vocabulary *vocabulary = model_vocabulary(model);
  if (model->kind == MODEL_UNIGRAM) return unigram_add(&model->unigram, text, strlen(text), 0, "learnt vocabulary", error);
  return vocabulary_add(vocabulary, text, strlen(text), (long long)vocabulary->size, "learnt vocabulary", error);
}

static bool add_specials(const struct tokenizer_options *options, enum special_place place, struct token_model *model,
                         struct error *error) {
  for (int i = 0; i < options->special_count; i++) {
    const struct special_token *special = &options->specials[i];
    if (special->place != place) continue;
    if (vocabulary_find(model_vocabulary(model), special->text, strlen(special->text)) >= 0)
      return error_set(error, ERROR_FORMAT,
                       "the special token \"%s\" occurs in the text and was learnt from it; take another one", special->text);
    if (!add_special(model, special->text, error)) return false;
  }
  return true;
}

static size_t count_specials(const struct tokenizer_options *options, enum special_place place) {
  size_t count = 0;
  for (int i = 0; i < options->special_count; i++) count += options->specials[i].place == place;
  return count;
}

static struct tokenizer *finish(const struct tokenizer_options *options, const struct token_model *model, struct error *error) {
  cJSON *json = make_json(options, token_model_vocabulary(model), error), *config = json ? make_config(options, error) : NULL;
  if (config && token_model_write(model, cJSON_GetObjectItemCaseSensitive(json, "model"), error))
    return tokenizer_from_json(json, config, "learnt tokenizer", error);
  cJSON_Delete(json);
  cJSON_Delete(config);
  return NULL;
}

static struct tokenizer *learn_from_counts(const struct tokenizer_options *options, const struct word_counts *counts,
                                           struct error *error) {
  struct token_model model = {.kind = model_of(options->kind)};
  struct vocabulary *vocabulary = model_vocabulary(&model);
  struct tokenizer *tokenizer = NULL;
  size_t count = 0;
  struct word_view *words = word_counts_sorted(counts, &count, error);
  bool ok = words && add_specials(options, SPECIAL_FIRST, &model, error) &&
            learn_model(options, words, count, options->vocab_size - count_specials(options, SPECIAL_LAST), &model, error) &&
            add_specials(options, SPECIAL_LAST, &model, error);
  if (ok && options->kind != TOKENIZER_CHAR && vocabulary->count < options->vocab_size)
    error_warn(error, "the text gives a vocabulary of %zu tokens, not the %zu that were asked for", vocabulary->count,
               options->vocab_size);
  if (ok) tokenizer = finish(options, &model, error);
  token_model_free(&model);
  free(words);
  return tokenizer;
}

// What a word is follows from the tokenizer itself; for a vocabulary of characters every character is one.
static bool read_word_rules(const struct tokenizer_options *options, struct normalizer_list *normalizer,
                            struct pretokenizer_list *pretokenizer, struct error *error) {
  struct vocabulary none = {0};
  cJSON *json = make_json(options, &none, error);
  static const char each_character[] = "{\"type\": \"FixedLength\", \"length\": 1}";
  cJSON *single =
      options->kind == TOKENIZER_CHAR ? json_parse(each_character, sizeof each_character - 1, "learnt tokenizer", error) : NULL;
  const cJSON *words = single ? single : cJSON_GetObjectItemCaseSensitive(json, "pre_tokenizer");
  bool ok = json && error->code == 0 &&
            normalizer_read(normalizer, cJSON_GetObjectItemCaseSensitive(json, "normalizer"), "learnt tokenizer", error) &&
            pretokenizer_read(pretokenizer, words, "learnt tokenizer", error);
  cJSON_Delete(json);
  cJSON_Delete(single);
  return ok;
}

struct tokenizer *tokenizer_learn(const struct tokenizer_options *options, tokenizer_next_line *next, void *data,
                                  struct error *error) {
  struct normalizer_list normalizer = {0};
  struct pretokenizer_list pretokenizer = {0};
  struct word_counts counts = {0};
  struct tokenizer *tokenizer = NULL;
  size_t max_words = options->max_words ? options->max_words : DEFAULT_MAX_WORDS;
  if (check_options(options, error) && read_word_rules(options, &normalizer, &pretokenizer, error) &&
      word_counts_read(&counts, &normalizer, &pretokenizer, max_words, next, data, error))
    tokenizer = learn_from_counts(options, &counts, error);
  if (counts.forgotten_words)
    error_warn(error, "more than %zu different words: %zu times a rare word was forgotten while counting", max_words,
               counts.forgotten_words);
  if (counts.invalid_bytes)
    error_warn(error, "%zu bytes of the text are not valid UTF-8 and were read as U+FFFD", counts.invalid_bytes);
  word_counts_free(&counts);
  normalizer_free(&normalizer);
  pretokenizer_free(&pretokenizer);
  return tokenizer;
}
