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
// tensors that nobody asks for are a warning. directory names the model in messages.
bool bindings_load(const struct bindings *bindings, const struct safetensors *file, struct model *model, const char *directory,
                   struct error *error);
