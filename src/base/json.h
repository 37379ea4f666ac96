// Glue between cJSON and struct error: files parsed with the place of a mistake, and typed reads that name the file and key.
#pragma once
#include <cjson/cJSON.h>

#include "base/buffer.h"
#include "base/error.h"

// name is used in messages. NULL and error set on failure. Nesting is bounded by cJSON (1,000).
cJSON *json_parse(const char *text, size_t size, const char *name, struct error *error);
cJSON *json_read(const char *path, struct error *error);

// Missing keys and null give the default; a value of another type is an error that names the file and key.
long long json_integer(const cJSON *object, const char *key, long long otherwise, const char *name, struct error *error);
double json_number(const cJSON *object, const char *key, double otherwise, const char *name, struct error *error);
bool json_boolean(const cJSON *object, const char *key, bool otherwise, const char *name, struct error *error);
const char *json_text(const cJSON *object, const char *key, const char *otherwise, const char *name, struct error *error);

void json_write_text(struct buffer *out, const char *text, size_t size);  // with quotes; invalid UTF-8 becomes U+FFFD
// The shortest text that reads back to the same number: the same float where the value is one, the same double otherwise; whole
// numbers up to 2^53 with all their digits. With a point, whatever the locale says; null for NaN and infinity.
void json_write_number(struct buffer *out, double value);
void json_write_decimal(struct buffer *out, double value, int digits);  // rounded; null, too, where it is no number
// Makes every number that the tree holds come back to the bit when the tree is written and read. Numbers in which cJSON would
// lose a digit become raw text, so the tree is good for writing only.
bool json_keep_digits(cJSON *tree, struct error *error);
bool json_write_file(const cJSON *value, const char *path, struct error *error);
