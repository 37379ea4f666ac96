// Packs weights for products in bf16: [ceil(outputs / PANEL)][ceil(inputs / 2)][PANEL] pairs, half the size of f32, the odd one
// out paired with 0. Both instruction sets that multiply bf16 read this layout: a tile of AMX is sixteen pairs of sixteen
// columns of a panel.
#include "cpu/bf16.h"
#include "cpu/bf16_pairs.h"
#include "cpu/work.h"

enum { INPUTS_AT_A_TIME = 1024 };  // even

size_t packed_size_bf16(int rows, int cols) { return ceil_div((size_t)rows, PANEL) * PANEL * ceil_div((size_t)cols, 2); }

struct pack {
  uint32_t *packed;
  const float *values;
  int outputs, inputs;
  bool transposed;
};

// values [outputs, inputs]: pairs along rows, which become columns of the panel.
static void pack_outputs(const struct pack *pack, uint32_t *panel, int output) {
  uint32_t row[INPUTS_AT_A_TIME / 2];
  for (int j = 0; j < PANEL; j++) {
    bool there = output + j < pack->outputs;
    for (int from = 0; from < pack->inputs; from += INPUTS_AT_A_TIME) {
      int n = pack->inputs - from < INPUTS_AT_A_TIME ? pack->inputs - from : INPUTS_AT_A_TIME;
      uint32_t *to = panel + (size_t)(from / 2) * PANEL + j;
      if (there) pair_row(row, pack->values + (size_t)(output + j) * pack->inputs + from, n);
      for (int q = 0; q < (n + 1) / 2; q++) to[(size_t)q * PANEL] = there ? row[q] : 0;
    }
  }
}

// values [inputs, outputs]: pairs across rows.
static void pack_turned(const struct pack *pack, uint32_t *panel, int output) {
  int width = pack->outputs - output < PANEL ? pack->outputs - output : PANEL;
  for (int k = 0; k < pack->inputs; k += 2, panel += PANEL) {
    const float *row = pack->values + (size_t)k * pack->outputs + output;
    pair_rows(panel, row, k + 1 < pack->inputs ? row + pack->outputs : NULL, width);
    for (int j = (width + LANES - 1) / LANES * LANES; j < PANEL; j += LANES) _mm512_storeu_si512(panel + j, _mm512_setzero_si512());
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
