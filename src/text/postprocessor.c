#include "text/postprocessor.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"

static bool add_piece(struct template *template, struct template_piece piece, struct error *error) {
  if (!memory_grow(error, &template->items, &template->capacity, template->count + 1, sizeof *template->items)) return false;
  template->items[template->count++] = piece;
  return true;
}

static bool check_id(double id, size_t vocabulary_size, const char *name, struct error *error) {
  if (id >= 0 && id < (double)vocabulary_size && id == (double)(int32_t)id) return true;
  return error_set(error, ERROR_FORMAT, "%s: post_processor: a special token has the id %.0f; the vocabulary has %zu ids", name,
                   id, vocabulary_size);
}

// The ids of one special token of a template: {"id": "</s>", "ids": [0], "tokens": ["</s>"]}.
static bool add_special(struct template *template, const cJSON *specials, const char *id, int32_t type, size_t vocabulary_size,
                        const char *name, struct error *error) {
  const cJSON *special = cJSON_GetObjectItemCaseSensitive(specials, id), *ids = cJSON_GetObjectItemCaseSensitive(special, "ids"),
              *item;
  if (!cJSON_IsArray(ids))
    return error_set(error, ERROR_FORMAT, "%s: post_processor: the template's \"%s\" is not among its special_tokens", name, id);
  cJSON_ArrayForEach(item, ids) {
    if (!cJSON_IsNumber(item))
      return error_set(error, ERROR_FORMAT, "%s: post_processor: the ids of \"%s\" are not numbers", name, id);
    if (!check_id(item->valuedouble, vocabulary_size, name, error)) return false;
    if (!add_piece(template, (struct template_piece){-1, (int32_t)item->valuedouble, type}, error)) return false;
  }
  return true;
}

static bool read_template(struct template *template, const cJSON *json, const cJSON *specials, int sequences,
                          size_t vocabulary_size, const char *name, struct error *error) {
  const cJSON *item;
  int seen = 0;
  cJSON_ArrayForEach(item, json) {
    const cJSON *sequence = cJSON_GetObjectItemCaseSensitive(item, "Sequence"),
                *special = cJSON_GetObjectItemCaseSensitive(item, "SpecialToken");
    const cJSON *piece = sequence ? sequence : special;
    const char *id = json_text(piece, "id", NULL, name, error);
    long long type = json_integer(piece, "type_id", 0, name, error);
    if (!id || type < 0 || type > INT32_MAX)
      return error_set(error, ERROR_FORMAT,
                       "%s: post_processor: the template has a piece that is neither a sequence nor a special token", name);
    if (special) {
      if (!add_special(template, specials, id, (int32_t)type, vocabulary_size, name, error)) return false;
      continue;
    }
    int which = strcmp(id, "A") == 0 ? 0 : strcmp(id, "B") == 0 ? 1 : -1;
    if (which < 0 || which >= sequences)
      return error_set(error, ERROR_FORMAT, "%s: post_processor: the template for %d text(s) has a sequence \"%s\"", name,
                       sequences, id);
    seen |= 1 << which;
    if (!add_piece(template, (struct template_piece){which, 0, (int32_t)type}, error)) return false;
  }
  if (seen != (1 << sequences) - 1)
    return error_set(error, ERROR_FORMAT, "%s: post_processor: the template for %d text(s) does not use all of them", name,
                     sequences);
  return error->code == 0;
}

static bool read_template_processing(struct postprocessor *post, const cJSON *json, size_t vocabulary_size, const char *name,
                                     struct error *error) {
  const cJSON *specials = cJSON_GetObjectItemCaseSensitive(json, "special_tokens");
  return read_template(&post->single, cJSON_GetObjectItemCaseSensitive(json, "single"), specials, 1, vocabulary_size, name,
                       error) &&
         read_template(&post->pair, cJSON_GetObjectItemCaseSensitive(json, "pair"), specials, 2, vocabulary_size, name, error);
}

// ["[SEP]", 102]
static bool read_token_pair(int32_t *id, const cJSON *json, const char *key, size_t vocabulary_size, const char *name,
                            struct error *error) {
  const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, key), 1);
  if (!cJSON_IsNumber(item))
    return error_set(error, ERROR_FORMAT, "%s: post_processor: \"%s\" has to be a token and its id", name, key);
  if (!check_id(item->valuedouble, vocabulary_size, name, error)) return false;
  *id = (int32_t)item->valuedouble;
  return true;
}

// BERT: [CLS] A [SEP] B [SEP] with types 0 and 1. RoBERTa: <s> A </s></s> B </s>, all of type 0.
static bool read_classic(struct postprocessor *post, const cJSON *json, bool roberta, size_t vocabulary_size, const char *name,
                         struct error *error) {
  int32_t cls, sep, second = roberta ? 0 : 1;
  if (!read_token_pair(&cls, json, "cls", vocabulary_size, name, error) ||
      !read_token_pair(&sep, json, "sep", vocabulary_size, name, error))
    return false;
  const struct template_piece first_part[] = {{-1, cls, 0}, {0, 0, 0}, {-1, sep, 0}}, middle = {-1, sep, 0};
  const struct template_piece second_part[] = {{1, 0, second}, {-1, sep, second}};
  bool ok = true;
  for (int i = 0; i < 3; i++)
    ok = ok && add_piece(&post->single, first_part[i], error) && add_piece(&post->pair, first_part[i], error);
  if (roberta) ok = ok && add_piece(&post->pair, middle, error);
  for (int i = 0; i < 2; i++) ok = ok && add_piece(&post->pair, second_part[i], error);
  if (roberta && json_boolean(json, "trim_offsets", true, name, error)) {
    post->trim_offsets = true;
    post->add_prefix_space = json_boolean(json, "add_prefix_space", true, name, error);
  }
  return ok && error->code == 0;
}

bool postprocessor_read(struct postprocessor *post, const cJSON *json, size_t vocabulary_size, const char *name,
                        struct error *error) {
  if (!json || cJSON_IsNull(json)) return true;
  const char *type = json_text(json, "type", "", name, error);
  if (strcmp(type, "Sequence") == 0) {
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(json, "processors")) {
      if (!postprocessor_read(post, item, vocabulary_size, name, error)) return false;
    }
    return error->code == 0;
  }
  if (strcmp(type, "ByteLevel") == 0) {
    if (json_boolean(json, "trim_offsets", true, name, error)) {
      post->trim_offsets = true;
      post->add_prefix_space = json_boolean(json, "add_prefix_space", true, name, error);
    }
    return error->code == 0;
  }
  if (post->has_template)
    return error_set(error, ERROR_UNSUPPORTED, "%s: post_processor: two steps add special tokens, which qkv cannot do", name);
  post->has_template = true;
  if (strcmp(type, "TemplateProcessing") == 0) return read_template_processing(post, json, vocabulary_size, name, error);
  if (strcmp(type, "BertProcessing") == 0) return read_classic(post, json, false, vocabulary_size, name, error);
  if (strcmp(type, "RobertaProcessing") == 0) return read_classic(post, json, true, vocabulary_size, name, error);
  return error_set(error, ERROR_UNSUPPORTED, "%s: the post_processor \"%s\" is not one that qkv knows", name, type);
}

size_t postprocessor_added(const struct postprocessor *post, bool pair) {
  const struct template *template = pair ? &post->pair : &post->single;
  size_t count = 0;
  for (size_t i = 0; i < template->count; i++) count += template->items[i].sequence < 0;
  return count;
}

void postprocessor_free(struct postprocessor *post) {
  free(post->single.items);
  free(post->pair.items);
  *post = (struct postprocessor){0};
}
