#include "text/bytes_alphabet.h"

static bool is_itself(uint32_t c) { return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF); }

// The bytes that are not themselves, in order: 0 to 0x20, 0x7F to 0xA0, 0xAD.
uint32_t bytes_alphabet_character(unsigned char byte) {
  if (is_itself(byte)) return byte;
  if (byte <= 0x20) return 0x100u + byte;
  if (byte <= 0xA0) return 0x100u + 0x21 + (byte - 0x7Fu);
  return 0x100u + 0x43;
}

int bytes_alphabet_byte(uint32_t c) {
  if (c < 0x100) return is_itself(c) ? (int)c : -1;
  if (c <= 0x120) return (int)(c - 0x100);
  if (c <= 0x142) return (int)(c - 0x121 + 0x7F);
  return c == 0x143 ? 0xAD : -1;
}
