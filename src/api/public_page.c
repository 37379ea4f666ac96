// Pages that show a pass: models and texts become subjects of src/inspect/page.h.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/json.h"
#include "base/memory.h"
#include "inspect/head_statistics.h"
#include "inspect/page.h"

static bool check_language(const char *language, struct error *error) {
  if (strcmp(language, "en") == 0 || strcmp(language, "es") == 0 || strcmp(language, "pt") == 0) return true;
  return error_set(error, ERROR_USAGE, "the language is \"%s\"; it can be en, es or pt", language);
}

static bool prepare(struct page_subject *subjects, struct qkv_model *const *models, size_t count, const char *text, const char *second,
                    struct error *error) {
  for (size_t i = 0; i < count; i++) {
    const struct model *model = public_model_ready(models[i], error);
    const struct tokenizer *tokenizer = model ? public_model_tokenizer(models[i], error) : NULL;
    if (!tokenizer) return false;
    subjects[i] = (struct page_subject){.title = models[i]->directory, .model = model, .tokenizer = tokenizer, .first = text, .second = second};
    if (model->arch.family != subjects[0].model->arch.family)
      return error_set(error, ERROR_USAGE, "%s and %s cannot be shown in one page: one has an encoder or a decoder that the other lacks",
                       models[0]->directory, models[i]->directory);
    if (model->arch.family == FAMILY_ENCODER_DECODER && !second)
      return error_set(error, ERROR_USAGE, "%s reads a source and a target; the target is missing", models[i]->directory);
  }
  return true;
}

// Numbers of tokens as the page wants them; what no text can have is left to it.
static bool read_detail(struct page_detail *detail, int **tokens, const struct qkv_page_options *options, struct error *error) {
  if (!options->token_count) return true;
  *tokens = memory_new(error, options->token_count, sizeof **tokens);
  if (!*tokens) return false;
  for (size_t i = 0; i < options->token_count; i++) {
    if (options->tokens[i] < 0 || options->tokens[i] > INT32_MAX)
      return error_set(error, ERROR_USAGE, "token %lld cannot be shown in detail; tokens count from 0", (long long)options->tokens[i]);
    (*tokens)[i] = (int)options->tokens[i];
  }
  *detail = (struct page_detail){.tokens = *tokens, .token_count = (int)options->token_count};
  return true;
}

static void write_number(struct buffer *out, const char *key, double value) {
  buffer_format(out, ",\"%s\":", key);
  json_write_number(out, value);
}

// ,"heads":{"names":[...],"rows":[{"kind","layer","head","pattern","measures":[...],"loss_change"}],"loss","texts"}
static void write_heads(struct buffer *out, const struct qkv_heads *heads) {
  buffer_text(out, ",\"heads\":{\"names\":[");
  for (int m = 0; m < HEAD_MEASURES; m++) buffer_format(out, "%s\"%s\"", m ? "," : "", heads->names[m]);
  buffer_text(out, "],\"rows\":[");
  for (size_t i = 0; i < heads->count; i++) {
    const struct qkv_head *head = &heads->items[i];
    buffer_format(out, "%s{\"kind\":\"%s\",\"layer\":%d,\"head\":%d,\"pattern\":\"%s\",\"measures\":[", i ? "," : "", head->kind, (int)head->layer,
                  (int)head->head, head->pattern);
    for (int m = 0; m < HEAD_MEASURES; m++) {
      if (m) buffer_char(out, ',');
      json_write_number(out, head->measures[m]);
    }
    buffer_char(out, ']');
    write_number(out, "loss_change", head->loss_change);
    buffer_char(out, '}');
  }
  buffer_char(out, ']');
  write_number(out, "loss", heads->loss);
  write_number(out, "texts", (double)heads->texts);
  buffer_char(out, '}');
}

// ,"search":{"beam","score","text","nodes":[{"parent","step","rank","token","id","log_probability","sum","score","fate","best"}]}
static void write_search(struct buffer *out, const struct qkv_search_tree *tree) {
  buffer_format(out, ",\"search\":{\"beam\":%d", (int)tree->beam);
  write_number(out, "score", tree->score);
  buffer_text(out, ",\"text\":");
  json_write_text(out, tree->text, strlen(tree->text));
  buffer_text(out, ",\"nodes\":[");
  for (size_t i = 0; i < tree->count; i++) {
    const struct qkv_search_node *node = &tree->nodes[i];
    buffer_format(out, "%s{\"parent\":%d,\"step\":%d,\"rank\":%d,\"id\":%d,\"fate\":\"%s\",\"best\":%s,\"token\":", i ? "," : "", (int)node->parent,
                  (int)node->step, (int)node->rank, (int)node->id, node->fate, node->best ? "true" : "false");
    json_write_text(out, node->token, strlen(node->token));
    write_number(out, "log_probability", node->log_probability);
    write_number(out, "sum", node->sum);
    write_number(out, "score", node->score);
    buffer_char(out, '}');
  }
  buffer_text(out, "]}");
}

static bool write_page(struct buffer *out, const struct page_subject *subjects, size_t count, const struct page_detail *detail,
                       const struct qkv_page_options *options, struct error *error) {
  const char *format = options->format ? options->format : "html", *language = options->language ? options->language : "en";
  bool json = strcmp(format, "json") == 0;
  struct buffer extra = {0};
  if (!check_language(language, error)) return false;
  if (!json && strcmp(format, "html") != 0) return error_set(error, ERROR_USAGE, "the format is \"%s\"; it can be html or json", format);
  if (options->heads) write_heads(&extra, options->heads);
  if (options->search) write_search(&extra, options->search);
  bool fine = buffer_check(&extra, error) &&
              (json ? page_write_json(out, subjects, (int)count, detail, buffer_string(&extra), error)
                    : page_write(out, subjects, (int)count, detail, buffer_string(&extra), language, options->start, error));
  buffer_free(&extra);
  return fine;
}

char *qkv_inspection_page(struct qkv_context *context, struct qkv_model *const *models, size_t count, const char *text, const char *second,
                          const struct qkv_page_options *options) {
  static const struct qkv_page_options usual = {0};
  struct error *error = public_begin(context);
  if (!options) options = &usual;
  if (!count) {
    error_set(error, ERROR_USAGE, "there is no model to look into");
    return NULL;
  }
  struct page_subject *subjects = memory_new(error, count, sizeof *subjects);
  struct page_detail detail = {0};
  int *tokens = NULL;
  struct buffer out = {0};
  bool fine = subjects && prepare(subjects, models, count, text, second, error) && read_detail(&detail, &tokens, options, error) &&
              write_page(&out, subjects, count, &detail, options, error);
  free(tokens);
  free(subjects);
  if (fine) return out.data;
  buffer_free(&out);
  return NULL;
}
