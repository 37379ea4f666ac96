// Every gradient of whole models against central differences, for every pair of knobs. Compiled with double for float, so
// that the differences are good to seven digits.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/parallel.h"
#include "cpu/reference.h"
#include "tiny.h"

struct knob {
  const char *name;
  void (*set)(struct arch *arch);
};

static void pre_norm(struct arch *arch) { arch->norm_place = NORM_PRE, arch->final_norm = true; }
static void rms_norm(struct arch *arch) { arch->norm = NORM_RMS; }
static void no_norm(struct arch *arch) { arch->norm = NORM_NONE; }
static void batch_norm(struct arch *arch) { arch->norm = NORM_BATCH; }
static void instance_norm(struct arch *arch) { arch->norm = NORM_INSTANCE; }
static void group_norm(struct arch *arch) {
  arch->norm = NORM_GROUP, arch->norm_groups = 3, arch->norm_place = NORM_PRE, arch->final_norm = true;
}
static void epsilon_outside(struct arch *arch) { arch->norm_epsilon_outside = true, arch->norm_epsilon = 0.3f; }
static void epsilon_outside_batch(struct arch *arch) { batch_norm(arch), epsilon_outside(arch); }
static void embedding_norm(struct arch *arch) { arch->embedding_norm = true; }
static void no_residual(struct arch *arch) { arch->residual = false; }
static void learned(struct arch *arch) { arch->positions = POSITIONS_LEARNED, arch->position_offset = 2; }
static void no_positions(struct arch *arch) { arch->positions = POSITIONS_NONE; }
static void gelu(struct arch *arch) { arch->activation = ACTIVATION_GELU; }
static void gelu_tanh(struct arch *arch) { arch->activation = ACTIVATION_GELU_TANH; }
static void silu(struct arch *arch) { arch->activation = ACTIVATION_SILU; }
static void tanh_activation(struct arch *arch) { arch->activation = ACTIVATION_TANH; }
static void grouped(struct arch *arch) {
  arch->encoder.heads = arch->decoder.heads = 6, arch->encoder.kv_heads = 2, arch->decoder.kv_heads = 3;
}
static void one_head(struct arch *arch) {
  arch->encoder.heads = arch->encoder.kv_heads = 1, arch->decoder.heads = arch->decoder.kv_heads = 12;
}
static void wide_heads(struct arch *arch) { arch->head_width = 5; }
static void no_biases(struct arch *arch) { arch->attention_bias = arch->ffn_bias = false; }
static void head_bias(struct arch *arch) { arch->head_bias = arch->head_bias_trainable = true; }
static void untied(struct arch *arch) { arch->tied_head = false; }
static void unshared(struct arch *arch) { arch->shared_embeddings = false; }
static void scaled(struct arch *arch) { arch->attention_scale = 0.9f; }
static void cosine(struct arch *arch) { arch->attention_score = SCORE_COSINE, arch->attention_scale = 3; }
static void general(struct arch *arch) { arch->attention_score = SCORE_GENERAL; }
static void additive(struct arch *arch) { arch->attention_score = SCORE_ADDITIVE; }
static void bare(struct arch *arch) { arch->attention_bare = true; }
static void window(struct arch *arch) { arch->attention_window = 2; }
static void dropout(struct arch *arch) { arch->dropout = 0.3f, arch->embedding_dropout = 0.2f; }
static void learnt_padding(struct arch *arch) { arch->padding_learnt = true; }
static void gated(struct arch *arch) { arch->gated = true; }
static void rotary(struct arch *arch) { arch->positions = POSITIONS_ROTARY, arch->rotary.base = 30; }
static void inner_dropout(struct arch *arch) { arch->attention_dropout = 0.2f, arch->activation_dropout = 0.25f; }

static const struct knob knobs[] = {{"pre-norm", pre_norm},
                                    {"rms", rms_norm},
                                    {"no norm", no_norm},
                                    {"epsilon outside", epsilon_outside},
                                    {"embedding norm", embedding_norm},
                                    {"no residual", no_residual},
                                    {"learned positions", learned},
                                    {"no positions", no_positions},
                                    {"gelu", gelu},
                                    {"gelu tanh", gelu_tanh},
                                    {"silu", silu},
                                    {"tanh", tanh_activation},
                                    {"grouped heads", grouped},
                                    {"one head", one_head},
                                    {"wide heads", wide_heads},
                                    {"no biases", no_biases},
                                    {"head bias", head_bias},
                                    {"untied", untied},
                                    {"unshared", unshared},
                                    {"scale", scaled},
                                    {"cosine", cosine},
                                    {"general", general},
                                    {"additive", additive},
                                    {"bare", bare},
                                    {"window", window},
                                    {"dropout", dropout},
                                    {"learnt padding", learnt_padding},
                                    {"gated", gated},
                                    {"rotary", rotary},
                                    {"inner dropout", inner_dropout}};

enum { KNOBS = sizeof knobs / sizeof *knobs };

static struct kernels kernels;

enum { HEADS = HEAD_REPLACED + 1 };

static void relative(struct arch *arch) { arch->relative_buckets = 8, arch->relative_distance = 4; }
static void shared_layers(struct arch *arch) {
  arch->encoder.groups = arch->encoder.layers ? 1 : 0, arch->decoder.groups = arch->decoder.layers ? 1 : 0;
}
static void narrow(struct arch *arch) { arch->embedding_width = 7; }
static void no_transform(struct arch *arch) { arch->head_transform = false, arch->head_activation = ACTIVATION_NONE; }
static void no_pooler(struct arch *arch) { arch->pooler = false, arch->pooler_activation = ACTIVATION_NONE; }
static void relu_pooler(struct arch *arch) { if (arch->pooler) arch->pooler_activation = ACTIVATION_RELU; }
static void head_dropout(struct arch *arch) { arch->head_dropout = 0.3f, arch->pooler_dropout = true; }
static void mean_pooling(struct arch *arch) { arch->pooling = POOLING_MEAN; }
static void unbiased(struct arch *arch) { arch->classifier_bias = false; }
static void regression(struct arch *arch) { if (arch->head == HEAD_CLASSIFY) arch->labels = 1; }
static void language_too(struct arch *arch) { arch->language_too = true; }
static void both_orders(struct arch *arch) { arch->both_orders = true; }
static void no_types(struct arch *arch) { arch->types = 0; }

static void lstm(struct arch *arch) { arch->lstm = (struct lstm_arch){2, 3}; }
static void features(struct arch *arch, enum feature_kind features) {
  lstm(arch);
  arch->features = features;
  arch->lstm.layers = 1;
  if (arch->encoder.layers) arch->encoder.layers = 4;
  else arch->decoder.layers = 4;
}
static void embeddings(struct arch *arch) { features(arch, FEATURES_EMBEDDINGS); }
static void second_to_last(struct arch *arch) { features(arch, FEATURES_SECOND_TO_LAST), pre_norm(arch); }
static void sum_last_4(struct arch *arch) { features(arch, FEATURES_SUM_LAST_4), pre_norm(arch); }
static void concat_last_4(struct arch *arch) { features(arch, FEATURES_CONCAT_LAST_4), head_dropout(arch); }
static void sum_all(struct arch *arch) { features(arch, FEATURES_SUM_ALL); }
static void weighted(struct arch *arch) { features(arch, FEATURES_WEIGHTED), arch->lstm = (struct lstm_arch){0}; }

static const struct knob head_knobs[] = {{"plain", no_types},
                                         {"relative", relative},
                                         {"shared layers", shared_layers},
                                         {"narrow embedding", narrow},
                                         {"no transform", no_transform},
                                         {"no pooler", no_pooler},
                                         {"relu pooler", relu_pooler},
                                         {"head dropout", head_dropout},
                                         {"mean", mean_pooling},
                                         {"unbiased", unbiased},
                                         {"regression", regression},
                                         {"pre-norm", pre_norm},
                                         {"rms", rms_norm},
                                         {"untied", untied},
                                         {"dropout", dropout},
                                         {"additive", additive},
                                         {"language too", language_too},
                                         {"both orders", both_orders},
                                         {"lstm", lstm},
                                         {"embeddings", embeddings},
                                         {"second to last", second_to_last},
                                         {"sum of the last 4", sum_last_4},
                                         {"the last 4", concat_last_4},
                                         {"sum of all", sum_all},
                                         {"weighted", weighted},
                                         {"batch norm", batch_norm},
                                         {"instance norm", instance_norm},
                                         {"group norm", group_norm},
                                         {"epsilon outside", epsilon_outside_batch}};

static double loss_of(struct context *context, struct model *model, const struct tiny_batch *tiny, bool recording) {
  struct loss loss = {0};
  model_repack(model);
  context_begin(context, recording, true, 3, 4);
  assert_true(model_loss(context, model, &tiny->batch, 0.1, (struct loss_scale){1.5, 0.7}, &loss, NULL));
  return 1.5 * loss.sum + 0.7 * loss.texts.sum;
}

// Random values everywhere, also in biases and gains, so that no term of a gradient vanishes by accident.
static void fill(struct model *model) {
  double size = model->arch.gated ? 0.2 : 0.35;  // products of products grow fast where there is no norm
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    for (size_t i = 0; weight->trainable && i < weight_size(weight); i++)
      weight->values[i] = size * sin(1.7 * (double)i + 2.3 * w) + (strstr(weight->name, "gain") ? 1 : 0);
  }
}

// `most` elements of each weight; the padding row of embeddings has no gradient from the input side and is left out.
static void check_model(const struct arch *arch, const char *first, const char *second, size_t most) {
  struct error error = {0};
  struct context context;
  struct tiny_batch tiny;
  if (arch->family == FAMILY_ENCODER_DECODER) tiny_batch_fill(&tiny);
  else tiny_head_batch(&tiny, arch);
  struct model *model = model_new(arch, &error);
  assert_non_null(model);
  assert_true(model_initialise(model, 1, &error) && model_prepare(model, &kernels, true, &error));
  assert_true(context_open(&context, &kernels, (size_t)1 << 30, &error));
  fill(model);
  loss_of(&context, model, &tiny, true);
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *weight = &model->weights[w];
    if (!weight->trainable) continue;
    size_t size = weight_size(weight), step = size / most + 1;
    for (size_t i = ((size_t)w * 7 + 3) % step % size; i < size; i += step) {
      double old = weight->values[i], h = 1e-6;
      weight->values[i] = old + h;
      double up = loss_of(&context, model, &tiny, false);
      weight->values[i] = old - h;
      double down = loss_of(&context, model, &tiny, false);
      weight->values[i] = old;
      double expected = (up - down) / (2 * h), found = weight->gradient[i];
      if (fabs(found - expected) > 2e-5 * (1 + fabs(expected)))
        fail_msg("%s + %s: %s[%zu]: gradient %.9g, difference quotient %.9g", first, second, weight->name, i, found, expected);
    }
  }
  assert_int_equal(error.code, 0);
  context_close(&context);
  model_free(model);
}

// A part whose scale is 0 is only looked at: nothing learns from it.
static void test_no_scale_no_gradient(void **state) {
  static const enum head_kind heads[] = {HEAD_PRETRAINING, HEAD_DOUBLE, HEAD_CLASSIFY, HEAD_SPAN, HEAD_TAG};
  for (size_t h = 0; h < sizeof heads / sizeof *heads; h++) {
    struct error error = {0};
    struct context context;
    struct tiny_batch tiny;
    struct loss loss = {0};
    struct arch arch = tiny_head_arch(heads[h], false);
    tiny_head_batch(&tiny, &arch);
    struct model *model = model_new(&arch, &error);
    assert_true(model && model_initialise(model, 1, &error) && model_prepare(model, &kernels, true, &error));
    assert_true(context_open(&context, &kernels, (size_t)1 << 30, &error));
    context_begin(&context, true, true, 3, 4);
    assert_true(model_loss(&context, model, &tiny.batch, 0.1, (struct loss_scale){0}, &loss, NULL));
    assert_true(loss.sum > 0);
    for (int w = 0; w < model->weight_count; w++)
      for (size_t i = 0; model->weights[w].gradient && i < weight_size(&model->weights[w]); i++)
        if (model->weights[w].gradient[i] != 0) fail_msg("head %d: %s has a gradient", (int)heads[h], model->weights[w].name);
    context_close(&context);
    model_free(model);
  }
}

// One weight alone learns, and all else is frozen: it gets the gradient that it has anyway.
static void check_alone(const struct arch *arch, const char *name) {
  struct error error = {0};
  struct context context;
  struct tiny_batch tiny;
  tiny_head_batch(&tiny, arch);
  double gradients[2][TINY_VOCABULARY * 12];
  for (int alone = 0; alone < 2; alone++) {
    struct model *model = model_new(arch, &error);
    assert_non_null(model);
    for (int w = 0; alone && w < model->weight_count; w++)
      model->weights[w].trainable = strcmp(model->weights[w].name, name) == 0;
    assert_true(model_initialise(model, 1, &error) && model_prepare(model, &kernels, true, &error));
    assert_true(context_open(&context, &kernels, (size_t)1 << 30, &error));
    loss_of(&context, model, &tiny, true);
    const struct weight *weight = model_weight(model, name);
    memcpy(gradients[alone], weight->gradient, weight_size(weight) * sizeof *gradients[alone]);
    if (alone && memcmp(gradients[0], gradients[1], weight_size(weight) * sizeof *gradients[0]) != 0)
      fail_msg("%s: another gradient when it learns alone", name);
    assert_true(gradients[0][0] != 0);
    context_close(&context);
    model_free(model);
  }
}

static void test_learning_alone(void **state) {
  struct arch arch = tiny_head_arch(HEAD_LANGUAGE, false);
  relative(&arch);
  check_alone(&arch, "encoder.relative");
  check_alone(&arch, "head.bias");
  check_alone(&arch, "encoder.0.self.output.bias");
  check_alone(&arch, "encoder.1.feed_forward.norm.gain");
}

static void test_pairs_of_knobs(void **state) {
  for (int i = 0; i < KNOBS; i++) {
    for (int j = i; j < KNOBS; j++) {
      struct arch arch = tiny_arch();
      struct error error = {0};
      knobs[i].set(&arch);
      knobs[j].set(&arch);
      if (arch_check(&arch, &error)) check_model(&arch, knobs[i].name, knobs[j].name, i == j ? 4 : 1);
      else assert_true(strlen(error.message) > 20);
    }
  }
}

static void test_heads(void **state) {
  for (int head = 0; head < HEADS; head++) {
    if (head == HEAD_NONE) continue;
    for (size_t i = 0; i < sizeof head_knobs / sizeof *head_knobs; i++) {
      for (int decoder = 0; decoder < 2; decoder++) {
        struct arch arch = tiny_head_arch((enum head_kind)head, decoder);
        struct error error = {0};
        char name[64];
        snprintf(name, sizeof name, "head %d of a%s", head, decoder ? " decoder" : "n encoder");
        head_knobs[i].set(&arch);
        if (arch_check(&arch, &error)) check_model(&arch, name, head_knobs[i].name, 3);
        else assert_true(strlen(error.message) > 20);
      }
    }
  }
}

int main(void) {
  kernels_fill_reference(&kernels);
  parallel_set_threads(1);  // the models are too small to share
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairs_of_knobs), cmocka_unit_test(test_heads),
                                     cmocka_unit_test(test_no_scale_no_gradient), cmocka_unit_test(test_learning_alone)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
