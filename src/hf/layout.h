// A layout is one way of keeping a model in a directory: two tables, of config.json's keys and of the tensors' names, that
// are read in both directions. A new architecture is one file with its tables and one line in layout.c.
#pragma once
#include "base/json.h"
#include "model/arch.h"
#include "model/knob_names.h"

// --- config.json

enum config_type {
  CONFIG_INTEGER,          // int
  CONFIG_ID,               // int; null is -1, of a list the first counts
  CONFIG_NUMBER,           // float
  CONFIG_BOOLEAN,          // bool
  CONFIG_CHOICE,           // an enum by its name, see `choices`
  CONFIG_TABLE_ROWS,       // int max_positions: in the file with the position_offset rows before them, which `complete` takes off
  CONFIG_TABLE_WIDTH,      // int embedding_width, which the file says even if it is `hidden`
  CONFIG_SCALED_BY_WIDTH,  // float: false is 1, true is sqrt(hidden)
};

struct config_key {
  const char *key;  // NULL ends a table
  enum config_type type;
  size_t field;     // offset in struct arch
  double otherwise; // when the key is missing
  double low, high;
  const struct knob_name *choices;  // ends with a NULL name
  const char *same_as;  // the key whose value counts when this one is missing
  bool unsaid_at_zero;  // 0 stands for a missing key and is not written
  bool incidental;  // no part of what a model computes: layouts may leave it out
};

// A key with another name for the same value, or a key and the only value (as JSON) that it may have.
struct config_pair {
  const char *key, *other;
};

// --- tensors

enum { ALL_PARTS = -1 };  // the tensor holds all parts of the weight, one after the other

enum tensor_role {
  TENSOR_STORED = 0,
  TENSOR_OPTIONAL,   // may be missing: the weight then starts as model_initialise would have it
  TENSOR_UNSAVED,    // the same, and not written
  TENSOR_TIED,       // may be there beside the stored one, with equal numbers; not written
  TENSOR_COPY,       // read by nobody, but transformers misses it: written with the same numbers
  TENSOR_IGNORED,    // read by nobody and not written
};

#define FOR_HEAD(kind) (1u << (kind))

struct tensor_name {
  const char *stored;  // name in the file, "{}" for the layer's number; NULL ends a table
  const char *weight;  // qkv's name of the weight; a row counts only for models that have this weight, and this part of it
  int part;            // or ALL_PARTS
  enum tensor_role role;
  bool transposed;     // stored as [inputs, outputs]
  bool row;            // a vector stored as [1, n]
  unsigned heads;      // FOR_HEAD bits of the heads that this row belongs to; 0: all
  enum { ALWAYS, WHEN_TIED, WHEN_UNTIED } tie;  // by arch.tied_head
};

// --- heads

enum head_transform { NO_TRANSFORM, TRANSFORM_AS_LAYERS, TRANSFORM_GELU };  // before the vocabulary, with which activation

struct layout_head {
  const char *architecture;      // a class of transformers; NULL ends a table, whose first row counts where a file names none
  enum head_kind kind;           // of several rows with one kind the first is written
  enum head_transform transform; // with it the vocabulary has a bias
  enum pooling pooling;
  bool pooler;
  enum activation pooler_activation;
  bool pooler_dropout;
  bool unbiased;                 // the classifier
};

struct layout {
  const char *model_type;
  const char *architecture;           // the class of transformers, for layouts without a table of heads
  const struct layout_head *heads;    // NULL: HEAD_LANGUAGE only
  const struct config_key *keys;
  const struct config_pair *aliases;       // {key, key that it stands for}
  const struct config_pair *unsupported;   // {key, the only value that qkv can honour}
  const struct config_pair *ignored;       // {key, value that changes nothing}: another value is a warning
  const char *const *harmless;             // besides those that every layout ignores
  void (*constants)(struct arch *arch);    // knobs that this layout does not say
  // Keys that no table can say, listed as harmless: read after the table, written after it. NULL: none.
  bool (*read)(struct arch *arch, const cJSON *config, const char *path, struct error *error);
  bool (*write)(cJSON *config, const struct arch *arch, struct error *error);
  bool (*complete)(struct arch *arch, const char *path, struct error *error);  // what follows from several keys
  const struct tensor_name *names;
  const char *prefix;                      // of most names; files that were saved from the bare model leave it out. NULL: none
};

extern const struct layout layout_marian, layout_pegasus, layout_qkv;
extern const struct layout layout_openai_gpt, layout_gpt2, layout_llama;
extern const struct layout layout_albert, layout_bert, layout_distilbert, layout_electra, layout_mpnet, layout_roberta,
  layout_xlm_roberta;

const struct layout *layout_find(const char *model_type);  // NULL: unknown
// The first layout, in the order of the registry, that can say all of `arch`. layout_qkv always can.
const struct layout *layout_for(const struct arch *arch);
// All known model types, "marian, pegasus, qkv".
void layout_list(struct buffer *out);
