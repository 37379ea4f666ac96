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

// Models that are ready; what the page opens at is an attention of each.
static bool prepare(struct page_subject *subjects, struct qkv_model *const *models, size_t count, const char *text,
                    const char *second, const struct qkv_page_options *options, struct error *error) {
  for (size_t i = 0; i < count; i++) {
    const struct model *model = public_model_ready(models[i], error);
    const struct tokenizer *tokenizer = model ? public_model_tokenizer(models[i], error) : NULL;
    if (!tokenizer) return false;
    subjects[i] = (struct page_subject){
        .title = models[i]->directory, .model = model, .tokenizer = tokenizer, .first = text, .second = second};
    if (model->arch.family != subjects[0].model->arch.family)
      return error_set(error, ERROR_USAGE,
                       "%s and %s cannot be shown in one page: one has an encoder or a decoder that the other lacks",
                       models[0]->directory, models[i]->directory);
    if (model->arch.family == FAMILY_ENCODER_DECODER && !second)
      return error_set(error, ERROR_USAGE, "%s reads a source and a target; the target is missing", models[i]->directory);
    const char *kind = options->kind;
    if (options->layer < 0) return error_set(error, ERROR_USAGE, "layer is %lld; layers count from 0", (long long)options->layer);
    if (!attention_stack(&model->arch, &kind, options->layer, options->head, error)) return false;
  }
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
    buffer_format(out, "%s{\"kind\":\"%s\",\"layer\":%d,\"head\":%d,\"pattern\":\"%s\",\"measures\":[", i ? "," : "", head->kind,
                  (int)head->layer, (int)head->head, head->pattern);
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
    buffer_format(out, "%s{\"parent\":%d,\"step\":%d,\"rank\":%d,\"id\":%d,\"fate\":\"%s\",\"best\":%s,\"token\":", i ? "," : "",
                  (int)node->parent, (int)node->step, (int)node->rank, (int)node->id, node->fate, node->best ? "true" : "false");
    json_write_text(out, node->token, strlen(node->token));
    write_number(out, "log_probability", node->log_probability);
    write_number(out, "sum", node->sum);
    write_number(out, "score", node->score);
    buffer_char(out, '}');
  }
  buffer_text(out, "]}");
}

static struct page_indices indices(const struct qkv_places *places) {
  return (struct page_indices){places->items, places->count};
}

// The page's first address, as it stands behind '#'.
static void write_start(struct buffer *out, const struct qkv_page_options *options, const char *language) {
  buffer_format(out, "view=attention&lang=%s&layer=%d&head=%d", language, (int)options->layer, (int)options->head);
  if (options->kind) buffer_format(out, "&kind=%s", options->kind);
}

static bool write_page(struct buffer *out, const struct page_subject *subjects, size_t count,
                       const struct qkv_page_options *options, struct error *error) {
  const char *format = options->format ? options->format : "html", *language = options->language ? options->language : "en";
  const struct page_detail detail = {indices(&options->tokens), indices(&options->layers), indices(&options->heads),
                                     (int)options->layer};
  bool json = strcmp(format, "json") == 0;
  struct buffer extra = {0}, start = {0};
  if (!check_language(language, error)) return false;
  if (!json && strcmp(format, "html") != 0)
    return error_set(error, ERROR_USAGE, "the format is \"%s\"; it can be html or json", format);
  if (options->statistics) write_heads(&extra, options->statistics);
  if (options->search) write_search(&extra, options->search);
  write_start(&start, options, language);
  bool fine = buffer_check(&extra, error) && buffer_check(&start, error) &&
              (json ? page_write_json(out, subjects, (int)count, &detail, buffer_string(&extra), error)
                    : page_write(out, subjects, (int)count, &detail, buffer_string(&extra), language, buffer_string(&start),
                                 error));
  buffer_free(&extra);
  buffer_free(&start);
  return fine;
}

char *qkv_inspection_page(struct qkv_context *context, struct qkv_model *const *models, size_t count, const char *text,
                          const char *second, const struct qkv_page_options *options) {
  static const struct qkv_page_options usual = {0};
  struct error *error = public_begin(context);
  if (!options) options = &usual;
  if (!count) {
    error_set(error, ERROR_USAGE, "there is no model to look into");
    return NULL;
  }
  struct page_subject *subjects = memory_new(error, count, sizeof *subjects);
  struct buffer out = {0};
  bool fine = subjects && prepare(subjects, models, count, text, second, options, error) &&
              write_page(&out, subjects, count, options, error);
  free(subjects);
  if (fine) return out.data;
  buffer_free(&out);
  return NULL;
}
