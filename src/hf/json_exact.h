// JSON files that are patched and written back with every untouched number as it was written: cJSON alone turns 1.0 into 1,
// which transformers refuses where it wants a float, and rounds whole numbers beyond 2^53.
//
// A number that has to keep its text carries it in its node (cJSON_Number with a valuestring); everything that reads or
// compares nodes may ignore that.
#pragma once
#include "base/json.h"

cJSON *json_read_exact(const char *path, struct error *error);
bool json_write_exact(const cJSON *json, const char *path, struct error *error);
// The shortest decimal number that is this float (0.1, not 0.10000000149011612), always with a point. NULL without memory.
cJSON *json_new_float(float value);
// Sets a key of an object, taking `item`; a NULL item is an error of memory.
bool json_put(cJSON *object, const char *key, cJSON *item, struct error *error);
// Whether the object has exactly this key.
bool json_has(const cJSON *object, const char *key);
