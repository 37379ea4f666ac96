// A tool of the build: turns the page's files into a C header. For each argument NAME.EXT it writes
//   static const char page_file_NAME_EXT[] = {...};
// and page_scripts, the list of those that end in .js, in the order of the arguments.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

static void write_name(const char *path) {
  const char *slash = strrchr(path, '/');
  printf("page_file_");
  for (const char *c = slash ? slash + 1 : path; *c; c++) putchar(isalnum((unsigned char)*c) ? *c : '_');
}

static int write_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    return 1;
  }
  printf("static const char ");
  write_name(path);
  printf("[] = {");
  for (int c, column = 0; (c = getc(file)) != EOF; column++) printf("%s%d,", column % 32 ? "" : "\n", (signed char)c);
  printf("0};\n");
  fclose(file);
  return 0;
}

int main(int argc, char **argv) {
  printf("// Made from src/inspect/page by embed_files.c.\n#pragma once\n");
  for (int i = 1; i < argc; i++)
    if (write_file(argv[i])) return 1;
  printf("static const char *const page_scripts[] = {");
  for (int i = 1; i < argc; i++) {
    size_t length = strlen(argv[i]);
    if (length < 3 || strcmp(argv[i] + length - 3, ".js") != 0) continue;
    write_name(argv[i]);
    printf(", ");
  }
  printf("0};\n");
  return 0;
}
