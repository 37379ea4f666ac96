#include "text/tokenizer_draft.h"

#include <stdlib.h>

#include "base/memory.h"

// Added tokens ----------------------------------------------------------------------------------------------------------

bool draft_add_token(struct draft *draft, struct draft_token token, struct error *error) {
  token.order = draft->token_count;
  if (!memory_grow(error, &draft->tokens, &draft->token_capacity, draft->token_count + 1, sizeof *draft->tokens)) return false;
  draft->tokens[draft->token_count++] = token;
  return true;
}

int32_t draft_find(const struct draft *draft, const char *token) {
  return token ? vocabulary_find(token_model_vocabulary(&draft->model), token, strlen(token)) : -1;
}

// "cls_token": "[CLS]", or {"content": "[CLS]", ...}; NULL where the file says that there is none.
const char *draft_role(const struct draft *draft, const char *role, const char *otherwise) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(draft->config, role);
  if (cJSON_IsNull(item)) return NULL;
  if (cJSON_IsObject(item)) item = cJSON_GetObjectItemCaseSensitive(item, "content");
  return cJSON_IsString(item) ? item->valuestring : otherwise;
}

// Every role's token that the vocabulary has is an added token, which nothing cuts.
bool draft_add_role(struct draft *draft, const char *role, const char *otherwise, bool lstrip, struct error *error) {
  const char *text = draft_role(draft, role, otherwise);
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(draft->config, role);
  struct draft_token token = {.id = draft_find(draft, text), .content = text, .special = true};
  if (token.id < 0) return true;
  token.lstrip = json_boolean(item, "lstrip", lstrip, draft->name, error);
  token.rstrip = json_boolean(item, "rstrip", false, draft->name, error);
  token.single_word = json_boolean(item, "single_word", false, draft->name, error);
  return error->code == 0 && draft_add_token(draft, token, error);
}

// "added_tokens_decoder": {"7": {"content": "<x>", ...}, ...}; what it says counts before what is usual.
bool draft_add_listed_tokens(struct draft *draft, struct error *error) {
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
    if (error->code || !draft_add_token(draft, token, error)) return false;
  }
  return true;
}

static int by_id(const void *a, const void *b) {
  const struct draft_token *x = a, *y = b;
  if (x->id != y->id) return x->id < y->id ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

static void sort_tokens(struct draft *draft) {
  size_t kept = 0;
  if (draft->token_count) qsort(draft->tokens, draft->token_count, sizeof *draft->tokens, by_id);
  for (size_t i = 0; i < draft->token_count; i++)
    if (i == 0 || draft->tokens[i].id != draft->tokens[i - 1].id) draft->tokens[kept++] = draft->tokens[i];
  draft->token_count = kept;
}

static void write_tokens(struct buffer *out, const struct draft *draft) {
  for (size_t i = 0; i < draft->token_count; i++) {
    const struct draft_token *token = &draft->tokens[i];
    buffer_format(out, "%s{\"id\": %d, \"content\": ", i ? ", " : "", (int)token->id);
    draft_text(out, token->content);
    buffer_format(out, ", \"single_word\": %s, \"lstrip\": %s, \"rstrip\": %s, \"normalized\": %s, \"special\": %s}",
                  draft_boolean(token->single_word), draft_boolean(token->lstrip), draft_boolean(token->rstrip),
                  draft_boolean(token->normalized), draft_boolean(token->special));
  }
}

static void write_section(struct buffer *out, const char *key, const struct buffer *section) {
  buffer_format(out, ", \"%s\": ", key);
  buffer_text(out, section->size ? section->data : "null");
  out->failed |= section->failed;
}

cJSON *draft_finish(struct draft *draft, struct error *error) {
  struct buffer out = {0};
  sort_tokens(draft);
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

void draft_free(struct draft *draft) {
  token_model_free(&draft->model);
  free(draft->tokens);
  struct buffer *const sections[] = {&draft->normalizer, &draft->pretokenizer, &draft->postprocessor, &draft->decoder,
                                     &draft->settings};
  for (int i = 0; i < 5; i++) buffer_free(sections[i]);
}

// Templates -------------------------------------------------------------------------------------------------------------

// "b0 A0 e0": what stands where, each with its type; A and B are the texts.
static void write_pieces(struct buffer *out, const char *template, struct template_tokens tokens) {
  buffer_char(out, '[');
  for (const char *p = template; *p; p += p[2] ? 3 : 2) {
    bool sequence = *p == 'A' || *p == 'B';
    buffer_format(out, "%s{\"%s\": {\"id\": ", p == template ? "" : ", ", sequence ? "Sequence" : "SpecialToken");
    draft_text(out, *p == 'A' ? "A" : *p == 'B' ? "B" : *p == 'b' ? tokens.begin : tokens.end);
    buffer_format(out, ", \"type_id\": %c}}", p[1]);
  }
  buffer_char(out, ']');
}

static void write_template_token(struct buffer *out, const struct draft *draft, const char *token) {
  draft_text(out, token);
  buffer_text(out, ": {\"id\": ");
  draft_text(out, token);
  buffer_format(out, ", \"ids\": [%d], \"tokens\": [", (int)draft_find(draft, token));
  draft_text(out, token);
  buffer_text(out, "]}");
}

// Templates use only tokens that the vocabulary has.
bool draft_set_template(struct draft *draft, const char *single, const char *pair, struct template_tokens tokens,
                        struct error *error) {
  const char *const used[] = {strchr(pair, 'b') ? tokens.begin : NULL, strchr(pair, 'e') ? tokens.end : NULL};
  struct buffer *out = &draft->postprocessor;
  for (int i = 0; i < 2; i++)
    if (used[i] && draft_find(draft, used[i]) < 0)
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

// Families ---------------------------------------------------------------------------------------------------------------

bool tokenizer_is_one_of(const char *name, const char *names) {
  size_t length = strlen(name);
  for (const char *p = names; length && (p = strstr(p, name)); p += length)
    if ((p == names || p[-1] == ' ') && (p[length] == ' ' || p[length] == 0)) return true;
  return false;
}
