#include "text_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *text_folder(void) {
  static char folder[64];
  if (!folder[0]) {
    strcpy(folder, "/tmp/qkv-test-XXXXXX");
    if (!mkdtemp(folder)) abort();
  }
  return folder;
}

void text_folder_remove(void) {
  char command[200];
  snprintf(command, sizeof command, "rm -rf %s", text_folder());
  if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", text_folder());
}

const char *text_file(const char *name, const char *bytes, size_t size) {
  static char paths[16][200];
  static int turn;
  char *path = paths[turn++ % 16];
  snprintf(path, sizeof paths[0], "%s/%s", text_folder(), name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) abort();
  return path;
}

const char *text_file_of(const char *name, const char *text) { return text_file(name, text, strlen(text)); }

struct tokenizer *letters_tokenizer(void) {
  struct buffer json = {0};
  struct error error = {0};
  buffer_text(&json, "{\"version\":\"1.0\",\"added_tokens\":["
    "{\"id\":0,\"content\":\"</s>\",\"special\":true},{\"id\":1,\"content\":\"<unk>\",\"special\":true},"
    "{\"id\":28,\"content\":\"<pad>\",\"special\":true}],"
    "\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"},"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
    "{\"SpecialToken\":{\"id\":\"</s>\",\"type_id\":0}}],\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},"
    "{\"Sequence\":{\"id\":\"B\",\"type_id\":0}}],\"special_tokens\":{\"</s>\":{\"id\":\"</s>\",\"ids\":[0],"
    "\"tokens\":[\"</s>\"]}}},\"decoder\":null,\"model\":{\"type\":\"WordLevel\",\"unk_token\":\"<unk>\",\"vocab\":{"
    "\"</s>\":0,\"<unk>\":1");
  for (int i = 0; i < 26; i++) buffer_format(&json, ",\"%c\":%d", 'a' + i, i + 2);
  buffer_text(&json, ",\"<pad>\":28}}}");
  struct tokenizer *tokenizer = tokenizer_parse(buffer_string(&json), json.size, "letters", &error);
  if (!tokenizer) fprintf(stderr, "%s\n", error.message), abort();
  buffer_free(&json);
  return tokenizer;
}
