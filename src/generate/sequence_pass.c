#include "generate/sequence_pass.h"

#include <stdlib.h>

#include "base/memory.h"

enum { BATCH_ROWS = 1536 };

static int compare_lengths(const void *a, const void *b, void *data) {
  const struct pass_sequence *sequences = data;
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  if (sequences[x].count != sequences[y].count) return sequences[x].count < sequences[y].count ? 1 : -1;  // longest first
  return (x > y) - (x < y);
}

static bool pack(const struct sequence_pass *pass, struct packed_batch *packed, const uint32_t *order, size_t count,
                 size_t *taken, struct error *error) {
  packed_begin(packed);
  size_t rows = 0;
  for (*taken = 0; *taken < count; ++*taken) {
    const struct pass_sequence *sequence = &pass->sequences[order[*taken]];
    rows += (size_t)sequence->count;
    if (*taken && rows > BATCH_ROWS) break;
    struct packed_sequence adding = {.ids = sequence->ids,
                                     .types = sequence->types,
                                     .count = (size_t)sequence->count,
                                     .second = (size_t)sequence->second,
                                     .number = order[*taken],
                                     .text = packed_text()};
    if (!packed_add(packed, &pass->model->arch, &adding, error)) return false;
  }
  return true;
}

static bool run_batches(const struct sequence_pass *pass, struct context *context, struct packed_batch *packed,
                        const uint32_t *order, struct error *error) {
  for (size_t done = 0, taken; done < pass->count; done += taken) {
    if (!pack(pass, packed, order + done, pass->count - done, &taken, error)) return false;
    const struct batch *batch = packed_end(packed, &pass->model->arch);
    if (pass->begin) pass->begin(pass->user, batch, order + done);
    context_begin(context, false, false, 0, 0);
    struct tensor *hidden = model_hidden(context, pass->model, batch);
    if (!hidden || !pass->take(pass->user, context, batch, hidden, order + done) || !context_ok(context)) return false;
  }
  return true;
}

bool sequence_pass_run(const struct sequence_pass *pass, struct error *error) {
  uint32_t *order = memory_new(error, pass->count + 1, sizeof *order);
  if (!order) return false;
  for (size_t i = 0; i < pass->count; i++) order[i] = (uint32_t)i;
  qsort_r(order, pass->count, sizeof *order, compare_lengths, (void *)pass->sequences);
  struct context context;
  struct packed_batch packed = {0};
  bool ok = context_open(&context, pass->model->kernels, WORK_MEMORY_OF_ONE_TEXT, error);
  if (ok) {
    context.probe = pass->probe;
    context.probe_user = pass->user;
    ok = run_batches(pass, &context, &packed, order, error);
    context_close(&context);
  }
  packed_free(&packed);
  free(order);
  return ok;
}
