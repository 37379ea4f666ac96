// Directories of the decoders: config.json in all its spellings, what is refused and why, what is chosen for a new model.
#include <math.h>

#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf/json_exact.h"
#include "hf/safetensors_writer.h"
#include "folder_fixture.h"

static cJSON *golden_config(const char *name, const char *key, const char *value) {
  char path[4096], file[4096];
  struct error error = {0};
  cJSON *config = json_read_exact(file_join(file, golden(path, name), "config.json"), &error);
  assert_non_null(config);
  if (key) cJSON_DeleteItemFromObjectCaseSensitive(config, key);
  if (key && value) cJSON_AddItemToObject(config, key, cJSON_Parse(value));
  return config;
}

static bool read_config(struct arch *arch, cJSON *config, struct error *error) {
  const struct layout *layout;
  bool ok = config_read(arch, &layout, config, "config.json", error);
  cJSON_Delete(config);
  return ok;
}

static void refuses_bad_configs(void **state) {
  (void)state;
  static const char *const cases[][4] = {
    {"gpt2", "scale_attn_weights", "false", "\"scale_attn_weights\" is false; qkv's gpt2 models only know true"},
    {"gpt2", "scale_attn_by_inverse_layer_idx", "true", "\"scale_attn_by_inverse_layer_idx\" is true"},
    {"gpt2", "add_cross_attention", "true", "\"add_cross_attention\" is true"},
    {"gpt2", "is_encoder_decoder", "true", "\"is_encoder_decoder\" is true"},
    {"gpt2", "n_head", "5", "cannot be divided among"},
    {"gpt2", "n_inner", "0", "\"n_inner\" is 0; it has to be from 1"},
    {"gpt2", "n_positions", "0", "\"n_positions\" is 0"},
    {"gpt2", "hidden_size", "99", "\"hidden_size\" and \"n_embd\" are two names of one thing"},
    {"gpt2", "activation_function", "\"quick_gelu\"", "\"activation_function\" is \"quick_gelu\"; qkv has relu, gelu"},
    {"gpt2", "eos_token_id", "97", "\"eos_token_id\" is 97; the vocabulary has the ids 0 to 96"},
    {"gpt2", "resid_pdrop", "2", "\"resid_pdrop\" is 2"},
    {"gpt2", "layer_norm_epsilon", "\"small\"", "\"layer_norm_epsilon\" has to be a number"},
    {"openai-gpt", "afn", "\"tanh\"", "\"afn\" is \"tanh\"; qkv has gelu, relu, silu, swish"},
    {"llama", "num_key_value_heads", "3", "cannot share 3 key/value heads evenly"},
    {"llama", "num_key_value_heads", "8", "key/value heads is 8; it has to be between 1 and 4"},
    {"llama", "num_attention_heads", "6", "\"hidden_size\" is 32, which \"num_attention_heads\", 6, does not divide"},
    {"llama", "head_dim", "7", "heads are 7 wide; rotary positions turn pairs of columns"},
    {"llama", "head_dim", "-8", "\"head_dim\" is -8"},
    {"llama", "quantization_config", "{\"bits\":4}", "\"quantization_config\" is {\"bits\":4}"},
    {"llama", "partial_rotary_factor", "0.5", "\"partial_rotary_factor\" is 0.5; qkv's llama models only know 1"},
    {"llama", "original_max_position_embeddings", "16", "\"original_max_position_embeddings\" is 16"},
    {"llama", "rope_parameters", "7", "\"rope_parameters\" has to be an object"},
    {"llama", "rope_parameters", "{\"rope_theta\":0.5}", "\"rope_theta\" is 0.5"},
    {"llama", "rope_parameters", "{\"rope_theta\":1}", "the base of rotary positions is 1; it has to be more than 1"},
    {"llama", "rope_parameters", "{\"rope_type\":\"longrope\"}",
     "\"rope_type\" is \"longrope\"; qkv has default, linear, dynamic, llama3, yarn"},
    {"llama", "rope_scaling", "{\"type\":\"su\",\"factor\":2}", "\"su\"; qkv has default, linear"},
    {"llama", "rope_scaling", "{\"type\":\"linear\"}", "\"rope_scaling\" has no \"factor\""},
    {"llama", "rope_scaling", "{\"type\":\"linear\",\"factor\":0}", "\"factor\" is 0"},
    {"llama", "rope_scaling", "{\"type\":\"linear\",\"factor\":[2]}", "\"factor\" has to be a number"},
    {"llama", "rope_scaling", "{\"type\":\"yarn\",\"factor\":2,\"beta_fast\":1,\"beta_slow\":2}",
     "the second has to be the larger one"},
    {"llama", "rope_scaling", "{\"type\":\"llama3\",\"factor\":2}", "needs \"low_freq_factor\" and \"high_freq_factor\""},
    {"llama", "rope_scaling", "{\"type\":\"llama3\",\"factor\":2,\"low_freq_factor\":4,\"high_freq_factor\":4}",
     "the second has to be the larger one"},
    {"llama", "rope_scaling", "{\"type\":\"default\",\"partial_rotary_factor\":0.5}", "\"partial_rotary_factor\" is 0.5"},
    {"marian", "max_position_embeddings", "16777216", "a table of 16777216 positions, each 32 wide, would take 2.1 GB"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct error error = {0};
    struct arch arch;
    if (read_config(&arch, golden_config(cases[i][0], cases[i][1], cases[i][2]), &error))
      fail_msg("%s: %s opened", cases[i][1], cases[i][2]);
    assert_refused(&error, cases[i][3]);
  }
}

static void warns_of_odd_configs(void **state) {
  (void)state;
  static const char *const cases[][4] = {
    {"gpt2", "n_inner", "null", ""},
    {"gpt2", "reorder_and_upcast_attn", "true", ""},
    {"gpt2", "num_hidden_layers", "2", ""},
    {"gpt2", "scale_attn_weights", NULL, ""},
    {"gpt2", "resid_pdrop", NULL, ""},
    {"llama", "rope_parameters", NULL, ""},
    {"llama", "rope_parameters", "null", ""},
    {"llama", "num_key_value_heads", NULL, ""},
    {"llama", "head_dim", "null", ""},
    {"llama", "rope_scaling", "{\"type\":\"dynamic\",\"factor\":2.0}", ""},
    {"llama", "pretraining_tp", "2", ""},
    {"llama", "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":10000.0,\"wave\":1}",
     "unknown and ignored: \"wave\" of \"rope_parameters\""},
    {"llama", "sliding", "5", "unknown and ignored: \"sliding\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct warnings warnings = {0};
    struct error error = {.warn = collect_warning, .warn_user = &warnings};
    struct arch arch;
    if (!read_config(&arch, golden_config(cases[i][0], cases[i][1], cases[i][2]), &error))
      fail_msg("%s: %s", cases[i][1], error.message);
    if (!strstr(warnings.last, cases[i][3]) || warnings.count != (*cases[i][3] != 0))
      fail_msg("%s: %s", cases[i][1], warnings.last);
  }
}

static struct arch published(const char *name) {
  char path[4096];
  struct warnings warnings = {0};
  struct error error = {.warn = collect_warning, .warn_user = &warnings};
  struct arch arch = {0};
  snprintf(path, sizeof path, "%s/tests/hf/corpus/%s.json", getenv("QKV_SOURCE_ROOT"), name);
  cJSON *config = json_read(path, &error);
  if (!config || !read_config(&arch, config, &error)) fail_msg("%s", error.message);
  assert_string_equal(warnings.last, "");
  return arch;
}

// config.json as the published models have it.
static void knows_published_configs(void **state) {
  (void)state;
  struct arch gpt1 = published("openai-gpt"), gpt2 = published("gpt2"), llama2 = published("llama-2"),
              llama3 = published("llama-3.2");
  assert_int_equal(gpt1.decoder.ffn, 3072);
  assert_int_equal(gpt1.activation, ACTIVATION_GELU_TANH);
  assert_int_equal(gpt1.norm_place, NORM_POST);
  assert_int_equal(gpt2.decoder.ffn, 3072);
  assert_int_equal(gpt2.target_vocab, 50257);
  assert_true(gpt2.final_norm && gpt2.tied_head && gpt2.scaled_residuals);
  assert_float_equal(gpt2.embedding_dropout, 0.1, 1e-7);
  assert_int_equal(llama2.decoder.kv_heads, 32);
  assert_int_equal(llama2.head_width, 0);
  assert_int_equal(llama2.rotary.scaling, ROTARY_PLAIN);
  assert_float_equal(llama2.rotary.base, 10000, 0);
  assert_false(llama2.tied_head);
  assert_int_equal(llama3.decoder.kv_heads, 8);
  assert_int_equal(llama3.rotary.scaling, ROTARY_LLAMA3);
  assert_float_equal(llama3.rotary.base, 500000, 0);
  assert_float_equal(llama3.rotary.factor, 32, 0);
  assert_int_equal(llama3.rotary.original_positions, 8192);
  assert_int_equal(llama3.eos_id, 128001);
  assert_true(llama3.gated && llama3.tied_head && !llama3.attention_bias && !llama3.ffn_bias);
}

// Both spellings are read alike; a changed arch is written in the one that is there, an unchanged one not at all.
static void both_spellings_of_rotary(void **state) {
  (void)state;
  static const char *const older[] = {"{\"factor\":2.5,\"type\":\"linear\"}", "{\"factor\":2.5,\"rope_type\":\"linear\"}"};
  struct error error = {0};
  struct arch newer, arch;
  assert_true(read_config(&newer, golden_config("llama-linear", NULL, NULL), &error));
  for (int i = 0; i < 2; i++) {
    cJSON *config = golden_config("llama-linear", "rope_parameters", NULL);
    cJSON_AddItemToObject(config, "rope_scaling", cJSON_Parse(older[i]));
    cJSON_AddNumberToObject(config, "rope_theta", 1000);
    cJSON *written = cJSON_Duplicate(config, true);
    assert_true(read_config(&arch, cJSON_Duplicate(config, true), &error));
    assert_memory_equal(&arch, &newer, sizeof arch);
    assert_true(config_write(written, layout_find("llama"), &arch, NULL, TYPE_F32, &error));
    assert_true(cJSON_Compare(config, written, true));
    arch.rotary.factor = 4;
    assert_true(config_write(written, layout_find("llama"), &arch, NULL, TYPE_F32, &error));
    assert_false(json_has(written, "rope_parameters"));
    assert_float_equal(cJSON_GetObjectItem(cJSON_GetObjectItem(written, "rope_scaling"), "factor")->valuedouble, 4, 0);
    assert_true(read_config(&newer, written, &error));
    assert_memory_equal(&arch, &newer, sizeof arch);
    assert_true(read_config(&newer, golden_config("llama-linear", NULL, NULL), &error));
    cJSON_Delete(config);
  }
  cJSON *written = golden_config("llama-linear", NULL, NULL);
  newer.rotary.base = 77;
  assert_true(config_write(written, layout_find("llama"), &newer, NULL, TYPE_F32, &error));
  assert_false(json_has(written, "rope_theta") || json_has(written, "rope_scaling"));
  assert_true(read_config(&arch, written, &error));
  assert_memory_equal(&arch, &newer, sizeof arch);
}

static void chooses_the_layout(void **state) {
  (void)state;
  static const char *const names[] = {"openai-gpt", "gpt2", "llama-2", "llama-3.2"};
  for (int i = 0; i < 4; i++) {
    struct arch arch = published(names[i]);
    assert_string_equal(layout_for(&arch)->model_type, arch.layout);
    arch.embedding_scale = 2;
    assert_string_equal(layout_for(&arch)->model_type, "qkv");
  }
  struct arch arch = published("llama-2");
  arch.head_width = 64;
  assert_string_equal(layout_for(&arch)->model_type, "llama");
  arch.norm = NORM_LAYER;
  assert_string_equal(layout_for(&arch)->model_type, "qkv");
}

static double deviation(const struct model *model, const char *name) {
  const struct weight *weight = model_weight(model, name);
  double sum = 0;
  for (size_t i = 0; i < weight_size(weight); i++) sum += (double)weight->values[i] * (double)weight->values[i];
  return sqrt(sum / (double)weight_size(weight));
}

// GPT-2's residual branches end in matrices that start smaller, by 1 / sqrt(2 layers); GPT-1's don't.
static void residual_branches_start_smaller(void **state) {
  (void)state;
  static const char *const names[] = {"gpt2", "openai-gpt"};
  for (int i = 0; i < 2; i++) {
    struct error error = {0};
    struct arch arch = published(names[i]);
    arch.hidden = 96, arch.decoder.layers = 8, arch.decoder.ffn = 384, arch.target_vocab = 50, arch.bos_id = arch.eos_id = 0;
    struct model *model = model_new(&arch, &error);
    assert_true(model && model_initialise(model, 1, &error));
    double smaller = i ? 0.02 : 0.02 / 4;
    assert_float_equal(deviation(model, "decoder.0.self.query_key_value.weight"), 0.02, 0.001);
    assert_float_equal(deviation(model, "decoder.0.feed_forward.up.weight"), 0.02, 0.001);
    assert_float_equal(deviation(model, "decoder.0.self.output.weight"), smaller, 0.05 * smaller);
    assert_float_equal(deviation(model, "decoder.7.feed_forward.down.weight"), smaller, 0.05 * smaller);
    assert_float_equal(deviation(model, "decoder.positions"), 0.02, 0.001);
    model_free(model);
  }
}

// Copies a golden model.safetensors, the first `cut` letters of each tensor's name left out.
static void rewrite(const char *name, size_t cut) {
  struct safetensors from;
  char path[4096], file[4096];
  struct error error = {0};
  assert_true(safetensors_open(&from, file_join(file, golden(path, name), "model.safetensors"), &error));
  struct tensor_entry entries[100];
  for (size_t i = 0; i < from.count; i++) {
    const struct stored_tensor *tensor = &from.tensors[i];
    entries[i] =
      (struct tensor_entry){tensor->name + cut, tensor->type, tensor->dimensions, {tensor->shape[0], tensor->shape[1]}};
  }
  struct safetensors_writer writer;
  assert_true(safetensors_write_begin(&writer, file_join(file, folder, "model.safetensors"), entries, from.count, NULL, &error));
  for (size_t i = 0; i < from.count; i++) safetensors_write(&writer, from.tensors[i].data, from.tensors[i].size);
  assert_true(safetensors_write_end(&writer, &error));
  safetensors_close(&from);
}

static void use_config(cJSON *config) {
  char file[4096];
  struct error error = {0};
  assert_true(json_write_file(config, file_join(file, folder, "config.json"), &error));
  cJSON_Delete(config);
}

// What GPT2Model saves: the same names without "transformer.".
static void reads_the_bare_model(void **state) {
  (void)state;
  struct checkpoint checkpoint;
  struct error error = {0};
  rewrite("gpt2", strlen("transformer."));
  use_config(golden_config("gpt2", NULL, NULL));
  if (!checkpoint_open(folder, &checkpoint, &error)) fail_msg("%s", error.message);
  assert_non_null(model_weight(checkpoint.model, "decoder.1.feed_forward.down.weight")->parts[0].stored);
  checkpoint_close(&checkpoint);
}

static void names_the_vocabularies(void **state) {
  (void)state;
  struct checkpoint checkpoint;
  struct error error = {0};
  rewrite("gpt2", 0);
  use_config(golden_config("gpt2", "vocab_size", "98"));
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "model.safetensors: transformer.wte.weight is [97,32]; config.json wants [98,32]");
  use_config(golden_config("gpt2", "n_layer", "3"));
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "12 tensors of the model", "transformer.h.2.ln_1.weight");
  use_config(golden_config("gpt2", "n_embd", "36"));
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "config.json wants [97,36]");
  rewrite("llama", 0);
  use_config(golden_config("llama", "tie_word_embeddings", "true"));
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "lm_head.weight is there beside the tensor that config.json ties it to");
}

// A model read in one layout and saved in another one: every part of the fused weights is found again.
static void changes_the_layout(void **state) {
  (void)state;
  static const char *const names[] = {"gpt2", "gpt2-knobs", "llama-knobs"};
  for (int i = 0; i < 3; i++) {
    char path[4096];
    struct checkpoint one, other;
    struct error error = {0};
    assert_true(checkpoint_open(golden(path, names[i]), &one, &error));
    snprintf(one.model->arch.layout, sizeof one.model->arch.layout, "qkv");
    struct checkpoint_saving saving = {.type = TYPE_F32};
    if (!checkpoint_save(folder, one.model, &saving, &error) || !checkpoint_open(folder, &other, &error))
      fail_msg("%s", error.message);
    for (int w = 0; w < one.model->weight_count; w++) {
      struct weight *a = &one.model->weights[w], *b = &other.model->weights[w];
      assert_true(weight_own_values(a, &error) && weight_own_values(b, &error));
      assert_memory_equal(a->values, b->values, weight_size(a) * sizeof *a->values);
    }
    checkpoint_close(&other);
    checkpoint_close(&one);
  }
}

static void keeps_large_numbers(void **state) {
  (void)state;
  char path[4096];
  struct error error = {0};
  static const char text[] = "{\n  \"a\": 9007199254740993,\n  \"b\": [\n    -12345678901234567890,\n    3.0,\n    7\n  ]\n}\n";
  write_text(folder, "numbers.json", text);
  cJSON *json = json_read_exact(file_join(path, folder, "numbers.json"), &error);
  assert_true(json && json_write_exact(json, path, &error));
  cJSON_Delete(json);
  struct file_map map;
  assert_true(file_map_open(&map, path, &error));
  assert_int_equal(map.size, strlen(text));
  assert_memory_equal(map.data, text, map.size);
  file_map_close(&map);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(refuses_bad_configs), cmocka_unit_test(warns_of_odd_configs), cmocka_unit_test(knows_published_configs),
    cmocka_unit_test(both_spellings_of_rotary), cmocka_unit_test(chooses_the_layout),
    cmocka_unit_test(residual_branches_start_smaller),
    cmocka_unit_test_setup_teardown(reads_the_bare_model, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(names_the_vocabularies, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(changes_the_layout, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(keeps_large_numbers, make_test_folder, remove_test_folder)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
