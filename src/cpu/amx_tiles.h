// The instructions of AMX, as few as are needed, under names of ours. With AMX_EMULATED they are plain C that does what the
// manual says (Intel SDM, TDPBF16PS), so that everything above them can be tested on processors without AMX.
//
// A tile is sixteen rows of 64 bytes: of f32, or of sixteen pairs of bf16. The numbers of tiles are constants.
#pragma once
#include <stdint.h>
#include <string.h>

#if !defined(AMX_EMULATED)

// Written as assembler because the compiler's own functions don't tell it which memory they read: it would drop or move the
// stores that fill a tile's memory.
#define tile_zero(tile) __asm__ volatile("tilezero %%tmm" #tile ::: "memory")
#define tile_load(tile, from, stride) \
  __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile ::"r"(from), "r"((size_t)(stride)) : "memory")
#define tile_store(tile, to, stride) \
  __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" ::"r"(to), "r"((size_t)(stride)) : "memory")
#define tile_multiply(sum, a, b) __asm__ volatile("tdpbf16ps %%tmm" #b ", %%tmm" #a ", %%tmm" #sum ::: "memory")

static inline void tiles_configure(void) {
  struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  } __attribute__((aligned(64))) all = {.palette = 1};
  for (int tile = 0; tile < 8; tile++) {
    all.row_bytes[tile] = 64;
    all.rows[tile] = 16;
  }
  __asm__ volatile("ldtilecfg (%0)" ::"r"(&all) : "memory");
}

static inline void tiles_release(void) { __asm__ volatile("tilerelease" ::: "memory"); }

#else

#include <math.h>

static _Thread_local uint32_t emulated_tiles[8][16][16];

static inline void tile_zero(int tile) { memset(emulated_tiles[tile], 0, sizeof emulated_tiles[tile]); }

static inline void tile_load(int tile, const void *from, size_t stride) {
  for (int r = 0; r < 16; r++) memcpy(emulated_tiles[tile][r], (const char *)from + (size_t)r * stride, 64);
}

static inline void tile_store(int tile, void *to, size_t stride) {
  for (int r = 0; r < 16; r++) memcpy((char *)to + (size_t)r * stride, emulated_tiles[tile][r], 64);
}

static inline float emulated_half(uint32_t pair, int half) {
  uint32_t bits = half ? pair & 0xFFFF0000u : pair << 16;
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline void tile_multiply(int sum, int a, int b) {
  for (int r = 0; r < 16; r++)
    for (int c = 0; c < 16; c++) {
      float halves[2] = {0, 0}, total;
      for (int q = 0; q < 16; q++)
        for (int half = 0; half < 2; half++)
          halves[half] = fmaf(emulated_half(emulated_tiles[a][r][q], half), emulated_half(emulated_tiles[b][q][c], half),
                              halves[half]);
      memcpy(&total, &emulated_tiles[sum][r][c], sizeof total);
      total += halves[0] + halves[1];
      memcpy(&emulated_tiles[sum][r][c], &total, sizeof total);
    }
}

static inline void tiles_configure(void) { memset(emulated_tiles, 0xFF, sizeof emulated_tiles); }  // not a number
static inline void tiles_release(void) { memset(emulated_tiles, 0xFF, sizeof emulated_tiles); }

#endif
