// Recording: one pass with the attention probe on; each call of the probe becomes a matrix.
#include "inspect/attention_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const size_t WORK_MEMORY = (size_t)1 << 38;  // address space, not memory

struct recorder {
  struct attention_record *record;
  struct error *error;
};

// There is one sequence, so one span whose numbers are the whole matrix.
static void keep(void *user, const char *name, const struct span *spans, int span_count, int heads, const float *probabilities) {
  struct recorder *recorder = user;
  struct attention_record *record = recorder->record;
  if (!memory_grow(recorder->error, &record->matrices, &record->capacity, record->count + 1, sizeof *record->matrices)) return;
  struct attention_matrix *matrix = &record->matrices[record->count];
  *matrix = (struct attention_matrix){.heads = heads, .rows = spans->qn, .columns = spans->kn};
  snprintf(matrix->name, sizeof matrix->name, "%s", name);
  size_t cells = (size_t)heads * (size_t)spans->qn * (size_t)spans->kn;
  matrix->values = memory_new(recorder->error, cells, sizeof *matrix->values);
  if (!matrix->values) return;
  memcpy(matrix->values, probabilities, cells * sizeof *matrix->values);
  record->count++;
}

static void run(struct context *context, const struct model *model, const struct attention_sides *sides, const int32_t *positions) {
  struct span source = {.qn = sides->source_count, .kn = sides->source_count}, target = {.qn = sides->target_count, .kn = sides->target_count};
  struct span cross = {.qn = sides->target_count, .kn = sides->source_count};
  struct batch batch = {
    .source = {.rows = sides->source_count, .ids = sides->source, .positions = positions, .spans = &source, .span_count = 1},
    .target = {.rows = sides->target_count, .ids = sides->target, .positions = positions, .spans = &target, .span_count = 1},
    .cross = &cross, .cross_count = sides->source_count > 0, .sequences = 1};
  context_begin(context, false, false, 0, 0);
  struct tensor *encoded = sides->source_count ? model_encode(context, model, &batch.source) : NULL;
  if (sides->target_count && context_ok(context)) model_decode(context, model, &batch, encoded);
}

static bool check_side(const char *side, const int32_t *ids, int count, int vocabulary, const struct arch *arch, struct error *error) {
  if (arch->positions != POSITIONS_NONE && count > arch->max_positions)
    return error_set(error, ERROR_USAGE, "the %s has %d tokens; the model has %d positions", side, count, arch->max_positions);
  for (int i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error_set(error, ERROR_USAGE, "the %s's id at place %d is %d; the model's vocabulary has the ids 0 to %d", side, i, ids[i], vocabulary - 1);
  return true;
}

static bool check(const struct arch *arch, const struct attention_sides *sides, struct error *error) {
  bool both = arch->family == FAMILY_ENCODER_DECODER;
  if (both && sides->target_count > 0 && sides->source_count == 0)
    return error_set(error, ERROR_USAGE, "the source is empty; a decoder that looks at a source needs at least one token of it");
  return check_side("source", sides->source, sides->source_count, arch->source_vocab, arch, error) &&
         check_side("target", sides->target, sides->target_count, arch->target_vocab, arch, error);
}

bool attention_record_run(struct attention_record *record, const struct model *model, const struct attention_sides *sides, struct error *error) {
  struct recorder recorder = {record, error};
  struct context context;
  *record = (struct attention_record){0};
  if (!check(&model->arch, sides, error)) return false;
  int longest = sides->source_count > sides->target_count ? sides->source_count : sides->target_count;
  int32_t *positions = memory_new(error, (size_t)longest, sizeof *positions);
  if (!positions) return false;
  for (int i = 0; i < longest; i++) positions[i] = i;
  if (context_open(&context, model->kernels, WORK_MEMORY, error)) {
    context.probe_attention = keep;
    context.probe_user = &recorder;
    run(&context, model, sides, positions);
    context_close(&context);
  }
  free(positions);
  if (error->code == ERROR_NONE) return true;
  attention_record_free(record);
  return false;
}

void attention_record_free(struct attention_record *record) {
  for (size_t i = 0; i < record->count; i++) free(record->matrices[i].values);
  free(record->matrices);
  *record = (struct attention_record){0};
}

const struct attention_matrix *attention_record_find(const struct attention_record *record, const char *stack, int layer, bool cross) {
  char name[64];
  snprintf(name, sizeof name, "%s.%d.%s.attention", stack, layer, cross ? "cross" : "self");
  for (size_t i = 0; i < record->count; i++)
    if (strcmp(record->matrices[i].name, name) == 0) return &record->matrices[i];
  return NULL;
}

float *attention_matrix_head(const struct attention_matrix *matrix, int head, struct error *error) {
  size_t cells = (size_t)matrix->rows * (size_t)matrix->columns;
  float *values = memory_new(error, cells, sizeof *values);
  if (!values) return NULL;
  int first = head < 0 ? 0 : head, end = head < 0 ? matrix->heads : head + 1;
  for (int h = first; h < end; h++)
    for (size_t i = 0; i < cells; i++) values[i] += matrix->values[(size_t)h * cells + i] / (float)(end - first);
  return values;
}
