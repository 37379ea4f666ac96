// A tokenizer that gets other special tokens around its texts: the JSON that it was read from is changed, and what follows from
// it is read again. So tokenizer.json says the form, and `tokenizers` gives the same ids.
#include <string.h>

#include "base/memory.h"
#include "text/tokenizer_parts.h"

static bool put(cJSON *object, const char *key, cJSON *item, struct error *error) {
  if (item && cJSON_AddItemToObject(object, key, item)) return true;
  cJSON_Delete(item);
  return error_memory(error, 0);
}

static bool append(cJSON *array, cJSON *item, struct error *error) {
  if (item && cJSON_AddItemToArray(array, item)) return true;
  cJSON_Delete(item);
  return error_memory(error, 0);
}

// --- the tokens

static bool add_special(struct tokenizer *tokenizer, const char *content, struct error *error) {
  static const char *const off[] = {"single_word", "lstrip", "rstrip", "normalized"};
  if (tokenizer_id(tokenizer, content) >= 0) return true;
  cJSON *list = cJSON_GetObjectItemCaseSensitive(tokenizer->json, "added_tokens"), *token = cJSON_CreateObject();
  if (!cJSON_IsArray(list)) {
    cJSON_DeleteItemFromObjectCaseSensitive(tokenizer->json, "added_tokens");
    list = cJSON_AddArrayToObject(tokenizer->json, "added_tokens");
  }
  bool ok = list && token && cJSON_AddNumberToObject(token, "id", (double)tokenizer->size) &&
            cJSON_AddStringToObject(token, "content", content);
  for (size_t i = 0; ok && i < sizeof off / sizeof *off; i++) ok = cJSON_AddFalseToObject(token, off[i]) != NULL;
  if (!ok || !cJSON_AddTrueToObject(token, "special")) {
    cJSON_Delete(token);
    return error_memory(error, 0);
  }
  tokenizer->size++;
  return append(list, token, error);
}

static bool read_tokens(struct tokenizer *tokenizer, struct error *error) {
  added_tokens_free(&tokenizer->added);
  return added_tokens_read(&tokenizer->added, cJSON_GetObjectItemCaseSensitive(tokenizer->json, "added_tokens"),
                           token_model_vocabulary(&tokenizer->model), &tokenizer->normalizer, "tokenizer.json", error);
}

// --- the template

// {"SpecialToken": {"id": "<|start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
static bool add_piece(cJSON *template, const char *kind, const char *id, struct error *error) {
  cJSON *piece = cJSON_CreateObject(), *what = piece ? cJSON_AddObjectToObject(piece, kind) : NULL;
  if (what && cJSON_AddStringToObject(what, "id", id) && cJSON_AddNumberToObject(what, "type_id", 0))
    return append(template, piece, error);
  cJSON_Delete(piece);
  return error_memory(error, 0);
}

static bool add_template(cJSON *step, const char *name, const struct text_form *form, bool pair, struct error *error) {
  cJSON *template = cJSON_AddArrayToObject(step, name);
  return template && add_piece(template, "SpecialToken", form->start, error) && add_piece(template, "Sequence", "A", error) &&
         (!pair ||
          (add_piece(template, "SpecialToken", form->delimiter, error) && add_piece(template, "Sequence", "B", error))) &&
         add_piece(template, "SpecialToken", form->extract, error);
}

static bool add_ids(const struct tokenizer *tokenizer, cJSON *specials, const char *content, struct error *error) {
  cJSON *special = cJSON_AddObjectToObject(specials, content), *ids, *tokens;
  return (special && cJSON_AddStringToObject(special, "id", content) && (ids = cJSON_AddArrayToObject(special, "ids")) &&
          append(ids, cJSON_CreateNumber(tokenizer_id(tokenizer, content)), error) &&
          (tokens = cJSON_AddArrayToObject(special, "tokens")) && append(tokens, cJSON_CreateString(content), error)) ||
         error_memory(error, 0);
}

static cJSON *new_template(const struct tokenizer *tokenizer, const struct text_form *form, struct error *error) {
  cJSON *step = cJSON_CreateObject(), *specials = NULL;
  bool ok = step && cJSON_AddStringToObject(step, "type", "TemplateProcessing") &&
            add_template(step, "single", form, false, error) && add_template(step, "pair", form, true, error) &&
            (specials = cJSON_AddObjectToObject(step, "special_tokens")) && add_ids(tokenizer, specials, form->start, error) &&
            add_ids(tokenizer, specials, form->delimiter, error) && add_ids(tokenizer, specials, form->extract, error);
  if (ok) return step;
  cJSON_Delete(step);
  error_memory(error, 0);
  return NULL;
}

static bool is_byte_level(const cJSON *step) {
  const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(step, "type"));
  return type && strcmp(type, "ByteLevel") == 0;
}

// The step that narrows offsets to what is not blank stays.
static const cJSON *find_byte_level(const cJSON *processor) {
  const cJSON *step;
  if (is_byte_level(processor)) return processor;
  cJSON_ArrayForEach(step, cJSON_GetObjectItemCaseSensitive(processor, "processors")) {
    if (is_byte_level(step)) return step;
  }
  return NULL;
}

static bool set_processor(struct tokenizer *tokenizer, const struct text_form *form, struct error *error) {
  const cJSON *trimming = find_byte_level(cJSON_GetObjectItemCaseSensitive(tokenizer->json, "post_processor"));
  cJSON *template = new_template(tokenizer, form, error), *processor = template, *steps = NULL;
  if (!template) return false;
  if (trimming) {
    processor = cJSON_CreateObject();
    if (!processor || !cJSON_AddStringToObject(processor, "type", "Sequence") ||
        !(steps = cJSON_AddArrayToObject(processor, "processors")) || !append(steps, cJSON_Duplicate(trimming, true), error)) {
      cJSON_Delete(template);
      cJSON_Delete(processor);
      return error_memory(error, 0);
    }
    if (!append(steps, template, error)) return cJSON_Delete(processor), false;
  }
  cJSON_DeleteItemFromObjectCaseSensitive(tokenizer->json, "post_processor");
  if (!put(tokenizer->json, "post_processor", processor, error)) return false;
  postprocessor_free(&tokenizer->postprocessor);
  return postprocessor_read(&tokenizer->postprocessor, processor, tokenizer->size, "tokenizer.json", error);
}

bool tokenizer_set_form(struct tokenizer *tokenizer, const struct text_form *form, struct error *error) {
  return add_special(tokenizer, form->start, error) && add_special(tokenizer, form->delimiter, error) &&
         add_special(tokenizer, form->extract, error) && read_tokens(tokenizer, error) && set_processor(tokenizer, form, error);
}
