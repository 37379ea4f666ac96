// What this machine does: products by each path that the processor has, memory, and the rates of a model; each beside the bound.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/bench_model.h"
#include "api/public_context.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cpu/cpu.h"
#include "cpu/machine.h"

enum { MOST_RATES = 64, TEXT = 56 };

struct bench {
  struct qkv_bench public;  // first, so that a pointer to it is a pointer to this
  struct qkv_rate rates[MOST_RATES];
  char texts[MOST_RATES][2][TEXT];
  double memory;            // bytes per second
};

static void add(struct bench *bench, const char *what, const char *path, double rate, const char *unit, double bound) {
  if (bench->public.count == MOST_RATES) return;
  char(*texts)[TEXT] = bench->texts[bench->public.count];
  snprintf(texts[0], TEXT, "%s", what);
  snprintf(texts[1], TEXT, "%s", path);
  bench->rates[bench->public.count++] = (struct qkv_rate){texts[0], texts[1], rate, unit, bound};
}

// --- Products

static const double ENOUGH = 0.15;  // seconds for one rate

struct product {
  const struct kernels *kernels;
  int rows, columns, depth;
  bool gradient;
  int copies, next;  // of the packed weight: few rows read it from memory, as a model that is larger than the caches does
  float *x, *y, *weight, *packed, *scratch;
};

enum { FEW_ROWS = 8 };

static const size_t BEYOND_CACHES = (size_t)128 << 20;  // bytes

static void multiply(struct product *product) {
  const float *packed = product->packed + (size_t)product->next * product->kernels->packed_size(product->columns, product->depth);
  product->next = (product->next + 1) % product->copies;
  if (product->gradient)
    product->kernels->linear_gradient(product->weight, NULL, product->y, product->columns, product->x, product->depth,
                                      product->rows,
                                      product->columns, product->depth, product->scratch);
  else
    product->kernels->linear(product->y, product->columns, NULL, product->x, product->depth, product->rows, product->columns,
                             product->depth, packed, NULL, ACTIVATION_NONE, false);
}

static double best_seconds(struct product *product) {
  double best = 1e9, begun = clock_seconds(), at = begun;
  multiply(product);
  for (at = clock_seconds(); best > 1e8 || at - begun < ENOUGH;) {
    multiply(product);
    double now = clock_seconds();
    if (now - at < best) best = now - at;
    at = now;
  }
  return best;
}

static float *numbers(size_t count, struct error *error) {
  float *values = memory_new_aligned(error, count, sizeof *values);
  for (size_t i = 0; values && i < count; i++) values[i] = (float)(i * 2654435761u % 1021) / 1021 - 0.5f;
  return values;
}

static void measure_product(struct bench *bench, const char *path, double peak, struct product product, struct error *error) {
  size_t x = (size_t)product.rows * (size_t)product.depth, y = (size_t)product.rows * (size_t)product.columns,
         weight = (size_t)product.columns * (size_t)product.depth,
         packed = product.kernels->packed_size(product.columns, product.depth);
  product.x = numbers(x, error);
  product.y = numbers(y, error);
  product.weight = numbers(weight, error);
  product.copies = product.rows > FEW_ROWS ? 1 : (int)(BEYOND_CACHES / sizeof(float) / packed) + 1;
  product.packed = memory_new_aligned(error, (size_t)product.copies * packed, sizeof *product.packed);
  product.scratch = memory_new_aligned(error, linear_gradient_scratch(product.rows, product.depth), sizeof *product.scratch);
  if (product.x && product.y && product.weight && product.packed && product.scratch) {
    for (int i = 0; i < product.copies; i++)
      product.kernels->pack(product.packed + (size_t)i * packed, product.weight, product.columns, product.depth, false);
    double operations = 2.0 * (double)x * product.columns;
    double bytes = 4.0 * (double)(x + y + (product.gradient ? 2 * weight : packed));
    double least = operations / peak > bytes / bench->memory ? operations / peak : bytes / bench->memory;
    char what[TEXT];
    snprintf(what, sizeof what, "%s, %d x %d x %d", product.gradient ? "weight gradient" : "product", product.rows,
             product.columns, product.depth);
    add(bench, what, path, 1e-9 * operations / best_seconds(&product), "GFLOP/s", 1e-9 * operations / least);
  }
  free(product.x);
  free(product.y);
  free(product.weight);
  free(product.packed);
  free(product.scratch);
}

static void measure_path(struct bench *bench, const struct kernels *kernels, struct error *error) {
  static const int shapes[][3] = {{4096, 512, 512}, {4096, 2048, 512}, {1024, 10000, 512}, {64, 512, 512}, {1, 2048, 512}};
  char path[TEXT];
  snprintf(path, sizeof path, "%s %s", kernels->name, kernels->dtype);
  bool slow = strcmp(kernels->name, "reference") == 0;  // written to be read, not to be fast
  double peak = machine_operations(kernels);
  add(bench, "multiply-adds in registers", path, 1e-9 * peak, "GFLOP/s", 0);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    struct product product = {kernels, shapes[i][0], shapes[i][1], shapes[i][2]};
    if (slow && i != 3) continue;
    measure_product(bench, path, peak, product, error);
    product.gradient = true;
    if (i == 0 || slow) measure_product(bench, path, peak, product, error);
  }
}

static void measure_machine(struct bench *bench, struct error *error) {
  static const char *const names[] = {"reference", "avx2", "avx512", "avx512-bf16", "amx-bf16"};
  bench->memory = machine_read();
  add(bench, "memory, read", "", 1e-9 * bench->memory, "GB/s", 0);
  add(bench, "memory, read and written by copying", "", 1e-9 * machine_copy(), "GB/s", 1e-9 * bench->memory);
  for (size_t i = 0; i < sizeof names / sizeof *names && !error->code; i++) {
    const struct kernels *kernels = cpu_kernels_named(names[i]);
    if (kernels) measure_path(bench, kernels, error);
  }
}

// --- A model

// Operations are counted by a profile, unless somebody makes one already.
static void measure_model(struct bench *bench, struct qkv_model *model, struct error *error) {
  struct error busy = {0};
  struct bench_rate rates[BENCH_RATES];
  char path[TEXT];
  bool counting = profile_open(&busy);
  int count = bench_model(model, rates, error);
  if (counting) profile_close();
  double peak = machine_operations(model->kernels);
  snprintf(path, sizeof path, "%s %s", model->kernels->name, model->kernels->dtype);
  for (int i = 0; i < count; i++)
    add(bench, rates[i].what, path, rates[i].rate, "tokens/s", rates[i].operations > 0 ? peak / rates[i].operations : 0);
}

struct qkv_bench *qkv_bench(struct qkv_context *context, struct qkv_model *model) {
  struct error *error = public_begin(context);
  struct bench *bench = memory_new(error, 1, sizeof *bench);
  if (!bench) return NULL;
  bench->public.rates = bench->rates;
  measure_machine(bench, error);
  if (model && !error->code) measure_model(bench, model, error);
  if (!error->code) return &bench->public;
  free(bench);
  return NULL;
}

void qkv_bench_free(struct qkv_bench *bench) { free(bench); }
