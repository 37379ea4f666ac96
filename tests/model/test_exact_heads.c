// Heads keep the promise of the same bits: a text's numbers don't depend on its neighbours, their order or the number of threads;
// the gradients of a batch don't depend on the number of threads. In f32 and bf16, with biases by distance and shared layers. And
// the memory forecast holds for every head.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "cpu/cpu.h"
#include "tiny.h"

enum { TEXTS = 24, MOST_ROWS = 2048, VOCABULARY = 301 };

struct many {
  struct batch batch;
  int32_t ids[MOST_ROWS], positions[MOST_ROWS], types[MOST_ROWS], labels[MOST_ROWS];
  uint64_t keys[MOST_ROWS];
  struct span spans[TEXTS];
  struct batch_text texts[TEXTS];
};

// `count` texts from number `first` on, in falling order if `turned`. Text t is the same wherever it stands.
static void fill(struct many *many, const struct arch *arch, int first, int count, bool turned) {
  int row = 0;
  *many = (struct many){0};
  for (int s = 0; s < count; s++) {
    int t = turned ? first + count - 1 - s : first + s, length = 1 + t * 37 % 70;
    many->spans[s] = (struct span){.q0 = row, .qn = length, .k0 = row, .kn = length};
    many->texts[s] = (struct batch_text){.first = row,
                                         .count = length,
                                         .row = arch->pooling == POOLING_LAST ? row + length - 1 : row,
                                         .group = t / 2,
                                         .label = t % 2,
                                         .start = length / 2,
                                         .end = length - 1,
                                         .value = (float)t / 7};
    for (int i = 0; i < length; i++, row++) {
      many->ids[row] = (t * 31 + i * 17) % VOCABULARY;
      many->positions[row] = i;
      many->types[row] = i > length / 2;
      many->keys[row] = (uint64_t)t << 24 | (uint64_t)i;
      many->labels[row] = (t + i) % 5 ? -1 :
          (t * 7 + i) % (arch->labels ? arch->labels : arch->head == HEAD_REPLACED ? 2 : VOCABULARY);
      many->batch.label_count += many->labels[row] >= 0;
    }
  }
  struct batch_side side = {.rows = row,
                            .ids = many->ids,
                            .positions = many->positions,
                            .types = many->types,
                            .row_keys = many->keys,
                            .spans = many->spans,
                            .span_count = count};
  *(arch->family == FAMILY_DECODER ? &many->batch.target : &many->batch.source) = side;
  many->batch.labels = many->labels;
  many->batch.texts = many->texts;
  many->batch.text_count = many->batch.text_label_count = count;
}

static struct arch arch_of(enum head_kind head, bool decoder) {
  struct arch arch = tiny_head_arch(head, decoder);
  struct stack_arch *stack = decoder ? &arch.decoder : &arch.encoder;
  arch.hidden = 48;
  *stack = (struct stack_arch){.layers = 2, .heads = 4, .kv_heads = 4, .ffn = 100, .groups = 1};
  *(decoder ? &arch.target_vocab : &arch.source_vocab) = VOCABULARY;
  arch.max_positions = 80;
  arch.pad_id = -1;
  arch.embedding_width = 32;
  if (!decoder) arch.relative_buckets = 16, arch.relative_distance = 20;
  arch.dropout = arch.embedding_dropout = arch.attention_dropout = arch.head_dropout = 0.1f;
  arch.pooler_dropout = arch.pooler;
  return arch;
}

struct run {
  struct context context;
  struct model *model;
  struct many many;
  struct error error;
};

// Rows of text s, then its pooled row and its logits; into memory that the caller frees.
static float *text_numbers(struct run *run, const struct head_outputs *outputs, int s, size_t *size) {
  const struct batch_text *text = &run->many.texts[s];
  const struct tensor *parts[] = {outputs->rows, outputs->pooled, outputs->texts};
  float *all = NULL;
  *size = 0;
  for (int p = 0; p < 3; p++) {
    if (!parts[p]) continue;
    size_t first = (size_t)(p ? s : text->first), count = (size_t)(p ? 1 : text->count) * (size_t)parts[p]->cols;
    all = realloc(all, (*size + count) * sizeof *all);
    memcpy(all + *size, parts[p]->data + first * (size_t)parts[p]->cols, count * sizeof *all);
    *size += count;
  }
  return all;
}

static float *pass(struct run *run, int s, size_t *size) {
  struct head_outputs outputs;
  context_begin(&run->context, false, false, 0, 0);
  struct tensor *hidden = model_hidden(&run->context, run->model, &run->many.batch);
  assert_true(model_head_outputs(&run->context, run->model, &run->many.batch, hidden, NULL, 0, &outputs));
  return text_numbers(run, &outputs, s, size);
}

static void check_neighbours(struct run *run) {
  const struct arch *arch = &run->model->arch;
  static const int shown[] = {0, 9, 23};
  for (int i = 0; i < 3; i++) {
    size_t size, other;
    parallel_set_threads(1);
    fill(&run->many, arch, shown[i], 1, false);
    float *alone = pass(run, 0, &size);
    for (int way = 0; way < 3; way++) {
      parallel_set_threads(1 + way);
      fill(&run->many, arch, 0, TEXTS, way == 1);
      float *among = pass(run, way == 1 ? TEXTS - 1 - shown[i] : shown[i], &other);
      assert_int_equal(size, other);
      assert_memory_equal(alone, among, size * sizeof(float));
      free(among);
    }
    free(alone);
  }
}

static float *gradients(struct run *run, int threads, size_t *size) {
  struct loss loss = {0};
  parallel_set_threads(threads);
  fill(&run->many, &run->model->arch, 0, TEXTS, false);
  context_begin(&run->context, true, true, 5, 6);
  assert_true(model_loss(&run->context, run->model, &run->many.batch, 0.1f, (struct loss_scale){0.01f, 0.02f}, &loss, NULL));
  float *all = NULL;
  *size = 0;
  for (int w = 0; w < run->model->weight_count; w++) {
    struct weight *weight = &run->model->weights[w];
    if (!weight->gradient) continue;
    size_t count = weight_size(weight);
    all = realloc(all, (*size + count) * sizeof *all);
    memcpy(all + *size, weight->gradient, count * sizeof *all);
    memset(weight->gradient, 0, count * sizeof *all);
    *size += count;
  }
  return all;
}

static void check_threads(struct run *run) {
  size_t size, other;
  float *one = gradients(run, 1, &size);
  run->context.recompute = true;
  float *again = gradients(run, 1, &other);
  run->context.recompute = false;
  assert_memory_equal(one, again, size * sizeof(float));
  free(again);
  for (int threads = 2; threads <= 3; threads++) {
    float *more = gradients(run, threads, &other);
    assert_memory_equal(one, more, size * sizeof(float));
    free(more);
  }
  free(one);
}

// A measuring run, which computes nothing, says how much work memory the real one takes.
static void check_forecast(struct run *run) {
  struct context measured;
  struct loss loss = {0};
  assert_true(context_open_measuring(&measured, cpu_kernels_measuring(run->model->kernels->product_type), &run->error));
  struct context *contexts[] = {&run->context, &measured};
  size_t peaks[2];
  for (int i = 0; i < 2; i++) {
    float losses[MOST_ROWS];
    contexts[i]->arena.peak = 0;
    context_begin(contexts[i], true, true, 5, 6);
    assert_true(model_loss(contexts[i], run->model, &run->many.batch, 0.1f, (struct loss_scale){0.01f, 0.02f}, &loss, losses));
    peaks[i] = contexts[i]->arena.peak;
  }
  assert_int_equal(peaks[0], peaks[1]);
  assert_true(peaks[0] > 100000);
  context_close(&measured);
}

// frozen: nothing below the head learns.
static void check_arch(const struct arch *arch, const struct kernels *kernels, bool frozen) {
  struct run *run = calloc(1, sizeof *run);
  if (!(run->model = model_new(arch, &run->error)) || !model_initialise(run->model, 3, &run->error))
    fail_msg("%s", run->error.message);
  for (int w = 0; frozen && w < run->model->weight_count; w++)
    run->model->weights[w].trainable = strncmp(run->model->weights[w].name, "head.", 5) == 0;
  assert_true(model_prepare(run->model, kernels, true, &run->error) &&
              context_open(&run->context, kernels, (size_t)1 << 30, &run->error));
  check_neighbours(run);
  if (arch->head != HEAD_NONE) check_threads(run);
  if (arch->head != HEAD_NONE) check_forecast(run);
  assert_int_equal(run->error.code, 0);
  context_close(&run->context);
  model_free(run->model);
  free(run);
}

static void test_same_bits(void **state) {
  struct error error = {0};
  const struct kernels *kernels = cpu_kernels(*state ? PRECISION_BF16 : PRECISION_F32, &error);
  if (!kernels) skip();
  for (int head = 0; head <= HEAD_REPLACED; head++) {
    for (int decoder = 0; decoder < 2; decoder++) {
      struct arch arch = arch_of((enum head_kind)head, decoder);
      check_arch(&arch, kernels, false);
    }
  }
}

static void test_features(void **state) {
  struct error error = {0};
  const struct kernels *kernels = cpu_kernels(*state ? PRECISION_BF16 : PRECISION_F32, &error);
  if (!kernels) skip();
  for (int features = FEATURES_LAST; features <= FEATURES_WEIGHTED; features++) {
    struct arch arch = arch_of(features % 2 ? HEAD_TAG : HEAD_CLASSIFY, features == FEATURES_SUM_ALL);
    (arch.family == FAMILY_DECODER ? &arch.decoder : &arch.encoder)->layers = 4;
    arch.features = (enum feature_kind)features;
    arch.lstm = (struct lstm_arch){2, 20};
    check_arch(&arch, kernels, features != FEATURES_SUM_LAST_4);
  }
}

// Norms over rows: of a text's tokens, or by statistics that were followed; pre-norm and post-norm.
static void test_norms_over_rows(void **state) {
  static const enum norm_kind norms[] = {NORM_BATCH, NORM_INSTANCE, NORM_GROUP};
  struct error error = {0};
  const struct kernels *kernels = cpu_kernels(*state ? PRECISION_BF16 : PRECISION_F32, &error);
  if (!kernels) skip();
  for (int i = 0; i < 6; i++) {
    struct arch arch = arch_of(i % 2 ? HEAD_TAG : HEAD_PRETRAINING, false);
    arch.norm = norms[i / 2];
    arch.norm_groups = arch.norm == NORM_GROUP ? 4 : 0;
    arch.norm_place = i % 2 ? NORM_PRE : NORM_POST;
    arch.final_norm = i % 2;
    check_arch(&arch, kernels, false);
  }
}

// Features of a frozen stack are the states that a pass reports, put together; the same while it trains.
static void catch_state(void *user, const char *name, const struct tensor *tensor) {
  float *states = user;
  const char *at = strstr(name, ".hidden.");
  size_t size = (size_t)tensor->rows * (size_t)tensor->cols;
  if (at) memcpy(states + size * (size_t)atoi(at + strlen(".hidden.")), tensor->data, size * sizeof *states);
}

static float wanted_feature(enum feature_kind features, const float *states, size_t size, size_t i) {
  float sum = 0;
  switch (features) {
    case FEATURES_EMBEDDINGS: return states[i];
    case FEATURES_SECOND_TO_LAST: return states[3 * size + i];
    case FEATURES_SUM_LAST_4:
    case FEATURES_SUM_ALL: return states[size + i] + states[2 * size + i] + states[3 * size + i] + states[4 * size + i];
    case FEATURES_WEIGHTED:
      for (int k = 0; k < 5; k++) sum += states[(size_t)k * size + i] / 5;  // scores 0, gain 1
      return sum;
    default: return states[4 * size + i];
  }
}

static void test_states(void **state) {
  static const enum norm_place places[] = {NORM_POST, NORM_PRE};
  struct error error = {0};
  for (int variant = 0; variant < 2 * (FEATURES_WEIGHTED + 1); variant++) {
    struct run *run = calloc(1, sizeof *run);
    struct arch arch = arch_of(HEAD_TAG, false);
    arch.encoder.layers = 4;
    arch.norm_place = places[variant % 2];
    arch.final_norm = variant % 2;
    arch.features = (enum feature_kind)(variant / 2);
    assert_true((run->model = model_new(&arch, &error)) && model_initialise(run->model, 3, &error));
    for (int w = 0; w < run->model->weight_count; w++)
      run->model->weights[w].trainable = strncmp(run->model->weights[w].name, "head.", 5) == 0;
    assert_true(model_prepare(run->model, cpu_kernels(PRECISION_F32, &error), true, &error) &&
                context_open(&run->context, run->model->kernels, (size_t)1 << 30, &error));
    fill(&run->many, &arch, 0, 5, false);
    size_t size = (size_t)run->many.batch.source.rows * (size_t)arch.hidden;
    float *states = calloc(5 * size, sizeof *states);
    run->context.probe = catch_state;
    run->context.probe_user = states;
    context_begin(&run->context, variant % 4 < 2, true, 0, 0);
    const struct tensor *found = model_features(&run->context, run->model, &run->many.batch.source);
    assert_true(found && found->cols == arch_feature_width(&arch));
    for (size_t i = 0; i < size; i++) {
      if (arch.features == FEATURES_CONCAT_LAST_4) {
        for (size_t k = 0; k < 4; k++)
          assert_true(found->data[(i / 48) * 192 + k * 48 + i % 48] == states[(k + 1) * size + i]);
      } else assert_float_equal(found->data[i], wanted_feature(arch.features, states, size, i), 1e-5);
    }
    free(states);
    context_close(&run->context);
    model_free(run->model);
    free(run);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_same_bits, (void *)0),
                                     cmocka_unit_test_prestate(test_same_bits, (void *)1),
                                     cmocka_unit_test_prestate(test_features, (void *)0),
                                     cmocka_unit_test_prestate(test_features, (void *)1), cmocka_unit_test(test_states),
                                     cmocka_unit_test_prestate(test_norms_over_rows, (void *)0),
                                     cmocka_unit_test_prestate(test_norms_over_rows, (void *)1)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
