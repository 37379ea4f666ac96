#include "hf/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/number.h"

enum { NAMES_SHOWN = 5 };

// --- table x model -> bindings

// Puts `layer` in place of "{}". Returns whether there was one.
static bool fill_pattern(char *out, size_t size, const char *pattern, int layer) {
  const char *hole = strstr(pattern, "{}");
  if (hole) snprintf(out, size, "%.*s%d%s", (int)(hole - pattern), pattern, layer, hole + 2);
  else snprintf(out, size, "%s", pattern);
  return hole != NULL;
}

static bool ends_with(const char *text, const char *end) {
  size_t size = strlen(text), length = strlen(end);
  return size >= length && strcmp(text + size - length, end) == 0;
}

// Norms and biases are vectors in every layout; a matrix may have one column as well.
static bool is_vector(const struct weight *weight) {
  return weight->followed || ends_with(weight->name, ".bias") || ends_with(weight->name, ".gain");
}

static void set_shape(struct binding *binding) {
  int64_t rows = binding_rows(binding), cols = binding->weight->cols;
  bool vector = is_vector(binding->weight), row = binding->row->row, transposed = binding->row->transposed;
  binding->dimensions = vector && !row ? 1 : 2;
  binding->shape[0] = row ? 1 : transposed ? cols : rows;
  binding->shape[1] = row || transposed ? rows : cols;
}

// A model without a head is saved as transformers' base class saves it: without the prefix.
static const char *name_in_file(const struct layout *layout, const struct model *model, const char *name) {
  size_t length = layout->prefix && model->arch.head == HEAD_NONE ? strlen(layout->prefix) : 0;
  return length && strncmp(name, layout->prefix, length) == 0 ? name + length : name;
}

static bool bind_row(struct bindings *bindings, const struct layout *layout, const struct tensor_name *row,
                     const struct model *model, int layer, struct error *error) {
  struct binding binding = {.row = row, .part = row->part};
  char name[64];
  if (row->heads && !(row->heads & FOR_HEAD(model->arch.head))) return true;
  if (row->tie != ALWAYS && (row->tie == WHEN_TIED) != model->arch.tied_head) return true;
  fill_pattern(name, sizeof name, row->weight, layer);
  fill_pattern(binding.stored, sizeof binding.stored, name_in_file(layout, model, row->stored), layer);
  binding.weight = model_weight(model, name);
  if (!binding.weight || row->part >= binding.weight->part_count) return true;
  set_shape(&binding);
  if (!memory_grow(error, &bindings->items, &bindings->capacity, bindings->count + 1, sizeof binding)) return false;
  bindings->items[bindings->count++] = binding;
  return true;
}

bool bindings_make(struct bindings *bindings, const struct layout *layout, const struct model *model, struct error *error) {
  *bindings = (struct bindings){0};
  const int layers_of[] = {model->arch.encoder.layers, model->arch.decoder.layers, model->arch.lstm.layers};
  int most = 0;
  for (int i = 0; i < 3; i++) most = layers_of[i] > most ? layers_of[i] : most;
  for (const struct tensor_name *row = layout->names; row->stored; row++) {
    int layers = strstr(row->weight, "{}") ? most : 1;
    for (int layer = 0; layer < layers; layer++) {
      if (!bind_row(bindings, layout, row, model, layer, error)) return false;
    }
  }
  return true;
}

void bindings_free(struct bindings *bindings) {
  free(bindings->items);
  *bindings = (struct bindings){0};
}

// --- reading

static const struct stored_tensor *find_spelled(const struct safetensors *file, const char *name) {
  const struct stored_tensor *tensor = safetensors_find(file, name);
  const char *norm = tensor ? NULL : strstr(name, "LayerNorm.");
  if (!norm) return tensor;
  char other[160];
  const char *part = norm + strlen("LayerNorm.");
  snprintf(other, sizeof other, "%.*s%s", (int)(part - name), name, strcmp(part, "weight") == 0 ? "gamma" : "beta");
  return safetensors_find(file, other);
}

const struct stored_tensor *names_find(const struct safetensors *file, const struct layout *layout, const char *name) {
  const struct stored_tensor *tensor = find_spelled(file, name);
  size_t length = layout->prefix ? strlen(layout->prefix) : 0;
  if (tensor || !length) return tensor;
  char longer[160];
  if (strncmp(name, layout->prefix, length) == 0) return find_spelled(file, name + length);
  snprintf(longer, sizeof longer, "%s%s", layout->prefix, name);
  return find_spelled(file, longer);
}

// Names for a message: the first few, and how many more.
struct names_list {
  struct buffer text;
  size_t count;
};

static void list_name(struct names_list *list, const char *name) {
  if (list->count++ < NAMES_SHOWN) buffer_format(&list->text, "%s%.120s", list->text.size ? ", " : "", name);
}

static const char *list_text(struct names_list *list) {
  if (list->count > NAMES_SHOWN) buffer_format(&list->text, " and %zu more", list->count - NAMES_SHOWN);
  return buffer_string(&list->text);
}

struct loading {
  const struct safetensors *file;
  const struct layout *layout;
  const uint64_t *new_head; // the seed of a head that may be missing, or NULL
  bool *used;               // per tensor of the file
  const char *directory;
  struct error *error;
};

static bool same_shape(const struct binding *binding, const struct stored_tensor *tensor) {
  bool same = tensor->dimensions == binding->dimensions;
  for (int i = 0; same && i < tensor->dimensions; i++) same = tensor->shape[i] == binding->shape[i];
  return same;
}

static bool belongs_to_new_head(const struct loading *loading, const struct weight *weight) {
  return loading->new_head && strncmp(weight->name, "head.", 5) == 0;
}

static bool is_new(const struct loading *loading, const struct binding *binding) {
  return belongs_to_new_head(loading, binding->weight);
}

static bool check_shape(const struct loading *loading, const struct binding *binding, const struct stored_tensor *tensor) {
  if (same_shape(binding, tensor)) return true;
  char found[200], wanted[200];
  return error_set(loading->error, ERROR_FORMAT, "%s: %s is %s; config.json wants %s", safetensors_path(loading->file, tensor),
                   tensor->name, shape_text(found, tensor->shape, tensor->dimensions),
                   shape_text(wanted, binding->shape, binding->dimensions));
}

static bool read_type(const struct loading *loading, const struct stored_tensor *tensor, enum number_type *type) {
  switch (tensor->type) {
    case TENSOR_F32: *type = TYPE_F32; return true;
    case TENSOR_F16: *type = TYPE_F16; return true;
    case TENSOR_BF16: *type = TYPE_BF16; return true;
    default:
      return error_set(loading->error, ERROR_UNSUPPORTED, "%s: %s has numbers of type %s; qkv reads F32, F16 and BF16",
                       safetensors_path(loading->file, tensor), tensor->name, tensor_type_name(tensor->type));
  }
}

static bool same_numbers(const void *a, enum number_type a_type, const void *b, enum number_type b_type, size_t n) {
  if (a_type == b_type) return memcmp(a, b, n * number_size(a_type)) == 0;
  for (size_t i = 0; i < n; i++) {
    float x, y;
    number_read(&x, (const char *)a + i * number_size(a_type), a_type, 1);
    number_read(&y, (const char *)b + i * number_size(b_type), b_type, 1);
    if (number_bits(x) != number_bits(y)) return false;
  }
  return true;
}

// Each part's place in a tensor that holds all of them.
static void attach_all(const struct binding *binding, const char *data, enum number_type type) {
  struct weight *weight = binding->weight;
  bool transposed = binding->row->transposed;
  for (int i = 0; i < weight->part_count; i++) {
    int rows = weight->parts[i].rows;
    weight->parts[i] = (struct weight_part){.rows = rows, .stored = data, .type = type, .transposed = transposed,
                                            .stride = transposed && weight->part_count > 1 ? weight->rows : 0};
    data += (size_t)rows * (transposed ? 1 : (size_t)weight->cols) * number_size(type);
  }
}

static bool attach(const struct loading *loading, const struct binding *binding, const struct stored_tensor *tensor) {
  struct weight_part *part = &binding->weight->parts[binding->part == ALL_PARTS ? 0 : binding->part];
  enum number_type type = TYPE_F32;
  if (!check_shape(loading, binding, tensor) || !read_type(loading, tensor, &type)) return false;
  if (!part->stored) {
    if (binding->part == ALL_PARTS) {
      attach_all(binding, tensor->data, type);
      return true;
    }
    part->stored = tensor->data;
    part->type = type;
    part->transposed = binding->row->transposed;
    return true;
  }
  if (same_numbers(part->stored, part->type, tensor->data, type, tensor->count)) return true;
  return error_set(loading->error, ERROR_FORMAT,
                   "%s: %s is there beside the tensor that config.json ties it to, with other numbers; set "
                   "\"tie_word_embeddings\" to false if both are meant",
                   safetensors_path(loading->file, tensor), tensor->name);
}

static bool load_one(const struct loading *loading, const struct binding *binding) {
  const struct stored_tensor *tensor = names_find(loading->file, loading->layout, binding->stored);
  if (tensor && is_new(loading, binding) && !same_shape(binding, tensor)) return true;
  if (!tensor || loading->used[tensor - loading->file->tensors]) return true;
  loading->used[tensor - loading->file->tensors] = true;
  if (binding->row->role == TENSOR_COPY || binding->row->role == TENSOR_IGNORED) return true;
  return attach(loading, binding, tensor);
}

// A trained tensor can't be made up, whatever the table says.
static bool may_be_missing(const struct binding *binding) {
  if (binding->row->role == TENSOR_OPTIONAL) return !binding->weight->trainable;
  return binding->row->role != TENSOR_STORED;
}

// What a new head lacks is made here: a function of (seed, name), as in a new model.
static bool make_new(const struct loading *loading, struct weight *weight) {
  if (!weight_own_values(weight, loading->error)) return false;
  weight_initialise(weight, *loading->new_head);
  return true;
}

static bool check_missing(const struct bindings *bindings, const struct loading *loading, struct names_list *made) {
  struct names_list missing = {0};
  for (size_t i = 0; i < bindings->count; i++) {
    const struct binding *binding = &bindings->items[i];
    int part = binding->part == ALL_PARTS ? 0 : binding->part;
    if (binding->weight->parts[part].stored || binding->weight->values || may_be_missing(binding)) continue;
    if (!is_new(loading, binding)) list_name(&missing, binding->stored);
    else if (!make_new(loading, binding->weight)) break;
    else list_name(made, binding->stored);
  }
  if (made->count && !missing.count)
    error_warn(loading->error, "%s: %zu tensor%s of the new head start%s from random numbers: %s", loading->directory,
               made->count, made->count == 1 ? "" : "s", made->count == 1 ? "s" : "", list_text(made));
  if (missing.count)
    error_set(loading->error, ERROR_FORMAT, "%s: %zu tensor%s of the model that config.json describes %s missing: %s",
              loading->directory, missing.count, missing.count == 1 ? "" : "s", missing.count == 1 ? "is" : "are",
              list_text(&missing));
  buffer_free(&missing.text);
  return missing.count == 0 && loading->error->code == ERROR_NONE;
}

static void report_unused(const struct loading *loading) {
  struct names_list unused = {0};
  for (size_t i = 0; i < loading->file->count; i++) {
    if (!loading->used[i]) list_name(&unused, loading->file->tensors[i].name);
  }
  if (unused.count)
    error_warn(loading->error, "%s: %zu tensor%s not used by this kind of model: %s", loading->directory, unused.count,
               unused.count == 1 ? " is" : "s are", list_text(&unused));
  buffer_free(&unused.text);
}

// A weight that the layout has no name for would stay without values; that of a new head, which another layout will save, starts
// here.
static bool check_covered(const struct bindings *bindings, const struct model *model, const struct loading *loading,
                          struct names_list *made) {
  bool *covered = memory_new(loading->error, (size_t)model->weight_count, sizeof *covered);
  bool ok = covered != NULL;
  for (size_t i = 0; ok && i < bindings->count; i++) covered[bindings->items[i].weight - model->weights] = true;
  for (int w = 0; ok && w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    if (covered[w]) continue;
    if (belongs_to_new_head(loading, weight)) {
      ok = make_new(loading, weight);
      list_name(made, weight->name);
    } else {
      ok = error_set(loading->error, ERROR_UNSUPPORTED, "the layout \"%s\" has no tensor for the weight %s",
                     loading->layout->model_type, weight->name);
    }
  }
  free(covered);
  return ok;
}

bool bindings_load(const struct bindings *bindings, const struct safetensors *file, struct model *model, const char *directory,
                   const uint64_t *new_head, struct error *error) {
  struct loading loading = {
      file, layout_find(model->arch.layout), new_head, memory_new(error, file->count, sizeof(bool)), directory, error};
  struct names_list made = {0};
  bool ok = loading.used != NULL && check_covered(bindings, model, &loading, &made);
  for (size_t i = 0; ok && i < bindings->count; i++) ok = load_one(&loading, &bindings->items[i]);
  ok = ok && check_missing(bindings, &loading, &made);
  if (ok) report_unused(&loading);
  buffer_free(&made.text);
  free(loading.used);
  return ok;
}
