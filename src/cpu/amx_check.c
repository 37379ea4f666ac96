// Before AMX is used: whether the system grants it, and whether it multiplies as it should.
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "cpu/bf16.h"

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux gives the eight kilobytes of tiles only to processes that ask (kernel documentation, x86/xstate).
bool amx_granted(void) {
  enum { REQUEST = 0x1023, TILE_DATA = 18, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & AMX_BF16) || !(d & AMX_TILE)) return false;
  return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
}
#else
bool amx_granted(void) { return false; }
#endif

// The sizes reach over every edge: of tiles, panels, blocks of rows and of depth.
enum { ROWS = 119, COLUMNS = 77, DEPTH = 1071 };

struct trial {
  float *x, *w, *dy, *packed, *scratch;
  float *y[2], *dx[2], *dw[2];
};

static bool take(struct trial *trial, const struct kernels *kernels) {
  struct error error = {0};
  size_t forward = kernels->packed_size(COLUMNS, DEPTH), turned = kernels->packed_size(DEPTH, COLUMNS);
  trial->x = memory_new_aligned(&error, ROWS * DEPTH, sizeof(float));
  trial->w = memory_new_aligned(&error, COLUMNS * DEPTH, sizeof(float));
  trial->dy = memory_new_aligned(&error, ROWS * COLUMNS, sizeof(float));
  trial->packed = memory_new_aligned(&error, forward > turned ? forward : turned, sizeof(float));
  trial->scratch = memory_new_aligned(&error, linear_gradient_scratch(ROWS, DEPTH), sizeof(float));
  for (int i = 0; i < 2; i++) {
    trial->y[i] = memory_new_aligned(&error, ROWS * COLUMNS, sizeof(float));
    trial->dx[i] = memory_new_aligned(&error, ROWS * DEPTH, sizeof(float));
    trial->dw[i] = memory_new_aligned(&error, COLUMNS * DEPTH, sizeof(float));
  }
  return error.code == ERROR_NONE;
}

static void give_back(struct trial *trial) {
  float *blocks[] = {trial->x,    trial->w,     trial->dy,    trial->packed, trial->scratch, trial->y[0],
                     trial->y[1], trial->dx[0], trial->dx[1], trial->dw[0],  trial->dw[1]};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
}

static void fill(float *values, size_t n, uint64_t stream) {
  struct random_key key = random_key(5, stream);
  for (size_t i = 0; i < n; i++) values[i] = (float)random_uniform(key, i) - 0.5f;
}

static void multiply(struct trial *trial, const struct kernels *kernels, int i) {
  kernels->pack(trial->packed, trial->w, COLUMNS, DEPTH, false);
  kernels->linear(trial->y[i], COLUMNS, NULL, trial->x, DEPTH, ROWS, COLUMNS, DEPTH, trial->packed, trial->dy,
                  ACTIVATION_NONE, false);  // any numbers do for a bias
  kernels->pack(trial->packed, trial->w, COLUMNS, DEPTH, true);
  fill(trial->dx[i], ROWS * DEPTH, 4);
  kernels->linear(trial->dx[i], DEPTH, NULL, trial->dy, COLUMNS, ROWS, DEPTH, COLUMNS, trial->packed, NULL, ACTIVATION_NONE,
                  true);
  fill(trial->dw[i], COLUMNS * DEPTH, 5);
  kernels->linear_gradient(trial->dw[i], NULL, trial->dy, COLUMNS, trial->x, DEPTH, ROWS, COLUMNS, DEPTH, trial->scratch);
}

static bool near(const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(fabsf(a[i] - b[i]) <= 1e-4f * (1 + fabsf(b[i])))) return false;
  return true;
}

static bool agree(struct trial *trial, const struct kernels *a, const struct kernels *b) {
  fill(trial->x, ROWS * DEPTH, 1);
  fill(trial->w, COLUMNS * DEPTH, 2);
  fill(trial->dy, ROWS * COLUMNS, 3);
  multiply(trial, a, 0);
  multiply(trial, b, 1);
  return near(trial->y[0], trial->y[1], ROWS * COLUMNS) && near(trial->dx[0], trial->dx[1], ROWS * DEPTH) &&
         near(trial->dw[0], trial->dw[1], COLUMNS * DEPTH);
}

enum agreement compare_products(const struct kernels *a, const struct kernels *b) {
  struct trial trial = {0};
  enum agreement found = !take(&trial, a) ? PRODUCTS_UNCHECKED : agree(&trial, a, b) ? PRODUCTS_AGREE : PRODUCTS_DIFFER;
  give_back(&trial);
  return found;
}
