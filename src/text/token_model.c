#include "text/token_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"

// Reading --------------------------------------------------------------------------------------------------------------

static bool read_vocabulary(struct vocabulary *vocabulary, const cJSON *json, const char *name, struct error *error) {
  if (!cJSON_IsObject(json)) return error_set(error, ERROR_FORMAT, "%s: the model has no \"vocab\" of tokens and ids", name);
  const cJSON *item;
  cJSON_ArrayForEach(item, json) {
    if (!cJSON_IsNumber(item) || item->valuedouble != (double)(long long)item->valuedouble)
      return error_set(error, ERROR_FORMAT, "%s: the id of token \"%.60s\" is not a whole number", name, item->string);
    if (!vocabulary_add(vocabulary, item->string, strlen(item->string), (long long)item->valuedouble, name, error)) return false;
  }
  return true;
}

static bool add_merge(struct bpe *bpe, const char *left, size_t left_size, const char *right, size_t right_size, const char *name,
                      struct error *error) {
  int32_t left_id = vocabulary_find(&bpe->vocabulary, left, left_size),
          right_id = vocabulary_find(&bpe->vocabulary, right, right_size);
  if (left_id >= 0 && right_id >= 0) return bpe_add_merge(bpe, left_id, right_id, error);
  return error_set(error, ERROR_FORMAT, "%s: merge %zu has the token \"%.*s\", which is not in the vocabulary", name,
                   bpe->merge_count, (int)(left_id < 0 ? left_size : right_size), left_id < 0 ? left : right);
}

// "left right"
static bool add_merge_line(struct bpe *bpe, const char *line, size_t size, const char *name, struct error *error) {
  const char *blank = memchr(line, ' ', size);
  if (!blank || memchr(blank + 1, ' ', size - (size_t)(blank + 1 - line)))
    return error_set(error, ERROR_FORMAT, "%s: merge %zu is \"%.*s\"; two tokens with a blank between them are wanted", name,
                     bpe->merge_count, (int)(size < 60 ? size : 60), line);
  return add_merge(bpe, line, (size_t)(blank - line), blank + 1, size - (size_t)(blank + 1 - line), name, error);
}

static bool read_merges(struct bpe *bpe, const cJSON *json, const char *name, struct error *error) {
  if (!cJSON_IsArray(json)) return error_set(error, ERROR_FORMAT, "%s: the model has no list \"merges\"", name);
  const cJSON *item;
  cJSON_ArrayForEach(item, json) {
    bool ok;
    if (cJSON_IsString(item)) {
      if (strncmp(item->valuestring, "#version", 8) == 0) continue;
      ok = add_merge_line(bpe, item->valuestring, strlen(item->valuestring), name, error);
    } else {
      const cJSON *left = cJSON_GetArrayItem(item, 0), *right = cJSON_GetArrayItem(item, 1);
      if (!cJSON_IsString(left) || !cJSON_IsString(right) || cJSON_GetArraySize(item) != 2)
        return error_set(error, ERROR_FORMAT, "%s: merge %zu is not a pair of tokens", name, bpe->merge_count);
      ok = add_merge(bpe, left->valuestring, strlen(left->valuestring), right->valuestring, strlen(right->valuestring), name,
                     error);
    }
    if (!ok) return false;
  }
  return true;
}

// An empty mark is no mark.
static char *read_mark(const cJSON *json, const char *key, const char *name, struct error *error) {
  const char *text = json_text(json, key, "", name, error);
  return *text ? memory_copy_text(error, text) : NULL;
}

static bool read_bpe(struct bpe *bpe, const cJSON *json, bool bytes, const char *name, struct error *error) {
  if (json_number(json, "dropout", 0, name, error) > 0)
    error_warn(error, "%s: the model's dropout %g is not used: the same text always gives the same ids", name,
               json_number(json, "dropout", 0, name, error));
  bpe->bytes = bytes;
  bpe->prefix = read_mark(json, "continuing_subword_prefix", name, error);
  bpe->suffix = read_mark(json, "end_of_word_suffix", name, error);
  bpe->fuse_unknown = json_boolean(json, "fuse_unk", false, name, error);
  bpe->byte_fallback = json_boolean(json, "byte_fallback", false, name, error);
  bpe->ignore_merges = json_boolean(json, "ignore_merges", false, name, error);
  const char *unknown = json_text(json, "unk_token", NULL, name, error);
  if (error->code || !read_vocabulary(&bpe->vocabulary, cJSON_GetObjectItemCaseSensitive(json, "vocab"), name, error))
    return false;
  bpe->unknown = unknown ? vocabulary_find(&bpe->vocabulary, unknown, strlen(unknown)) : -1;
  if (unknown && bpe->unknown < 0 && !(bpe->missing_unknown = memory_copy_text(error, unknown))) return false;
  return read_merges(bpe, cJSON_GetObjectItemCaseSensitive(json, "merges"), name, error) && bpe_prepare(bpe, name, error);
}

static bool read_word_level(struct word_level *model, const cJSON *json, const char *name, struct error *error) {
  model->unknown = memory_copy_text(error, json_text(json, "unk_token", "<unk>", name, error));
  return model->unknown && read_vocabulary(&model->vocabulary, cJSON_GetObjectItemCaseSensitive(json, "vocab"), name, error);
}

static bool read_word_piece(struct word_piece *model, const cJSON *json, const char *name, struct error *error) {
  long long max = json_integer(json, "max_input_chars_per_word", 100, name, error);
  const char *prefix = json_text(json, "continuing_subword_prefix", "##", name, error);
  model->unknown = memory_copy_text(error, json_text(json, "unk_token", "[UNK]", name, error));
  if (error->code) return false;
  if (max < 0)
    return error_set(error, ERROR_FORMAT, "%s: the model's max_input_chars_per_word is %lld; 0 or more is wanted", name, max);
  model->max_characters = (size_t)max;
  return read_vocabulary(&model->vocabulary, cJSON_GetObjectItemCaseSensitive(json, "vocab"), name, error) &&
         word_piece_prepare(model, prefix, error);
}

// Pieces with their scores, [["<unk>", 0.0], ["the", -3.2], ...]; ids are their places.
static bool read_pieces(struct unigram *model, const cJSON *json, const char *name, struct error *error) {
  if (!cJSON_IsArray(json))
    return error_set(error, ERROR_FORMAT, "%s: the model has no list \"vocab\" of pieces and scores", name);
  const cJSON *item;
  cJSON_ArrayForEach(item, json) {
    const cJSON *piece = cJSON_GetArrayItem(item, 0), *score = cJSON_GetArrayItem(item, 1);
    if (!cJSON_IsArray(item) || !cJSON_IsString(piece) || !cJSON_IsNumber(score))
      return error_set(error, ERROR_FORMAT, "%s: piece %zu of the model's vocabulary is not a text and a score", name,
                       model->vocabulary.size);
    if (!unigram_add(model, piece->valuestring, strlen(piece->valuestring), score->valuedouble, name, error)) return false;
  }
  return true;
}

static bool read_unigram(struct unigram *model, const cJSON *json, const char *name, struct error *error) {
  long long unknown = json_integer(json, "unk_id", -1, name, error);
  model->byte_fallback = json_boolean(json, "byte_fallback", false, name, error);
  if (error->code || !read_pieces(model, cJSON_GetObjectItemCaseSensitive(json, "vocab"), name, error)) return false;
  if (unknown < -1 || unknown >= (long long)model->vocabulary.size)
    return error_set(error, ERROR_FORMAT, "%s: the model's unk_id is %lld; the vocabulary has %zu pieces", name, unknown,
                     model->vocabulary.size);
  model->unknown = (int32_t)unknown;
  return unigram_prepare(model, error);
}

// Files from before 2020 have no type: then the keys say what it is.
static const char *guess_type(const cJSON *json) {
  if (cJSON_GetObjectItemCaseSensitive(json, "merges")) return "BPE";
  if (cJSON_GetObjectItemCaseSensitive(json, "max_input_chars_per_word")) return "WordPiece";
  if (cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(json, "vocab"))) return "Unigram";
  return "(none)";
}

bool token_model_read(struct token_model *model, const cJSON *json, bool bytes, const char *name, struct error *error) {
  if (!cJSON_IsObject(json)) return error_set(error, ERROR_FORMAT, "%s: there is no \"model\"", name);
  const char *type = json_text(json, "type", guess_type(json), name, error);
  if (strcmp(type, "BPE") == 0) {
    model->kind = MODEL_BPE;
    return read_bpe(&model->bpe, json, bytes, name, error);
  }
  if (strcmp(type, "WordLevel") == 0) {
    model->kind = MODEL_WORD_LEVEL;
    return read_word_level(&model->word_level, json, name, error);
  }
  if (strcmp(type, "WordPiece") == 0) {
    model->kind = MODEL_WORD_PIECE;
    return read_word_piece(&model->word_piece, json, name, error);
  }
  if (strcmp(type, "Unigram") == 0) {
    model->kind = MODEL_UNIGRAM;
    return read_unigram(&model->unigram, json, name, error);
  }
  return error_set(error, ERROR_UNSUPPORTED,
                   "%s: the model \"%s\" is not one that qkv knows (BPE, WordLevel, WordPiece, Unigram)", name, type);
}

static bool read_merges_file(struct bpe *bpe, const char *path, struct error *error) {
  struct file_map map;
  if (!file_map_open(&map, path, error)) return false;
  bool ok = true;
  for (size_t start = 0, end; ok && start < map.size; start = end + 1) {
    const char *newline = memchr(map.data + start, '\n', map.size - start);
    end = newline ? (size_t)(newline - map.data) : map.size;
    size_t size = end - start;
    if (size && map.data[end - 1] == '\r') size--;
    if (size >= 8 && memcmp(map.data + start, "#version", 8) == 0) continue;
    if (size) ok = add_merge_line(bpe, map.data + start, size, path, error);
  }
  file_map_close(&map);
  return ok;
}

bool token_model_read_files(struct token_model *model, const char *vocabulary_path, const char *merges_path,
                            struct error *error) {
  cJSON *json = json_read(vocabulary_path, error);
  model->kind = MODEL_BPE;
  model->bpe.bytes = true;
  model->bpe.unknown = -1;
  bool ok = json && read_vocabulary(&model->bpe.vocabulary, json, vocabulary_path, error) &&
            read_merges_file(&model->bpe, merges_path, error) && bpe_prepare(&model->bpe, merges_path, error);
  cJSON_Delete(json);
  return ok;
}

// Writing --------------------------------------------------------------------------------------------------------------

static bool write_vocabulary(const struct vocabulary *vocabulary, cJSON *json) {
  cJSON *object = cJSON_CreateObject();
  if (!object || !cJSON_AddItemToObject(json, "vocab", object)) return false;
  for (size_t id = 0; id < vocabulary->size; id++) {
    const char *token = vocabulary_token(vocabulary, (int32_t)id, NULL);
    if (token && !cJSON_AddNumberToObject(object, token, (double)id)) return false;
  }
  return true;
}

static bool write_pieces(const struct unigram *model, cJSON *json) {
  cJSON *list = cJSON_CreateArray();
  if (!list || !cJSON_AddItemToObject(json, "vocab", list)) return false;
  for (size_t id = 0; id < model->vocabulary.size; id++) {
    cJSON *item = cJSON_CreateArray();
    if (!item || !cJSON_AddItemToArray(list, item) ||
        !cJSON_AddItemToArray(item, cJSON_CreateString(vocabulary_token(&model->vocabulary, (int32_t)id, NULL))) ||
        !cJSON_AddItemToArray(item, cJSON_CreateNumber(model->scores[id])))
      return false;
  }
  return true;
}

static bool write_merges(const struct bpe *bpe, cJSON *json) {
  cJSON *list = cJSON_CreateArray();
  if (!list || !cJSON_AddItemToObject(json, "merges", list)) return false;
  for (size_t i = 0; i < bpe->merge_count; i++) {
    const char *pair[2] = {vocabulary_token(&bpe->vocabulary, bpe->merges[i].left, NULL),
                           vocabulary_token(&bpe->vocabulary, bpe->merges[i].right, NULL)};
    cJSON *item = cJSON_CreateStringArray(pair, 2);
    if (!item || !cJSON_AddItemToArray(list, item)) return false;
  }
  return true;
}

bool token_model_write(const struct token_model *model, cJSON *json, struct error *error) {
  bool ok =
      model->kind == MODEL_UNIGRAM ? write_pieces(&model->unigram, json) : write_vocabulary(token_model_vocabulary(model), json);
  ok = ok && (model->kind != MODEL_BPE || write_merges(&model->bpe, json));
  return ok || error_memory(error, 0);
}

// Using ----------------------------------------------------------------------------------------------------------------

int32_t token_model_unknown(const struct token_model *model) {
  const struct vocabulary *vocabulary = token_model_vocabulary(model);
  switch (model->kind) {
    case MODEL_BPE: return model->bpe.unknown;
    case MODEL_UNIGRAM: return model->unigram.unknown;
    case MODEL_WORD_LEVEL: return vocabulary_find(vocabulary, model->word_level.unknown, strlen(model->word_level.unknown));
    case MODEL_WORD_PIECE: return vocabulary_find(vocabulary, model->word_piece.unknown, strlen(model->word_piece.unknown));
  }
  return -1;
}

const struct vocabulary *token_model_vocabulary(const struct token_model *model) {
  switch (model->kind) {
    case MODEL_BPE: return &model->bpe.vocabulary;
    case MODEL_WORD_LEVEL: return &model->word_level.vocabulary;
    case MODEL_WORD_PIECE: return &model->word_piece.vocabulary;
    case MODEL_UNIGRAM: break;
  }
  return &model->unigram.vocabulary;
}

static bool encode_whole(const struct word_level *model, const char *word, size_t size, struct token_list *out,
                         struct error *error) {
  int32_t id = word_level_encode(model, word, size, error);
  return id >= 0 && token_list_add(out, (struct token){id, 0, (uint32_t)size}, error);
}

bool token_model_encode(const struct token_model *model, const char *word, size_t size, struct model_scratch *scratch,
                        struct token_list *out, struct error *error) {
  switch (model->kind) {
    case MODEL_BPE: return bpe_encode(&model->bpe, word, size, &scratch->bpe, out, error);
    case MODEL_WORD_LEVEL: return encode_whole(&model->word_level, word, size, out, error);
    case MODEL_WORD_PIECE: return word_piece_encode(&model->word_piece, word, size, out, error);
    case MODEL_UNIGRAM: break;
  }
  return unigram_encode(&model->unigram, word, size, &scratch->unigram, out, error);
}

void model_scratch_free(struct model_scratch *scratch) {
  bpe_scratch_free(&scratch->bpe);
  unigram_scratch_free(&scratch->unigram);
}

void token_model_free(struct token_model *model) {
  switch (model->kind) {
    case MODEL_BPE: bpe_free(&model->bpe); break;
    case MODEL_WORD_LEVEL: word_level_free(&model->word_level); break;
    case MODEL_WORD_PIECE: word_piece_free(&model->word_piece); break;
    case MODEL_UNIGRAM: unigram_free(&model->unigram); break;
  }
}
