// Speed of every slot on typical shapes: `test_kernels --bench [SLOT [THREADS]]` with QKV_CPU choosing the instruction set
// and TEST_DTYPE=bf16 the products.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/parallel.h"
#include "cases.h"
#include "cpu/cpu.h"

static const struct kernels *kernels;
static const char *only;

static float *numbers(size_t n) {
  float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
  if (!x) abort();
  uint32_t state = 1;
  for (size_t i = 0; i < n; i++) x[i] = (float)(int)(state = state * 1664525 + 1013904223) / 2147483648.0f;
  return x;
}

// One thread is timed by the processor time that it got, so that a busy machine doesn't count.
static double seconds(void) {
  struct timespec time;
  if (parallel_threads() > 1) return clock_seconds();
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// Best of several runs for a tenth of a second, in seconds.
#define BEST(result, call)                                          \
  double result = 1e9;                                              \
  for (double begin = seconds(), at = begin; at < begin + 0.15;) { \
    call;                                                           \
    double now = seconds();                                   \
    if (now - at < result) result = now - at;                       \
    at = seconds();                                           \
  }

static void report(const char *slot, int rows, int columns, int depth, double seconds, double operations, double bytes) {
  if (depth) printf("%-24s %5d x %5d x %5d  %10.1f us", slot, rows, columns, depth, seconds * 1e6);
  else printf("%-24s %5d x %5d          %10.1f us", slot, rows, columns, seconds * 1e6);
  if (operations > 0) printf("  %7.1f GFLOP/s", operations / seconds * 1e-9);
  if (bytes > 0) printf("  %7.1f GB/s", bytes / seconds * 1e-9);
  printf("\n");
}

static bool wanted(const char *slot) { return !only || strcmp(only, slot) == 0; }

static void bench_products(int rows, int columns, int depth) {
  size_t size = (size_t)columns * (size_t)depth;
  double operations = 2.0 * rows * columns * depth;
  float *x = numbers((size_t)rows * (size_t)depth), *w = numbers(size), *y = numbers((size_t)rows * (size_t)columns),
        *bias = numbers((size_t)columns);
  float *packed = numbers(kernels->packed_size(columns, depth));
  kernels->pack(packed, w, columns, depth, false);
  if (wanted("linear")) {
    BEST(time, kernels->linear(y, columns, NULL, x, depth, rows, columns, depth, packed, bias, ACTIVATION_RELU, false))
    report("linear", rows, columns, depth, time, operations,
           rows < 32 ? (kernels->dtype[0] == 'b' ? 2.0 : 4.0) * (double)size : 0);
  }
  if (wanted("linear_gradient") && rows > 32) {
    float *scratch = numbers(linear_gradient_scratch(rows, depth));
    BEST(time, kernels->linear_gradient(w, bias, y, columns, x, depth, rows, columns, depth, scratch))
    free(scratch);
    report("linear_gradient", rows, columns, depth, time, operations, 0);
  }
  free(x), free(w), free(y), free(bias), free(packed);
}

static void bench_pack(int rows, int columns) {
  float *w = numbers((size_t)rows * (size_t)columns),
        *packed = numbers(kernels->packed_size(rows, columns) + kernels->packed_size(columns, rows));
  double bytes = 8.0 * rows * columns;
  BEST(plain, kernels->pack(packed, w, rows, columns, false))
  report("pack", rows, columns, 0, plain, 0, bytes);
  BEST(turned, kernels->pack(packed, w, rows, columns, true))
  report("pack transposed", rows, columns, 0, turned, 0, bytes);
  free(w), free(packed);
}

static struct dropout dropout_of(int rows) {
  uint64_t *keys = calloc((size_t)rows, sizeof *keys);
  if (!keys) abort();
  for (int r = 0; r < rows; r++) keys[r] = (uint64_t)r;
  return (struct dropout){6554, 65536.0f / (65536 - 6554), {1, 2}, 3, keys};
}

static void bench_rows(int rows, int columns) {
  size_t n = (size_t)rows * (size_t)columns;
  float *a = numbers(n), *b = numbers(n), *c = numbers(n), *d = numbers(n), *gain = numbers((size_t)columns),
        *bias = numbers((size_t)columns);
  float *mean = numbers((size_t)rows), *deviation = numbers((size_t)rows);
  struct dropout none = {0}, dropout = dropout_of(rows);
  struct norm norm = {1e-5f, false};
  BEST(norm_time, kernels->residual_norm(a, b, mean, deviation, c, d, gain, bias, rows, columns, &norm, &none))
  report("residual_norm", rows, columns, 0, norm_time, 0, 16.0 * (double)n);
  BEST(drop_time, kernels->residual_norm(a, b, mean, deviation, c, d, gain, bias, rows, columns, &norm, &dropout))
  report("  with dropout", rows, columns, 0, drop_time, 0, 16.0 * (double)n);
  BEST(back_time, kernels->residual_norm_gradient(a, false, d, gain, bias, c, NULL, b, mean, deviation, gain, rows, columns,
                                                  &norm, &dropout))
  report("residual_norm_gradient", rows, columns, 0, back_time, 0, 16.0 * (double)n);
  static const char *const names[] = {"activate none",      "activate relu", "activate gelu",
                                      "activate gelu tanh", "activate silu", "activate tanh"};
  for (int activation = 1; activation < 6; activation++) {
    BEST(time, kernels->activate(a, c, rows, columns, (enum activation)activation, &none))
    report(names[activation], rows, columns, 0, time, 0, 8.0 * (double)n);
  }
  BEST(relu_time, kernels->activate(a, c, rows, columns, ACTIVATION_RELU, &dropout))
  report("activate relu dropout", rows, columns, 0, relu_time, 0, 8.0 * (double)n);
  free(a), free(b), free(c), free(d), free(gain), free(bias), free(mean), free(deviation), free((void *)dropout.row_keys);
}

static void bench_logits(int rows, int columns) {
  size_t n = (size_t)rows * (size_t)columns;
  float *x = numbers(n), *losses = numbers((size_t)rows), values[64 * 64];
  int32_t *targets = calloc((size_t)rows, sizeof *targets), indexes[64 * 64];
  if (!targets) abort();
  BEST(loss_time, kernels->cross_entropy(losses, losses, targets, x, columns, targets, rows, columns, 0.1f, 1))
  report("cross_entropy", rows, columns, 0, loss_time, 0, 8.0 * (double)n);
  BEST(soft_time, kernels->log_softmax(x, columns, rows, columns))
  report("log_softmax", rows, columns, 0, soft_time, 0, 8.0 * (double)n);
  free(x);
  x = numbers(n);
  BEST(largest_time, kernels->largest(values, indexes, NULL, x, columns, rows < 64 ? rows : 64, columns, 10))
  report("largest 10", rows < 64 ? rows : 64, columns, 0, largest_time, 0, 4.0 * (double)(rows < 64 ? rows : 64) * columns);
  free(x), free(losses), free(targets);
}

static void bench_attention(int spans_count, int length, int heads, int width, bool causal) {
  int rows = spans_count * length, columns = heads * width;
  size_t n = (size_t)rows * (size_t)columns;
  float *query = numbers(n), *key = numbers(n), *value = numbers(n), *out = numbers(n), *dout = numbers(n), *a = numbers(n),
        *b = numbers(n), *c = numbers(n), *log_sum = numbers((size_t)(rows * heads));
  struct span *spans = calloc((size_t)spans_count, sizeof *spans);
  if (!spans) abort();
  for (int s = 0; s < spans_count; s++) spans[s] = (struct span){s * length, length, s * length, length, 0, NULL};
  struct attention_keys keys = {key, value, columns, columns, NULL};
  struct attention attention = {.heads = heads, .kv_heads = heads, .head_width = width, .causal = causal, .scale = 0.1f};
  double operations = 4.0 * rows * length * columns * (causal ? 0.5 : 1);
  if (wanted("attention")) {
    BEST(time, kernels->attention(out, columns, log_sum, NULL, query, columns, &keys, spans, spans_count, &attention))
    report(causal ? "attention causal" : "attention", spans_count, length, columns, time, operations, 0);
  }
  if (wanted("attention_gradient")) {
    BEST(time, kernels->attention_gradient(a, columns, b, columns, c, columns, NULL, NULL, NULL, dout, columns, out, columns,
                                           log_sum, query, columns, &keys, spans, spans_count, &attention))
    report(causal ? "attention_gradient causal" : "attention_gradient", spans_count, length, columns, time, 2.5 * operations, 0);
  }
  free(query), free(key), free(value), free(out), free(dout), free(a), free(b), free(c), free(log_sum), free(spans);
}

// One query per span over cached keys.
static void bench_step(int spans_count, int length, int heads, int width) {
  int columns = heads * width, pages = (length + KEY_PAGE - 1) / KEY_PAGE;
  struct key_store store = {
      .kv_heads = heads, .head_width = width, .value_width = span_value_width(width), .pages = pages * spans_count};
  store.keys = numbers((size_t)(store.pages * heads * width * KEY_PAGE));
  store.values = numbers((size_t)(store.pages * heads * store.value_width * KEY_PAGE));
  float *query = numbers((size_t)(spans_count * columns)), *out = numbers((size_t)(spans_count * columns));
  struct span *spans = calloc((size_t)spans_count, sizeof *spans);
  int32_t *page = calloc((size_t)store.pages, sizeof *page);
  if (!spans || !page) abort();
  for (int p = 0; p < store.pages; p++) page[p] = p;
  for (int s = 0; s < spans_count; s++) spans[s] = (struct span){s, 1, 0, length, length - 1, page + s * pages};
  struct attention_keys keys = {.store = &store};
  struct attention attention = {.heads = heads, .kv_heads = heads, .head_width = width, .scale = 0.1f};
  BEST(time, kernels->attention(out, columns, NULL, NULL, query, columns, &keys, spans, spans_count, &attention))
  report("attention step", spans_count, length, columns, time, 4.0 * spans_count * length * columns,
         8.0 * spans_count * length * columns);
  free(store.keys), free(store.values), free(query), free(out), free(spans), free(page);
}

static void bench_optimizer(size_t n) {
  float *value = numbers(n), *gradient = numbers(n), *first = numbers(n), *second = numbers(n);
  for (size_t i = 0; i < n; i++) second[i] *= second[i];
  BEST(step, kernels->adamw(value, gradient, first, second, n, 1, 1e-3f, 0, 0.9f, 0.98f, 1e-9f, 0.5f, 0.5f))
  report("adamw", (int)(n / 1024), 1024, 0, step, 0, 32.0 * (double)n);
  volatile double sink = 0;
  BEST(sum, sink += kernels->sum_squares(value, n))
  (void)sink;
  report("sum_squares", (int)(n / 1024), 1024, 0, sum, 0, 4.0 * (double)n);
  free(value), free(gradient), free(first), free(second);
}

static void bench_embedding(int rows, int columns) {
  enum { WORDS = 10000 };
  size_t n = (size_t)rows * (size_t)columns;
  float *table = numbers((size_t)WORDS * (size_t)columns), *out = numbers(n);
  int32_t *ids = calloc((size_t)rows, sizeof *ids);
  if (!ids) abort();
  for (int r = 0; r < rows; r++) ids[r] = (int32_t)((uint32_t)r * 2654435761u % WORDS);
  struct weight words = {.rows = WORDS, .cols = columns, .values = table};
  struct dropout none = {0};
  BEST(look, kernels->embed(out, &words, ids, 2, NULL, NULL, NULL, NULL, rows, columns, &none))
  report("embed", rows, columns, 0, look, 0, 8.0 * (double)n);
  BEST(add, kernels->embed_gradient(table, ids, 2, out, rows, columns, &none))
  report("embed_gradient", rows, columns, 0, add, 0, 12.0 * (double)n);
  free(table), free(out), free(ids);
}

int bench_kernels(const char *slot) {
  static const int products[][2] = {{128, 128},  {384, 128},  {256, 128},   {512, 512},  {1536, 512},
                                    {2048, 512}, {512, 2048}, {10000, 512}, {10000, 128}};
  static const int rows[] = {4096, 1024, 64, 5, 1};
  struct error error = {0};
  enum precision precision = PRECISION_F32;
  only = slot;
  if (!getenv("TEST_DTYPE") || precision_read(&precision, getenv("TEST_DTYPE"), &error)) kernels = cpu_kernels(precision, &error);
  if (!kernels) {
    fprintf(stderr, "%s\n", error.message);
    return 2;
  }
  printf("%s, %s, %s, %d threads\n", cpu_name(), kernels->name, kernels->dtype, parallel_threads());
  if (wanted("linear") || wanted("linear_gradient"))
    for (size_t p = 0; p < sizeof products / sizeof *products; p++)
      for (size_t r = products[p][0] == 10000; r < sizeof rows / sizeof *rows; r++)
        bench_products(rows[r], products[p][0], products[p][1]);
  if (wanted("pack")) bench_pack(512, 512), bench_pack(10000, 512);
  if (wanted("rows")) bench_rows(4096, 512), bench_rows(4096, 128), bench_rows(64, 512);
  if (wanted("logits")) bench_logits(1024, 10000), bench_logits(5, 10000), bench_logits(64, 256);
  if (wanted("attention") || wanted("attention_gradient")) {
    bench_attention(2, 32, 8, 64, false), bench_attention(2, 32, 8, 64, true), bench_attention(2, 32, 4, 32, true);
    bench_attention(128, 32, 8, 64, false), bench_attention(128, 32, 8, 64, true), bench_attention(128, 32, 4, 32, true);
    bench_attention(16, 256, 8, 64, true), bench_attention(1, 2048, 8, 64, true);
  }
  if (wanted("step")) bench_step(1, 30, 8, 64), bench_step(5, 30, 4, 64), bench_step(320, 30, 8, 64), bench_step(320, 30, 4, 32);
  if (wanted("optimizer")) bench_optimizer(1 << 17), bench_optimizer(16 << 20);
  if (wanted("embedding")) bench_embedding(4096, 512), bench_embedding(4096, 128);
  return 0;
}
