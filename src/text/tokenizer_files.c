#include "text/tokenizer_files.h"

#include <string.h>

#include "base/file.h"
#include "text/tokenizer_draft.h"
#include "text/tokenizer_spm.h"

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
  const char *unknown = draft_role(draft, "unk_token", "[UNK]");
  struct template_tokens tokens = {draft_role(draft, "cls_token", mpnet ? "<s>" : "[CLS]"),
                                   draft_role(draft, "sep_token", mpnet ? "</s>" : "[SEP]")};
  bool lowercase = json_boolean(config, "do_lower_case", true, draft->name, error);
  bool chinese = json_boolean(config, "tokenize_chinese_chars", true, draft->name, error);
  const cJSON *accents = cJSON_GetObjectItemCaseSensitive(config, "strip_accents");
  if (!draft_add_role(draft, "pad_token", mpnet ? "<pad>" : "[PAD]", false, error) ||
      !draft_add_role(draft, "unk_token", unknown, false, error) ||
      !draft_add_role(draft, "cls_token", tokens.begin, false, error) ||
      !draft_add_role(draft, "sep_token", tokens.end, false, error) ||
      !draft_add_role(draft, "mask_token", mpnet ? "<mask>" : "[MASK]", mpnet, error) ||
      !draft_set_template(draft, "b0 A0 e0", mpnet ? "b0 A0 e0 e0 B1 e1" : "b0 A0 e0 B1 e1", tokens, error))
    return false;
  buffer_format(&draft->normalizer,
                "{\"type\": \"BertNormalizer\", \"clean_text\": true, \"handle_chinese_chars\": %s, \"strip_accents\": %s, "
                "\"lowercase\": %s}",
                draft_boolean(chinese), cJSON_IsBool(accents) ? draft_boolean(cJSON_IsTrue(accents)) : "null",
                draft_boolean(lowercase));
  buffer_text(&draft->pretokenizer, "{\"type\": \"BertPreTokenizer\"}");
  buffer_text(&draft->decoder, "{\"type\": \"WordPiece\", \"prefix\": \"##\", \"cleanup\": true}");
  buffer_text(&draft->settings, "\"type\": \"WordPiece\", \"unk_token\": ");
  draft_text(&draft->settings, unknown ? unknown : "[UNK]");
  buffer_text(&draft->settings, ", \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 100");
  return error->code == 0;
}

// vocab.json and merges.txt ---------------------------------------------------------------------------------------------

static const char byte_level[] =
    "{\"type\": \"ByteLevel\", \"add_prefix_space\": %s, \"trim_offsets\": true, \"use_regex\": true}";

static bool draft_gpt2(struct draft *draft, struct error *error) {
  bool space = json_boolean(draft->config, "add_prefix_space", false, draft->name, error);
  buffer_format(&draft->postprocessor, byte_level, "false");
  buffer_format(&draft->pretokenizer, byte_level, draft_boolean(space));
  static const char *const roles[] = {"bos_token", "eos_token", "unk_token", "pad_token"};
  for (int i = 0; i < 4; i++)
    if (!draft_add_role(draft, roles[i], "<|endoftext|>", false, error)) return false;
  return true;
}

static bool draft_roberta(struct draft *draft, struct error *error) {
  static const char *const roles[][2] = {{"bos_token", "<s>"},   {"pad_token", "<pad>"}, {"eos_token", "</s>"},
                                         {"unk_token", "<unk>"}, {"cls_token", "<s>"},   {"sep_token", "</s>"}};
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
    if (!draft_add_role(draft, roles[i][0], roles[i][1], false, error)) return false;
  if (!draft_add_role(draft, "mask_token", "<mask>", true, error)) return false;
  const char *cls = draft_role(draft, "cls_token", "<s>"), *sep = draft_role(draft, "sep_token", "</s>");
  if (draft_find(draft, cls) < 0 || draft_find(draft, sep) < 0)
    return error_set(error, ERROR_FORMAT, "%s: the vocabulary lacks \"%s\" or \"%s\", which RoBERTa puts around texts",
                     draft->name, cls ? cls : "<s>", sep ? sep : "</s>");
  bool space = json_boolean(draft->config, "add_prefix_space", false, draft->name, error);
  bool trim = json_boolean(draft->config, "trim_offsets", true, draft->name, error);
  buffer_format(&draft->pretokenizer, byte_level, draft_boolean(space));
  buffer_text(&draft->postprocessor, "{\"type\": \"RobertaProcessing\", \"sep\": [");
  draft_text(&draft->postprocessor, sep);
  buffer_format(&draft->postprocessor, ", %d], \"cls\": [", (int)draft_find(draft, sep));
  draft_text(&draft->postprocessor, cls);
  buffer_format(&draft->postprocessor, ", %d], \"trim_offsets\": %s, \"add_prefix_space\": %s}", (int)draft_find(draft, cls),
                draft_boolean(trim), draft_boolean(space));
  return error->code == 0;
}

static bool draft_bytes(struct draft *draft, bool roberta, struct error *error) {
  buffer_format(&draft->decoder, byte_level, "true");
  buffer_text(&draft->settings,
              "\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
              "\"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false");
  return roberta ? draft_roberta(draft, error) : draft_gpt2(draft, error);
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
  bool ok = read_vocabulary_text(&draft, path, error) && draft_add_listed_tokens(&draft, error) &&
            draft_bert(&draft, tokenizer_is_one_of(family, "MPNetTokenizer mpnet"), error);
  cJSON *json = ok ? draft_finish(&draft, error) : NULL;
  draft_free(&draft);
  return json;
}

static cJSON *read_merges(const char *path, const char *merges, const char *family, const cJSON *config, struct error *error) {
  struct draft draft = {.config = config, .name = path};
  bool roberta = tokenizer_is_one_of(family, "RobertaTokenizer roberta BartTokenizer bart LongformerTokenizer longformer");
  bool ok = token_model_read_files(&draft.model, path, merges, error) && draft_add_listed_tokens(&draft, error) &&
            draft_bytes(&draft, roberta, error);
  cJSON *json = ok ? draft_finish(&draft, error) : NULL;
  draft_free(&draft);
  return json;
}

static cJSON *read_sentencepiece(const char *path, const char *family, const cJSON *config, struct error *error) {
  struct file_map map;
  if (!file_map_open(&map, path, error)) return NULL;
  cJSON *json = tokenizer_spm_read(map.data, map.size, path, family, config, error);
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
