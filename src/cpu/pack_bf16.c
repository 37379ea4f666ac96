// Packs weights for products in bf16: [ceil(outputs / PANEL)][ceil(inputs / 2)][PANEL] pairs, half the size of f32, the odd one
// out paired with 0. Both instruction sets that multiply bf16 read this layout: a tile of AMX is sixteen pairs of sixteen
// columns of a panel.
#include <string.h>

#include "cpu/bf16.h"
#include "cpu/bf16_pairs.h"
#include "cpu/work.h"

size_t packed_size_bf16(int rows, int cols) { return ceil_div((size_t)rows, PANEL) * PANEL * ceil_div((size_t)cols, 2); }

struct pack {
  uint32_t *packed;
  const float *values;
  int outputs, inputs;
  bool transposed;
};

// values [outputs, inputs]: pairs along rows, which become columns of the panel; sixteen pairs of sixteen rows at a time.
static void pack_outputs(const struct pack *pack, uint32_t *panel, int output) {
  uint32_t pairs[LANES * LANES], turned[LANES * LANES];
  for (int k = 0; k < pack->inputs; k += 2 * LANES) {
    int n = pack->inputs - k < 2 * LANES ? pack->inputs - k : 2 * LANES;
    for (int j = 0; j < PANEL; j += LANES) {
      memset(pairs, 0, sizeof pairs);
      for (int i = 0; i < LANES && output + j + i < pack->outputs; i++)
        pair_row(pairs + i * LANES, pack->values + (size_t)(output + j + i) * pack->inputs + k, n);
      transpose_block((float *)turned, LANES, (const float *)pairs, LANES);
      for (int q = 0; q < (n + 1) / 2; q++)
        _mm512_storeu_si512(panel + (size_t)(k / 2 + q) * PANEL + j, _mm512_loadu_si512(turned + q * LANES));
    }
  }
}

// values [inputs, outputs]: pairs across rows.
static void pack_turned(const struct pack *pack, uint32_t *panel, int output) {
  int width = pack->outputs - output < PANEL ? pack->outputs - output : PANEL;
  for (int k = 0; k < pack->inputs; k += 2, panel += PANEL) {
    const float *row = pack->values + (size_t)k * pack->outputs + output;
    pair_rows(panel, row, k + 1 < pack->inputs ? row + pack->outputs : NULL, width);
    for (int j = (width + LANES - 1) / LANES * LANES; j < PANEL; j += LANES)
      _mm512_storeu_si512(panel + j, _mm512_setzero_si512());
  }
}

static void pack_panel(void *data, size_t index, int worker) {
  const struct pack *pack = data;
  uint32_t *panel = pack->packed + index * PANEL * ceil_div((size_t)pack->inputs, 2);
  if (pack->transposed) pack_turned(pack, panel, (int)index * PANEL);
  else pack_outputs(pack, panel, (int)index * PANEL);
}

void pack_bf16(float *packed, const float *values, int rows, int cols, bool transposed) {
  struct pack pack = {(uint32_t *)packed, values, transposed ? cols : rows, transposed ? rows : cols, transposed};
  work_for(ceil_div((size_t)pack.outputs, PANEL), 0.3 * rows * cols, pack_panel, &pack);
}
