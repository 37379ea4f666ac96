#include "text/tokenizer_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/character.h"
#include "text/sentencepiece.h"
#include "text/token_model.h"

#define MARK "\xE2\x96\x81"  // U+2581

// A tokenizer.json in the making ----------------------------------------------------------------------------------------

struct draft_token {
  int32_t id;
  const char *content;
  bool special, lstrip, rstrip, single_word, normalized;
};

// The sections are JSON texts; an empty one is null.
struct draft {
  const cJSON *config;
  const char *name;  // of the file that is read
  struct token_model model;
  struct draft_token *tokens;  // added tokens
  size_t token_count, token_capacity;
  struct buffer normalizer, pretokenizer, postprocessor, decoder, settings;  // settings: of the model, without the braces
};

static bool add_token(struct draft *draft, struct draft_token token, struct error *error) {
  for (size_t i = 0; i < draft->token_count; i++)
    if (draft->tokens[i].id == token.id) return true;
  if (!memory_grow(error, &draft->tokens, &draft->token_capacity, draft->token_count + 1, sizeof *draft->tokens)) return false;
  draft->tokens[draft->token_count++] = token;
  return true;
}

static int32_t find(const struct draft *draft, const char *token) {
  return token ? vocabulary_find(token_model_vocabulary(&draft->model), token, strlen(token)) : -1;
}

// "cls_token": "[CLS]", or {"content": "[CLS]", ...}; NULL where the file says that there is none.
static const char *role_text(const struct draft *draft, const char *role, const char *otherwise) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(draft->config, role);
  if (cJSON_IsNull(item)) return NULL;
  if (cJSON_IsObject(item)) item = cJSON_GetObjectItemCaseSensitive(item, "content");
  return cJSON_IsString(item) ? item->valuestring : otherwise;
}

// Every role's token that the vocabulary has is an added token, which nothing cuts.
static bool add_role(struct draft *draft, const char *role, const char *otherwise, bool lstrip, struct error *error) {
  const char *text = role_text(draft, role, otherwise);
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(draft->config, role);
  struct draft_token token = {.id = find(draft, text), .content = text, .special = true};
  if (token.id < 0) return true;
  token.lstrip = json_boolean(item, "lstrip", lstrip, draft->name, error);
  token.rstrip = json_boolean(item, "rstrip", false, draft->name, error);
  token.single_word = json_boolean(item, "single_word", false, draft->name, error);
  return error->code == 0 && add_token(draft, token, error);
}

// "added_tokens_decoder": {"7": {"content": "<x>", ...}, ...}; what it says counts before what is usual.
static bool add_listed_tokens(struct draft *draft, struct error *error) {
  const cJSON *item;
  cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(draft->config, "added_tokens_decoder")) {
    char *end;
    long id = strtol(item->string, &end, 10);
    struct draft_token token = {.id = (int32_t)id, .content = json_text(item, "content", NULL, draft->name, error)};
    if (*end || id < 0 || id > INT32_MAX || !token.content)
      return error_set(error, ERROR_FORMAT,
                       "%s: tokenizer_config.json has an added token of id \"%s\" without a content, or no id", draft->name,
                       item->string);
    token.special = json_boolean(item, "special", false, draft->name, error);
    token.lstrip = json_boolean(item, "lstrip", false, draft->name, error);
    token.rstrip = json_boolean(item, "rstrip", false, draft->name, error);
    token.single_word = json_boolean(item, "single_word", false, draft->name, error);
    token.normalized = json_boolean(item, "normalized", true, draft->name, error);
    if (error->code || !add_token(draft, token, error)) return false;
  }
  return true;
}

static int by_id(const void *a, const void *b) {
  int32_t x = ((const struct draft_token *)a)->id, y = ((const struct draft_token *)b)->id;
  return x < y ? -1 : x > y;
}

static const char *boolean(bool value) { return value ? "true" : "false"; }

static void write_text(struct buffer *out, const char *text) { json_write_text(out, text, strlen(text)); }

static void write_tokens(struct buffer *out, const struct draft *draft) {
  for (size_t i = 0; i < draft->token_count; i++) {
    const struct draft_token *token = &draft->tokens[i];
    buffer_format(out, "%s{\"id\": %d, \"content\": ", i ? ", " : "", (int)token->id);
    write_text(out, token->content);
    buffer_format(out, ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": %s, \"special\": %s}",
                  boolean(token->single_word), boolean(token->lstrip), boolean(token->rstrip), boolean(token->normalized),
                  boolean(token->special));
  }
}

static void write_section(struct buffer *out, const char *key, const struct buffer *section) {
  buffer_format(out, ", \"%s\": ", key);
  buffer_text(out, section->size ? section->data : "null");
  out->failed |= section->failed;
}

static cJSON *finish(struct draft *draft, struct error *error) {
  struct buffer out = {0};
  if (draft->token_count) qsort(draft->tokens, draft->token_count, sizeof *draft->tokens, by_id);
  buffer_text(&out, "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null, \"added_tokens\": [");
  write_tokens(&out, draft);
  buffer_char(&out, ']');
  write_section(&out, "normalizer", &draft->normalizer);
  write_section(&out, "pre_tokenizer", &draft->pretokenizer);
  write_section(&out, "post_processor", &draft->postprocessor);
  write_section(&out, "decoder", &draft->decoder);
  buffer_text(&out, ", \"model\": {");
  buffer_text(&out, buffer_string(&draft->settings));
  buffer_text(&out, "}}");
  cJSON *json = buffer_check(&out, error) ? json_parse(out.data, out.size, draft->name, error) : NULL;
  buffer_free(&out);
  if (json && token_model_write(&draft->model, cJSON_GetObjectItemCaseSensitive(json, "model"), error)) return json;
  cJSON_Delete(json);
  return NULL;
}

static void draft_free(struct draft *draft) {
  token_model_free(&draft->model);
  free(draft->tokens);
  struct buffer *const sections[] = {&draft->normalizer, &draft->pretokenizer, &draft->postprocessor, &draft->decoder,
                                     &draft->settings};
  for (int i = 0; i < 5; i++) buffer_free(sections[i]);
}

// Templates -------------------------------------------------------------------------------------------------------------

// The tokens that a template's letters stand for.
struct template_tokens {
  const char *begin, *end;  // 'b' and 'e'
};

// "b0 A0 e0": what stands where, each with its type; A and B are the texts.
static void write_pieces(struct buffer *out, const char *template, struct template_tokens tokens) {
  buffer_char(out, '[');
  for (const char *p = template; *p; p += p[2] ? 3 : 2) {
    bool sequence = *p == 'A' || *p == 'B';
    buffer_format(out, "%s{\"%s\": {\"id\": ", p == template ? "" : ", ", sequence ? "Sequence" : "SpecialToken");
    write_text(out, *p == 'A' ? "A" : *p == 'B' ? "B" : *p == 'b' ? tokens.begin : tokens.end);
    buffer_format(out, ", \"type_id\": %c}}", p[1]);
  }
  buffer_char(out, ']');
}

static void write_template_token(struct buffer *out, const struct draft *draft, const char *token) {
  write_text(out, token);
  buffer_text(out, ": {\"id\": ");
  write_text(out, token);
  buffer_format(out, ", \"ids\": [%d], \"tokens\": [", (int)find(draft, token));
  write_text(out, token);
  buffer_text(out, "]}");
}

// Templates use only tokens that the vocabulary has.
static bool set_template(struct draft *draft, const char *single, const char *pair, struct template_tokens tokens,
                         struct error *error) {
  const char *const used[] = {strchr(pair, 'b') ? tokens.begin : NULL, strchr(pair, 'e') ? tokens.end : NULL};
  struct buffer *out = &draft->postprocessor;
  for (int i = 0; i < 2; i++)
    if (used[i] && find(draft, used[i]) < 0)
      return error_set(error, ERROR_FORMAT, "%s: the special token \"%s\" is not in the vocabulary", draft->name, used[i]);
  if ((strchr(pair, 'b') && !tokens.begin) || (strchr(pair, 'e') && !tokens.end))
    return error_set(error, ERROR_FORMAT, "%s: tokenizer_config.json takes away a special token that stands around texts",
                     draft->name);
  buffer_text(out, "{\"type\": \"TemplateProcessing\", \"single\": ");
  write_pieces(out, single, tokens);
  buffer_text(out, ", \"pair\": ");
  write_pieces(out, pair, tokens);
  buffer_text(out, ", \"special_tokens\": {");
  if (used[0]) write_template_token(out, draft, used[0]);
  if (used[0] && used[1] && strcmp(used[0], used[1]) != 0) buffer_text(out, ", ");
  if (used[1] && (!used[0] || strcmp(used[0], used[1]) != 0)) write_template_token(out, draft, used[1]);
  buffer_text(out, "}}");
  return true;
}

// BERT's vocab.txt ------------------------------------------------------------------------------------------------------

// A line is a token, its number from 0 the id. Of equal lines the last one counts, as in transformers.
static bool read_lines(struct vocabulary *vocabulary, const char *text, size_t size, const char *name, struct error *error) {
  size_t lines = 0, repeated = 0;
  for (const char *p = text; p < text + size && (p = memchr(p, '\n', (size_t)(text + size - p))); p++) lines++;
  if (size && text[size - 1] != '\n') lines++;
  for (size_t end = size, id = lines; id-- > 0;) {
    if (end && text[end - 1] == '\n') end--;
    const char *newline = memrchr(text, '\n', end);
    size_t start = newline ? (size_t)(newline - text) + 1 : 0, length = end - start;
    if (length && text[end - 1] == '\r') length--;
    if (memchr(text + start, 0, length))
      return error_set(error, ERROR_FORMAT, "%s: line %zu has a zero byte in it", name, id + 1);
    if (vocabulary_find(vocabulary, text + start, length) >= 0) repeated++;
    else if (!vocabulary_add(vocabulary, text + start, length, (long long)id, name, error)) return false;
    end = start;
  }
  if (repeated) error_warn(error, "%s: %zu lines are there again further down, which counts", name, repeated);
  return true;
}

static bool read_vocabulary_text(struct draft *draft, const char *path, struct error *error) {
  struct file_map map;
  draft->model.kind = MODEL_WORD_PIECE;
  if (!file_map_open(&map, path, error)) return false;
  bool ok = read_lines(&draft->model.word_piece.vocabulary, map.data, map.size, path, error);
  file_map_close(&map);
  return ok;
}

static bool draft_bert(struct draft *draft, bool mpnet, struct error *error) {
  const cJSON *config = draft->config;
  const char *unknown = role_text(draft, "unk_token", "[UNK]");
  struct template_tokens tokens = {role_text(draft, "cls_token", mpnet ? "<s>" : "[CLS]"),
                                   role_text(draft, "sep_token", mpnet ? "</s>" : "[SEP]")};
  bool lowercase = json_boolean(config, "do_lower_case", true, draft->name, error);
  bool chinese = json_boolean(config, "tokenize_chinese_chars", true, draft->name, error);
  const cJSON *accents = cJSON_GetObjectItemCaseSensitive(config, "strip_accents");
  if (!add_role(draft, "pad_token", mpnet ? "<pad>" : "[PAD]", false, error) ||
      !add_role(draft, "unk_token", unknown, false, error) || !add_role(draft, "cls_token", tokens.begin, false, error) ||
      !add_role(draft, "sep_token", tokens.end, false, error) ||
      !add_role(draft, "mask_token", mpnet ? "<mask>" : "[MASK]", mpnet, error) ||
      !set_template(draft, "b0 A0 e0", mpnet ? "b0 A0 e0 e0 B1 e1" : "b0 A0 e0 B1 e1", tokens, error))
    return false;
  buffer_format(&draft->normalizer,
                "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": %s, \"strip_accents\": %s, "
                "\"lowercase\": %s}",
                boolean(chinese), cJSON_IsBool(accents) ? boolean(cJSON_IsTrue(accents)) : "null", boolean(lowercase));
  buffer_text(&draft->pretokenizer, "{\"type\": \"BertPreTokenizer\"}");
  buffer_text(&draft->decoder, "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}");
  buffer_text(&draft->settings, "\"type\": \"WordPiece\", \"unk_token\": ");
  write_text(&draft->settings, unknown ? unknown : "[UNK]");
  buffer_text(&draft->settings, ", \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100");
  return error->code == 0;
}

// vocab.json and merges.txt ---------------------------------------------------------------------------------------------

static const char byte_level[] =
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": %s, \"trim_offsets\": true, \"use_regex\": true}";

static bool draft_gpt2(struct draft *draft, struct error *error) {
  bool space = json_boolean(draft->config, "add_prefix_space", false, draft->name, error);
  buffer_format(&draft->postprocessor, byte_level, "false");
  buffer_format(&draft->pretokenizer, byte_level, boolean(space));
  static const char *const roles[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
  for (int i = 0; i < 4; i++)
    if (!add_role(draft, roles[i], "<|endoftext|>", false, error)) return false;
  return true;
}

static bool draft_roberta(struct draft *draft, struct error *error) {
  static const char *const roles[][2] = {{"bos_token", "<s>"},   {"pad_token", "<pad>"}, {"eos_token", "</s>"},
                                         {"unk_token", "<unk>"}, {"cls_token", "<s>"},   {"sep_token", "</s>"}};
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (!add_role(draft, roles[i][0], roles[i][1], false, error)) return false;
  if (!add_role(draft, "mask_token", "<mask>", true, error)) return false;
  const char *cls = role_text(draft, "cls_token", "<s>"), *sep = role_text(draft, "sep_token", "</s>");
  if (find(draft, cls) < 0 || find(draft, sep) < 0)
    return error_set(error, ERROR_FORMAT, "%s: the vocabulary lacks \"%s\" or \"%s\", which RoBERTa puts around texts",
                     draft->name, cls ? cls : "<s>", sep ? sep : "</s>");
  bool space = json_boolean(draft->config, "add_prefix_space", false, draft->name, error);
  bool trim = json_boolean(draft->config, "trim_offsets", true, draft->name, error);
  buffer_format(&draft->pretokenizer, byte_level, boolean(space));
  buffer_text(&draft->postprocessor, "{\"type\": \"RobertaProcessing\", \"sep\": [");
  write_text(&draft->postprocessor, sep);
  buffer_format(&draft->postprocessor, ", %d], \"cls\": [", (int)find(draft, sep));
  write_text(&draft->postprocessor, cls);
  buffer_format(&draft->postprocessor, ", %d], \"trim_offsets\": %s, \"add_prefix_space\": %s}", (int)find(draft, cls),
                boolean(trim), boolean(space));
  return error->code == 0;
}

static bool draft_bytes(struct draft *draft, bool roberta, struct error *error) {
  buffer_format(&draft->decoder, byte_level, "true");
  buffer_text(&draft->settings,
              "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
              "\"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false");
  return roberta ? draft_roberta(draft, error) : draft_gpt2(draft, error);
}

// SentencePiece ---------------------------------------------------------------------------------------------------------

enum spm_family { SPM_PLAIN, SPM_T5, SPM_ALBERT, SPM_XLM_ROBERTA, SPM_LLAMA };

static bool is_one_of(const char *name, const char *names) {
  size_t length = strlen(name);
  for (const char *p = names; length && (p = strstr(p, name)); p += length)
    if ((p == names || p[-1] == ' ') && (p[length] == ' ' || p[length] == 0)) return true;
  return false;
}

static enum spm_family spm_family(const char *name) {
  if (is_one_of(name, "T5Tokenizer t5 mt5 umt5")) return SPM_T5;
  if (is_one_of(name, "AlbertTokenizer albert")) return SPM_ALBERT;
  if (is_one_of(name, "XLMRobertaTokenizer xlm-roberta XLMRobertaXLTokenizer xlm-roberta-xl")) return SPM_XLM_ROBERTA;
  if (is_one_of(name, "LlamaTokenizer llama mistral mixtral")) return SPM_LLAMA;
  return SPM_PLAIN;
}

// ALBERT's published tokenizer makes pieces of a digit and a comma at their end nearly impossible.
static double piece_score(const struct sentencepiece *piece, enum spm_family family) {
  size_t size = piece->size, at = size > 1 ? size - 2 : 0;
  uint32_t before = 0;
  while (at > 0 && (piece->text[at] & 0xC0) == 0x80) at--;
  if (size > 1) utf8_decode(piece->text + at, piece->text + size - 1, &before, NULL);
  bool number_comma = family == SPM_ALBERT && size > 1 && piece->text[size - 1] == ',' && character_is_number(before);
  return (double)piece->score - (number_comma ? 100 : 0);
}

static bool add_unigram(struct draft *draft, const char *text, size_t size, double score, struct error *error) {
  return unigram_add(&draft->model.unigram, text, size, score, draft->name, error);
}

// XLM-RoBERTa's ids are fairseq's: four special tokens, then the pieces behind SentencePiece's own three, then <mask>.
static bool fill_unigram(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                         struct error *error) {
  static const char *const fairseq[] = {"<s>", "<pad>", "</s>", "<unk>"};
  size_t first = 0;
  draft->model.kind = MODEL_UNIGRAM;
  for (size_t i = 0; family == SPM_XLM_ROBERTA && i < 4; i++, first = 3)
    if (!add_unigram(draft, fairseq[i], strlen(fairseq[i]), 0, error)) return false;
  for (size_t i = first; i < spm->count; i++)
    if (!add_unigram(draft, spm->pieces[i].text, spm->pieces[i].size, piece_score(&spm->pieces[i], family), error)) return false;
  if (family == SPM_XLM_ROBERTA && !add_unigram(draft, "<mask>", 6, 0, error)) return false;
  long long extra = family == SPM_T5 ? json_integer(draft->config, "extra_ids", 100, draft->name, error) : 0;
  if (error->code) return false;
  if (extra < 0 || extra > 100000)
    return error_set(error, ERROR_FORMAT, "%s: tokenizer_config.json has extra_ids %lld; 0 to 100000 is wanted", draft->name,
                     extra);
  struct buffer name = {0};
  bool ok = true;
  for (long long i = extra - 1; ok && i >= 0; i--) {
    buffer_clear(&name);
    buffer_format(&name, "<extra_id_%lld>", i);
    ok = buffer_check(&name, error) && add_unigram(draft, name.data, name.size, 0, error);
  }
  buffer_free(&name);
  return ok;
}

// A merge and what decides its place: the merged piece's score, then the longer left side, then the order of coming up.
struct scored_merge {
  float score;
  uint32_t left_length, right_length;
  size_t order;
  int32_t left, right;
};

static int by_score(const void *a, const void *b) {
  const struct scored_merge *x = a, *y = b;
  if (x->score != y->score) return x->score > y->score ? -1 : 1;
  if (x->left_length != y->left_length) return x->left_length > y->left_length ? -1 : 1;
  if (x->right_length != y->right_length) return x->right_length > y->right_length ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static int by_sides(const void *a, const void *b) {
  const struct scored_merge *x = a, *y = b;
  if (x->left != y->left) return x->left < y->left ? -1 : 1;
  return x->right < y->right ? -1 : x->right > y->right;
}

struct scored_merges {
  struct scored_merge *items;
  size_t count, capacity;
};

// All ways to put a piece together from two others.
static bool split_piece(const struct trie *trie, const struct vocabulary *vocabulary, const struct sentencepiece *piece,
                        struct scored_merges *merges, struct error *error) {
  size_t first = merges->count;
  uint32_t node = 0;
  for (size_t i = 0; i + 1 < piece->size && (node = trie_child(trie, node, piece->text[i])); i++) {
    int32_t left = trie->ids[node];
    int32_t right = left >= 0 ? vocabulary_find(vocabulary, piece->text + i + 1, piece->size - i - 1) : -1;
    if (right < 0) continue;
    if (!memory_grow(error, &merges->items, &merges->capacity, merges->count + 1, sizeof *merges->items)) return false;
    merges->items[merges->count++] =
        (struct scored_merge){.score = piece->score,
                              .left_length = (uint32_t)utf8_length(piece->text, i + 1),
                              .right_length = (uint32_t)utf8_length(piece->text + i + 1, piece->size - i - 1),
                              .left = left,
                              .right = right};
  }
  if (merges->count > first) qsort(merges->items + first, merges->count - first, sizeof *merges->items, by_sides);
  for (size_t i = first; i < merges->count; i++) merges->items[i].order = i;
  return true;
}

static bool fill_merges(struct bpe *bpe, const struct sentencepiece_model *spm, struct error *error) {
  struct trie trie = {0};
  struct scored_merges merges = {0};
  bool ok = trie_build(&trie, &bpe->vocabulary, error);
  for (size_t i = 0; ok && i < spm->count; i++) ok = split_piece(&trie, &bpe->vocabulary, &spm->pieces[i], &merges, error);
  if (ok && merges.count) qsort(merges.items, merges.count, sizeof *merges.items, by_score);
  for (size_t i = 0; ok && i < merges.count; i++) ok = bpe_add_merge(bpe, merges.items[i].left, merges.items[i].right, error);
  trie_free(&trie);
  free(merges.items);
  return ok;
}

static bool fill_bpe(struct draft *draft, const struct sentencepiece_model *spm, struct error *error) {
  struct bpe *bpe = &draft->model.bpe;
  draft->model.kind = MODEL_BPE;
  for (size_t i = 0; i < spm->count; i++)
    if (!vocabulary_add(&bpe->vocabulary, spm->pieces[i].text, spm->pieces[i].size, (long long)i, draft->name, error))
      return false;
  return fill_merges(bpe, spm, error);
}

static bool fill_sentencepiece(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                               struct error *error) {
  long long unknown = family == SPM_XLM_ROBERTA ? 3 : spm->unknown_id;
  bool has_unknown = unknown >= 0 && (size_t)unknown < spm->count;
  if (spm->kind == SENTENCEPIECE_UNIGRAM) {
    buffer_text(&draft->settings, "\"type\": \"Unigram\", \"unk_id\": ");
    if (has_unknown) buffer_format(&draft->settings, "%lld", unknown);
    else buffer_text(&draft->settings, "null");
    buffer_format(&draft->settings, ", \"byte_fallback\": %s", boolean(spm->byte_fallback));
    return fill_unigram(draft, spm, family, error);
  }
  if (!fill_bpe(draft, spm, error)) return false;
  buffer_text(&draft->settings, "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": ");
  if (has_unknown) write_text(&draft->settings, vocabulary_token(&draft->model.bpe.vocabulary, (int32_t)unknown, NULL));
  else buffer_text(&draft->settings, "null");
  buffer_format(&draft->settings,
                ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": true, \"byte_fallback\": %s, "
                "\"ignore_merges\": false",
                boolean(spm->byte_fallback));
  return true;
}

// Control pieces and the unknown one are special; symbols that the user defined are cut out, but not special.
static bool add_control_pieces(struct draft *draft, const struct sentencepiece_model *spm, struct error *error) {
  const struct vocabulary *vocabulary = token_model_vocabulary(&draft->model);
  for (size_t i = 0; i < spm->count; i++) {
    const struct sentencepiece *piece = &spm->pieces[i];
    int32_t id = vocabulary_find(vocabulary, piece->text, piece->size);
    bool special = piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN;
    if ((!special && piece->type != PIECE_USER_DEFINED) || id < 0 || piece->size == 0) continue;
    if (!add_token(draft, (struct draft_token){.id = id, .content = vocabulary_token(vocabulary, id, NULL), .special = special},
                   error))
      return false;
  }
  // T5's <extra_id_...> come behind the pieces.
  for (size_t id = spm->count; id < vocabulary->size; id++) {
    const char *token = vocabulary_token(vocabulary, (int32_t)id, NULL);
    if (strncmp(token, "<extra_id_", 10) == 0 &&
        !add_token(draft, (struct draft_token){.id = (int32_t)id, .content = token, .special = true}, error))
      return false;
  }
  return true;
}

// Every blank is kept, and the one in front added, before anything else: then the text is one word.
static bool keeps_blanks(const struct sentencepiece_model *spm, enum spm_family family) {
  return family == SPM_LLAMA || !spm->remove_extra_whitespaces;
}

static bool adds_prefix(const struct draft *draft, const struct sentencepiece_model *spm, struct error *error) {
  return json_boolean(draft->config, "add_prefix_space", spm->add_dummy_prefix, draft->name, error);
}

// Blanks at the ends are removed and runs of them are one, where the model says so.
static void write_spm_normalizer(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                                 struct error *error) {
  struct buffer *out = &draft->normalizer;
  const char *before = "";
  buffer_text(out, "{\"type\": \"Sequence\", \"normalizers\": [");
  if (family == SPM_ALBERT) {
    buffer_text(out,
                "{\"type\": \"Replace\", \"pattern\": {\"String\": \"``\"}, \"content\": \"\\\"\"}, "
                "{\"type\": \"Replace\", \"pattern\": {\"String\": \"''\"}, \"content\": \"\\\"\"}");
    if (!json_boolean(draft->config, "keep_accents", false, draft->name, error))
      buffer_text(out, ", {\"type\": \"NFKD\"}, {\"type\": \"StripAccents\"}");
    if (json_boolean(draft->config, "do_lower_case", true, draft->name, error)) buffer_text(out, ", {\"type\": \"Lowercase\"}");
    before = ", ";
  }
  if (spm->charsmap_size) {
    buffer_format(out, "%s{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"", before);
    base64_write(out, spm->charsmap, spm->charsmap_size);
    buffer_text(out, "\"}");
    before = ", ";
  }
  if (keeps_blanks(spm, family)) {
    if (adds_prefix(draft, spm, error)) {
      buffer_format(out, "%s{\"type\": \"Prepend\", \"prepend\": \"" MARK "\"}", before);
      before = ", ";
    }
    buffer_format(out, "%s{\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": \"" MARK "\"}", before);
  } else if (spm->kind == SENTENCEPIECE_BPE) {
    buffer_format(out, "%s{\"type\": \"Strip\", \"strip_left\": true, \"strip_right\": true}, ", before);
    buffer_text(out, "{\"type\": \"Replace\", \"pattern\": {\"Regex\": \" {2,}\"}, \"content\": \" \"}");
  }
  buffer_text(out, "]}");
}

// A unigram model's words are what stands between blanks; merges of a BPE may cross them.
static void write_spm_words(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                            struct error *error) {
  bool prefix = adds_prefix(draft, spm, error), unigram = spm->kind == SENTENCEPIECE_UNIGRAM;
  struct buffer metaspace = {0};
  buffer_format(&metaspace, "{\"type\": \"Metaspace\", \"replacement\": \"" MARK "\", \"prepend_scheme\": \"%s\", \"split\": %s}",
                prefix ? "always" : "never", boolean(unigram));
  if (!keeps_blanks(spm, family)) {
    if (unigram)
      buffer_text(&draft->pretokenizer, "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"WhitespaceSplit\"}, ");
    buffer_text(&draft->pretokenizer, buffer_string(&metaspace));
    if (unigram) buffer_text(&draft->pretokenizer, "]}");
  }
  if (spm->byte_fallback) {
    buffer_text(&draft->decoder,
                "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": {\"String\": \"" MARK
                "\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"}, {\"type\": \"Fuse\"}");
    if (prefix) buffer_text(&draft->decoder, ", {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": 0}");
    buffer_text(&draft->decoder, "]}");
  } else {
    buffer_text(&draft->decoder, buffer_string(&metaspace));
  }
  draft->decoder.failed |= metaspace.failed;
  buffer_free(&metaspace);
}

static bool set_spm_template(struct draft *draft, enum spm_family family, struct error *error) {
  struct template_tokens tokens = {role_text(draft, "bos_token", "<s>"), role_text(draft, "eos_token", "</s>")};
  switch (family) {
    case SPM_PLAIN: break;
    case SPM_T5: return set_template(draft, "A0 e0", "A0 e0 B0 e0", tokens, error);
    case SPM_XLM_ROBERTA: return set_template(draft, "b0 A0 e0", "b0 A0 e0 e0 B0 e0", tokens, error);
    case SPM_ALBERT:
      tokens = (struct template_tokens){role_text(draft, "cls_token", "[CLS]"), role_text(draft, "sep_token", "[SEP]")};
      return set_template(draft, "b0 A0 e0", "b0 A0 e0 B1 e1", tokens, error);
    case SPM_LLAMA: {
      bool begin = json_boolean(draft->config, "add_bos_token", true, draft->name, error),
           end = json_boolean(draft->config, "add_eos_token", false, draft->name, error);
      if (error->code) return false;
      if (begin && end) return set_template(draft, "b0 A0 e0", "b0 A0 e0 b1 B1 e1", tokens, error);
      if (begin) return set_template(draft, "b0 A0", "b0 A0 b1 B1", tokens, error);
      return !end || set_template(draft, "A0 e0", "A0 e0 B1 e1", tokens, error);
    }
  }
  return true;
}

static bool draft_sentencepiece(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                                struct error *error) {
  static const char *const masks[] = {NULL, NULL, [SPM_ALBERT] = "[MASK]", [SPM_XLM_ROBERTA] = "<mask>", [SPM_LLAMA] = NULL};
  if (!fill_sentencepiece(draft, spm, family, error) || !add_listed_tokens(draft, error)) return false;
  if (masks[family] && !add_role(draft, "mask_token", masks[family], true, error)) return false;
  if (family == SPM_XLM_ROBERTA && !add_role(draft, "pad_token", "<pad>", false, error)) return false;
  if (!add_control_pieces(draft, spm, error) || !set_spm_template(draft, family, error)) return false;
  write_spm_normalizer(draft, spm, family, error);
  write_spm_words(draft, spm, family, error);
  return error->code == 0;
}

cJSON *tokenizer_files_sentencepiece(const char *bytes, size_t size, const char *name, const char *family, const cJSON *config,
                                     struct error *error) {
  struct draft draft = {.config = config, .name = name};
  struct sentencepiece_model spm = {0};
  cJSON *json = NULL;
  if (sentencepiece_read(&spm, bytes, size, name, error) && draft_sentencepiece(&draft, &spm, spm_family(family), error))
    json = finish(&draft, error);
  sentencepiece_free(&spm);
  draft_free(&draft);
  return json;
}

// Directories -----------------------------------------------------------------------------------------------------------

// Which tokenizer it is: tokenizer_config.json's tokenizer_class without "Fast", else config.json's model_type, else "".
static bool read_family(char out[64], const char *directory, const cJSON *config, struct error *error) {
  char path[4096];
  const char *name = json_text(config, "tokenizer_class", "", "tokenizer_config.json", error);
  cJSON *model = NULL;
  if (!*name && file_exists(file_join(path, directory, "config.json"))) {
    model = json_read(path, error);
    name = json_text(model, "model_type", "", path, error);
  }
  size_t length = strlen(name);
  if (length > 4 && strcmp(name + length - 4, "Fast") == 0) length -= 4;
  if (length > 63) length = 63;
  memcpy(out, name, length);
  out[length] = 0;
  cJSON_Delete(model);
  return error->code == 0;
}

static cJSON *read_words(const char *path, const char *family, const cJSON *config, struct error *error) {
  struct draft draft = {.config = config, .name = path};
  bool ok = read_vocabulary_text(&draft, path, error) && add_listed_tokens(&draft, error) &&
            draft_bert(&draft, is_one_of(family, "MPNetTokenizer mpnet"), error);
  cJSON *json = ok ? finish(&draft, error) : NULL;
  draft_free(&draft);
  return json;
}

static cJSON *read_merges(const char *path, const char *merges, const char *family, const cJSON *config, struct error *error) {
  struct draft draft = {.config = config, .name = path};
  bool roberta = is_one_of(family, "RobertaTokenizer roberta BartTokenizer bart LongformerTokenizer longformer");
  bool ok = token_model_read_files(&draft.model, path, merges, error) && add_listed_tokens(&draft, error) &&
            draft_bytes(&draft, roberta, error);
  cJSON *json = ok ? finish(&draft, error) : NULL;
  draft_free(&draft);
  return json;
}

static cJSON *read_sentencepiece(const char *path, const char *family, const cJSON *config, struct error *error) {
  struct file_map map;
  if (!file_map_open(&map, path, error)) return NULL;
  cJSON *json = tokenizer_files_sentencepiece(map.data, map.size, path, family, config, error);
  file_map_close(&map);
  return json;
}

cJSON *tokenizer_files_read(const char *directory, const cJSON *config, char file[4096], struct error *error) {
  static const char *const models[] = {"spiece.model", "sentencepiece.bpe.model", "tokenizer.model", "spm.model"};
  char merges[4096], family[64];
  if (!read_family(family, directory, config, error)) return NULL;
  file_join(merges, directory, "merges.txt");
  if (file_exists(file_join(file, directory, "vocab.json")) && file_exists(merges))
    return read_merges(file, merges, family, config, error);
  if (file_exists(file_join(file, directory, "vocab.txt"))) return read_words(file, family, config, error);
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (file_exists(file_join(file, directory, models[i]))) return read_sentencepiece(file, family, config, error);
  error_set(error, ERROR_FILE,
            "%s: there is no tokenizer.json, nor older files of a tokenizer: vocab.txt, vocab.json with merges.txt, or "
            "SentencePiece's spiece.model, sentencepiece.bpe.model, tokenizer.model, spm.model",
            directory);
  return NULL;
}
