// A layout's table of tensor names applied to a model, in both directions.
#pragma once
#include "hf/layout.h"
#include "hf/safetensors.h"
#include "hf/safetensors_writer.h"
#include "model/model.h"

// One tensor of the file that belongs to a part of a weight.
struct binding {
  char stored[128];              // its name in the file
  const struct tensor_name *row; // what the table says about it
  struct weight *weight;
  int part;                      // or ALL_PARTS
  int dimensions;
  int64_t shape[2];              // in the file
};

struct bindings {
  struct binding *items;
  size_t count, capacity;
};

static inline int binding_rows(const struct binding *binding) {
  return binding->part == ALL_PARTS ? binding->weight->rows : binding->weight->parts[binding->part].rows;
}

// Every row of the table for every layer, as far as the model has the weight.
bool bindings_make(struct bindings *bindings, const struct layout *layout, const struct model *model, struct error *error);
void bindings_free(struct bindings *bindings);

// Points the model's parts at the file's tensors. Missing tensors and wrong shapes are an error that names the first ones;
// tensors that nobody asks for are a warning. directory names the model in messages. With new_head (its seed) tensors of the head
// that are missing or of another shape are made by model_initialise's rules instead, and listed in a warning.
bool bindings_load(const struct bindings *bindings, const struct safetensors *file, struct model *model, const char *directory,
                   const uint64_t *new_head, struct error *error);
// The file's tensor of that name, which may lack the layout's prefix, have it beyond what is asked, or call a norm's gain and
// bias gamma and beta, as BERT's first files do. NULL: there is none.
const struct stored_tensor *names_find(const struct safetensors *file, const struct layout *layout, const char *name);
