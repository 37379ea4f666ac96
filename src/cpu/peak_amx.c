// The same as peak.c for the tiles of AMX.
#include "cpu/amx_tiles.h"
#include "cpu/peak.h"

enum { CHAINS = 4, ROWS = 16, COLUMNS = 16, PAIRS = 16 };

double peak_amx(size_t rounds, float *sink) {
  float sums[ROWS * COLUMNS];
  tiles_configure();
  tile_zero(0);
  tile_zero(1);
  tile_zero(2);
  tile_zero(3);
  tile_zero(4);
  tile_zero(5);
  for (size_t round = 0; round < rounds; round++) {
    tile_multiply(0, 4, 5);
    tile_multiply(1, 4, 5);
    tile_multiply(2, 4, 5);
    tile_multiply(3, 4, 5);
  }
  tile_store(0, sums, COLUMNS * sizeof *sums);
  tiles_release();
  sink[2] = sums[0];
  return 2.0 * ROWS * COLUMNS * 2 * PAIRS * CHAINS * (double)rounds;
}
