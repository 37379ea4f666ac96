#include "cli/option.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  char letter;
  double seconds;
} duration_units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

static const char size_units[] = "KMGT";

bool option_takes_value(const struct option *option) {
  return option->kind != OPTION_KIND_FLAG && option->kind != OPTION_KIND_GROUP;
}

bool option_is_list(const struct option *option) {
  return option->kind == OPTION_KIND_TEXTS || option->kind == OPTION_KIND_FILES;
}

static bool parse_number(const char *text, double *value, const char **end) {
  // strtod takes more than we mean: leading blanks, "inf", "nan" and hexadecimal.
  if (!((*text >= '0' && *text <= '9') || *text == '-' || *text == '+' || *text == '.')) return false;
  if (strchr("xX", text[0] ? text[1] : 0) && text[0] && text[1]) return false;
  char *stop;
  errno = 0;
  *value = strtod(text, &stop);
  *end = stop;
  return stop != text && isfinite(*value);
}

static bool parse_integer(const char *text, double *value) {
  const char *digits = text + (*text == '-' || *text == '+');
  size_t length = strspn(digits, "0123456789");
  if (length == 0 || digits[length]) return false;
  *value = strtod(text, NULL);
  return true;
}

static bool parse_size(const char *text, double *value) {
  const char *end;
  if (!parse_number(text, value, &end)) return false;
  const char *unit = *end ? strchr(size_units, *end >= 'a' && *end <= 'z' ? *end - 'a' + 'A' : *end) : NULL;
  if (unit) {
    for (long i = 0; i <= unit - size_units; i++) *value *= 1024;
    end++;
  }
  if (unit && *end == 'i') end++;
  if (*end == 'B') end++;
  *value = floor(*value);
  return *end == 0;
}

static bool parse_duration(const char *text, double *value) {
  *value = 0;
  while (*text) {
    double part;
    const char *end;
    if (!parse_number(text, &part, &end)) return false;
    double seconds = 0;
    for (size_t i = 0; i < sizeof duration_units / sizeof *duration_units; i++)
      if (*end == duration_units[i].letter) seconds = duration_units[i].seconds;
    if (*end && seconds == 0) return false;
    *value += part * (*end ? seconds : 1);
    text = *end ? end + 1 : end;
  }
  return true;
}

static bool choice_contains(const char *words, const char *word) {
  size_t length = strlen(word);
  for (const char *at = words; *at;) {
    size_t n = strcspn(at, "|");
    if (n == length && memcmp(at, word, n) == 0) return true;
    at += n + (at[n] == '|');
  }
  return false;
}

static void format_value(const struct option *option, double value, char *out, size_t size) {
  if (option->kind == OPTION_KIND_SIZE && value > 0) {
    int unit = -1;
    while (unit < 3 && fmod(value, 1024) == 0) value /= 1024, unit++;
    snprintf(out, size, "%.0f%.1s", value, unit < 0 ? "" : &size_units[unit]);
  } else if (option->kind == OPTION_KIND_DURATION) {
    int unit = 0;
    while (value > 0 && unit < 3 && fmod(value, duration_units[unit + 1].seconds) == 0) unit++;
    snprintf(out, size, "%g%c", value / duration_units[unit].seconds, duration_units[unit].letter);
  } else if (option->kind == OPTION_KIND_NUMBER) {
    snprintf(out, size, "%g", value);
  } else {
    snprintf(out, size, "%.0f", value);
  }
}

const char *option_bounds(const struct option *option, char *out, size_t size) {
  char low[40], high[40];
  *out = 0;
  bool bounded = option->kind == OPTION_KIND_INTEGER || option->kind == OPTION_KIND_NUMBER || option->kind == OPTION_KIND_SIZE ||
    option->kind == OPTION_KIND_DURATION;
  if (!bounded) return out;
  format_value(option, option->low, low, sizeof low);
  format_value(option, option->high, high, sizeof high);
  if (option->low > -NO_LIMIT && option->high < NO_LIMIT) snprintf(out, size, "%s to %s", low, high);
  else if (option->low > -NO_LIMIT) snprintf(out, size, "at least %s", low);
  else if (option->high < NO_LIMIT) snprintf(out, size, "at most %s", high);
  return out;
}

const char *option_default(const struct option *option, const void *field, char *out, size_t size) {
  const char *text = NULL;
  double value = 0;
  bool numeric = true;
  switch (option->kind) {
    case OPTION_KIND_GROUP:
    case OPTION_KIND_FLAG: return *out = 0, out;
    case OPTION_KIND_TEXTS:
    case OPTION_KIND_FILES: numeric = false; break;
    case OPTION_KIND_TEXT:
    case OPTION_KIND_CHOICE:
    case OPTION_KIND_FILE: numeric = false, text = *(const char *const *)field; break;
    case OPTION_KIND_SWITCH: numeric = false, text = *(const bool *)field ? "on" : "off"; break;
    case OPTION_KIND_INTEGER:
    case OPTION_KIND_SIZE: value = (double)*(const int64_t *)field; break;
    case OPTION_KIND_NUMBER:
    case OPTION_KIND_DURATION: value = *(const double *)field; break;
  }
  *out = 0;
  // A default outside the bounds (say -1) or NaN marks "not given" where 0 is a value of its own.
  bool unset = numeric ? value == 0 || !(value >= option->low) : text == NULL;
  if (unset && option->unset) snprintf(out, size, "%s", option->unset);
  else if (numeric && value >= option->low) format_value(option, value, out, size);
  else if (text) snprintf(out, size, "%s", text);
  return out;
}

// "an integer from 1 to 64"
static const char *wanted(const struct option *option, char *out, size_t size) {
  static const char *const names[] = {
    [OPTION_KIND_INTEGER] = "an integer", [OPTION_KIND_NUMBER] = "a number", [OPTION_KIND_SIZE] = "a size such as 512M or 4G",
    [OPTION_KIND_DURATION] = "a duration such as 90s, 20m or 1h30m"};
  char bounds[100];
  option_bounds(option, bounds, sizeof bounds);
  bool range = strstr(bounds, " to ") != NULL;
  snprintf(out, size, "%s%s%s%s", names[option->kind], *bounds && !range ? " of " : "", range ? " from " : "", bounds);
  return out;
}

static bool append(struct qkv_strings *list, const char *text) {
  const char **items = realloc(list->items, (list->count + 1) * sizeof *items);
  if (!items) return false;
  items[list->count++] = text;
  list->items = items;
  return true;
}

bool option_set(const struct option *option, void *field, const char *text, char *problem, size_t size) {
  char want[200];
  double value = 0;
  const char *end;
  bool fine = true;
  switch (option->kind) {
    case OPTION_KIND_GROUP: return false;
    case OPTION_KIND_FLAG: return *(bool *)field = true;
    case OPTION_KIND_TEXT: return *(const char **)field = text, true;
    case OPTION_KIND_FILE:
    case OPTION_KIND_FILES:
      if (!*text) return snprintf(problem, size, "wants a file name; got an empty text"), false;
      if (option->kind == OPTION_KIND_FILE) return *(const char **)field = text, true;
      // fall through
    case OPTION_KIND_TEXTS:
      if (!append(field, text)) return snprintf(problem, size, "did not find memory for its value"), false;
      return true;
    case OPTION_KIND_SWITCH:
    case OPTION_KIND_CHOICE:
      if (!*text || !choice_contains(option->value, text))
        return snprintf(problem, size, "wants one of %s; got \"%s\"", option->value, text), false;
      if (option->kind == OPTION_KIND_SWITCH) *(bool *)field = strcmp(text, "on") == 0;
      else *(const char **)field = text;
      return true;
    case OPTION_KIND_INTEGER: fine = parse_integer(text, &value); break;
    case OPTION_KIND_NUMBER: fine = parse_number(text, &value, &end) && !*end; break;
    case OPTION_KIND_SIZE: fine = *text && parse_size(text, &value); break;
    case OPTION_KIND_DURATION: fine = *text && parse_duration(text, &value); break;
  }
  if (!fine || value < option->low || value > option->high)
    return snprintf(problem, size, "wants %s; got \"%s\"", wanted(option, want, sizeof want), text), false;
  if (option->kind == OPTION_KIND_INTEGER || option->kind == OPTION_KIND_SIZE) *(int64_t *)field = (int64_t)value;
  else *(double *)field = value;
  return true;
}
