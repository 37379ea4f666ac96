#include "train/update.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "data/ledger.h"

enum { NAMED_LINES = 20 };

void update_begin(struct update *update, struct context *context, struct model *model, int64_t step, uint64_t seed,
                  double label_smoothing, const int64_t targets[TARGET_HEADS]) {
  *update = (struct update){.context = context, .model = model, .step = step, .seed = seed, .label_smoothing = label_smoothing};
  for (int head = 0; head < TARGET_HEADS; head++) update->scales[head] = 1.0 / (double)(targets[head] > 0 ? targets[head] : 1);
}

struct search {
  char name[80];
};

static void find_first(void *user, const char *name, const struct tensor *tensor) {
  struct search *search = user;
  if (search->name[0] || !tensor || !tensor->data) return;
  size_t size = (size_t)tensor->rows * (size_t)tensor->cols;
  for (size_t i = 0; i < size; i++)
    if (!isfinite(tensor->data[i])) {
      snprintf(search->name, sizeof search->name, "%s", name);
      return;
    }
}

static void write_lines(struct buffer *out, const struct batch *batch, const char *const *paths) {
  if (!batch->lines || !paths) return;
  buffer_text(out, "; the batch is made of ");
  for (int i = 0; i < batch->sequences && i < NAMED_LINES; i++)
    buffer_format(out, "%s%s:%" PRIu64, i ? ", " : "", paths[place_file(batch->lines[i])], place_line(batch->lines[i]));
  if (batch->sequences > NAMED_LINES) buffer_format(out, " and %d more lines", batch->sequences - NAMED_LINES);
}

// Runs the batch again, forward only, watching every operation's result.
static bool report_not_finite(struct update *update, const struct batch *batch) {
  struct context *context = update->context;
  struct search search = {""};
  struct context watching = *context;
  context->probe = find_first;
  context->probe_user = &search;
  struct loss ignored = {0};
  context_begin(context, false, true, update->seed, (uint64_t)update->step);
  model_loss(context, update->model, batch, (float)update->label_smoothing, (struct loss_scale){0}, &ignored, NULL);
  context->probe = watching.probe;
  context->probe_user = watching.probe_user;
  struct buffer lines = {0};
  write_lines(&lines, batch, update->paths);
  error_set(context->error, ERROR_NUMERIC,
            "update %lld: the loss is not finite; the first such number is in %s%s. The weights are still those of the update "
            "before; a lower --learning-rate or a longer --warmup-steps usually helps",
            (long long)update->step, search.name[0] ? search.name : "the loss itself", buffer_string(&lines));
  buffer_free(&lines);
  return false;
}

bool update_add(struct update *update, const struct batch *batch) {
  struct loss loss = {0};
  context_begin(update->context, true, true, update->seed, (uint64_t)update->step);
  struct loss_scale scale = {.scale = (float)update->scales[0], .texts = (float)update->scales[1]};
  if (!model_loss(update->context, update->model, batch, (float)update->label_smoothing, scale, &loss, NULL)) return false;
  if (!isfinite(loss.sum) || !isfinite(loss.texts.sum)) return report_not_finite(update, batch);
  loss_add(&update->loss, &loss);
  update->tokens += batch->source.rows + batch->target.rows;
  return true;
}

bool update_end(struct update *update, const struct optimizer_options *options, double learning_rate) {
  return optimizer_step(update->model, options, update->step, learning_rate, &update->norm, update->context->error);
}
