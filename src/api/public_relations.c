// Heads and syntactic relations.
#include <stdlib.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "inspect/relation_heads.h"

static struct qkv_relations *hand_out(const struct relation_report *report, struct error *error) {
  struct qkv_relations *relations = memory_new(error, 1, sizeof *relations);
  struct qkv_relation *items = memory_new(error, report->count, sizeof *items);
  if (!relations || !items) {
    free(relations);
    free(items);
    return NULL;
  }
  *relations = (struct qkv_relations){.items = items, .sentences = report->sentences, .skipped = report->skipped};
  for (size_t i = 0; i < report->count; i++) {
    const struct relation_head *item = &report->items[i];
    char *name = memory_copy_text(error, item->relation);
    if (!name) {
      qkv_relations_free(relations);
      return NULL;
    }
    items[relations->count++] = (struct qkv_relation){
      .relation = name, .count = item->count, .to_head = item->to_head, .layer = item->layer, .head = item->head,
      .accuracy = item->accuracy, .baseline = item->baseline, .distance = item->distance};
  }
  return relations;
}

struct qkv_relations *qkv_relations_of(struct qkv_context *context, struct qkv_model *model, const char *path) {
  struct error *error = public_begin(context);
  const struct model *ready = public_model_ready(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  struct treebank treebank;
  if (!tokenizer || !treebank_read(&treebank, path, error)) return NULL;
  struct relation_report report = {0};
  struct qkv_relations *relations = NULL;
  if (relation_report_make(&report, ready, tokenizer, &treebank, error)) relations = hand_out(&report, error);
  relation_report_free(&report);
  treebank_free(&treebank);
  return relations;
}

void qkv_relations_free(struct qkv_relations *relations) {
  if (!relations) return;
  for (size_t i = 0; i < relations->count; i++) free((char *)relations->items[i].relation);
  free((struct qkv_relation *)relations->items);
  free(relations);
}
