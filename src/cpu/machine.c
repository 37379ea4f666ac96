#include "cpu/machine.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "cpu/peak.h"

enum { RUNS = 40, MEMORY_RUNS = 8, MOST_THREADS = 256, CHAINS = 8, PIECE = 1 << 20 };

static const double SHORTEST = 0.002;              // seconds, of a run that counts; many short ones find a quiet moment
static const size_t MEMORY = (size_t)256 << 20;    // bytes

// --- Products

// What the compiler makes of plain C for any processor of this kind.
static double peak_plain(size_t rounds, float *sink) {
  float sums[CHAINS][4], x = sink[0], y = sink[1];
  memset(sums, 0, sizeof sums);
  for (size_t round = 0; round < rounds; round++)
    for (int i = 0; i < CHAINS; i++)
      for (int k = 0; k < 4; k++) sums[i][k] = x * sums[i][k] + y;
  for (int i = 0; i < CHAINS; i++) sink[2] += sums[i][0] + sums[i][1] + sums[i][2] + sums[i][3];
  return 2.0 * 4 * CHAINS * (double)rounds;
}

struct peak {
  double (*loop)(size_t rounds, float *sink);
  size_t rounds;
  double operations[MOST_THREADS];
  float sinks[MOST_THREADS][16];
};

static void run_peak(void *data, size_t index, int worker) {
  struct peak *peak = data;
  float *sink = peak->sinks[index];
  sink[0] = 0.999f;
  sink[1] = 0.001f;
  peak->operations[index] = peak->loop(peak->rounds, sink);
}

static double (*loop_for(const struct kernels *kernels))(size_t rounds, float *sink) {
#if defined(QKV_X86_KERNELS)
  if (strcmp(kernels->name, "amx") == 0) return peak_amx;
  if (strcmp(kernels->dtype, "bf16") == 0) return peak_bf16;
  if (strcmp(kernels->name, "avx512") == 0) return peak_avx512;
  if (strcmp(kernels->name, "avx2") == 0) return peak_avx2;
#endif
  return peak_plain;
}

double machine_operations(const struct kernels *kernels) {
  struct peak peak = {.loop = loop_for(kernels), .rounds = 1 << 14};
  double best = 0;
  for (int run = 0; run < RUNS;) {
    double started = clock_seconds(), operations = 0;
    parallel_for((size_t)parallel_threads(), run_peak, &peak);
    double seconds = clock_seconds() - started;
    for (int i = 0; i < parallel_threads(); i++) operations += peak.operations[i];
    if (seconds < SHORTEST && peak.rounds < (size_t)1 << 40) {
      peak.rounds *= 2;
      continue;
    }
    if (operations / seconds > best) best = operations / seconds;
    run++;
  }
  return best;
}

// --- Memory

struct range {
  uint64_t *words;
  char *to;  // of a copy
  size_t pieces;
  uint64_t sums[MOST_THREADS];
};

static void read_piece(void *data, size_t index, int worker) {
  struct range *range = data;
  const uint64_t *words = range->words + index * (PIECE / sizeof(uint64_t));
  uint64_t sums[CHAINS] = {0};
  for (size_t i = 0; i < PIECE / sizeof(uint64_t); i += CHAINS)
    for (int k = 0; k < CHAINS; k++) sums[k] += words[i + (size_t)k];
  for (int k = 0; k < CHAINS; k++) range->sums[worker] += sums[k];
}

static void fill_piece(void *data, size_t index, int worker) {
  struct range *range = data;
  memset((char *)range->words + index * PIECE, 1, PIECE);
}

static void copy_piece(void *data, size_t index, int worker) {
  struct range *range = data;
  memcpy(range->to + index * PIECE, (const char *)range->words + index * PIECE, PIECE);
}

static double best_rate(parallel_task *task, struct range *range, double bytes) {
  double best = 0;
  for (int run = 0; run < MEMORY_RUNS; run++) {
    double started = clock_seconds();
    parallel_for(range->pieces, task, range);
    double rate = bytes / (clock_seconds() - started);
    if (rate > best) best = rate;
  }
  return best;
}

static double measure_memory(bool copying) {
  struct error none = {0};
  struct range range = {.words = memory_new_aligned(&none, MEMORY, 1)};
  if (!range.words) return 0;
  range.pieces = (copying ? MEMORY / 2 : MEMORY) / PIECE;
  range.to = (char *)range.words + MEMORY / 2;
  parallel_for(MEMORY / PIECE, fill_piece, &range);
  double rate = best_rate(copying ? copy_piece : read_piece, &range, (double)MEMORY);
  free(range.words);
  return rate;
}

double machine_read(void) { return measure_memory(false); }
double machine_copy(void) { return measure_memory(true); }

struct machine_bound machine_measure(const struct kernels *kernels) {
  return (struct machine_bound){machine_operations(kernels), machine_read()};
}
