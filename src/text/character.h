// What kind of character a code point is, in the sense of the Rust and regular expression classes that `tokenizers` uses.
#pragma once
#include <stdbool.h>
#include <stdint.h>

bool character_is_space(uint32_t c);            // White_Space
bool character_is_letter(uint32_t c);           // \p{L}
bool character_is_number(uint32_t c);           // \p{N}
bool character_is_punctuation(uint32_t c);      // \p{P} and the ASCII symbols
bool character_is_word(uint32_t c);             // \w
bool character_is_mark(uint32_t c);             // \p{M}
bool character_is_nonspacing_mark(uint32_t c);  // \p{Mn}
bool character_is_control(uint32_t c);          // \p{C} without tab and line ends, as BERT sees it
// Lower case, one to three characters; returns how many.
int character_lower(uint32_t c, uint32_t out[3]);
