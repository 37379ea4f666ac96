// A text of 32,768 tokens: work memory grows with its length, never with the square of it, whole or in pieces over a cache, and
// both give the same bits.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "generate/page_cache.h"
#include "model/model.h"

enum { LONGEST = 32768, SHORT = LONGEST / 4, PIECE = 4096, VOCABULARY = 50, SHOWN = 3 };

static struct model *make_model(struct error *error) {
  struct arch arch = {.family = FAMILY_DECODER,
                      .hidden = 16,
                      .target_vocab = VOCABULARY,
                      .decoder = {.layers = 1, .heads = 1, .kv_heads = 1, .ffn = 24},
                      .norm = NORM_RMS,
                      .norm_place = NORM_PRE,
                      .final_norm = true,
                      .residual = true,
                      .norm_epsilon = 1e-5f,
                      .positions = POSITIONS_ROTARY,
                      .max_positions = LONGEST,
                      .rotary = {.base = 10000},
                      .embedding_scale = 1,
                      .activation = ACTIVATION_SILU,
                      .gated = true,
                      .initial_deviation = 0.3f,
                      .bos_id = -1,
                      .eos_id = 0,
                      .pad_id = -1,
                      .unk_id = -1,
                      .decoder_start_id = -1,
                      .forced_eos_id = -1};
  struct model *model = model_new(&arch, error);
  const struct kernels *kernels = cpu_kernels(PRECISION_F32, error);
  assert_true(model && kernels && model_initialise(model, 3, error) && model_prepare(model, kernels, false, error));
  return model;
}

static int32_t *ids, *positions;

// Logits of the last rows, in one pass. Returns the work memory it took.
static size_t whole(float *out, const struct model *model, int rows) {
  struct error error = {0};
  struct context context;
  struct span span = {.qn = rows, .kn = rows};
  struct batch batch = {.target = {.rows = rows, .ids = ids, .positions = positions, .spans = &span, .span_count = 1},
                        .sequences = 1};
  int32_t last[SHOWN];
  for (int i = 0; i < SHOWN; i++) last[i] = rows - SHOWN + i;
  assert_true(context_open(&context, model->kernels, (size_t)1 << 32, &error));
  context_begin(&context, false, false, 0, 0);
  struct tensor *logits = model_logits(&context, model, model_decode(&context, model, &batch, NULL), last, SHOWN);
  if (!logits) fail_msg("%s", error.message);
  memcpy(out, logits->data, SHOWN * VOCABULARY * sizeof *out);
  size_t peak = context.arena.peak;
  context_close(&context);
  return peak;
}

static size_t in_pieces(float *out, const struct model *model) {
  struct error error = {0};
  struct context context;
  struct page_cache cache;
  static int32_t pages[LONGEST / KEY_PAGE], slots[LONGEST];
  for (int i = 0; i < LONGEST / KEY_PAGE; i++) pages[i] = i;
  for (int i = 0; i < LONGEST; i++) slots[i] = i;
  assert_true(page_cache_open(&cache, &model, 1, LONGEST / KEY_PAGE, 1, &error));
  assert_true(context_open(&context, model->kernels, (size_t)1 << 32, &error));
  for (int at = 0; at < LONGEST;) {
    int rows = at + PIECE < LONGEST ? PIECE : at + SHOWN < LONGEST ? LONGEST - SHOWN - at : SHOWN;
    context_begin(&context, false, false, 0, 0);
    struct span span = {.qn = rows, .kn = at + rows, .pos = at, .pages = pages};
    struct batch_side side = {.rows = rows, .ids = ids + at, .positions = positions + at, .spans = &span, .span_count = 1};
    struct decoder_cache step = {.layers = cache.layers[0], .slots = slots + at};
    struct tensor *hidden = model_decode_cached(&context, model, &side, NULL, 0, &step);
    assert_non_null(hidden);
    at += rows;
    if (at < LONGEST) continue;
    struct tensor *logits = model_logits(&context, model, hidden, NULL, 0);
    assert_non_null(logits);
    memcpy(out, logits->data, SHOWN * VOCABULARY * sizeof *out);
  }
  size_t peak = context.arena.peak;
  context_close(&context);
  page_cache_close(&cache);
  return peak;
}

static void memory_grows_with_the_length(void **state) {
  (void)state;
  struct error error = {0};
  float once[SHOWN * VOCABULARY], pieces[SHOWN * VOCABULARY];
  ids = malloc(LONGEST * sizeof *ids);
  positions = malloc(LONGEST * sizeof *positions);
  for (int i = 0; i < LONGEST; i++) ids[i] = (int32_t)((unsigned)i * 2654435761u >> 8) % VOCABULARY, positions[i] = i;
  struct model *model = make_model(&error);
  size_t small = whole(once, model, SHORT), large = whole(once, model, LONGEST), step = in_pieces(pieces, model);
  print_message("%d tokens: %zu MB; %d tokens: %zu MB, in pieces of %d %zu MB\n", SHORT, small >> 20, LONGEST, large >> 20, PIECE,
                step >> 20);
  assert_true(large <= 4 * small + (1 << 20));
  assert_true(large < (size_t)LONGEST * 16 * 128);  // some tensors as wide as the model; a matrix of all pairs would be 4 GB
  assert_true(step < large / 4);
  assert_memory_equal(once, pieces, sizeof once);
  model_free(model);
  free(ids);
  free(positions);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(memory_grows_with_the_length)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
