// config.json <-> struct arch, by a layout's table of keys.
//
// A key of config.json is of one of three kinds: used (the table); harmless (ignored); known but unsupported, which is an
// error unless it has the one value that changes nothing. An unknown key is a warning.
#pragma once
#include "hf/heads.h"
#include "hf/layout.h"
#include "tensor/weight.h"

// path names the file in messages. *layout receives the layout that model_type names. The result passes arch_check.
bool config_read(struct arch *arch, const struct layout **layout, const cJSON *config, const char *path, struct error *error);

// Patches config (an object; an empty one is filled) so that it says `arch` in the given layout, weights being stored as
// `type`, and names its labels (NULL: those that config has, or LABEL_0 and so on). Values that are right already stay as they
// are written.
bool config_write(cJSON *config, const struct layout *layout, const struct arch *arch, const struct labels *labels,
                  enum number_type type, struct error *error);

// What the layout's model type and the class for `head` stand for when config.json says nothing else: BERT base for "bert". A new
// model starts from it.
bool config_defaults(struct arch *arch, const char *model_type, enum head_kind head, int labels, struct error *error);

// For layouts whose config.json has objects within: the fields of one table read from an object, defaults where it says nothing
// (aliases may be NULL); written into it; and compared.
bool config_read_keys(struct arch *arch, const struct config_key *keys, const struct config_pair *aliases, const cJSON *object,
                      const char *path, struct error *error);
bool config_put_keys(cJSON *object, const struct config_key *keys, const struct arch *arch, struct error *error);
bool config_same(const struct config_key *keys, const struct arch *a, const struct arch *b);

// Whether the layout has a word for every knob of `arch`; if not, the error names the first one it lacks.
bool config_can_say(const struct layout *layout, const struct arch *arch, struct error *error);
