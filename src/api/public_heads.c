// What heads do, over many texts.
#include <stdlib.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "inspect/head_statistics.h"

struct own_heads {
  struct qkv_heads heads;
  const char *names[HEAD_MEASURES];
};

_Static_assert(sizeof ((struct qkv_head *)0)->measures == HEAD_MEASURES * sizeof(double), "qkv.h names as many measures");

static bool pair_texts(struct head_text *out, const struct model *model, const struct qkv_strings *texts,
                       const struct qkv_strings *seconds, struct error *error) {
  if (seconds && seconds->count != texts->count)
    return error_set(error, ERROR_USAGE, "there are %zu texts and %zu second texts; each needs one", texts->count,
                     seconds->count);
  if (!seconds && model->arch.family == FAMILY_ENCODER_DECODER)
    return error_set(error, ERROR_USAGE, "this model reads a source and a target; the texts' translations are missing");
  for (size_t i = 0; i < texts->count; i++) out[i] = (struct head_text){texts->items[i], seconds ? seconds->items[i] : NULL};
  return true;
}

static struct qkv_heads *hand_out(const struct head_report *report, struct error *error) {
  struct own_heads *own = memory_new(error, 1, sizeof *own);
  struct qkv_head *items = memory_new(error, report->count, sizeof *items);
  if (!own || !items) {
    free(own);
    free(items);
    return NULL;
  }
  for (int m = 0; m < HEAD_MEASURES; m++) own->names[m] = head_measure_name(m);
  for (size_t i = 0; i < report->count; i++) {
    const struct head_statistics *head = &report->heads[i];
    items[i] = (struct qkv_head){
        .kind = head->kind, .layer = head->layer, .head = head->head, .pattern = head->pattern, .loss_change = head->loss_change};
    for (int m = 0; m < HEAD_MEASURES; m++) items[i].measures[m] = head->measures[m];
  }
  own->heads = (struct qkv_heads){.names = own->names, .items = items, .count = report->count, .loss = report->loss,
                                  .texts = report->texts, .skipped = report->skipped, .first_skipped = report->first_skipped};
  return &own->heads;
}

struct qkv_heads *qkv_heads_over(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                 const struct qkv_strings *seconds, bool ablate) {
  struct error *error = public_begin(context);
  const struct model *ready = public_model_ready(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  if (!tokenizer) return NULL;
  if (!texts->count) {
    error_set(error, ERROR_USAGE, "there are no texts to measure heads over");
    return NULL;
  }
  struct head_text *paired = memory_new(error, texts->count, sizeof *paired);
  struct head_report report = {0};
  struct qkv_heads *heads = NULL;
  if (paired && pair_texts(paired, ready, texts, seconds, error) &&
      head_report_make(&report, ready, tokenizer, paired, texts->count, ablate, error))
    heads = hand_out(&report, error);
  head_report_free(&report);
  free(paired);
  return heads;
}

void qkv_heads_free(struct qkv_heads *heads) {
  if (!heads) return;
  free((struct qkv_head *)heads->items);
  free(heads);
}
