// Load, save, load: the same bits, in every type, in one file and in shards, over what was there before.
#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf/layout.h"
#include "hf_test.h"
#include "tensor/number.h"

static void open_golden(struct checkpoint *checkpoint, const char *name) {
  char path[4096];
  struct error error = {0};
  if (!checkpoint_open(golden(path, name), checkpoint, &error)) fail_msg("%s: %s", name, error.message);
}

static void save(const char *folder, const struct checkpoint *checkpoint, enum number_type type, size_t shard_size) {
  struct error error = {0};
  struct checkpoint_saving saving = {type, shard_size, checkpoint->config, &checkpoint->generation};
  if (!checkpoint_save(folder, checkpoint->model, &saving, &error)) fail_msg("%s", error.message);
}

static void assert_same_file(const char *one, const char *other) {
  struct file_map a, b;
  struct error error = {0};
  assert_true(file_map_open(&a, one, &error) && file_map_open(&b, other, &error));
  if (a.size != b.size || memcmp(a.data, b.data, a.size) != 0) fail_msg("%s and %s differ", one, other);
  file_map_close(&a);
  file_map_close(&b);
}

// Every weight, rounded to `type` in between.
static void assert_same_weights(const struct model *one, const struct model *other, enum number_type type) {
  assert_int_equal(one->weight_count, other->weight_count);
  for (int w = 0; w < one->weight_count; w++) {
    struct weight *a = &one->weights[w], *b = &other->weights[w];
    struct error error = {0};
    assert_string_equal(a->name, b->name);
    assert_true((a->parts[0].stored != NULL) == (b->parts[0].stored != NULL));
    assert_true(weight_own_values(a, &error) && weight_own_values(b, &error));
    for (size_t i = 0; i < weight_size(a); i++) {
      float rounded = a->values[i];
      if (type == TYPE_F16) rounded = number_from_f16(number_to_f16(rounded));
      if (type == TYPE_BF16) rounded = number_from_bf16(number_to_bf16(rounded));
      if (number_bits(rounded) != number_bits(b->values[i]))
        fail_msg("%s[%zu]: %.9g, not %.9g", a->name, i, (double)b->values[i], (double)rounded);
    }
  }
}

// What transformers wrote comes out again, byte for byte.
static void same_bytes_as_transformers(void **state) {
  (void)state;
  static const char *const cases[] = {"marian", "marian-knobs", "marian-unshared", "marian-one-head", "marian-f16", "marian-bf16",
                                      "marian-long", "marian-generate", "pegasus", "pegasus-tanh", "openai-gpt", "gpt2", "gpt2-knobs",
                                      "llama", "llama-knobs", "llama-linear", "llama-dynamic", "llama-llama3", "llama-yarn",
                                      "llama-yarn-scaled"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct checkpoint checkpoint;
    char folder[4096], one[4096], other[4096], path[4096];
    open_golden(&checkpoint, cases[i]);
    make_folder(folder);
    save(folder, &checkpoint, checkpoint.type, 0);
    golden(path, cases[i]);
    assert_same_file(file_join(one, path, "model.safetensors"), file_join(other, folder, "model.safetensors"));
    assert_same_file(file_join(one, path, "config.json"), file_join(other, folder, "config.json"));
    if (file_exists(file_join(one, path, "generation_config.json")))
      assert_same_file(one, file_join(other, folder, "generation_config.json"));
    checkpoint_close(&checkpoint);
    remove_folder(folder);
  }
}

static void same_weights_in_every_type(void **state) {
  (void)state;
  static const char *const cases[] = {"marian",  "marian-unshared", "marian-untied", "marian-sharded",
                                      "pegasus", "pegasus-silu",    "gpt2",          "llama-knobs"};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int type = TYPE_F32; type <= TYPE_BF16; type++) {
      for (size_t shard_size = 0; shard_size <= 5000; shard_size += 5000) {
        struct checkpoint checkpoint, again;
        char folder[4096];
        struct error error = {0};
        open_golden(&checkpoint, cases[i]);
        make_folder(folder);
        save(folder, &checkpoint, (enum number_type)type, shard_size);
        if (!checkpoint_open(folder, &again, &error)) fail_msg("%s: %s", cases[i], error.message);
        assert_int_equal(again.type, type);
        assert_int_equal(again.tensors.file_count > 1, shard_size > 0);
        assert_same_weights(checkpoint.model, again.model, (enum number_type)type);
        checkpoint_close(&again);
        checkpoint_close(&checkpoint);
        remove_folder(folder);
      }
    }
  }
}

// Readers take model.safetensors before an index: what is old has to go.
static void replaces_what_was_there(void **state) {
  (void)state;
  struct checkpoint marian, other, again;
  char folder[4096], path[4096];
  struct error error = {0};
  open_golden(&marian, "marian");
  open_golden(&other, "marian-bf16");
  make_folder(folder);
  save(folder, &marian, TYPE_F32, 0);
  save(folder, &other, TYPE_BF16, 30000);
  assert_false(file_exists(file_join(path, folder, "model.safetensors")));
  assert_true(checkpoint_open(folder, &again, &error));
  int files = (int)again.tensors.file_count;
  assert_true(files > 2);
  // Saved over the very files that it is mapped from.
  save(folder, &again, TYPE_BF16, 60000);
  assert_same_weights(other.model, again.model, TYPE_BF16);
  checkpoint_close(&again);
  char first[64];
  snprintf(first, sizeof first, "model-00001-of-%05d.safetensors", files);
  assert_false(file_exists(file_join(path, folder, first)));
  save(folder, &marian, TYPE_F32, 0);
  assert_false(file_exists(file_join(path, folder, "model.safetensors.index.json")));
  assert_true(checkpoint_open(folder, &again, &error));
  assert_int_equal(again.tensors.file_count, 1);
  assert_same_weights(marian.model, again.model, TYPE_F32);
  checkpoint_close(&again);
  checkpoint_close(&marian);
  checkpoint_close(&other);
  remove_folder(folder);
}

static struct arch small_arch(const char *layout) {
  struct arch arch = {
    .family = FAMILY_ENCODER_DECODER, .hidden = 12, .source_vocab = 11, .target_vocab = 11, .encoder = {2, 3, 3, 20},
    .decoder = {1, 2, 2, 24}, .norm_epsilon = 1e-5f, .residual = true, .positions = POSITIONS_SINUSOID, .max_positions = 16,
    .embedding_scale = 3.46410161513775459f, .activation = ACTIVATION_RELU, .attention_bias = true, .ffn_bias = true,
    .head_bias = true, .shared_embeddings = true, .tied_head = true, .dropout = 0.1f, .embedding_dropout = 0.1f, .bos_id = -1, .eos_id = 0, .pad_id = 10,
    .unk_id = 1, .decoder_start_id = 10, .forced_eos_id = 0};
  snprintf(arch.layout, sizeof arch.layout, "%s", layout);
  return arch;
}

static void saves_a_new_model(void **state) {
  (void)state;
  struct arch arch = small_arch("marian");
  struct error error = {0};
  struct model *model = model_new(&arch, &error);
  assert_true(model && model_initialise(model, 7, &error));
  char folder[4096], deep[4096];
  file_join(deep, make_folder(folder), "a/b");
  struct checkpoint_saving saving = {.type = TYPE_F32};
  assert_true(checkpoint_save(deep, model, &saving, &error));
  struct checkpoint again;
  if (!checkpoint_open(deep, &again, &error)) fail_msg("%s", error.message);
  assert_false(cJSON_HasObjectItem(again.config, "init_std"));  // ours is 0: Xavier
  again.arch.initial_deviation = 0;
  assert_memory_equal(&again.arch, &arch, sizeof arch);
  assert_int_equal(again.generation.max_length, 16);
  assert_int_equal(again.generation.decoder_start_id, 10);
  assert_int_equal(again.generation.forced_eos_id, 0);
  assert_int_equal(again.generation.eos_count, 1);
  assert_int_equal(again.generation.bad_word_count, 1);
  assert_int_equal(again.generation.bad_words[0], 10);
  assert_true(again.tensors.count > 30 && !safetensors_find(&again.tensors, "model.encoder.embed_positions.weight"));
  for (int w = 0; w < model->weight_count; w++) {
    struct weight *b = &again.model->weights[w];
    if (!b->parts[0].stored) continue;  // sinusoids
    assert_true(weight_own_values(b, &error));
    assert_memory_equal(model->weights[w].values, b->values, weight_size(b) * sizeof(float));
  }
  checkpoint_close(&again);
  model_free(model);
  remove_folder(folder);
}

// Every knob that has a word nowhere else goes to "qkv", and comes back.
static void saves_any_mix_of_knobs(void **state) {
  (void)state;
  for (int i = 0; i < 15; i++) {
    struct arch arch = small_arch("qkv");
    switch (i) {
      case 0: arch.norm = NORM_RMS; break;
      case 1: arch.norm = NORM_NONE; break;
      case 2: arch.norm_place = NORM_PRE; break;  // without a final norm
      case 3: arch.norm_epsilon = 1e-6f; break;
      case 4: arch.embedding_norm = true; break;
      case 5: arch.residual = false; break;
      case 6: arch.positions = POSITIONS_LEARNED; break;
      case 7: arch.positions = POSITIONS_SINUSOID_INTERLEAVED; break;
      case 8: arch.positions = POSITIONS_NONE; arch.max_positions = 0; break;
      case 9: arch.embedding_scale = 2.5f; break;
      case 10: arch.attention_bias = false; break;
      case 11: arch.ffn_bias = arch.head_bias = false; break;
      case 12: arch.tied_head = false; break;
      case 13: arch.encoder.kv_heads = 1; arch.head_width = 8; break;
      default: arch.attention_scale = 0.25f; arch.head_bias_trainable = true; arch.position_offset = 2;
    }
    struct error error = {0};
    struct arch other = arch;
    assert_string_equal(layout_for(&arch)->model_type, "qkv");
    struct model *model = model_new(&arch, &error);
    if (!model || !model_initialise(model, 3, &error)) fail_msg("knob %d: %s", i, error.message);
    char folder[4096];
    make_folder(folder);
    struct checkpoint_saving saving = {.type = TYPE_F32};
    assert_true(checkpoint_save(folder, model, &saving, &error));
    struct checkpoint again;
    if (!checkpoint_open(folder, &again, &error)) fail_msg("knob %d: %s", i, error.message);
    assert_memory_equal(&again.arch, &arch, sizeof arch);
    for (int w = 0; w < model->weight_count; w++) {
      assert_true(weight_own_values(&again.model->weights[w], &error));
      assert_memory_equal(model->weights[w].values, again.model->weights[w].values,
                          weight_size(&model->weights[w]) * sizeof(float));
    }
    checkpoint_close(&again);
    // Marian can't say it, and says so.
    snprintf(other.layout, sizeof other.layout, "marian");
    model->arch = other;
    assert_false(checkpoint_save(folder, model, &saving, &error));
    assert_refused(&error, "a marian model can't have", "save it as \"qkv\"");
    model_free(model);
    remove_folder(folder);
  }
}

static void chooses_the_layout(void **state) {
  (void)state;
  struct arch arch = small_arch("");
  assert_string_equal(layout_for(&arch)->model_type, "marian");
  arch.unk_id = 5;
  assert_string_equal(layout_for(&arch)->model_type, "marian");
  arch.norm_place = NORM_PRE;
  arch.final_norm = true;
  assert_string_equal(layout_for(&arch)->model_type, "pegasus");
  arch.shared_embeddings = false;
  assert_string_equal(layout_for(&arch)->model_type, "qkv");
  arch.tied_head = false;
  assert_string_equal(layout_for(&arch)->model_type, "pegasus");
}

// A knob that no key of "qkv" names would be lost in silence: each byte of struct arch belongs to a key or is padding.
static void qkv_names_every_knob(void **state) {
  (void)state;
  bool named[sizeof(struct arch)] = {0};
  memset(named + offsetof(struct arch, layout), true, sizeof((struct arch *)0)->layout);
  for (const struct config_key *key = layout_qkv.keys; key->key; key++)
    memset(named + key->field, true, key->type == CONFIG_BOOLEAN ? 1 : 4);
  // A run of unnamed bytes is padding only if it is shorter than 4 and ends where an aligned field begins.
  for (size_t i = 0; i < sizeof named; i++) {
    size_t end = i;
    while (end < sizeof named && !named[end]) end++;
    if (end > i && (end - i >= 4 || (end < sizeof named && end % 4 != 0))) fail_msg("no key for byte %zu of struct arch", i);
    if (end > i) i = end;
  }
}

static void refuses_what_does_not_fit(void **state) {
  (void)state;
  struct arch arch = small_arch("marian");
  struct error error = {0};
  struct model *model = model_new(&arch, &error);
  char folder[4096];
  make_folder(folder);
  struct checkpoint_saving saving = {.type = TYPE_F16};
  assert_false(checkpoint_save(folder, model, &saving, &error));
  assert_refused(&error, "has no values yet");
  assert_true(model_initialise(model, 7, &error));
  model_weight(model, "embedding")->values[5] = 70000;
  assert_false(checkpoint_save(folder, model, &saving, &error));
  assert_refused(&error, "embedding holds 1 numbers that are too large for f16");
  char path[4096];
  assert_false(file_exists(file_join(path, folder, "model.safetensors")));
  assert_false(file_exists(file_join(path, folder, "model.safetensors.tmp")));
  snprintf(model->arch.layout, sizeof model->arch.layout, "t5");
  assert_false(checkpoint_save(folder, model, &saving, &error));
  assert_refused(&error, "no layout \"t5\"");
  model_free(model);
  remove_folder(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(same_bytes_as_transformers), cmocka_unit_test(same_weights_in_every_type),
                                     cmocka_unit_test(replaces_what_was_there),    cmocka_unit_test(saves_a_new_model),
                                     cmocka_unit_test(saves_any_mix_of_knobs),     cmocka_unit_test(chooses_the_layout),
                                     cmocka_unit_test(qkv_names_every_knob),       cmocka_unit_test(refuses_what_does_not_fit)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
