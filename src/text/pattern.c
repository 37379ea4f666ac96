#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { MATCH_LIMIT = 20000000, HEAP_LIMIT_KIB = 200000, JIT_STACK_MAX = 16 << 20 };

struct pattern {
  char *text;  // plain text to look for; NULL: a regular expression
  size_t text_size;
  pcre2_code *code;
  bool jit;
};

struct pattern_scratch {
  pcre2_match_data *data;
  pcre2_match_context *context;
  pcre2_jit_stack *stack;
};

// Translation ----------------------------------------------------------------------------------------------------------

// Oniguruma's \s and \w by their Unicode properties. Outside [...] its \w knows six more characters below U+0100.
#define SPACES "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define WORDS \
  "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
#define MORE_WORDS WORDS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

// What stands for an escaped letter inside [...]; NULL: nothing special.
static const char *class_escape(char letter) {
  switch (letter) {
    case 's': return SPACES;
    case 'w': return WORDS;
    case 'h': return "0-9a-fA-F";
    default: return NULL;
  }
}

static const char *plain_escape(char letter) {
  switch (letter) {
    case 's': return "[" SPACES "]";
    case 'S': return "[^" SPACES "]";
    case 'w': return "[" MORE_WORDS "]";
    case 'W': return "[^" MORE_WORDS "]";
    case 'h': return "[0-9a-fA-F]";
    case 'H': return "[^0-9a-fA-F]";
    case 'b': return "(?:(?<=[" MORE_WORDS "])(?![" MORE_WORDS "])|(?<![" MORE_WORDS "])(?=[" MORE_WORDS "]))";
    case 'B': return "(?:(?<=[" MORE_WORDS "])(?=[" MORE_WORDS "])|(?<![" MORE_WORDS "])(?![" MORE_WORDS "]))";
    default: return NULL;
  }
}

static bool is_script(const char *name, size_t size) {
  char pattern[64];
  int code;
  PCRE2_SIZE place;
  int length = snprintf(pattern, sizeof pattern, "\\p{sc:%.*s}", (int)size, name);
  if (length < 0 || (size_t)length >= sizeof pattern) return false;
  pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, (PCRE2_SIZE)length, PCRE2_UTF, &code, &place, NULL);
  pcre2_code_free(compiled);
  return compiled != NULL;
}

// \p{Name} at p, which points to the p or P. PCRE2 reads the name of a script as its extensions, Oniguruma as the script.
// Returns the last character that was taken.
static const char *translate_property(const char *p, struct buffer *out) {
  const char *name = p + 2, *close = p[1] == '{' ? strchr(p, '}') : NULL;
  buffer_char(out, '\\');
  buffer_char(out, *p);
  if (!close) return p;
  buffer_char(out, '{');
  if (*name == '^') buffer_char(out, *name++);
  if (close - name > 2 && is_script(name, (size_t)(close - name))) buffer_text(out, "sc:");
  buffer_append(out, name, (size_t)(close + 1 - name));
  return close;
}

static bool cannot(const char *what, const char *regex, const char *name, struct error *error) {
  return error_set(error, ERROR_UNSUPPORTED, "%s: the pattern \"%.200s\" has %s, which qkv cannot do", name, regex, what);
}

static bool translate(const char *regex, struct buffer *out, const char *name, struct error *error) {
  bool inside = false;  // [...]
  for (const char *p = regex; *p; p++) {
    if (*p == '\\' && p[1]) {
      p++;
      const char *other = inside ? class_escape(*p) : plain_escape(*p);
      if (inside && strchr("SWHR", *p)) return cannot("\\S, \\W, \\H or \\R inside [...]", regex, name, error);
      if (strchr("gKkGXyY", *p)) return cannot("one of \\g \\K \\k \\G \\X \\y \\Y", regex, name, error);
      if (*p == 'p' || *p == 'P') {
        p = translate_property(p, out);
      } else if (other) {
        buffer_text(out, other);
      } else {
        buffer_char(out, '\\');
        buffer_char(out, *p);
      }
    } else if (inside && *p == '[') {
      return cannot(p[1] == ':' ? "a class such as [:alpha:]" : "a class inside a class", regex, name, error);
    } else if (inside && *p == '&' && p[1] == '&') {
      return cannot("&& inside [...]", regex, name, error);
    } else if (!inside && *p == '[') {
      inside = true;
      buffer_char(out, *p);
      if (p[1] == '^') buffer_char(out, *++p);
      if (p[1] == ']') {  // a ] that comes first is a character
        buffer_text(out, "\\]");
        p++;
      }
    } else {
      if (*p == ']') inside = false;
      buffer_char(out, *p);
    }
  }
  return buffer_check(out, error);
}

// Making ---------------------------------------------------------------------------------------------------------------

struct pattern *pattern_regex(const char *regex, const char *name, struct error *error) {
  struct pattern *pattern = memory_new(error, 1, sizeof *pattern);
  struct buffer translated = {0};
  if (pattern && translate(regex, &translated, name, error)) {
    int code;
    PCRE2_SIZE place;
    // Ruby's ^ and $ always match at line ends; its dot never matches one.
    uint32_t flags = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    pattern->code = pcre2_compile((PCRE2_SPTR)translated.data, translated.size, flags, &code, &place, NULL);
    if (pattern->code) {
      pattern->jit = pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE) == 0;
    } else {
      char message[200];
      pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
      error_set(error, ERROR_FORMAT, "%s: the pattern \"%.300s\" cannot be used: %s", name, regex, message);
    }
  }
  buffer_free(&translated);
  if (error->code == 0) return pattern;
  pattern_free(pattern);
  return NULL;
}

struct pattern *pattern_text(const char *text, struct error *error) {
  struct pattern *pattern = memory_new(error, 1, sizeof *pattern);
  if (!pattern) return NULL;
  pattern->text = memory_copy_text(error, text);
  pattern->text_size = strlen(text);
  if (pattern->text) return pattern;
  pattern_free(pattern);
  return NULL;
}

void pattern_free(struct pattern *pattern) {
  if (!pattern) return;
  free(pattern->text);
  pcre2_code_free(pattern->code);
  free(pattern);
}

void pattern_scratch_free(struct pattern_scratch *scratch) {
  if (!scratch) return;
  pcre2_match_data_free(scratch->data);
  pcre2_match_context_free(scratch->context);
  pcre2_jit_stack_free(scratch->stack);
  free(scratch);
}

static struct pattern_scratch *make_scratch(struct error *error) {
  struct pattern_scratch *scratch = memory_new(error, 1, sizeof *scratch);
  if (!scratch) return NULL;
  scratch->data = pcre2_match_data_create(1, NULL);
  scratch->context = pcre2_match_context_create(NULL);
  scratch->stack = pcre2_jit_stack_create(64 << 10, JIT_STACK_MAX, NULL);  // NULL where there is no JIT
  if (!scratch->data || !scratch->context) {
    pattern_scratch_free(scratch);
    error_memory(error, sizeof *scratch);
    return NULL;
  }
  pcre2_set_match_limit(scratch->context, MATCH_LIMIT);
  pcre2_set_heap_limit(scratch->context, HEAP_LIMIT_KIB);
  if (scratch->stack) pcre2_jit_stack_assign(scratch->context, NULL, scratch->stack);
  return scratch;
}

// Matching -------------------------------------------------------------------------------------------------------------

static int match_text(const struct pattern *pattern, const char *text, size_t size, size_t from, size_t *start, size_t *end) {
  const char *found =
      pattern->text_size && from <= size ? memmem(text + from, size - from, pattern->text, pattern->text_size) : NULL;
  if (!found) return 0;
  *start = (size_t)(found - text);
  *end = *start + pattern->text_size;
  return 1;
}

int pattern_match(const struct pattern *pattern, const char *text, size_t size, size_t from, size_t *start, size_t *end,
                  struct pattern_scratch **scratch, struct error *error) {
  if (pattern->text) return match_text(pattern, text, size, from, start, end);
  if (!*scratch && !(*scratch = make_scratch(error))) return -1;
  struct pattern_scratch *own = *scratch;
  int result = PCRE2_ERROR_JIT_STACKLIMIT;
  if (pattern->jit)
    result = pcre2_jit_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK, own->data, own->context);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT)  // the interpreter keeps its state on the heap
    result = pcre2_match(pattern->code, (PCRE2_SPTR)text, size, from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, own->data, own->context);
  if (result == PCRE2_ERROR_NOMATCH) return 0;
  if (result < 0) {
    char message[200];
    pcre2_get_error_message(result, (PCRE2_UCHAR *)message, sizeof message);
    error_set(error, ERROR_FORMAT, "a pattern of the tokenizer gave up on a text of %zu bytes at byte %zu: %s", size, from,
              message);
    return -1;
  }
  const PCRE2_SIZE *found = pcre2_get_ovector_pointer(own->data);
  *start = found[0];
  *end = found[1];
  return 1;
}
