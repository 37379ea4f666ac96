// Attention of one sentence, with the tokens as labels: the pass is recorded whole, then one place of it is given.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "api/public_picture.h"
#include "base/memory.h"
#include "draw/heat_map.h"
#include "generate/forced_decoding.h"
#include "inspect/inspected_text.h"

struct qkv_attention_record {
  const struct model *model;
  struct inspected_text text;
  struct pass_record record;
  struct buffer picture;
};

// ---- the pass ----

struct qkv_attention_record *qkv_attention_record(struct qkv_context *context, struct qkv_model *model, const char *source,
                                                  const char *target) {
  struct error *error = public_begin(context);
  const struct model *ready = public_model_ready(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  if (!tokenizer) return NULL;
  struct qkv_attention_record *out = memory_new(error, 1, sizeof *out);
  if (!out) return NULL;
  out->model = ready;
  bool fine = inspected_text_make(&out->text, &ready->arch, tokenizer, source, target, error);
  struct pass_sides sides = inspected_text_sides(&out->text);
  if (fine && pass_record_run(&out->record, ready, &sides, PASS_WEIGHTS, error)) return out;
  qkv_attention_record_free(out);
  return NULL;
}

void qkv_attention_record_free(struct qkv_attention_record *record) {
  if (!record) return;
  pass_record_free(&record->record);
  inspected_text_free(&record->text);
  buffer_free(&record->picture);
  free(record);
}

// ---- one place of it ----

struct place {
  const struct recorded *weights;
  const struct inspected_side *rows, *columns;
  const char *kind, *rows_name, *columns_name;
  int layer;
};

static bool find_place(struct place *place, const struct qkv_attention_record *record, const struct qkv_attention_view *view,
                       struct error *error) {
  const struct arch *arch = &record->model->arch;
  const struct inspected_text *text = &record->text;
  place->kind = view->kind;
  const struct stack_arch *stack = attention_stack(arch, &place->kind, view->layer, view->head, error);
  if (!stack) return false;
  bool cross = strcmp(place->kind, "cross") == 0, encoder = strcmp(place->kind, "encoder") == 0;
  place->layer = view->layer >= 0 ? (int)view->layer : cross ? forced_alignment_layer(arch) : stack->layers - 1;
  place->weights = pass_record_weights(&record->record, place->kind, place->layer);
  place->rows = encoder ? &text->source : cross ? &text->outputs : &text->inputs;
  place->columns = encoder || cross ? &text->source : &text->inputs;
  place->rows_name = arch->family != FAMILY_ENCODER_DECODER ? "queries" : encoder ? "source" : "target";
  place->columns_name = arch->family != FAMILY_ENCODER_DECODER ? "keys" : encoder || cross ? "source" : "target";
  return place->weights != NULL ||
         error_set(error, ERROR_UNSUPPORTED, "layer %d made no %s attention", place->layer, place->kind);
}

static enum terminal_shades shades_of(const char *name) {
  if (name && strcmp(name, "ascii") == 0) return TERMINAL_ASCII;
  if (name && strcmp(name, "256") == 0) return TERMINAL_256_COLORS;
  if (name && strcmp(name, "true") == 0) return TERMINAL_TRUE_COLORS;
  return TERMINAL_BLOCKS;
}

struct picture {
  struct heat_map map;
  float *values;
  char title[160];
};

static bool picture_make(struct picture *picture, const struct qkv_attention_record *record,
                         const struct qkv_attention_view *view, struct error *error) {
  struct place place = {0};
  char heads[40];
  if (!find_place(&place, record, view, error)) return false;
  picture->values = recorded_head(place.weights, (int)view->head, error);
  if (!picture->values) return false;
  if (view->head < 0) snprintf(heads, sizeof heads, "mean of %d heads", place.weights->heads);
  else snprintf(heads, sizeof heads, "head %d", (int)view->head);
  snprintf(picture->title, sizeof picture->title, "%s attention, layer %d, %s", place.kind, place.layer, heads);
  picture->map = (struct heat_map){.values = picture->values,
                                   .rows = (size_t)place.weights->rows,
                                   .columns = (size_t)place.weights->columns,
                                   .row_labels = (const char *const *)place.rows->labels,
                                   .column_labels = (const char *const *)place.columns->labels,
                                   .title = picture->title,
                                   .rows_name = place.rows_name,
                                   .columns_name = place.columns_name,
                                   .full = 1};
  return true;
}

const char *qkv_attention_print(struct qkv_context *context, struct qkv_attention_record *record,
                                const struct qkv_attention_view *view) {
  struct error *error = public_begin(context);
  struct picture picture;
  if (!picture_make(&picture, record, view, error)) return NULL;
  buffer_clear(&record->picture);
  bool fine = heat_map_print(&record->picture, &picture.map, shades_of(view->shades), view->width ? (size_t)view->width : 80,
                             error);
  free(picture.values);
  return fine ? buffer_string(&record->picture) : NULL;
}

const char *qkv_attention_draw(struct qkv_context *context, struct qkv_attention_record *record,
                               const struct qkv_attention_view *view, const char *format, size_t *size) {
  struct error *error = public_begin(context);
  enum picture_format wanted;
  struct picture picture;
  if (!public_picture_format(&wanted, format, error) || !picture_make(&picture, record, view, error)) return NULL;
  buffer_clear(&record->picture);
  bool fine = heat_map_draw(&record->picture, wanted, &picture.map, error);
  free(picture.values);
  *size = record->picture.size;
  return fine ? buffer_string(&record->picture) : NULL;
}
