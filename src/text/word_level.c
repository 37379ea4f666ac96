#include "text/word_level.h"

#include <stdlib.h>
#include <string.h>

int32_t word_level_encode(const struct word_level *model, const char *word, size_t size, struct error *error) {
  int32_t id = vocabulary_find(&model->vocabulary, word, size);
  if (id < 0) id = vocabulary_find(&model->vocabulary, model->unknown, strlen(model->unknown));
  if (id < 0)
    error_set(error, ERROR_FORMAT, "the word \"%.*s\" is not in the vocabulary and neither is the unknown token \"%s\"",
              (int)(size < 60 ? size : 60), word, model->unknown);
  return id;
}

void word_level_free(struct word_level *model) {
  vocabulary_free(&model->vocabulary);
  free(model->unknown);
  *model = (struct word_level){0};
}
