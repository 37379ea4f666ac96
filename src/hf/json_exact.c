#include "hf/json_exact.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

// The next number's text outside of strings, in valid JSON. Returns its length; 0 at the end.
static size_t next_number(const char **place) {
  const char *p = *place;
  while (*p && *p != '-' && !(*p >= '0' && *p <= '9')) {
    if (*p++ != '"') continue;
    for (; *p && *p != '"'; p++)
      if (*p == '\\' && p[1]) p++;
    if (*p) p++;
  }
  *place = p;
  return strspn(p, "0123456789+-.eE");
}

enum { EXACT_DIGITS = 15 };  // a double holds all whole numbers of so many

// Numbers stand in the text in the order in which a walk through the tree meets them. False when memory is short.
static bool keep_texts(cJSON *item, const char **place) {
  if (cJSON_IsNumber(item)) {
    size_t length = next_number(place);
    bool fraction = memchr(*place, '.', length) || memchr(*place, 'e', length) || memchr(*place, 'E', length);
    if (fraction || length > EXACT_DIGITS) {
      item->valuestring = cJSON_malloc(length + 1);
      if (!item->valuestring) return false;
      memcpy(item->valuestring, *place, length);
      item->valuestring[length] = 0;
    }
    *place += length;
  }
  for (cJSON *child = item->child; child; child = child->next)
    if (!keep_texts(child, place)) return false;
  return true;
}

cJSON *json_read_exact(const char *path, struct error *error) {
  struct buffer content = {0};
  cJSON *json = NULL;
  if (file_read(&content, path, error)) json = json_parse(buffer_string(&content), content.size, path, error);
  const char *place = buffer_string(&content);
  if (json && !keep_texts(json, &place)) {
    cJSON_Delete(json);
    json = NULL;
    error_memory(error, 0);
  }
  buffer_free(&content);
  return json;
}

static void new_line(struct buffer *out, int depth) {
  buffer_char(out, '\n');
  for (int i = 0; i < depth; i++) buffer_text(out, "  ");
}

// The layout of Python's json.dumps(..., indent=2), which transformers uses.
static void write_item(struct buffer *out, const cJSON *item, int depth) {
  bool object = cJSON_IsObject(item);
  if (cJSON_IsNull(item)) buffer_text(out, "null");
  else if (cJSON_IsBool(item)) buffer_text(out, cJSON_IsTrue(item) ? "true" : "false");
  else if (cJSON_IsString(item)) json_write_text(out, item->valuestring, strlen(item->valuestring));
  else if (cJSON_IsNumber(item) && item->valuestring) buffer_text(out, item->valuestring);
  else if (cJSON_IsNumber(item)) json_write_number(out, item->valuedouble);
  else if (!item->child) buffer_text(out, object ? "{}" : "[]");
  if (!item->child) return;
  buffer_char(out, object ? '{' : '[');
  for (const cJSON *child = item->child; child; child = child->next) {
    new_line(out, depth + 1);
    if (object) {
      json_write_text(out, child->string, strlen(child->string));
      buffer_text(out, ": ");
    }
    write_item(out, child, depth + 1);
    if (child->next) buffer_char(out, ',');
  }
  new_line(out, depth);
  buffer_char(out, object ? '}' : ']');
}

bool json_write_exact(const cJSON *json, const char *path, struct error *error) {
  struct buffer out = {0};
  write_item(&out, json, 0);
  buffer_char(&out, '\n');
  bool ok = buffer_check(&out, error) && file_write_all(path, out.data, out.size, error);
  buffer_free(&out);
  return ok;
}

static double shortest(float value) {
  char text[40];
  for (int digits = 1; digits <= 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value) return strtod(text, NULL);
  }
  return (double)value;
}

cJSON *json_new_float(float value) {
  cJSON *item = cJSON_CreateNumber(shortest(value));
  struct buffer text = {0};
  json_write_number(&text, shortest(value));
  if (!strpbrk(buffer_string(&text), ".en")) buffer_text(&text, ".0");
  if (item && !text.failed) item->valuestring = cJSON_malloc(text.size + 1);
  if (item && item->valuestring) {
    memcpy(item->valuestring, buffer_string(&text), text.size + 1);
  } else {
    cJSON_Delete(item);
    item = NULL;
  }
  buffer_free(&text);
  return item;
}

bool json_has(const cJSON *object, const char *key) { return cJSON_GetObjectItemCaseSensitive(object, key) != NULL; }

bool json_put(cJSON *object, const char *key, cJSON *item, struct error *error) {
  bool there = json_has(object, key);
  bool ok =
      item && (there ? cJSON_ReplaceItemInObjectCaseSensitive(object, key, item) : cJSON_AddItemToObject(object, key, item));
  if (!ok) cJSON_Delete(item);
  return ok || error_memory(error, 0);
}
