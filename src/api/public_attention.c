// Attention of one sentence, with the tokens as labels: the pass is recorded whole, then one place of it is given.
#include <stdlib.h>
#include <string.h>

#include "api/public_context.h"
#include "api/public_model.h"
#include "base/memory.h"
#include "draw/heat_map.h"
#include "generate/forced_decoding.h"
#include "inspect/attention_record.h"

// Ids of one side and what each shows a reader.
struct labelled {
  int32_t *ids;
  char **labels;
  int count, capacity;
};

struct qkv_attention_record {
  const struct model *model;
  struct attention_record record;
  struct labelled source, inputs, outputs;  // inputs: what the decoder reads; outputs: what it predicts from them
  struct buffer picture;
};

// ---- tokens with labels ----

// A token as a reader knows it: its text without the blanks around it, or its name where it has no text.
static char *label_of(const struct tokenizer *tokenizer, int32_t id, struct error *error) {
  struct buffer text = {0};
  const char *name = tokenizer_token(tokenizer, id);
  char *label = NULL;
  if (tokenizer_decode(tokenizer, &id, 1, true, &text, error)) {
    const char *start = buffer_string(&text);
    start += strspn(start, " ");
    size_t size = strlen(start);
    while (size && start[size - 1] == ' ') size--;
    bool plain = size > 0 && strcspn(start, "\t\r\n") >= size;
    struct buffer shown = {0};
    if (plain) buffer_append(&shown, start, size);
    else buffer_text(&shown, name ? name : "?");
    if (buffer_check(&shown, error)) label = memory_copy_text(error, buffer_string(&shown));
    buffer_free(&shown);
  }
  buffer_free(&text);
  return label;
}

static bool add(struct labelled *side, const struct tokenizer *tokenizer, int32_t id, struct error *error) {
  if (side->count == side->capacity) {
    size_t wanted = (size_t)side->capacity * 2 + 16;
    int32_t *ids = memory_resize(error, side->ids, wanted, sizeof *ids);
    if (!ids) return false;
    side->ids = ids;
    char **labels = memory_resize(error, side->labels, wanted, sizeof *labels);
    if (!labels) return false;
    side->labels = labels;
    side->capacity = (int)wanted;
  }
  char *label = label_of(tokenizer, id, error);
  if (!label) return false;
  side->ids[side->count] = id;
  side->labels[side->count++] = label;
  return true;
}

static bool add_all(struct labelled *side, const struct tokenizer *tokenizer, const struct encoding *encoding,
                    struct error *error) {
  for (size_t i = 0; i < encoding->count; i++)
    if (!add(side, tokenizer, encoding->ids[i], error)) return false;
  return true;
}

static void labelled_free(struct labelled *side) {
  for (int i = 0; i < side->count; i++) free(side->labels[i]);
  free(side->labels);
  free(side->ids);
}

// ---- the pass ----

static bool fill_sides(struct qkv_attention_record *out, const struct tokenizer *tokenizer, const char *source,
                       const char *target, struct error *error) {
  const struct arch *arch = &out->model->arch;
  struct encoding encoding = {.keep_all = true};
  bool fine = tokenizer_encode(tokenizer, source, strlen(source), true, &encoding, error) &&
              add_all(&out->source, tokenizer, &encoding, error) &&
              tokenizer_encode(tokenizer, target, strlen(target), true, &encoding, error) &&
              add_all(&out->outputs, tokenizer, &encoding, error) && add(&out->inputs, tokenizer, arch->decoder_start_id, error);
  for (int i = 0; fine && i + 1 < out->outputs.count; i++) fine = add(&out->inputs, tokenizer, out->outputs.ids[i], error);
  encoding_free(&encoding);
  if (fine && (!out->source.count || !out->outputs.count))
    return error_set(error, ERROR_USAGE, "the %s has no tokens; there is nothing to look at",
                     out->source.count ? "target" : "source");
  int longest = out->source.count > out->inputs.count ? out->source.count : out->inputs.count;
  if (fine && arch->positions != POSITIONS_NONE && longest > arch->max_positions)
    return error_set(error, ERROR_USAGE, "the text has %d tokens and the model takes %d; give a shorter one", longest,
                     arch->max_positions);
  return fine;
}

struct qkv_attention_record *qkv_attention_record(struct qkv_context *context, struct qkv_model *model, const char *source,
                                                  const char *target) {
  struct error *error = public_begin(context);
  const struct model *ready = public_model_ready(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  if (!tokenizer) return NULL;
  if (ready->arch.family != FAMILY_ENCODER_DECODER) {
    error_set(error, ERROR_UNSUPPORTED, "%s: attention can be shown of translators only, so far", model->directory);
    return NULL;
  }
  struct qkv_attention_record *out = memory_new(error, 1, sizeof *out);
  if (!out) return NULL;
  out->model = ready;
  bool fine = fill_sides(out, tokenizer, source, target, error);
  struct attention_sides sides = {out->source.ids, out->inputs.ids, out->source.count, out->inputs.count};
  if (fine && attention_record_run(&out->record, ready, &sides, error)) return out;
  qkv_attention_record_free(out);
  return NULL;
}

void qkv_attention_record_free(struct qkv_attention_record *record) {
  if (!record) return;
  attention_record_free(&record->record);
  labelled_free(&record->source);
  labelled_free(&record->inputs);
  labelled_free(&record->outputs);
  buffer_free(&record->picture);
  free(record);
}

// ---- one place of it ----

struct place {
  const struct attention_matrix *matrix;
  const struct labelled *rows, *columns;
  const char *rows_name, *columns_name;
  int layer;
};

static bool find_place(struct place *place, const struct qkv_attention_record *record, const struct qkv_attention_view *view,
                       struct error *error) {
  const struct arch *arch = &record->model->arch;
  const char *kind = view->kind ? view->kind : "cross";
  bool cross = strcmp(kind, "cross") == 0, encoder = strcmp(kind, "encoder") == 0;
  if (!cross && !encoder && strcmp(kind, "decoder") != 0)
    return error_set(error, ERROR_USAGE, "the kind of attention is \"%s\"; it can be encoder, decoder or cross", kind);
  const struct stack_arch *stack = encoder ? &arch->encoder : &arch->decoder;
  place->layer = view->layer >= 0 ? (int)view->layer : cross ? forced_alignment_layer(arch) : stack->layers - 1;
  if (view->layer >= stack->layers)
    return error_set(error, ERROR_USAGE, "there is no layer %lld; the %s has the layers 0 to %d", (long long)view->layer,
                     encoder ? "encoder" : "decoder", stack->layers - 1);
  if (view->head >= stack->heads)
    return error_set(error, ERROR_USAGE, "there is no head %lld; each layer of the %s has the heads 0 to %d",
                     (long long)view->head, encoder ? "encoder" : "decoder", stack->heads - 1);
  place->matrix = attention_record_find(&record->record, encoder ? "encoder" : "decoder", place->layer, cross);
  place->rows = encoder ? &record->source : cross ? &record->outputs : &record->inputs;
  place->columns = encoder || cross ? &record->source : &record->inputs;
  place->rows_name = encoder ? "source" : "target";
  place->columns_name = encoder || cross ? "source" : "target";
  return place->matrix != NULL;
}

static enum terminal_shades shades_of(const char *name) {
  if (name && strcmp(name, "ascii") == 0) return TERMINAL_ASCII;
  if (name && strcmp(name, "256") == 0) return TERMINAL_256_COLORS;
  if (name && strcmp(name, "true") == 0) return TERMINAL_TRUE_COLORS;
  return TERMINAL_BLOCKS;
}

const char *qkv_attention_print(struct qkv_context *context, struct qkv_attention_record *record,
                                const struct qkv_attention_view *view) {
  struct error *error = public_begin(context);
  struct place place = {0};
  if (!find_place(&place, record, view, error)) return NULL;
  float *values = attention_matrix_head(place.matrix, (int)view->head, error);
  if (!values) return NULL;
  char title[160], heads[40];
  if (view->head < 0) snprintf(heads, sizeof heads, "mean of %d heads", place.matrix->heads);
  else snprintf(heads, sizeof heads, "head %d", (int)view->head);
  snprintf(title, sizeof title, "%s attention, layer %d, %s", view->kind ? view->kind : "cross", place.layer, heads);
  struct heat_map map = {.values = values,
                         .rows = (size_t)place.matrix->rows,
                         .columns = (size_t)place.matrix->columns,
                         .row_labels = (const char *const *)place.rows->labels,
                         .column_labels = (const char *const *)place.columns->labels,
                         .title = title,
                         .rows_name = place.rows_name,
                         .columns_name = place.columns_name,
                         .full = 1};
  buffer_clear(&record->picture);
  bool fine = heat_map_print(&record->picture, &map, shades_of(view->shades), view->width ? (size_t)view->width : 80, error);
  free(values);
  return fine ? buffer_string(&record->picture) : NULL;
}
