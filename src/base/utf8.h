// UTF-8 as bytes: decoding one character, encoding one, and finding the first byte that is not valid.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Decodes the character that starts at text (text < end). Returns its length in bytes, 1 to 4; an invalid byte gives
// length 1 and *character = 0xFFFD with *valid (may be NULL) set to 0.
int utf8_decode(const char *text, const char *end, uint32_t *character, int *valid);
int utf8_encode(char out[4], uint32_t character);
// Offset of the first invalid byte, or size if there is none. Overlong forms and surrogates are invalid.
size_t utf8_invalid(const char *text, size_t size);
size_t utf8_length(const char *text, size_t size);  // characters in valid text
