// The same bits: a sequence alone or beside others, with any number of threads, whole or step by step over a cache; and the
// gradients of training with any number of threads. For every kernel table that this processor can run. Also: memory that
// runs out at any allocation is an error and nothing worse.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "cpu/cpu.h"
#include "model/model.h"

enum { SEQUENCES = 37, LONGEST = 41, VOCABULARY = 203 };

struct text {
  struct batch batch;
  int32_t ids[SEQUENCES * LONGEST], positions[SEQUENCES * LONGEST], labels[SEQUENCES * LONGEST];
  uint64_t row_keys[SEQUENCES * LONGEST];
  struct span spans[SEQUENCES];
};

static int length_of(int sequence) { return 1 + sequence * 17 % LONGEST; }

// The sequences first, first + step, ... as source and as target.
static void fill(struct text *text, int first, int step, int count) {
  int row = 0;
  *text = (struct text){0};
  for (int s = 0; s < count; s++) {
    int sequence = (first + s * step) % SEQUENCES, n = length_of(sequence);
    text->spans[s] = (struct span){.q0 = row, .qn = n, .k0 = row, .kn = n};
    for (int i = 0; i < n; i++, row++) {
      text->ids[row] = (sequence * 31 + i * 7) % (VOCABULARY - 1);
      text->labels[row] = (sequence * 13 + i * 5) % (VOCABULARY - 1);
      text->positions[row] = i;
      text->row_keys[row] = (uint64_t)sequence << 24 | (uint64_t)i;
    }
  }
  struct batch_side side = {.rows = row,
                            .ids = text->ids,
                            .positions = text->positions,
                            .row_keys = text->row_keys,
                            .spans = text->spans,
                            .span_count = count};
  text->batch = (struct batch){.source = side,
                               .target = side,
                               .cross = text->spans,
                               .cross_count = count,
                               .labels = text->labels,
                               .label_count = row,
                               .sequences = count};
}

static struct arch arch_of(enum norm_place place) {
  return (struct arch){
    .family = FAMILY_ENCODER_DECODER, .hidden = 72, .source_vocab = VOCABULARY, .target_vocab = VOCABULARY,
    .encoder = {.layers = 2, .heads = 3, .kv_heads = 3, .ffn = 101}, .decoder = {.layers = 2, .heads = 6, .kv_heads = 2, .ffn = 101},
    .norm_place = place, .final_norm = place == NORM_PRE, .norm_epsilon = 1e-5f, .residual = true, .positions = POSITIONS_SINUSOID, .max_positions = 64,
    .embedding_scale = 8, .activation = ACTIVATION_GELU, .attention_bias = true, .ffn_bias = true, .shared_embeddings = true, .tied_head = true,
    .pad_id = VOCABULARY - 1, .eos_id = 0, .unk_id = 1, .bos_id = -1, .decoder_start_id = VOCABULARY - 1, .dropout = 0.1f, .embedding_dropout = 0.1f, .attention_dropout = 0.1f,
    .activation_dropout = 0.1f};
}

// A decoder alone, as of today: RMS norm, rotary positions, gated, grouped heads.
static struct arch decoder_arch(void) {
  struct arch arch = arch_of(NORM_PRE);
  arch.family = FAMILY_DECODER;
  arch.encoder = (struct stack_arch){0};
  arch.source_vocab = 0;
  arch.norm = NORM_RMS;
  arch.positions = POSITIONS_ROTARY;
  arch.rotary = (struct rotary_arch){
    .base = 10000, .scaling = ROTARY_YARN, .factor = 4, .original_positions = 16, .low = 1, .high = 32};
  arch.gated = true;
  arch.activation = ACTIVATION_SILU;
  arch.attention_bias = arch.ffn_bias = arch.shared_embeddings = false;
  return arch;
}

static struct arch bare_arch(void) {
  struct arch arch = arch_of(NORM_POST);
  arch.attention_bare = true;
  arch.activation = ACTIVATION_RELU;
  arch.activation_dropout = 0;
  arch.decoder.kv_heads = arch.decoder.heads;
  return arch;
}

// NORM_POST, NORM_PRE, a decoder alone, and scores other than products.
enum { STYLES = 7 };
static struct arch arch_of_style(int style) {
  if (style == 6) return bare_arch();
  struct arch arch = style == 2 || style == 4 ? decoder_arch() : arch_of(style == 1 || style == 5 ? NORM_PRE : NORM_POST);
  if (style >= 3) arch.attention_score = style == 3 ? SCORE_ADDITIVE : style == 4 ? SCORE_GENERAL : SCORE_COSINE;
  if (style == 4) arch.attention_window = 7;
  return arch;
}

static struct model *make(const struct arch *arch, const struct kernels *kernels, bool training) {
  struct error error = {0};
  struct model *model = model_new(arch, &error);
  assert_non_null(model);
  assert_true(model_initialise(model, 5, &error) && model_prepare(model, kernels, training, &error));
  return model;
}

static void logits_of(float *out, const struct model *model, const struct text *text) {
  struct error error = {0};
  struct context context;
  assert_true(context_open(&context, model->kernels, (size_t)1 << 32, &error));
  context_begin(&context, false, false, 0, 0);
  struct tensor *encoded = model->arch.encoder.layers ? model_encode(&context, model, &text->batch.source) : NULL;
  struct tensor *logits = model_logits(&context, model, model_decode(&context, model, &text->batch, encoded), NULL, 0);
  assert_non_null(logits);
  memcpy(out, logits->data, (size_t)logits->rows * VOCABULARY * sizeof *out);
  context_close(&context);
}

static void expect_same(const char *what, const float *a, const float *b, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (memcmp(&a[i], &b[i], sizeof *a) != 0)
      fail_msg("%s: number %zu is %.9g in one and %.9g in the other", what, i, a[i], b[i]);
}

static const struct kernels *kernels_or_skip(void **state) {
  const struct kernels *kernels = cpu_kernels_named(*state);
  if (!kernels) skip();
  return kernels;
}

static void inference_over_neighbours_order_and_threads(void **state) {
  const struct kernels *kernels = kernels_or_skip(state);
  static struct text whole, part;
  static float all[SEQUENCES * LONGEST * VOCABULARY], some[SEQUENCES * LONGEST * VOCABULARY];
  for (int style = 0; style < STYLES; style++) {
    struct arch arch = arch_of_style(style);
    struct model *model = make(&arch, kernels, false);
    fill(&whole, 0, 1, SEQUENCES);
    parallel_set_threads(1);
    logits_of(all, model, &whole);
    for (int threads = 1; threads <= 3; threads++) {
      parallel_set_threads(threads);
      logits_of(some, model, &whole);
      expect_same("threads", all, some, (size_t)whole.batch.target.rows * VOCABULARY);
      static const int counts[] = {1, 2, 7, 20};
      for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        int first = 3 + (int)c, step = 5;
        fill(&part, first, step, counts[c]);
        logits_of(some, model, &part);
        for (int s = 0; s < counts[c]; s++) {
          int sequence = (first + s * step) % SEQUENCES;
          expect_same("neighbours", all + (size_t)whole.spans[sequence].q0 * VOCABULARY,
                      some + (size_t)part.spans[s].q0 * VOCABULARY, (size_t)length_of(sequence) * VOCABULARY);
        }
      }
    }
    model_free(model);
  }
  parallel_set_threads(0);
}

// ---- cached ----

enum { PAGES = (LONGEST + KEY_PAGE - 1) / KEY_PAGE };

static struct key_store new_store(const struct arch *arch, enum number_type type) {
  int width = arch_head_width(arch, &arch->decoder), heads = arch->decoder.kv_heads;
  struct key_store store = {.type = type, .kv_heads = heads, .head_width = width, .value_width = span_value_width(width),
                            .pages = PAGES};
  store.keys = calloc((size_t)(PAGES * heads * width * KEY_PAGE), sizeof(float));
  store.values = calloc((size_t)(PAGES * heads * store.value_width * KEY_PAGE), sizeof(float));
  return store;
}

// The decoder over one sequence in pieces of `piece` rows.
static void decode_in_pieces(float *out, const struct model *model, const struct text *text, int piece) {
  struct error error = {0};
  struct context context;
  struct layer_cache layers[2];
  int32_t pages[PAGES], slots[LONGEST];
  int n = text->batch.target.rows;
  for (int i = 0; i < PAGES; i++) pages[i] = PAGES - 1 - i;
  for (int i = 0; i < LONGEST; i++) slots[i] = pages[i / KEY_PAGE] * KEY_PAGE + i % KEY_PAGE;
  enum number_type type = model->kernels->cache_type;
  for (int i = 0; i < 2; i++) layers[i] = (struct layer_cache){new_store(&model->arch, type), new_store(&model->arch, type)};
  assert_true(context_open(&context, model->kernels, (size_t)1 << 32, &error));
  context_begin(&context, false, false, 0, 0);
  bool crossed = model->arch.encoder.layers > 0;
  if (crossed)
    assert_true(model_cache_source(&context, model, layers, model_encode(&context, model, &text->batch.source), slots));
  for (int at = 0; at < n; at += piece) {
    int rows = n - at < piece ? n - at : piece;
    context_begin(&context, false, false, 0, 0);
    struct span self = {.qn = rows, .kn = at + rows, .pos = at, .pages = pages}, cross = {.qn = rows, .kn = n, .pages = pages};
    struct batch_side side = {
      .rows = rows, .ids = text->ids + at, .positions = text->positions + at, .spans = &self, .span_count = 1};
    struct decoder_cache cache = {.layers = layers, .slots = slots + at};
    struct tensor *logits = model_logits(&context, model, model_decode_cached(&context, model, &side, &cross, crossed, &cache),
                                         NULL, 0);
    assert_non_null(logits);
    memcpy(out + (size_t)at * VOCABULARY, logits->data, (size_t)rows * VOCABULARY * sizeof *out);
  }
  context_close(&context);
  for (int i = 0; i < 2; i++) {
    free(layers[i].self.keys);
    free(layers[i].self.values);
    free(layers[i].cross.keys);
    free(layers[i].cross.values);
  }
}

static void cached_steps_and_chunks(void **state) {
  const struct kernels *kernels = kernels_or_skip(state);
  static struct text text;
  static float whole[LONGEST * VOCABULARY], pieces[LONGEST * VOCABULARY];
  for (int style = 0; style < STYLES; style++) {
    struct arch arch = arch_of_style(style);
    struct model *model = make(&arch, kernels, false);
    for (int sequence = 0; sequence < SEQUENCES; sequence += 4) {
      fill(&text, sequence, 1, 1);
      logits_of(whole, model, &text);
      static const int sizes[] = {1, 3, 16, 20};
      for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        decode_in_pieces(pieces, model, &text, sizes[i]);
        expect_same("pieces", whole, pieces, (size_t)text.batch.target.rows * VOCABULARY);
      }
    }
    model_free(model);
  }
}

// ---- training ----

static void check_gradients(const struct kernels *kernels, struct arch arch) {
  static struct text text;
  fill(&text, 0, 1, SEQUENCES);
  struct model *models[3];
  double sums[3];
  for (int t = 0; t < 3; t++) {
    struct error error = {0};
    struct context context;
    struct loss loss = {0};
    parallel_set_threads(t + 1);
    models[t] = make(&arch, kernels, true);
    assert_true(context_open(&context, kernels, (size_t)1 << 32, &error));
    for (int repeat = 0; repeat < 2; repeat++) {  // twice: gradients of micro-batches are added
      context_begin(&context, true, true, 11, 12);
      assert_true(model_loss(&context, models[t], &text.batch, 0.1f, (struct loss_scale){0.01f, 0}, &loss, NULL));
    }
    sums[t] = loss.sum;
    context_close(&context);
    assert_true(memcmp(&sums[t], &sums[0], sizeof *sums) == 0);
    for (int w = 0; w < models[t]->weight_count; w++)
      if (models[t]->weights[w].gradient)
        expect_same(models[t]->weights[w].name, models[0]->weights[w].gradient, models[t]->weights[w].gradient,
                    weight_size(&models[t]->weights[w]));
  }
  for (int t = 0; t < 3; t++) model_free(models[t]);
  parallel_set_threads(0);
}

static void gradients_over_threads(void **state) {
  const struct kernels *kernels = kernels_or_skip(state);
  check_gradients(kernels, arch_of(NORM_POST));
  check_gradients(kernels, decoder_arch());
}

// ---- recomputing ----

// The gradients of all weights one after the other, as one learning pass leaves them; what that took of work memory, and the
// loss.
static size_t learn(float **gradients, const struct arch *arch, const struct kernels *kernels, bool recompute, bool measuring,
                    size_t *peak, double *sum) {
  static struct text text;
  struct error error = {0};
  struct context context;
  struct loss loss = {0};
  size_t size = 0;
  fill(&text, 0, 1, 11);
  struct model *model = make(arch, kernels, true);
  assert_true(measuring ? context_open_measuring(&context, cpu_kernels_measuring(kernels->product_type), &error)
                        : context_open(&context, kernels, (size_t)1 << 32, &error));
  context.recompute = recompute;
  context_begin(&context, true, true, 1, 2);
  assert_true(model_loss(&context, model, &text.batch, 0.1f, (struct loss_scale){1, 0}, &loss, NULL));
  for (int i = 0; i < model->weight_count; i++) size += model->weights[i].gradient ? weight_size(&model->weights[i]) : 0;
  *gradients = calloc(size, sizeof **gradients);
  float *at = *gradients;
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    if (!weight->gradient) continue;
    memcpy(at, weight->gradient, weight_size(weight) * sizeof *at);
    at += weight_size(weight);
  }
  assert_int_equal(context.arena.block_count, 0);  // backward gave everything back
  *peak = context.arena.peak;
  *sum = loss.sum;
  context_close(&context);
  model_free(model);
  return size;
}

static struct arch encoder_arch(void) {
  struct arch arch = arch_of(NORM_POST);
  arch.family = FAMILY_ENCODER;
  arch.decoder = (struct stack_arch){0};
  arch.target_vocab = 0;
  arch.positions = POSITIONS_LEARNED;
  arch.embedding_norm = true;
  arch.relative_buckets = 8;
  arch.relative_distance = 20;
  arch.shared_embeddings = false;
  return arch;
}

static void expect_recomputed_alike(const struct kernels *kernels, struct arch arch) {
  float *whole, *again, *measured;
  size_t whole_peak, again_peak, measured_peak;
  double whole_sum, again_sum, ignored;
  arch.encoder.layers *= 3;
  arch.decoder.layers *= 3;
  size_t size = learn(&whole, &arch, kernels, false, false, &whole_peak, &whole_sum);
  assert_int_equal(size, learn(&again, &arch, kernels, true, false, &again_peak, &again_sum));
  expect_same("recomputed", whole, again, size);
  assert_true(whole_sum == again_sum && whole_sum != 0);
  assert_true(again_peak < whole_peak * 2 / 3);
  learn(&measured, &arch, kernels, true, true, &measured_peak, &ignored);
  assert_int_equal(again_peak, measured_peak);
  free(whole);
  free(again);
  free(measured);
}

static void gradients_with_recomputing(void **state) {
  const struct kernels *kernels = kernels_or_skip(state);
  for (int style = 0; style < STYLES; style++) expect_recomputed_alike(kernels, arch_of_style(style));
  expect_recomputed_alike(kernels, encoder_arch());
  struct arch bare = arch_of(NORM_POST);
  bare.norm = NORM_NONE;
  bare.residual = false;
  bare.dropout = 0;
  expect_recomputed_alike(kernels, bare);
}

// Kept as products round them or kept as they are: relu's results give the same gradients.
static void relu_kept_in_half_changes_no_bit(void **state) {
  const struct kernels *kernels = kernels_or_skip(state);
  struct kernels in_full = *kernels;
  in_full.product_type = TYPE_F32;
  for (int pre = 0; pre < 2; pre++) {
    float *half, *full;
    size_t half_peak, full_peak;
    double half_sum, full_sum;
    struct arch arch = arch_of(pre ? NORM_PRE : NORM_POST);
    arch.activation = ACTIVATION_RELU;
    arch.activation_dropout = 0;
    size_t size = learn(&half, &arch, kernels, false, false, &half_peak, &half_sum);
    assert_int_equal(size, learn(&full, &arch, &in_full, false, false, &full_peak, &full_sum));
    expect_same("kept in half", full, half, size);
    assert_true(half_sum == full_sum);
    assert_true(kernels->product_type == TYPE_BF16 ? half_peak < full_peak : half_peak == full_peak);
    free(half);
    free(full);
  }
}

// ---- memory runs out ----

static bool one_step(const struct kernels *kernels, struct arch arch, const struct text *text, struct error *error) {
  struct context context;
  struct loss loss = {0};
  struct model *model = model_new(&arch, error);
  bool fine = model && model_initialise(model, 5, error) && model_prepare(model, kernels, true, error) &&
              context_open(&context, kernels, (size_t)1 << 32, error);
  if (fine) {
    context_begin(&context, true, true, 1, 2);
    fine = model_loss(&context, model, &text->batch, 0, (struct loss_scale){1, 0}, &loss, NULL);
    context_close(&context);
  }
  model_free(model);
  return fine;
}

// What qkv.h says about stacks: a training step and inference on a thread with half a megabyte.
struct on_small_stack {
  const struct kernels *kernels;
  const struct text *text;
  bool fine;
};

static void *run_on_small_stack(void *argument) {
  struct on_small_stack *all = argument;
  static float logits[SEQUENCES * LONGEST * VOCABULARY];
  struct error error = {0};
  struct arch arch = arch_of(NORM_POST);
  struct model *model = make(&arch, all->kernels, false);
  logits_of(logits, model, all->text);
  model_free(model);
  all->fine = one_step(all->kernels, arch, all->text, &error);
  return NULL;
}

static void half_a_megabyte_of_stack_is_enough(void **state) {
  static struct text text;
  struct on_small_stack all = {.kernels = kernels_or_skip(state), .text = &text};
  pthread_attr_t attributes;
  pthread_t thread;
  fill(&text, 0, 1, SEQUENCES);
  parallel_set_threads(1);
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstacksize(&attributes, 512 << 10), 0);
  assert_int_equal(pthread_create(&thread, &attributes, run_on_small_stack, &all), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attributes);
  parallel_set_threads(0);
  assert_true(all.fine);
}

static void allocations_fail_one_by_one(void **state) {
  static struct text text;
  fill(&text, 0, 1, 2);
  const struct kernels *kernels = cpu_kernels_named("reference");
  for (int style = 1; style < 3; style++) {
    bool fine = false;
    for (long n = 0; !fine; n++) {
      struct error error = {0};
      memory_fail_after(n);
      fine = one_step(kernels, arch_of_style(style), &text, &error);
      memory_fail_after(-1);
      if (fine) assert_true(n > 20);
      else assert_int_equal(error.code, ERROR_MEMORY);
    }
  }
}

// Wherever a step runs out of work memory, it says so and no more; with enough it gets through.
static void too_little_work_memory_is_an_error(void **state) {
  enum { MOST = 64 << 20, STEP = 21 * 64 };
  static struct text text;
  const struct kernels *kernels = cpu_kernels_named("reference");
  fill(&text, 0, 1, 2);
  for (int again = 0; again < 2; again++) {
    struct error error = {0};
    struct context context;
    struct arch arch = arch_of(again ? NORM_PRE : NORM_POST);
    struct model *model = make(&arch, kernels, true);
    bool fine = false;
    size_t size = STEP, failures = 0;
    assert_true(context_open(&context, kernels, MOST, &error));
    context.recompute = again;
    for (; !fine && size < MOST; size += STEP) {
      struct loss loss = {0};
      error_clear(&error);
      context.arena.size = size;
      context_begin(&context, true, true, 1, 2);
      fine = model_loss(&context, model, &text.batch, 0, (struct loss_scale){1, 0}, &loss, NULL);
      assert_int_equal(error.code, fine ? ERROR_NONE : ERROR_MEMORY);
      failures += !fine;
    }
    assert_true(fine && failures > 100);
    context.arena.size = MOST;
    context_close(&context);
    model_free(model);
  }
}

// What the measuring run says is what the real run takes.
static void measuring_tells_the_peak(void **state) {
  static struct text text;
  struct error error = {0};
  struct context real, measured;
  struct loss loss = {0};
  struct arch arch = arch_of(NORM_PRE);
  const struct kernels *kernels = cpu_kernels_named("reference");
  struct model *model = make(&arch, kernels, true);
  fill(&text, 0, 1, SEQUENCES);
  assert_true(context_open(&real, kernels, (size_t)1 << 32, &error) &&
              context_open_measuring(&measured, cpu_kernels_measuring(TYPE_F32), &error));
  context_begin(&real, true, true, 1, 2);
  context_begin(&measured, true, true, 1, 2);
  assert_true(model_loss(&real, model, &text.batch, 0, (struct loss_scale){1, 0}, &loss, NULL) &&
              model_loss(&measured, model, &text.batch, 0, (struct loss_scale){1, 0}, &loss, NULL));
  assert_int_equal(real.arena.peak, measured.arena.peak);
  assert_true(real.arena.peak > 1000000);
  context_close(&real);
  context_close(&measured);
  model_free(model);
}

static size_t memory_of_one_more_layer(struct arch arch, const struct kernels *kernels) {
  size_t peaks[2];
  for (int more = 0; more < 2; more++) {
    float *gradients;
    double sum;
    *(arch.encoder.layers ? &arch.encoder.layers : &arch.decoder.layers) = 4 + more;
    learn(&gradients, &arch, kernels, false, false, &peaks[more], &sum);
    free(gradients);
  }
  return peaks[1] - peaks[0];
}

enum feed_forward { WITH_GELU, WITH_RELU, WITH_GATE };

// What backward needs of a row in one more layer, and no more: queries, keys and values, what attention made of them, two sums,
// and the feed-forward network's numbers before the activation (both parts of a gated one; of relu those behind it, half as wide
// where products are of bf16); beside them attention's log-sums and the norms' statistics.
static size_t wanted_of_a_layer(const struct arch *arch, const struct kernels *kernels, enum feed_forward inside, int rows) {
  const struct stack_arch *stack = arch->encoder.layers ? &arch->encoder : &arch->decoder;
  size_t width = 4 * (size_t)(arch->hidden / stack->heads), hidden = 4 * (size_t)arch->hidden, inner = 4 * (size_t)stack->ffn;
  if (inside == WITH_GATE) inner *= 2;
  if (inside == WITH_RELU && kernels->product_type == TYPE_BF16) inner /= 2;
  size_t kept = 0, projected = width * (size_t)(stack->heads + 2 * stack->kv_heads);
  const size_t bytes[] = {projected, hidden, hidden, hidden, inner, 4 * (size_t)stack->heads, 4, 4, 4, 4};
  for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) kept += ((size_t)rows * bytes[i] + 63) / 64 * 64;
  return kept;
}

static void a_layer_keeps_what_it_has_to(void **state) {
  static struct text text;
  const struct kernels *kernels = kernels_or_skip(state);
  fill(&text, 0, 1, 11);
  for (int pre = 0; pre < 2; pre++) {
    for (enum feed_forward inside = WITH_GELU; inside <= WITH_GATE; inside++) {
      struct arch arch = inside == WITH_GATE ? decoder_arch() : encoder_arch();
      arch.relative_buckets = arch.relative_distance = 0;
      arch.norm_place = pre ? NORM_PRE : NORM_POST;
      arch.final_norm = pre;
      if (inside == WITH_RELU) arch.activation = ACTIVATION_RELU, arch.activation_dropout = 0;
      int rows = inside == WITH_GATE ? text.batch.target.rows : text.batch.source.rows;
      assert_int_equal(memory_of_one_more_layer(arch, kernels), wanted_of_a_layer(&arch, kernels, inside, rows));
    }
  }
}

static size_t peak_of_inference(int layers, int style, bool measuring) {
  static struct text text;
  struct error error = {0};
  struct context context;
  struct arch arch = arch_of_style(style);
  if (arch.encoder.layers) arch.encoder.layers = layers;
  arch.decoder.layers = layers;
  const struct kernels *kernels = cpu_kernels_named("reference");
  struct model *model = make(&arch, kernels, false);
  fill(&text, 0, 1, 9);
  assert_true(measuring ? context_open_measuring(&context, cpu_kernels_measuring(TYPE_F32), &error)
                        : context_open(&context, kernels, (size_t)1 << 32, &error));
  context_begin(&context, false, false, 0, 0);
  struct tensor *encoded = arch.encoder.layers ? model_encode(&context, model, &text.batch.source) : NULL;
  assert_non_null(model_decode(&context, model, &text.batch, encoded));
  size_t peak = context.arena.peak;
  context_close(&context);
  model_free(model);
  return peak;
}

static void layers_of_inference_share_their_memory(void **state) {
  for (int style = 0; style < STYLES; style++) {
    size_t two = peak_of_inference(2, style, false);
    assert_int_equal(peak_of_inference(7, style, false), two);
    assert_int_equal(peak_of_inference(2, style, true), two);
  }
}

// A table whose first rows belong to no position: the same numbers as with a table that lacks them.
static void positions_begin_at_the_offset(void **state) {
  enum { OFFSET = 3 };
  const struct kernels *kernels = cpu_kernels_named("reference");
  static struct text text;
  static float plain[SEQUENCES * LONGEST * VOCABULARY], moved[SEQUENCES * LONGEST * VOCABULARY];
  struct arch arch = arch_of(NORM_POST);
  arch.positions = POSITIONS_LEARNED;
  struct model *without = make(&arch, kernels, false);
  arch.position_offset = OFFSET;
  struct model *with = make(&arch, kernels, false);
  for (int side = 0; side < 2; side++) {
    const struct weight *from = model_weight(without, side ? "decoder.positions" : "encoder.positions");
    struct weight *to = model_weight(with, from->name);
    assert_int_equal(to->rows, from->rows + OFFSET);
    memcpy(to->values + OFFSET * to->cols, from->values, weight_size(from) * sizeof *to->values);
  }
  fill(&text, 0, 5, 4);
  logits_of(plain, without, &text);
  logits_of(moved, with, &text);
  expect_same("position offset", plain, moved, (size_t)text.batch.target.rows * VOCABULARY);
  model_free(without);
  model_free(with);
}

int main(void) {
#define PER_TABLE(test) cmocka_unit_test_prestate(test, "reference"), cmocka_unit_test_prestate(test, "avx2"), cmocka_unit_test_prestate(test, "avx512"), \
  cmocka_unit_test_prestate(test, "avx512-bf16"), cmocka_unit_test_prestate(test, "amx-bf16")
  const struct CMUnitTest tests[] = {PER_TABLE(inference_over_neighbours_order_and_threads),
                                     PER_TABLE(cached_steps_and_chunks),
                                     PER_TABLE(gradients_over_threads),
                                     PER_TABLE(half_a_megabyte_of_stack_is_enough),
                                     PER_TABLE(gradients_with_recomputing),
                                     cmocka_unit_test(allocations_fail_one_by_one),
                                     cmocka_unit_test(too_little_work_memory_is_an_error),
                                     PER_TABLE(relu_kept_in_half_changes_no_bit),
                                     PER_TABLE(a_layer_keeps_what_it_has_to),
                                     cmocka_unit_test(measuring_tells_the_peak),
                                     cmocka_unit_test(positions_begin_at_the_offset),
                                     cmocka_unit_test(layers_of_inference_share_their_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
