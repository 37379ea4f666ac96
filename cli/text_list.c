#include "cli/text_list.h"

#include <stdlib.h>

#include "cli/lines.h"
#include "cli/message.h"

static bool add(struct text_list *texts, char *line) {
  if (texts->list.count == texts->capacity) {
    size_t capacity = texts->capacity * 2 + 1000;
    const char **items = realloc(texts->list.items, capacity * sizeof *items);
    if (!items) {
      free(line);
      message_error("out of memory after %zu lines", texts->list.count);
      return false;
    }
    texts->list.items = items;
    texts->capacity = capacity;
  }
  texts->list.items[texts->list.count++] = line;
  return true;
}

bool text_list_read(struct text_list *texts, const struct qkv_strings *given, const char *path) {
  *texts = (struct text_list){.name = "--text"};
  if (given && given->count) {
    texts->list = *given;
    texts->borrowed = true;
    return true;
  }
  struct lines lines;
  if (!lines_open(&lines, path)) return false;
  texts->name = lines.name;
  bool ok = true;
  for (char *line; ok && (line = lines_next(&lines));) ok = add(texts, line);
  ok = ok && !lines.failed;
  lines_close(&lines);
  return ok;
}

void text_list_free(struct text_list *texts) {
  for (size_t i = 0; !texts->borrowed && i < texts->list.count; i++) free((char *)texts->list.items[i]);
  if (!texts->borrowed) free(texts->list.items);
  *texts = (struct text_list){0};
}
