// Opens every golden directory and compares what was read with config.json and with the tensors of the file.
#include "hf/checkpoint.h"
#include "hf/layout.h"
#include "hf_test.h"

static const char *const cases[] = {
  "marian", "marian-knobs", "marian-unshared", "marian-untied", "marian-one-head", "marian-long", "marian-sharded", "marian-f16",
  "marian-bf16", "marian-generate", "pegasus", "pegasus-tanh", "pegasus-silu", "pegasus-generate", "openai-gpt", "gpt2", "gpt2-knobs",
  "llama", "llama-knobs", "llama-linear", "llama-dynamic", "llama-dynamic-beyond", "llama-llama3", "llama-yarn",
  "llama-yarn-scaled"};

static void opens_every_golden_directory(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[4096];
    struct warnings warnings = {0};
    struct error error = {.warn = collect_warning, .warn_user = &warnings};
    struct checkpoint checkpoint;
    if (!checkpoint_open(golden(path, cases[i]), &checkpoint, &error)) fail_msg("%s: %s", cases[i], error.message);
    assert_string_equal(warnings.last, "");
    const cJSON *width = NULL;
    static const char *const names[] = {"d_model", "n_embd", "hidden_size"};
    for (int n = 0; n < 3 && !width; n++) width = cJSON_GetObjectItem(checkpoint.config, names[n]);
    assert_string_equal(checkpoint.arch.layout, cJSON_GetObjectItem(checkpoint.config, "model_type")->valuestring);
    assert_memory_equal(cases[i], checkpoint.arch.layout, strlen(checkpoint.arch.layout));
    assert_int_equal(checkpoint.arch.hidden, width->valueint);
    checkpoint_close(&checkpoint);
  }
}

static void reads_the_knobs(void **state) {
  (void)state;
  char path[4096];
  struct error error = {0};
  struct checkpoint checkpoint;
  assert_true(checkpoint_open(golden(path, "marian-knobs"), &checkpoint, &error));
  const struct arch *arch = &checkpoint.arch;
  assert_int_equal(arch->family, FAMILY_ENCODER_DECODER);
  assert_int_equal(arch->hidden, 24);
  assert_int_equal(arch->encoder.heads, 3);
  assert_int_equal(arch->decoder.heads, 6);
  assert_int_equal(arch->decoder.kv_heads, 6);
  assert_int_equal(arch->encoder.ffn, 52);
  assert_int_equal(arch->decoder.ffn, 40);
  assert_int_equal(arch->encoder.layers, 1);
  assert_int_equal(arch->decoder.layers, 2);
  assert_int_equal(arch->activation, ACTIVATION_GELU);
  assert_true(arch->embedding_scale == 1);
  assert_int_equal(arch->decoder_start_id, 7);
  assert_int_equal(arch->pad_id, 60);
  assert_int_equal(arch->max_positions, 33);
  assert_int_equal(arch->norm_place, NORM_POST);
  assert_true(arch->shared_embeddings && arch->tied_head && arch->head_bias && !arch->head_bias_trainable);
  checkpoint_close(&checkpoint);

  assert_true(checkpoint_open(golden(path, "pegasus"), &checkpoint, &error));
  assert_int_equal(checkpoint.arch.norm_place, NORM_PRE);
  assert_true(checkpoint.arch.final_norm);
  assert_true(checkpoint.arch.embedding_scale * checkpoint.arch.embedding_scale > 31.999f);
  assert_int_equal(checkpoint.arch.forced_eos_id, 1);
  checkpoint_close(&checkpoint);

  assert_true(checkpoint_open(golden(path, "marian-untied"), &checkpoint, &error));
  assert_false(checkpoint.arch.shared_embeddings);
  assert_false(checkpoint.arch.tied_head);
  assert_non_null(model_weight(checkpoint.model, "head.weight"));
  checkpoint_close(&checkpoint);
}

// Query, key and value of a layer are one weight of three parts, in this order.
static void parts_point_at_the_tensors(void **state) {
  (void)state;
  char path[4096];
  struct error error = {0};
  struct checkpoint checkpoint;
  assert_true(checkpoint_open(golden(path, "marian-sharded"), &checkpoint, &error));
  static const char *const names[] = {"q_proj", "k_proj", "v_proj"};
  const struct weight *weight = model_weight(checkpoint.model, "decoder.2.self.query_key_value.weight");
  assert_non_null(weight);
  for (int i = 0; i < 3; i++) {
    char name[100];
    snprintf(name, sizeof name, "model.decoder.layers.2.self_attn.%s.weight", names[i]);
    const struct stored_tensor *tensor = safetensors_find(&checkpoint.tensors, name);
    assert_non_null(tensor);
    assert_ptr_equal(weight->parts[i].stored, tensor->data);
  }
  assert_int_equal(checkpoint.tensors.file_count, 4);
  checkpoint_close(&checkpoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(opens_every_golden_directory), cmocka_unit_test(reads_the_knobs),
                                     cmocka_unit_test(parts_point_at_the_tensors)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
