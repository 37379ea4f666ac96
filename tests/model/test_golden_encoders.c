// BERT and its kin with each head, and decoders with heads of other tasks and in GPT-1's input forms, against PyTorch
// (tests/golden/<case>, made by make_encoders.py and make_input_forms.py): hidden states, attention weights,
// the head's numbers, the loss, every gradient and ten steps of over-fitting, with each kernel table that this processor can run;
// and the same again after saving and loading.
#include "cpu/cpu.h"
#include "golden_compare.h"
#include "train/optimizer.h"

static const char *const cases[] = {
  "bert", "bert-pretraining", "bert-masked", "bert-masked-untied", "bert-next-sentence", "bert-classify", "bert-regress", "bert-tag",
  "bert-span", "bert-choice", "roberta-masked", "roberta-classify", "roberta-choice", "xlm-roberta-tag", "xlm-roberta-masked",
  "distilbert", "distilbert-masked", "distilbert-classify", "distilbert-span", "distilbert-choice", "electra", "electra-masked",
  "electra-classify", "electra-tag", "electra-choice", "electra-replaced", "albert-pretraining", "albert-classify",
  "albert-span", "albert-choice", "mpnet",
  "mpnet-masked", "mpnet-classify", "mpnet-tag-long", "gpt2-classify", "gpt2-tag", "gpt2-span", "gpt2-double", "openai-gpt-double",
  "openai-gpt-classify", "llama-classify", "llama-tag", "gpt1-classify", "gpt1-similarity"};

enum { CASES = sizeof cases / sizeof *cases, MOST_TEXTS = 8 };

struct encoder_batch {
  struct golden_batch golden;
  struct batch_text texts[MOST_TEXTS];
};

static const void *numbers(const struct safetensors *golden, const char *name) {
  const struct stored_tensor *tensor = safetensors_find(golden, name);
  if (!tensor) fail_msg("the golden file has no %s", name);
  return tensor->data;
}

// The texts of the batch; a choice model learns once from each pair of texts.
static void fill_texts(struct encoder_batch *filled, const struct arch *arch, const struct safetensors *golden) {
  struct batch *batch = &filled->golden.batch;
  const int32_t *labels = numbers(golden, "text.labels"), *starts = numbers(golden, "text.starts"),
                *ends = numbers(golden, "text.ends"), *groups = numbers(golden, "text.groups");
  const float *values = numbers(golden, "text.values");
  const struct span *spans = batch->source.rows ? batch->source.spans : batch->target.spans;
  int orders = arch->both_orders ? 2 : 1;
  batch->text_count = batch->sequences / orders;
  assert_true(batch->text_count <= MOST_TEXTS);
  for (int i = 0; i < batch->text_count; i++) {
    const struct span *span = &spans[orders * i], *last = &span[orders - 1];
    filled->texts[i] = (struct batch_text){.first = span->q0, .count = last->q0 + last->qn - span->q0,
                                           .row = arch->pooling == POOLING_LAST ? span->q0 + span->qn - 1 : span->q0,
                                           .second = arch->both_orders ? last->q0 + last->qn - 1 : 0, .group = groups[i],
                                           .label = labels[i],
                                           .start = starts[i], .end = ends[i], .value = values[i]};
  }
  batch->texts = filled->texts;
  batch->text_label_count = arch_has_choices(arch) ? batch->text_count / 2 : batch->text_count;
}

static void fill_batch(struct encoder_batch *filled, const struct arch *arch, const struct safetensors *golden) {
  struct batch *batch = &filled->golden.batch;
  *filled = (struct encoder_batch){0};
  struct batch_side *side = arch->family == FAMILY_DECODER ? &batch->target : &batch->source;
  golden_side(&filled->golden, 0, golden, "source.ids", "source.offsets", side);
  if (safetensors_find(golden, "source.types")) side->types = numbers(golden, "source.types");
  batch->labels = numbers(golden, "labels");
  for (int row = 0; row < side->rows; row++) batch->label_count += batch->labels[row] >= 0;
  batch->sequences = side->span_count;
  fill_texts(filled, arch, golden);
}

static void compare_tensor(const struct safetensors *golden, const char *name, const struct tensor *found) {
  const struct stored_tensor *expected = safetensors_find(golden, name);
  if (!expected) return;
  assert_non_null(found);
  assert_int_equal(expected->count, (size_t)found->rows * (size_t)found->cols);
  compare(name, found->data, expected->data, expected->count, 1e-5);
}

static void check_outputs(struct context *context, const struct model *model, struct records *records) {
  const struct batch *batch = &records->batch->batch;
  struct head_outputs outputs;
  context_begin(context, false, false, 0, 0);
  context->probe = compare_hidden;
  context->probe_attention = compare_attention;
  context->probe_user = records;
  struct tensor *hidden = model_hidden(context, model, batch);
  assert_true(model_head_outputs(context, model, batch, hidden, NULL, 0, &outputs));
  context->probe = NULL;
  context->probe_attention = NULL;
  compare_tensor(records->golden, "rows", outputs.rows);
  compare_tensor(records->golden, "texts", outputs.texts);
  compare_tensor(records->golden, "pooled", outputs.pooled);
  assert_int_equal(records->compared, 2 * arch_head_stack(&model->arch)->layers + 1);
  if (!arch_has_vocabulary(&model->arch)) return;
  const int32_t asked[] = {4, 1};  // rows alone, in any order, to the bit
  struct tensor *some = model_logits(context, model, hidden, asked, 2);
  for (int i = 0; i < 2; i++)
    assert_memory_equal(some->data + i * some->cols, outputs.rows->data + asked[i] * some->cols,
                        (size_t)some->cols * sizeof(float));
}

// Of the loss of the rows beside that of the texts.
static float weight_of(const struct safetensors *golden) {
  return safetensors_find(golden, "lm.weight") ? number(golden, "lm.weight") : 1;
}

static struct loss_scale scale_of(const struct arch *arch, const struct batch *batch, float weight) {
  bool rows = arch_has_vocabulary(arch) || arch_has_row_labels(arch);
  return (struct loss_scale){.scale = weight / (float)(rows ? batch->label_count : batch->text_label_count),
                             .texts = 1.0f / (float)batch->text_label_count};
}

static double mean(const struct loss *loss, float weight) {
  return (double)weight * loss->sum / (double)loss->count + (loss->texts.count ? loss->texts.sum / (double)loss->texts.count : 0);
}

static void check_learning(struct context *context, struct model *model, const struct records *records) {
  const struct batch *batch = &records->batch->batch;
  const float *wanted = numbers(records->golden, "steps.losses"), *norms = numbers(records->golden, "steps.norms");
  float weight = weight_of(records->golden);
  struct loss_scale scale = scale_of(&model->arch, batch, weight);
  struct loss loss = {0};
  float losses[1024];
  context_begin(context, true, false, 0, 0);
  assert_true(model_loss(context, model, batch, 0, scale, &loss, losses));
  assert_float_equal(mean(&loss, weight), number(records->golden, "loss"), 2e-5);
  double sum = 0;
  bool rows = arch_has_vocabulary(&model->arch) || arch_has_row_labels(&model->arch);
  for (int i = 0; i < (rows ? batch->source.rows + batch->target.rows : batch->text_count); i++) sum += losses[i];
  assert_float_equal(sum, loss.plain_sum, 1e-4);
  assert_int_equal(loss.count, rows ? batch->label_count : batch->text_label_count);
  check_gradients(model, records->golden, "grad/", 1);
  struct optimizer_options options = optimizer_defaults();
  options.weight_decay = 0.01;
  for (int step = 0; step < 10; step++) {
    double norm;
    loss = (struct loss){0};
    context_begin(context, true, false, 0, 0);
    assert_true(model_loss(context, model, batch, 0, scale, &loss, NULL));
    assert_true(optimizer_step(model, &options, step + 1, 1e-3, &norm, context->error));
    // What is nearly learnt by heart amplifies every rounding.
    assert_float_equal(mean(&loss, weight), wanted[step], wanted[step] > 1 ? 1e-4 * wanted[step] : 2e-4 * (1 + wanted[step]));
    assert_float_equal(norm, norms[step], 1e-3 * norms[step] + 1e-3);
  }
}

static void check_directory(const char *path, const struct safetensors *golden, const struct kernels *kernels,
                            const char *save_to) {
  struct error error = {0};
  struct checkpoint checkpoint;
  struct context context;
  struct encoder_batch batch;
  if (!checkpoint_open(path, &checkpoint, &error)) fail_msg("%s", error.message);
  assert_int_equal(error.warnings, 0);
  fill_batch(&batch, &checkpoint.arch, golden);
  bool learns = checkpoint.arch.head != HEAD_NONE;
  assert_true(model_prepare(checkpoint.model, kernels, learns, &error));
  assert_true(context_open(&context, kernels, (size_t)1 << 30, &error));
  struct records records = {golden, &batch.golden, 0};
  check_outputs(&context, checkpoint.model, &records);
  struct checkpoint_saving saving = {.type = checkpoint.type, .config = checkpoint.config, .generation = &checkpoint.generation};
  if (save_to && !checkpoint_save(save_to, checkpoint.model, &saving, &error)) fail_msg("%s", error.message);
  if (learns) check_learning(&context, checkpoint.model, &records);
  assert_int_equal(error.code, 0);
  golden_batch_free(&batch.golden);
  context_close(&context);
  checkpoint_close(&checkpoint);
}

static void check_case(const char *name, const struct kernels *kernels) {
  char path[4096], file[4200], saved[64], command[80];
  struct error error = {0};
  struct safetensors golden;
  snprintf(path, sizeof path, "%s/tests/golden/%s", getenv("QKV_SOURCE_ROOT"), name);
  snprintf(file, sizeof file, "%s/golden.safetensors", path);
  if (!safetensors_open(&golden, file, &error)) fail_msg("%s", error.message);
  make_scratch(saved);
  print_message("%s with the %s kernels\n", name, kernels->name);
  check_directory(path, &golden, kernels, saved);
  check_directory(saved, &golden, kernels, NULL);
  snprintf(command, sizeof command, "rm -r %s", saved);
  assert_int_equal(system(command), 0);
  safetensors_close(&golden);
}

static void test_golden(void **state) {
  const struct kernels *kernels = cpu_kernels_named(kernel_names[(intptr_t)*state]);
  if (!kernels) skip();
  for (int i = 0; i < CASES; i++) check_case(cases[i], kernels);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_golden, (void *)0),
                                     cmocka_unit_test_prestate(test_golden, (void *)1),
                                     cmocka_unit_test_prestate(test_golden, (void *)2)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
