#include "text/tokenizer_spm.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/character.h"
#include "text/sentencepiece.h"
#include "text/tokenizer_draft.h"

#define MARK "\xE2\x96\x81"  // U+2581

enum spm_family { SPM_PLAIN, SPM_T5, SPM_ALBERT, SPM_XLM_ROBERTA, SPM_LLAMA };

static enum spm_family spm_family(const char *name) {
  if (tokenizer_is_one_of(name, "T5Tokenizer t5 mt5 umt5")) return SPM_T5;
  if (tokenizer_is_one_of(name, "AlbertTokenizer albert")) return SPM_ALBERT;
  if (tokenizer_is_one_of(name, "XLMRobertaTokenizer xlm-roberta XLMRobertaXLTokenizer xlm-roberta-xl")) return SPM_XLM_ROBERTA;
  if (tokenizer_is_one_of(name, "LlamaTokenizer llama mistral mixtral")) return SPM_LLAMA;
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
    buffer_format(&draft->settings, ", \"byte_fallback\": %s", draft_boolean(spm->byte_fallback));
    return fill_unigram(draft, spm, family, error);
  }
  if (!fill_bpe(draft, spm, error)) return false;
  buffer_text(&draft->settings, "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": ");
  if (has_unknown) draft_text(&draft->settings, vocabulary_token(&draft->model.bpe.vocabulary, (int32_t)unknown, NULL));
  else buffer_text(&draft->settings, "null");
  buffer_format(&draft->settings,
                ", \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null, \"fuse_unk\": true, \"byte_fallback\": %s, "
                "\"ignore_merges\": false",
                draft_boolean(spm->byte_fallback));
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
    if (!draft_add_token(
            draft, (struct draft_token){.id = id, .content = vocabulary_token(vocabulary, id, NULL), .special = special}, error))
      return false;
  }
  // T5's <extra_id_...> come behind the pieces.
  for (size_t id = spm->count; id < vocabulary->size; id++) {
    const char *token = vocabulary_token(vocabulary, (int32_t)id, NULL);
    if (strncmp(token, "<extra_id_", 10) == 0 &&
        !draft_add_token(draft, (struct draft_token){.id = (int32_t)id, .content = token, .special = true}, error))
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
                prefix ? "always" : "never", draft_boolean(unigram));
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
  struct template_tokens tokens = {draft_role(draft, "bos_token", "<s>"), draft_role(draft, "eos_token", "</s>")};
  switch (family) {
    case SPM_PLAIN: break;
    case SPM_T5: return draft_set_template(draft, "A0 e0", "A0 e0 B0 e0", tokens, error);
    case SPM_XLM_ROBERTA: return draft_set_template(draft, "b0 A0 e0", "b0 A0 e0 e0 B0 e0", tokens, error);
    case SPM_ALBERT:
      tokens = (struct template_tokens){draft_role(draft, "cls_token", "[CLS]"), draft_role(draft, "sep_token", "[SEP]")};
      return draft_set_template(draft, "b0 A0 e0", "b0 A0 e0 B1 e1", tokens, error);
    case SPM_LLAMA: {
      bool begin = json_boolean(draft->config, "add_bos_token", true, draft->name, error),
           end = json_boolean(draft->config, "add_eos_token", false, draft->name, error);
      if (error->code) return false;
      if (begin && end) return draft_set_template(draft, "b0 A0 e0", "b0 A0 e0 b1 B1 e1", tokens, error);
      if (begin) return draft_set_template(draft, "b0 A0", "b0 A0 b1 B1", tokens, error);
      return !end || draft_set_template(draft, "A0 e0", "A0 e0 B1 e1", tokens, error);
    }
  }
  return true;
}

static bool draft_sentencepiece(struct draft *draft, const struct sentencepiece_model *spm, enum spm_family family,
                                struct error *error) {
  static const char *const masks[] = {NULL, NULL, [SPM_ALBERT] = "[MASK]", [SPM_XLM_ROBERTA] = "<mask>", [SPM_LLAMA] = NULL};
  if (!fill_sentencepiece(draft, spm, family, error) || !draft_add_listed_tokens(draft, error)) return false;
  if (masks[family] && !draft_add_role(draft, "mask_token", masks[family], true, error)) return false;
  if (family == SPM_XLM_ROBERTA && !draft_add_role(draft, "pad_token", "<pad>", false, error)) return false;
  if (!add_control_pieces(draft, spm, error) || !set_spm_template(draft, family, error)) return false;
  write_spm_normalizer(draft, spm, family, error);
  write_spm_words(draft, spm, family, error);
  return error->code == 0;
}

cJSON *tokenizer_spm_read(const char *bytes, size_t size, const char *name, const char *family, const cJSON *config,
                          struct error *error) {
  struct draft draft = {.config = config, .name = name};
  struct sentencepiece_model spm = {0};
  cJSON *json = NULL;
  if (sentencepiece_read(&spm, bytes, size, name, error) && draft_sentencepiece(&draft, &spm, spm_family(family), error))
    json = draft_finish(&draft, error);
  sentencepiece_free(&spm);
  draft_free(&draft);
  return json;
}
