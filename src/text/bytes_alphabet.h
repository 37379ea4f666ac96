// GPT-2's alphabet for bytes: every byte has a printable character, so that any text can be written as a token.
// Printable Latin-1 bytes are themselves; the other 68 follow from U+0100 on.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t bytes_alphabet_character(unsigned char byte);
int bytes_alphabet_byte(uint32_t character);  // -1: not in the alphabet
