// Small files for tests: a folder of its own under the build directory's working folder, and a word tokenizer.
#pragma once
#include <stddef.h>

#include "text/tokenizer.h"

// The path of a file with these bytes; it lives until the next 16 calls.
const char *text_file(const char *name, const char *bytes, size_t size);
const char *text_file_of(const char *name, const char *text);
// Splits at blanks: </s> 0, <unk> 1, a 2, b 3, ... z 27, <pad> 28; </s> is appended.
struct tokenizer *letters_tokenizer(void);
// Where the files are.
const char *text_folder(void);
void text_folder_remove(void);
