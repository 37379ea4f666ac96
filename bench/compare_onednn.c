// Our f32 products beside oneDNN's, shape after shape in the same run: y = x W^T + b with W packed beforehand by either side,
// and dW = dy^T x. One thread each, timed by the processor time that the thread got.
//
// Needs libdnnl-dev (2.x or 3.x). BUILD is a Meson build folder of qkv:
//   ninja -C BUILD src/libqkv-internal.a
//   cc -O2 -fopenmp -I src bench/compare_onednn.c BUILD/src/libqkv-internal.a -ldnnl -lm -lpthread -o /tmp/compare_onednn &&
//   /tmp/compare_onednn
#include <dnnl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/parallel.h"
#include "cpu/cpu.h"

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void check(dnnl_status_t status, const char *what) {
  if (status == dnnl_success) return;
  fprintf(stderr, "oneDNN: %s failed with status %d\n", what, (int)status);
  exit(1);
}
#define CHECK(call) check(call, #call)

static float *numbers(size_t n) {
  float *x = aligned_alloc(64, (n * sizeof *x + 63) / 64 * 64);
  if (!x) exit(1);
  uint32_t state = 1;
  for (size_t i = 0; i < n; i++) x[i] = (float)(int)(state = state * 1664525 + 1013904223) / 2147483648.0f;
  return x;
}

// A product c [m, n] = a [m, k] b [k, n] of oneDNN, its b in the layout that it prefers.
struct product {
  dnnl_primitive_t primitive;
  dnnl_memory_t a, b, bias, c;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t layout;
static layout make_layout(int rows, int columns, dnnl_format_tag_t tag) {
  dnnl_dims_t sizes = {rows, columns};
  layout made;
  CHECK(dnnl_memory_desc_create_with_tag(&made, 2, sizes, dnnl_f32, tag));
  return made;
}
static dnnl_primitive_desc_t make_product(layout a, layout b, layout bias, layout c) {
  dnnl_primitive_desc_t made;
  CHECK(dnnl_matmul_primitive_desc_create(&made, engine, a, b, bias, c, NULL));
  return made;
}
static dnnl_primitive_desc_t make_reorder(layout from, layout to) {
  dnnl_primitive_desc_t made;
  CHECK(dnnl_reorder_primitive_desc_create(&made, from, engine, to, engine, NULL));
  return made;
}
static layout chosen(dnnl_primitive_desc_t description) {
  return (layout)dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
}
#else
typedef const dnnl_memory_desc_t *layout;
static layout make_layout(int rows, int columns, dnnl_format_tag_t tag) {
  dnnl_dims_t sizes = {rows, columns};
  dnnl_memory_desc_t *made = malloc(sizeof *made);
  if (!made) exit(1);
  CHECK(dnnl_memory_desc_init_by_tag(made, 2, sizes, dnnl_f32, tag));
  return made;
}
static dnnl_primitive_desc_t make_product(layout a, layout b, layout bias, layout c) {
  dnnl_matmul_desc_t description;
  dnnl_primitive_desc_t made;
  CHECK(dnnl_matmul_desc_init(&description, a, b, bias, c));
  CHECK(dnnl_primitive_desc_create(&made, &description, NULL, engine, NULL));
  return made;
}
static dnnl_primitive_desc_t make_reorder(layout from, layout to) {
  dnnl_primitive_desc_t made;
  CHECK(dnnl_reorder_primitive_desc_create(&made, from, engine, to, engine, NULL));
  return made;
}
static layout chosen(dnnl_primitive_desc_t description) {
  return dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
}
#endif

static dnnl_memory_t memory_of(layout of, void *data) {
  dnnl_memory_t made;
  CHECK(dnnl_memory_create(&made, of, engine, data));
  return made;
}

static struct product product_open(float *c, float *a, dnnl_format_tag_t a_tag, float *b, dnnl_format_tag_t b_tag, bool pack_b,
                                   float *bias, int m, int n, int k) {
  struct product product = {0};
  layout a_layout = make_layout(m, k, a_tag), b_layout = make_layout(k, n, b_tag);
  layout any = make_layout(k, n, dnnl_format_tag_any), c_layout = make_layout(m, n, dnnl_ab);
  layout bias_layout = bias ? make_layout(1, n, dnnl_ab) : NULL;
  dnnl_primitive_desc_t description = make_product(a_layout, pack_b ? any : b_layout, bias_layout, c_layout);
  CHECK(dnnl_primitive_create(&product.primitive, description));
  product.a = memory_of(a_layout, a);
  product.b = memory_of(b_layout, b);
  product.c = memory_of(c_layout, c);
  if (bias) product.bias = memory_of(bias_layout, bias);
  if (pack_b) {
    dnnl_memory_t packed = memory_of(chosen(description), DNNL_MEMORY_ALLOCATE);
    dnnl_primitive_t reorder;
    CHECK(dnnl_primitive_create(&reorder, make_reorder(b_layout, chosen(description))));
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, product.b}, {DNNL_ARG_TO, packed}};
    CHECK(dnnl_primitive_execute(reorder, stream, 2, arguments));
    CHECK(dnnl_stream_wait(stream));
    product.b = packed;
  }
  return product;
}

static void product_run(const struct product *product) {
  dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, product->a}, {DNNL_ARG_WEIGHTS, product->b}, {DNNL_ARG_DST, product->c}, {DNNL_ARG_BIAS, product->bias}};
  CHECK(dnnl_primitive_execute(product->primitive, stream, product->bias ? 4 : 3, arguments));
  CHECK(dnnl_stream_wait(stream));
}

enum { SAMPLES = 4096 };

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

// The lower quartile: a busy virtual machine's clock is sometimes off in either direction.
static double typical(double *times, int n) {
  qsort(times, (size_t)n, sizeof *times, by_size);
  return times[n / 4];
}

// The two take turns, so that whatever else the machine does meets both.
#define TURNS(ours, theirs, our_call, their_call)                                                       \
  double ours, theirs;                                                                                  \
  {                                                                                                     \
    static double our_times[SAMPLES], their_times[SAMPLES];                                             \
    int n = 0;                                                                                          \
    for (double begin = seconds(), at, between; n < SAMPLES && seconds() < begin + 0.4; n++) {          \
      at = seconds();                                                                                   \
      our_call;                                                                                         \
      between = seconds();                                                                              \
      their_call;                                                                                       \
      our_times[n] = between - at;                                                                      \
      their_times[n] = seconds() - between;                                                             \
    }                                                                                                   \
    ours = typical(our_times, n);                                                                       \
    theirs = typical(their_times, n);                                                                   \
  }

static void compare(const struct kernels *kernels, int rows, int columns, int depth) {
  size_t size = (size_t)columns * (size_t)depth;
  float *x = numbers((size_t)rows * (size_t)depth), *w = numbers(size), *dw = numbers(size),
        *y = numbers((size_t)rows * (size_t)columns);
  float *dy = numbers((size_t)rows * (size_t)columns), *bias = numbers((size_t)columns),
        *packed = numbers(kernels->packed_size(columns, depth));
  double operations = 2e-9 * rows * (double)size;
  kernels->pack(packed, w, columns, depth, false);
  struct product forward = product_open(y, x, dnnl_ab, w, dnnl_ba, true, bias, rows, columns, depth);
  TURNS(ours, theirs, kernels->linear(y, columns, NULL, x, depth, rows, columns, depth, packed, bias, ACTIVATION_NONE, false),
        product_run(&forward))
  printf("%5d %5d %5d  %8.1f %8.1f %6.2f", rows, columns, depth, operations / ours, operations / theirs, theirs / ours);
  if (rows >= 64) {
    struct product backward = product_open(dw, dy, dnnl_ba, x, dnnl_ab, false, NULL, columns, depth, rows);
    TURNS(our_dw, their_dw, kernels->linear_gradient(dw, NULL, dy, columns, x, depth, rows, columns, depth),
          product_run(&backward))
    printf("  %8.1f %8.1f %6.2f", operations / our_dw, operations / their_dw, their_dw / our_dw);
  }
  printf("\n");
  fflush(stdout);
  free(x), free(w), free(dw), free(y), free(dy), free(bias), free(packed);
}

int main(void) {
  static const int shapes[][2] = {{128, 128},  {384, 128},  {256, 128},   {512, 512},  {1536, 512},
                                  {2048, 512}, {512, 2048}, {10000, 512}, {10000, 128}};
  static const int rows[] = {4096, 1024, 64, 5, 1};
  struct error error = {0};
  const struct kernels *kernels = cpu_kernels(PRECISION_F32, &error);
  if (!kernels) return fprintf(stderr, "%s\n", error.message), 2;
  omp_set_num_threads(1);
  parallel_set_threads(1);
  CHECK(dnnl_engine_create(&engine, dnnl_cpu, 0));
  CHECK(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags));
  printf("%s, %s, oneDNN %d.%d.%d, one thread, GFLOP/s\n", cpu_name(), kernels->name, dnnl_version()->major,
         dnnl_version()->minor, dnnl_version()->patch);
  printf(" rows  cols depth    linear   oneDNN  ratio  gradient   oneDNN  ratio\n");
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t r = shapes[s][0] == 10000; r < sizeof rows / sizeof *rows; r++)
      compare(kernels, rows[r], shapes[s][0], shapes[s][1]);
  return 0;
}
