// Directories that are wrong in one thing each: every one is refused with a message that names it, or loads with a warning.
#include "base/memory.h"
#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf/safetensors_writer.h"
#include "folder_fixture.h"

// --- config.json with one key changed

static void write_config(const char *key, const char *value) {
  char path[4096], file[4096];
  struct error error = {0};
  cJSON *config = json_read(file_join(file, golden(path, "marian"), "config.json"), &error);
  assert_non_null(config);
  cJSON_DeleteItemFromObjectCaseSensitive(config, key);
  if (value) cJSON_AddItemToObject(config, key, cJSON_Parse(value));
  assert_true(json_write_file(config, file_join(file, folder, "config.json"), &error));
  cJSON_Delete(config);
}

static void use_golden(const char *name) {
  char path[4096], file[4096];
  copy_file(file_join(file, golden(path, name), "config.json"), folder, "config.json");
  copy_file(file_join(file, path, "model.safetensors"), folder, "model.safetensors");
}

static void refuses_bad_configs(void **state) {
  (void)state;
  static const char *const cases[][3] = {
    {"model_type", "\"t5\"", "\"model_type\" is \"t5\"; qkv reads marian, pegasus, "},
    {"model_type", NULL, "no \"model_type\""},
    {"model_type", "7", "has to be a text"},
    {"d_model", "\"32\"", "\"d_model\" has to be a whole number"},
    {"d_model", "32.5", "\"d_model\" has to be a whole number"},
    {"d_model", "0", "\"d_model\" is 0; it has to be from 1"},
    {"d_model", "-32", "it has to be from 1"},
    {"d_model", "1e30", "it has to be from 1"},
    {"d_model", "[32]", "has to be a whole number"},
    {"encoder_layers", "1000000", "it has to be from 1 to 1000"},
    {"encoder_attention_heads", "0", "\"encoder_attention_heads\" is 0"},
    {"encoder_attention_heads", "5", "cannot be divided among"},
    {"vocab_size", "99999999999", "\"vocab_size\" is 1e+11"},
    {"activation_function", "\"quick_gelu\"", "\"activation_function\" is \"quick_gelu\"; qkv has relu, gelu"},
    {"activation_function", "3", "has to be a text"},
    {"scale_embedding", "1", "\"scale_embedding\" has to be true or false"},
    {"dropout", "1.5", "\"dropout\" is 1.5"},
    {"decoder_vocab_size", "98", "\"decoder_vocab_size\" is 98; with shared embeddings"},
    {"is_encoder_decoder", "false", "\"is_encoder_decoder\" is false; qkv's marian models only know true"},
    {"quantization_config", "{\"bits\":8}", "\"quantization_config\" is {\"bits\":8}"},
    {"is_decoder", "true", "\"is_decoder\" is true"},
    {"hidden_size", "64", "\"hidden_size\" and \"d_model\" are two names of one thing"},
    {"decoder_start_token_id", "97", "\"decoder_start_token_id\" is 97; the vocabulary has the ids 0 to 96"},
    {"pad_token_id", NULL, "\"pad_token_id\" is 58100; the vocabulary has the ids 0 to 96"},
    {"num_beams", "0", "\"num_beams\" is 0"},
    {"bad_words_ids", "[96]", "\"bad_words_ids\" has to be a list of lists"},
    {"early_stopping", "\"sometimes\"", "\"early_stopping\" has to be"},
  };
  use_golden("marian");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct checkpoint checkpoint;
    struct error error = {0};
    write_config(cases[i][0], cases[i][1]);
    if (checkpoint_open(folder, &checkpoint, &error))
      fail_msg("%s: %s opened", cases[i][0], cases[i][1] ? cases[i][1] : "missing");
    assert_refused(&error, cases[i][2]);
  }
}

static void reads_odd_but_valid_configs(void **state) {
  (void)state;
  static const char *const cases[][3] = {
    {"normalize_before", "false", NULL}, {"num_hidden_layers", "2", NULL}, {"hidden_size", "32", NULL},
    {"quantization_config", "null", NULL}, {"torch_dtype", "\"float32\"", NULL}, {"eos_token_id", "[0, 5]", NULL},
    {"bos_token_id", "3", NULL}, {"max_length", "512", NULL}, {"id2label", "{\"0\": \"LABEL_0\"}", NULL},
    {"encoder_layerdrop", "0.1", "\"encoder_layerdrop\" is 0.1; qkv ignores it"},
    {"static_position_embeddings", "false", "\"static_position_embeddings\" is false; qkv ignores it"},
    {"surprise", "1", "unknown and ignored: \"surprise\""}, {"num_beam_groups", "2", "doesn't know \"num_beam_groups\""},
    {"decoder_vocab_size", NULL, NULL}, {"dropout", NULL, NULL}, {"is_encoder_decoder", NULL, NULL},
  };
  use_golden("marian");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct checkpoint checkpoint;
    struct warnings warnings = {0};
    struct error error = {.warn = collect_warning, .warn_user = &warnings};
    write_config(cases[i][0], cases[i][1]);
    if (!checkpoint_open(folder, &checkpoint, &error)) fail_msg("%s: %s", cases[i][0], error.message);
    assert_int_equal(warnings.count, cases[i][2] != NULL);
    if (cases[i][2] && !strstr(warnings.last, cases[i][2])) fail_msg("%s", warnings.last);
    checkpoint_close(&checkpoint);
  }
}

// config.json as the published translators have it, with keys from many years: nothing to warn about.
static void knows_published_configs(void **state) {
  (void)state;
  static const char *const files[] = {"opus-mt.json", "pegasus-xsum.json"};
  for (int i = 0; i < 2; i++) {
    char path[4096];
    struct arch arch;
    const struct layout *layout;
    struct generation_defaults defaults;
    struct warnings warnings = {0};
    struct error error = {.warn = collect_warning, .warn_user = &warnings};
    snprintf(path, sizeof path, "%s/tests/hf/corpus/%s", getenv("QKV_SOURCE_ROOT"), files[i]);
    cJSON *json = json_read(path, &error);
    if (!json || !config_read(&arch, &layout, json, path, &error)) fail_msg("%s", error.message);
    assert_true(generation_defaults_read(&defaults, folder, json, &error));
    assert_string_equal(warnings.last, "");
    assert_int_equal(defaults.num_beams, i ? 8 : 4);
    assert_int_equal(defaults.bad_word_count, i ? 0 : 1);
    assert_int_equal(arch.activation, i ? ACTIVATION_RELU : ACTIVATION_SILU);
    generation_defaults_free(&defaults);
    cJSON_Delete(json);
  }
}

static void refuses_what_is_no_model(void **state) {
  (void)state;
  struct checkpoint checkpoint;
  struct error error = {0};
  char sub[4096], path[4096];
  assert_false(checkpoint_open(file_join(path, folder, "none"), &checkpoint, &error));
  assert_refused(&error, "none: there is no such directory");
  write_text(folder, "a file", "x");
  assert_false(checkpoint_open(file_join(path, folder, "a file"), &checkpoint, &error));
  assert_refused(&error, "this is a file");
  assert_true(file_make_directory(file_join(sub, folder, "sub"), &error));
  assert_false(checkpoint_open(sub, &checkpoint, &error));
  assert_refused(&error, "no config.json");
  static const char *const texts[][2] = {
      {"", "empty"},
      {"{\"model_type\":", "not valid JSON at line 1"},
      {"[]", "a JSON object is wanted"},
      {"{\"model_type\":\"marian\",\"d_model\":8,\"d_model\":9}", "\"d_model\" is there twice"}};
  for (size_t i = 0; i < 4; i++) {
    write_text(sub, "config.json", texts[i][0]);
    assert_false(checkpoint_open(sub, &checkpoint, &error));
    assert_refused(&error, texts[i][1]);
  }
  use_golden("marian");
  write_text(folder, "generation_config.json", "{\"num_beams\": 2.5}");
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "generation_config.json: \"num_beams\" has to be a whole number");
  unlink(file_join(path, folder, "generation_config.json"));
  unlink(file_join(path, folder, "model.safetensors"));
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "no model.safetensors");
}

// --- model.safetensors with one tensor changed

enum change { LEFT_OUT, RENAMED, RESHAPED, RETYPED, ADDED, TIED_SAME, TIED_OTHER };

static void write_changed(const char *name, enum change change) {
  struct safetensors from;
  char path[4096], file[4096];
  struct error error = {0};
  assert_true(safetensors_open(&from, file_join(file, golden(path, "marian"), "model.safetensors"), &error));
  struct tensor_entry entries[200];
  const void *data[200];
  size_t sizes[200], count = 0;
  float *other = calloc(97 * 32, 4);
  for (size_t i = 0; i < from.count; i++) {
    const struct stored_tensor *tensor = &from.tensors[i];
    bool meant = strcmp(tensor->name, name) == 0;
    if (meant && change == LEFT_OUT) continue;
    struct tensor_entry *entry = &entries[count];
    *entry = (struct tensor_entry){tensor->name, tensor->type, tensor->dimensions, {tensor->shape[0], tensor->shape[1]}};
    data[count] = tensor->data;
    sizes[count++] = tensor->size;
    if (!meant) continue;
    if (change == RENAMED) entry->name = "model.encoder.something";
    if (change == RETYPED) entry->type = TENSOR_I32;
    if (change == RESHAPED) {
      entry->shape[0] *= 2;
      entry->shape[1] /= 2;
    }
    if (change < ADDED) continue;
    entries[count] = *entry;
    entries[count].name = change == ADDED ? "classification_head.weight" : "lm_head.weight";
    data[count] = change == TIED_OTHER ? other : tensor->data;
    sizes[count++] = tensor->size;
  }
  struct safetensors_writer writer;
  assert_true(safetensors_write_begin(&writer, file_join(file, folder, "model.safetensors"), entries, count, NULL, &error));
  for (size_t i = 0; i < count; i++) safetensors_write(&writer, data[i], sizes[i]);
  assert_true(safetensors_write_end(&writer, &error));
  safetensors_close(&from);
  free(other);
}

static void refuses_bad_tensors(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum change change;
    const char *message;
  } cases[] = {
      {"model.encoder.layers.1.fc1.weight", LEFT_OUT,
       "1 tensor of the model that config.json describes is missing: model.encoder.layers.1.fc1.weight"},
      {"model.shared.weight", LEFT_OUT, "is missing: model.shared.weight"},
      {"model.encoder.layers.1.fc1.weight", RENAMED, "is missing: model.encoder.layers.1.fc1.weight"},
      {"model.decoder.layers.2.encoder_attn.k_proj.weight", RESHAPED,
       "model.decoder.layers.2.encoder_attn.k_proj.weight is [64,16]; config.json wants [32,32]"},
      {"model.shared.weight", RETYPED, "model.shared.weight has numbers of type I32"},
      {"model.shared.weight", TIED_OTHER, "lm_head.weight is there beside the tensor that config.json ties it to"},
  };
  use_golden("marian");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct checkpoint checkpoint;
    struct error error = {0};
    write_changed(cases[i].name, cases[i].change);
    if (checkpoint_open(folder, &checkpoint, &error)) fail_msg("%s opened", cases[i].name);
    assert_refused(&error, cases[i].message);
  }
}

static void reads_odd_but_valid_tensors(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum change change;
    const char *warning;
  } cases[] = {
    {"final_logits_bias", LEFT_OUT, NULL},
    {"model.shared.weight", TIED_SAME, NULL},
    {"model.shared.weight", ADDED, "1 tensor is not used by this kind of model: classification_head.weight"},
  };
  use_golden("marian");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct checkpoint checkpoint;
    struct warnings warnings = {0};
    struct error error = {.warn = collect_warning, .warn_user = &warnings};
    write_changed(cases[i].name, cases[i].change);
    if (!checkpoint_open(folder, &checkpoint, &error)) fail_msg("%s", error.message);
    assert_int_equal(warnings.count, cases[i].warning != NULL);
    if (cases[i].warning && !strstr(warnings.last, cases[i].warning)) fail_msg("%s", warnings.last);
    checkpoint_close(&checkpoint);
  }
}

// A config.json that wants another size: the message says what lies in the file and what was wanted.
static void names_both_shapes(void **state) {
  (void)state;
  struct checkpoint checkpoint;
  struct error error = {0};
  use_golden("marian");
  write_config("d_model", "64");
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(&error, "model.safetensors: model.shared.weight is [97,32]; config.json wants [97,64]");
  write_config("decoder_layers", "9");
  assert_false(checkpoint_open(folder, &checkpoint, &error));
  assert_refused(
      &error, "156 tensors of the model that config.json describes are missing: model.decoder.layers.3.self_attn.q_proj.weight",
      "and 151 more");
  write_config("encoder_layers", "1");
  struct warnings warnings = {0};
  error = (struct error){.warn = collect_warning, .warn_user = &warnings};
  assert_true(checkpoint_open(folder, &checkpoint, &error));
  assert_true(strstr(warnings.last, "16 tensors are not used by this kind of model: ") != NULL);
  checkpoint_close(&checkpoint);
}

// --- memory

static void survives_every_failing_allocation(void **state) {
  (void)state;
  static const char *const cases[] = {"marian", "marian-sharded", "pegasus", "marian-generate", "gpt2", "llama-yarn"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool opened = false;
    for (long n = 0; !opened; n++) {
      char path[4096];
      struct checkpoint checkpoint;
      struct error error = {0};
      golden(path, cases[i]);
      memory_fail_after(n);
      opened = checkpoint_open(path, &checkpoint, &error);
      memory_fail_after(-1);
      if (opened) checkpoint_close(&checkpoint);
      else if (error.code != ERROR_MEMORY) fail_msg("%s, allocation %ld: %s", cases[i], n, error.message);
      assert_true(n < 100000);
    }
  }
}

static void survives_failing_allocations_when_saving(void **state) {
  (void)state;
  char path[4096];
  struct checkpoint checkpoint;
  struct error error = {0};
  assert_true(checkpoint_open(golden(path, "marian-knobs"), &checkpoint, &error));
  bool saved = false;
  for (long n = 0; !saved; n++) {
    struct checkpoint_saving saving = {.type = TYPE_BF16, .shard_size = 10000};
    error = (struct error){0};
    memory_fail_after(n);
    saved = checkpoint_save(folder, checkpoint.model, &saving, &error);
    memory_fail_after(-1);
    if (!saved) assert_int_equal(error.code, ERROR_MEMORY);
  }
  checkpoint_close(&checkpoint);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(refuses_bad_configs, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(reads_odd_but_valid_configs, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(knows_published_configs, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(refuses_what_is_no_model, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(refuses_bad_tensors, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(reads_odd_but_valid_tensors, make_test_folder, remove_test_folder),
    cmocka_unit_test_setup_teardown(names_both_shapes, make_test_folder, remove_test_folder),
    cmocka_unit_test(survives_every_failing_allocation),
    cmocka_unit_test_setup_teardown(survives_failing_allocations_when_saving, make_test_folder, remove_test_folder)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
