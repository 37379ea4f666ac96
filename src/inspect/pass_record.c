// Recording: one pass with the probes on; each call of a probe becomes an item.
#include "inspect/pass_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct recorder {
  struct pass_record *record;
  struct error *error;
};

static void keep(struct recorder *recorder, const char *name, bool weights, int heads, int rows, int columns,
                 const float *values) {
  struct pass_record *record = recorder->record;
  if (!memory_grow(recorder->error, &record->items, &record->capacity, record->count + 1, sizeof *record->items)) return;
  struct recorded *item = &record->items[record->count];
  *item = (struct recorded){.weights = weights, .heads = heads, .rows = rows, .columns = columns};
  snprintf(item->name, sizeof item->name, "%s", name);
  size_t cells = (size_t)heads * (size_t)rows * (size_t)columns;
  item->values = memory_new(recorder->error, cells, sizeof *item->values);
  if (!item->values) return;
  memcpy(item->values, values, cells * sizeof *item->values);
  record->count++;
}

// There is one sequence, so one span whose numbers are the whole matrix.
static void keep_weights(void *user, const char *name, const struct span *spans, int span_count, int heads,
                         const float *probabilities) {
  keep(user, name, true, heads, spans->qn, spans->kn, probabilities);
}

static void keep_result(void *user, const char *name, const struct tensor *tensor) {
  keep(user, name, false, 1, tensor->rows, tensor->cols, tensor->data);
}

static void run(struct context *context, const struct model *model, const struct pass_sides *sides, const int32_t *positions) {
  struct span source = {.qn = sides->source_count, .kn = sides->source_count},
              target = {.qn = sides->target_count, .kn = sides->target_count};
  struct span cross = {.qn = sides->target_count, .kn = sides->source_count};
  struct batch batch = {
    .source = {.rows = sides->source_count, .ids = sides->source, .types = sides->source_types, .positions = positions,
               .spans = &source, .span_count = 1},
    .target = {.rows = sides->target_count, .ids = sides->target, .positions = positions, .spans = &target, .span_count = 1},
    .cross = &cross, .cross_count = sides->source_count > 0, .sequences = 1};
  context_begin(context, false, false, 0, 0);
  struct tensor *encoded = sides->source_count ? model_encode(context, model, &batch.source) : NULL;
  if (sides->target_count && context_ok(context)) model_decode(context, model, &batch, encoded);
}

static bool check_side(const char *side, const int32_t *ids, int count, int vocabulary, const struct arch *arch,
                       struct error *error) {
  if (arch->positions != POSITIONS_NONE && count > arch->max_positions)
    return error_set(error, ERROR_USAGE, "the %s has %d tokens; the model has %d positions", side, count, arch->max_positions);
  for (int i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= vocabulary)
      return error_set(error, ERROR_USAGE, "the %s's id at place %d is %d; the model's vocabulary has the ids 0 to %d", side, i,
                       ids[i], vocabulary - 1);
  return true;
}

static bool check(const struct arch *arch, const struct pass_sides *sides, struct error *error) {
  bool both = arch->family == FAMILY_ENCODER_DECODER;
  if (both && sides->target_count > 0 && sides->source_count == 0)
    return error_set(error, ERROR_USAGE, "the source is empty; a decoder that looks at a source needs at least one token of it");
  return check_side("source", sides->source, sides->source_count, arch->source_vocab, arch, error) &&
         check_side("target", sides->target, sides->target_count, arch->target_vocab, arch, error);
}

bool pass_record_run(struct pass_record *record, const struct model *model, const struct pass_sides *sides,
                     enum pass_detail detail, struct error *error) {
  struct recorder recorder = {record, error};
  struct context context;
  *record = (struct pass_record){0};
  if (!check(&model->arch, sides, error)) return false;
  int longest = sides->source_count > sides->target_count ? sides->source_count : sides->target_count;
  int32_t *positions = memory_new(error, (size_t)longest, sizeof *positions);
  if (!positions) return false;
  for (int i = 0; i < longest; i++) positions[i] = i;
  if (context_open(&context, model->kernels, WORK_MEMORY_OF_ONE_TEXT, error)) {
    context.probe_attention = keep_weights;
    if (detail == PASS_EVERYTHING) context.probe = keep_result;
    context.probe_user = &recorder;
    run(&context, model, sides, positions);
    context_close(&context);
  }
  free(positions);
  if (error->code == ERROR_NONE) return true;
  pass_record_free(record);
  return false;
}

void pass_record_free(struct pass_record *record) {
  for (size_t i = 0; i < record->count; i++) free(record->items[i].values);
  free(record->items);
  *record = (struct pass_record){0};
}

// The newest: an operation that is made of two reports twice.
static const struct recorded *find(const struct pass_record *record, const char *name, bool weights) {
  for (size_t i = record->count; i-- > 0;)
    if (record->items[i].weights == weights && strcmp(record->items[i].name, name) == 0) return &record->items[i];
  return NULL;
}

const struct recorded *pass_record_find(const struct pass_record *record, const char *name) { return find(record, name, false); }

static const char *usual_kind(const struct arch *arch) {
  return arch->family == FAMILY_ENCODER_DECODER ? "cross" : arch->family == FAMILY_ENCODER ? "encoder" : "decoder";
}

static bool check_kind(const char *kind, const struct arch *arch, struct error *error) {
  if (strcmp(kind, "cross") != 0 && strcmp(kind, "encoder") != 0 && strcmp(kind, "decoder") != 0)
    return error_set(error, ERROR_USAGE, "the kind of attention is \"%s\"; it can be encoder, decoder or cross", kind);
  if (arch->family == FAMILY_ENCODER_DECODER || strcmp(kind, usual_kind(arch)) == 0) return true;
  return error_set(error, ERROR_USAGE, "this model has no %s attention; it has only a stack whose attention is called %s", kind,
                   usual_kind(arch));
}

const struct stack_arch *attention_stack(const struct arch *arch, const char **kind, int64_t layer, int64_t head,
                                         struct error *error) {
  if (!*kind) *kind = usual_kind(arch);
  if (!check_kind(*kind, arch, error)) return NULL;
  bool encoder = strcmp(*kind, "encoder") == 0;
  const struct stack_arch *stack = encoder ? &arch->encoder : &arch->decoder;
  const char *name = encoder ? "encoder" : "decoder";
  bool fine = true;
  if (layer < -1 || layer >= stack->layers)
    fine = error_set(error, ERROR_USAGE, "there is no layer %lld; the %s has the layers 0 to %d", (long long)layer, name,
                     stack->layers - 1);
  else if (head < -1 || head >= stack->heads)
    fine = error_set(error, ERROR_USAGE, "there is no head %lld; each layer of the %s has the heads 0 to %d", (long long)head,
                     name, stack->heads - 1);
  return fine ? stack : NULL;
}

void attention_name(char out[64], const char *kind, int layer) {
  bool cross = strcmp(kind, "cross") == 0;
  snprintf(out, 64, "%s.%d.%s.attention", cross ? "decoder" : kind, layer, cross ? "cross" : "self");
}

const struct recorded *pass_record_weights(const struct pass_record *record, const char *kind, int layer) {
  char name[64];
  attention_name(name, kind, layer);
  return find(record, name, true);
}

float *recorded_head(const struct recorded *weights, int head, struct error *error) {
  size_t cells = (size_t)weights->rows * (size_t)weights->columns;
  float *values = memory_new(error, cells, sizeof *values);
  if (!values) return NULL;
  int first = head < 0 ? 0 : head, end = head < 0 ? weights->heads : head + 1;
  for (int h = first; h < end; h++)
    for (size_t i = 0; i < cells; i++) values[i] += weights->values[(size_t)h * cells + i] / (float)(end - first);
  return values;
}
