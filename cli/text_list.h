// Texts that a verb works on together: those of --text, or the lines of a file or of standard input.
#pragma once
#include "qkv.h"

struct text_list {
  struct qkv_strings list;
  size_t capacity;
  bool borrowed;      // the texts are the command line's
  const char *name;   // for messages: the file
};

// `texts` if there are any, else the lines of `path` (NULL or "-": standard input). On failure says why and returns false.
bool text_list_read(struct text_list *texts, const struct qkv_strings *given, const char *path);
void text_list_free(struct text_list *texts);
