#include "base/json.h"

#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"

// cJSON reads and writes numbers with the locale's decimal point; the calling thread uses the C locale meanwhile.
static locale_t enter_c_locale(locale_t *c) {
  *c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return *c ? uselocale(*c) : (locale_t)0;
}

static void leave_c_locale(locale_t c, locale_t old) {
  if (old) uselocale(old);
  if (c) freelocale(c);
}

static void place(const char *text, const char *at, int *line, int *column) {
  *line = *column = 1;
  for (; text < at; text++) {
    if (*text == '\n') {
      ++*line;
      *column = 1;
    } else {
      ++*column;
    }
  }
}

cJSON *json_parse(const char *text, size_t size, const char *name, struct error *error) {
  locale_t c, old = enter_c_locale(&c);
  const char *stop = NULL;
  cJSON *value = cJSON_ParseWithLengthOpts(text, size, &stop, false);
  leave_c_locale(c, old);
  // What cJSON leaves behind the value has to be blank.
  while (value && stop < text + size && strchr(" \t\r\n", *stop) && *stop) stop++;
  if (value && stop >= text + size) return value;
  cJSON_Delete(value);
  int line = 1, column = 1;
  if (stop && stop >= text && stop <= text + size) place(text, stop, &line, &column);
  error_set(error, ERROR_FORMAT, size == 0 ? "%s: the file is empty, JSON is wanted" : "%s: not valid JSON at line %d, column %d",
            name, line, column);
  return NULL;
}

cJSON *json_read(const char *path, struct error *error) {
  struct buffer content = {0};
  cJSON *value = NULL;
  if (file_read(&content, path, error)) value = json_parse(buffer_string(&content), content.size, path, error);
  buffer_free(&content);
  return value;
}

static const cJSON *find(const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  return item && !cJSON_IsNull(item) ? item : NULL;
}

long long json_integer(const cJSON *object, const char *key, long long otherwise, const char *name, struct error *error) {
  const cJSON *item = find(object, key);
  if (!item) return otherwise;
  if (!cJSON_IsNumber(item) || item->valuedouble != floor(item->valuedouble) || fabs(item->valuedouble) > 9e15) {
    error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be a whole number", name, key);
    return otherwise;
  }
  return (long long)item->valuedouble;
}

double json_number(const cJSON *object, const char *key, double otherwise, const char *name, struct error *error) {
  const cJSON *item = find(object, key);
  if (!item) return otherwise;
  if (!cJSON_IsNumber(item)) {
    error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be a number", name, key);
    return otherwise;
  }
  return item->valuedouble;
}

bool json_boolean(const cJSON *object, const char *key, bool otherwise, const char *name, struct error *error) {
  const cJSON *item = find(object, key);
  if (!item) return otherwise;
  if (!cJSON_IsBool(item)) {
    error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be true or false", name, key);
    return otherwise;
  }
  return cJSON_IsTrue(item);
}

const char *json_text(const cJSON *object, const char *key, const char *otherwise, const char *name, struct error *error) {
  const cJSON *item = find(object, key);
  if (!item) return otherwise;
  if (!cJSON_IsString(item)) {
    error_set(error, ERROR_FORMAT, "%s: \"%s\" has to be a text", name, key);
    return otherwise;
  }
  return item->valuestring;
}

void json_write_text(struct buffer *out, const char *text, size_t size) {
  buffer_char(out, '"');
  for (size_t i = 0; i < size;) {
    uint32_t character;
    int length = utf8_decode(text + i, text + size, &character, NULL);
    char bytes[4];
    if (character == '"' || character == '\\') buffer_format(out, "\\%c", (int)character);
    else if (character == '\n') buffer_text(out, "\\n");
    else if (character == '\t') buffer_text(out, "\\t");
    else if (character == '\r') buffer_text(out, "\\r");
    else if (character < 0x20 || character == 0x7F) buffer_format(out, "\\u%04x", (unsigned)character);
    else buffer_append(out, bytes, (size_t)utf8_encode(bytes, character));
    i += (size_t)length;
  }
  buffer_char(out, '"');
}

// Most numbers here were floats: at most nine digits bring a float back, seventeen a double.
static void shortest(char text[40], double value) {
  bool is_float = (double)(float)value == value;
  for (int digits = 1; digits <= 17; digits++) {
    snprintf(text, 40, "%.*g", digits, value);
    if (is_float ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value) return;
  }
}

void json_write_number(struct buffer *out, double value) {
  if (!isfinite(value)) {
    buffer_text(out, "null");
    return;
  }
  locale_t c, old = enter_c_locale(&c);
  char text[40];
  if (value == floor(value) && fabs(value) <= 0x1p53) snprintf(text, sizeof text, "%.0f", value);
  else shortest(text, value);
  leave_c_locale(c, old);
  buffer_text(out, text);
}

void json_write_decimal(struct buffer *out, double value, int digits) {
  if (isfinite(value)) buffer_decimal(out, value, digits);
  else buffer_text(out, "null");
}

static bool keep_digits(cJSON *item, struct error *error) {
  double value = item->valuedouble;
  if (!cJSON_IsNumber(item) || !isfinite(value) || (value == floor(value) && fabs(value) <= 0x1p53)) return true;
  char text[40];
  for (int digits = 15; digits <= 17; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, value);
    if (strtod(text, NULL) == value) break;
  }
  item->type = cJSON_Raw | (item->type & ~0xFF);
  item->valuestring = memory_copy_text(error, text);  // cJSON_Delete frees it: no other functions than malloc's are set
  return item->valuestring != NULL;
}

static bool keep_all_digits(cJSON *items, struct error *error) {
  for (cJSON *item = items; item; item = item->next)
    if (!keep_digits(item, error) || !keep_all_digits(item->child, error)) return false;
  return true;
}

bool json_keep_digits(cJSON *tree, struct error *error) {
  locale_t c, old = enter_c_locale(&c);
  bool ok = keep_all_digits(tree, error);
  leave_c_locale(c, old);
  return ok;
}

bool json_write_file(const cJSON *value, const char *path, struct error *error) {
  locale_t c, old = enter_c_locale(&c);
  char *text = cJSON_Print(value);
  leave_c_locale(c, old);
  if (!text) return error_memory(error, 0);
  struct buffer out = {0};
  for (char *p = text; *p; p++) {  // cJSON indents with tabs, Hugging Face with two spaces
    if (*p == '\t' && (p == text || p[-1] == '\n' || p[-1] == '\t')) buffer_text(&out, "  ");
    else if (*p == '\t' && p[-1] == ':') buffer_char(&out, ' ');
    else buffer_char(&out, *p);
  }
  buffer_char(&out, '\n');
  free(text);
  bool ok = buffer_check(&out, error) && file_write_all(path, out.data, out.size, error);
  buffer_free(&out);
  return ok;
}
