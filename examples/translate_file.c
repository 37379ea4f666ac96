// Translates a file line by line:  translate_file MODEL FILE
//   cc translate_file.c $(pkg-config --cflags --libs qkv) -o translate_file
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qkv.h>

enum { TOGETHER = 1000 };  // lines translated at once: more are faster, with the same result

static void print_warning(void *user, const char *message) {
  (void)user;
  fprintf(stderr, "warning: %s\n", message);
}

// Up to TOGETHER lines without their line ends; the caller frees each.
static size_t read_lines(FILE *file, const char **lines) {
  size_t count = 0, capacity = 0;
  char *line = NULL;
  while (count < TOGETHER && getline(&line, &capacity, file) >= 0) {
    line[strcspn(line, "\r\n")] = 0;
    lines[count++] = line;
    line = NULL;
    capacity = 0;
  }
  free(line);
  return count;
}

static int translate(struct qkv_context *context, struct qkv_translator *translator, FILE *file) {
  const char *lines[TOGETHER];
  size_t count;
  while ((count = read_lines(file, lines)) > 0) {
    struct qkv_translations *translations = qkv_translate(context, translator,
                                                          &(struct qkv_strings){.items = lines, .count = count});
    for (size_t i = 0; i < count; i++) free((char *)lines[i]);
    if (!translations) return fprintf(stderr, "%s\n", qkv_message(context)), 1;
    for (size_t i = 0; i < translations->count; i++) puts(translations->items[i].hypotheses[0].text);
    qkv_translations_free(translations);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: translate_file MODEL FILE\n"), 2;
  FILE *file = fopen(argv[2], "r");
  if (!file) return perror(argv[2]), 1;

  struct qkv_context *context = qkv_context_new();
  if (!context) return fprintf(stderr, "out of memory\n"), 1;
  qkv_context_on_warning(context, print_warning, NULL);
  struct qkv_model *model = qkv_model_open(context, argv[1], "auto");
  struct qkv_translate_options options = qkv_translate_options_default();
  options.beam = 4;
  struct qkv_translator *translator = model ? qkv_translator_new(context, &model, 1, &options) : NULL;
  int status = 1;
  if (translator) status = translate(context, translator, file);
  else fprintf(stderr, "%s\n", qkv_message(context));

  qkv_translator_free(translator);
  qkv_model_free(model);
  qkv_context_free(context);
  fclose(file);
  return status;
}
