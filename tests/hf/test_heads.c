// Heads in model directories: every head in every layout is saved and opens again as the same model; another head is asked for;
// labels have names; published config.json files are understood; and what is wrong is refused with its reason.
#include "../model/tiny.h"
#include "base/memory.h"
#include "cpu/cpu.h"
#include "hf/checkpoint.h"
#include "hf/config.h"
#include "hf/safetensors_writer.h"
#include "hf_test.h"

static char folder[4096];
static struct context context;
static struct error error;

enum { HEADS = HEAD_REPLACED + 1 };

// What the head says about the tiny batch, in memory that the caller frees.
static float *outputs_of(struct model *model, size_t *size) {
  struct tiny_batch tiny;
  struct head_outputs outputs;
  tiny_head_batch(&tiny, &model->arch);
  context_begin(&context, false, false, 1, 0);
  struct tensor *hidden = model_hidden(&context, model, &tiny.batch);
  assert_true(model_head_outputs(&context, model, &tiny.batch, hidden, NULL, 0, &outputs));
  const struct tensor *parts[] = {hidden, outputs.rows, outputs.pooled, outputs.texts};
  *size = 0;
  float *all = NULL;
  for (int i = 0; i < 4; i++) {
    size_t bytes = parts[i] ? (size_t)parts[i]->rows * (size_t)parts[i]->cols * sizeof(float) : 0;
    if (!bytes) continue;
    all = realloc(all, *size + bytes);
    memcpy((char *)all + *size, parts[i]->data, bytes);
    *size += bytes;
  }
  return all;
}

static void check_saving(const struct arch *arch, const char *what) {
  struct checkpoint checkpoint;
  struct checkpoint_saving saving = {.type = TYPE_F32};
  struct model *model = model_new(arch, &error);
  if (!model || !model_initialise(model, 3, &error) || !model_prepare(model, context.kernels, false, &error) ||
      !checkpoint_save(folder, model, &saving, &error) || !checkpoint_open(folder, &checkpoint, &error))
    fail_msg("%s: %s", what, error.message);
  struct arch read = checkpoint.arch;
  read.head_dropout = arch->head_dropout;  // incidental
  read.pooler_dropout = arch->pooler_dropout;
  read.initial_deviation = arch->initial_deviation;
  if (strcmp(read.layout, arch->layout) != 0 || !config_same(layout_qkv.keys, &read, arch))
    fail_msg("%s: another arch came back", what);
  assert_int_equal(error.warnings, 0);
  assert_int_equal(checkpoint.labels.count, arch->labels);
  if (!model_prepare(checkpoint.model, context.kernels, false, &error)) fail_msg("%s", error.message);
  size_t size, size_again;
  float *before = outputs_of(model, &size), *after = outputs_of(checkpoint.model, &size_again);
  if (size != size_again || memcmp(before, after, size) != 0) fail_msg("%s: other numbers came back", what);
  free(before);
  free(after);
  checkpoint_close(&checkpoint);
  model_free(model);
}

// Any mix of knobs is a "qkv" model, if no layout has the words.
static void every_head_comes_back(void **state) {
  for (int head = 0; head < HEADS; head++) {
    for (int variant = 0; variant < 10; variant++) {
      struct arch arch = tiny_head_arch((enum head_kind)head, variant == 9);
      if (variant == 1) arch.relative_buckets = 8, arch.relative_distance = 4;
      if (variant == 2) arch.encoder.groups = 1;
      if (variant == 3) arch.embedding_width = 7;
      if (variant == 4) arch.types = 0, arch.position_offset = 2;
      if (variant == 5) arch.pooler = true, arch.pooler_activation = ACTIVATION_RELU;
      if (variant == 6) arch.tied_head = false;
      if (variant == 7) arch.norm_place = NORM_PRE, arch.final_norm = true;
      if (variant == 8) arch.labels = arch.head == HEAD_CLASSIFY ? 1 : arch.labels;
      char what[40];
      snprintf(what, sizeof what, "head %d, variant %d", head, variant);
      snprintf(arch.layout, sizeof arch.layout, "%s", layout_for(&arch)->model_type);
      check_saving(&arch, what);
    }
  }
}

static void shrink(struct arch *arch) {
  struct stack_arch *stack = arch->family == FAMILY_ENCODER ? &arch->encoder : &arch->decoder;
  arch->hidden = 12;
  *stack = (struct stack_arch){.layers = 2, .heads = 2, .kv_heads = 2, .ffn = 48, .groups = stack->groups};
  *(arch->family == FAMILY_ENCODER ? &arch->source_vocab : &arch->target_vocab) = TINY_VOCABULARY;
  if (arch->embedding_width) arch->embedding_width = 8;
  arch->bos_id = arch->eos_id = arch->bos_id < 0 ? -1 : 2;
}

static void every_layout_has_its_heads(void **state) {
  static const char *const layouts[] = {"bert",   "roberta", "xlm-roberta", "distilbert", "electra",
                                        "albert", "mpnet",   "gpt2",        "openai-gpt", "llama"};
  int fine = 0;
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    for (int head = 0; head < HEADS; head++) {
      struct arch arch;
      char what[64];
      snprintf(what, sizeof what, "%s, head %d", layouts[i], head);
      if (!config_defaults(&arch, layouts[i], (enum head_kind)head, head == HEAD_CLASSIFY || head == HEAD_TAG ? 3 : 0, &error)) {
        assert_refused(&error, layouts[i], "model can't have");
        continue;
      }
      shrink(&arch);
      check_saving(&arch, what);
      struct error ignored = {0};
      assert_true(config_can_say(layout_find(layouts[i]), &arch, &ignored));
      fine++;
    }
  }
  assert_int_equal(fine, 8 + 6 + 6 + 6 + 7 + 7 + 6 + 6 + 4 + 4);
}

// A mix of knobs has no class that says its head's parts: asked for the head that is there, it keeps them. So does a training
// that is resumed.
static void the_head_that_is_there_is_kept(void **state) {
  for (int head = 0; head < HEADS; head++) {
    struct checkpoint checkpoint;
    struct checkpoint_saving saving = {.type = TYPE_F32};
    struct arch arch = tiny_head_arch((enum head_kind)head, false);
    arch.norm_place = NORM_PRE, arch.final_norm = true;
    snprintf(arch.layout, sizeof arch.layout, "qkv");
    struct model *model = model_new(&arch, &error);
    assert_true(model && model_initialise(model, 3, &error) && checkpoint_save(folder, model, &saving, &error));
    if (!checkpoint_open_as(folder, &(struct head_choice){arch.head, arch.labels, 7}, &checkpoint, &error))
      fail_msg("%s", error.message);
    if (!config_same(layout_qkv.keys, &checkpoint.arch, &arch)) fail_msg("head %d: another arch came back", head);
    assert_int_equal(error.warnings, 0);
    assert_int_equal(checkpoint.labels.count, arch.labels);
    checkpoint_close(&checkpoint);
    model_free(model);
  }
}

// A new head on an old body: what the file lacks is made from the seed and listed, what it has is kept.
static void another_head_can_be_asked_for(void **state) {
  char path[4096];
  struct warnings warnings = {0};
  error = (struct error){.warn = collect_warning, .warn_user = &warnings};
  struct checkpoint tag, again, same, more, span;
  golden(path, "bert-classify");
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_TAG, 5, 7}, &tag, &error));
  assert_int_equal(tag.model->head.classifier.weight->rows, 5);
  assert_int_equal(tag.arch.head, HEAD_TAG);
  assert_null(tag.model->head.pooler.weight);
  assert_int_equal(tag.labels.count, 0);
  assert_int_equal(warnings.count, 2);  // what is new, and what is not used any more
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_TAG, 5, 7}, &again, &error));
  const struct weight *made = tag.model->head.classifier.weight;
  assert_memory_equal(made->values, again.model->head.classifier.weight->values, weight_size(made) * sizeof(float));
  warnings = (struct warnings){0};
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_CLASSIFY, 3, 7}, &same, &error));
  assert_int_equal(warnings.count, 0);
  assert_int_equal(same.labels.count, 3);
  assert_non_null(same.model->head.classifier.weight->parts[0].stored);
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_CLASSIFY, 4, 7}, &more, &error));
  assert_null(more.model->head.classifier.weight->parts[0].stored);
  assert_non_null(more.model->head.pooler.weight->parts[0].stored);
  golden(path, "bert");
  warnings = (struct warnings){0};
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_SPAN, 0, 7}, &span, &error));
  assert_int_equal(span.model->head.classifier.weight->rows, 2);
  checkpoint_close(&span);
  assert_true(checkpoint_open_as(path, &(struct head_choice){HEAD_CLASSIFY, 2, 7}, &span, &error));
  if (!strstr(warnings.last, "2 tensors of the new head start from random numbers: classifier.weight, classifier.bias"))
    fail_msg("%s", warnings.last);
  struct checkpoint *opened[] = {&tag, &again, &same, &more, &span};
  for (int i = 0; i < 5; i++) checkpoint_close(opened[i]);
  assert_false(checkpoint_open_as(golden(path, "marian"), &(struct head_choice){HEAD_TAG, 3, 1}, &tag, &error));
  assert_refused(&error, "a marian model can't have a head for token classification");
  error = (struct error){0};
}

static void labels_keep_their_names(void **state) {
  char path[4096];
  struct checkpoint checkpoint;
  struct labels names = {(char *[]){"bad", "so so", "good"}, 3};
  assert_true(checkpoint_open(golden(path, "bert-classify"), &checkpoint, &error));
  assert_string_equal(checkpoint.labels.names[2], "LABEL_2");
  struct checkpoint_saving saving = {.type = TYPE_F32, .config = checkpoint.config, .labels = &names};
  assert_true(checkpoint_save(folder, checkpoint.model, &saving, &error));
  checkpoint_close(&checkpoint);
  assert_true(checkpoint_open(folder, &checkpoint, &error));
  assert_int_equal(checkpoint.labels.count, 3);
  assert_string_equal(checkpoint.labels.names[1], "so so");
  assert_int_equal(labels_find(&checkpoint.labels, "good"), 2);
  assert_int_equal(labels_find(&checkpoint.labels, "worst"), -1);
  const cJSON *ids = cJSON_GetObjectItem(checkpoint.config, "label2id");
  assert_int_equal(cJSON_GetObjectItem(ids, "good")->valueint, 2);
  checkpoint_close(&checkpoint);
}

// The config.json of the checkpoints that everybody starts from, from several years: nothing to warn about.
static void knows_published_configs(void **state) {
  static const struct { const char *name; enum head_kind head; int hidden, layers, positions, labels;
  } files[] = {{"bert-base", HEAD_LANGUAGE, 768, 12, 512, 0},
               {"bert-large", HEAD_LANGUAGE, 1024, 24, 512, 0},
               {"bert-multilingual", HEAD_LANGUAGE, 768, 12, 512, 0},
               {"roberta-base", HEAD_LANGUAGE, 768, 12, 512, 0},
               {"xlm-roberta-base", HEAD_LANGUAGE, 768, 12, 512, 0},
               {"distilbert-sst2", HEAD_CLASSIFY, 768, 6, 512, 2},
               {"electra-small-discriminator", HEAD_REPLACED, 256, 12, 512, 0},
               {"albert-base-v2", HEAD_LANGUAGE, 768, 12, 512, 0},
               {"mpnet-base", HEAD_LANGUAGE, 768, 12, 512, 0}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[4096];
    struct arch arch;
    const struct layout *layout;
    struct warnings warnings = {0};
    struct error watched = {.warn = collect_warning, .warn_user = &warnings};
    snprintf(path, sizeof path, "%s/tests/hf/corpus/%s.json", getenv("QKV_SOURCE_ROOT"), files[i].name);
    cJSON *json = json_read(path, &watched);
    if (!json || !config_read(&arch, &layout, json, path, &watched)) fail_msg("%s", watched.message);
    assert_string_equal(warnings.last, "");
    assert_int_equal(arch.head, files[i].head);
    assert_int_equal(arch.hidden, files[i].hidden);
    assert_int_equal(arch.encoder.layers, files[i].layers);
    assert_int_equal(arch.max_positions, files[i].positions);
    assert_int_equal(arch.labels, files[i].labels);
    cJSON_Delete(json);
  }
}

// Opens the golden directory with one key of config.json set to `json` (NULL: removed).
static bool open_with(const char *name, const char *key, const char *json, struct checkpoint *out) {
  char path[4096], file[4200];
  golden(path, name);
  snprintf(file, sizeof file, "%s/model.safetensors", path);
  copy_file(file, folder, "model.safetensors");
  snprintf(file, sizeof file, "%s/config.json", path);
  cJSON *config = json_read(file, &error);
  assert_non_null(config);
  cJSON_DeleteItemFromObjectCaseSensitive(config, key);
  if (json) cJSON_AddItemToObject(config, key, cJSON_Parse(json));
  char *text = cJSON_Print(config);
  write_text(folder, "config.json", text);
  free(text);
  cJSON_Delete(config);
  return checkpoint_open(folder, out, &error);
}

static void refuses_with_the_reason(void **state) {
  static const struct { const char *golden, *key, *json, *part;
  } cases[] = {
      {"bert-classify", "position_embedding_type", "\"relative_key\"",
       "\"position_embedding_type\" is \"relative_key\"; qkv's bert models only know \"absolute\""},
      {"bert-classify", "hidden_act", "\"mish\"", "\"hidden_act\" is \"mish\"; qkv has"},
      {"bert-classify", "is_decoder", "true", "\"is_decoder\" is true"},
      {"bert-classify", "id2label", "{\"0\": \"A\", \"7\": \"B\"}", "\"id2label\" has the entry \"7\""},
      {"bert-classify", "id2label", "{}", "\"id2label\" has to be an object"},
      {"bert-classify", "id2label", "{\"0\": \"A\", \"1\": \"B\"}", "classifier.weight is [3,16]; config.json wants [2,16]"},
      {"bert-classify", "type_vocab_size", "3", "token_type_embeddings.weight is [2,16]; config.json wants [3,16]"},
      {"bert-classify", "max_position_embeddings", "17", "position_embeddings.weight is [16,16]; config.json wants [17,16]"},
      {"bert-classify", "architectures", "[\"BertForQuestionAnswering\"]",
       "2 tensors of the model that config.json describes are missing: qa_outputs.weight, qa_outputs.bias"},
      {"roberta-classify", "max_position_embeddings", "4", "of which the first 5 belong to the padding"},
      {"roberta-classify", "pad_token_id", "null",
       "\"pad_token_id\" is missing; this kind of model counts its positions from it"},
      {"albert-classify", "inner_group_num", "2", "\"inner_group_num\" is 2"},
      {"albert-classify", "num_hidden_groups", "3", "4 layers cannot be 3 groups"},
      {"mpnet-classify", "relative_attention_num_buckets", "64", "\"relative_attention_num_buckets\" is 64"},
      {"electra-choice", "summary_activation", "\"tanh\"", "\"summary_activation\" is \"tanh\""},
  };
  struct checkpoint checkpoint;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (open_with(cases[i].golden, cases[i].key, cases[i].json, &checkpoint))
      fail_msg("%s %s was accepted", cases[i].key, cases[i].json);
    assert_refused(&error, cases[i].part);
  }
}

// Numbers that a "qkv" directory may say one by one, but not together.
static void refuses_what_grows_without_bound(void **state) {
  struct arch arch = tiny_head_arch(HEAD_TAG, false);
  arch.positions = POSITIONS_SINUSOID;
  arch.max_positions = 1 << 24, arch.embedding_width = 1 << 15;
  assert_false(arch_check(&arch, &error));
  assert_refused(&error, "a table of 16777216 positions, each 32768 wide");
  arch = tiny_head_arch(HEAD_TAG, true);
  arch.positions = POSITIONS_ROTARY;
  arch.rotary = (struct rotary_arch){.base = 10000, .scaling = ROTARY_LINEAR, .factor = 1e-38f};
  assert_false(arch_check(&arch, &error));
  assert_refused(&error, "the factor of scaled rotary positions is 1e-38");
}

// Knobs that are fine by themselves, but not together.
static void refuses_knobs_that_contradict(void **state) {
  static const struct {
    struct arch more;
    enum head_kind head;
    const char *part;
  } cases[] = {
    {{.norm = NORM_LAYER, .norm_groups = 4}, HEAD_TAG, "4 norm groups belong to group norm; this is layer norm"},
    {{.norm = NORM_GROUP, .norm_groups = 5}, HEAD_TAG, "columns cannot be 5 norm groups of one width"},
    {{.norm = NORM_INSTANCE}, HEAD_TAG, "instance norm divides by epsilon alone"},
    {{.attention_window = 4}, HEAD_TAG, "an attention window of 4 tokens is for decoders"},
    {{.attention_bare = true, .attention_score = SCORE_GENERAL}, HEAD_TAG, "general scores have weights of their own"},
    {{.attention_bare = true, .head_width = 3}, HEAD_TAG, "attention without weights parts the"},
    {{.language_too = true}, HEAD_CLASSIFY, "only a decoder's rows can learn the next token"},
    {{.both_orders = true}, HEAD_TAG, "adding up both orders of a pair belongs to the head \"classify\""},
    {{.both_orders = true, .pooling = POOLING_MEAN}, HEAD_CLASSIFY, "the mean of all cannot stand for it"},
    {{.lstm = {LSTM_MOST_LAYERS + 1, 4}}, HEAD_TAG, "the number of LSTM layers is 9"},
    {{.lstm = {1, 0}}, HEAD_TAG, "the LSTM's width is 0"},
    {{.lstm = {1, 4}}, HEAD_LANGUAGE, "not this head"},
    {{.features = FEATURES_SUM_LAST_4}, HEAD_TAG, "the features are of the last four layers"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const struct arch *more = &cases[i].more;
    struct arch arch = tiny_head_arch(cases[i].head, false);
    arch.norm = more->norm, arch.norm_groups = more->norm_groups, arch.attention_window = more->attention_window;
    arch.attention_bare = more->attention_bare, arch.attention_score = more->attention_score, arch.head_width = more->head_width;
    arch.language_too = more->language_too, arch.both_orders = more->both_orders, arch.pooling = more->pooling;
    arch.lstm = more->lstm, arch.features = more->features;
    if (arch.norm == NORM_INSTANCE) arch.norm_epsilon = 0;
    if (arch_check(&arch, &error)) fail_msg("accepted, though: %s", cases[i].part);
    assert_refused(&error, cases[i].part);
  }
}

static void accepts_what_changes_nothing(void **state) {
  static const char *const keys[][2] = {{"gradient_checkpointing", "true"},
                                        {"position_embedding_type", "\"absolute\""},
                                        {"classifier_dropout", "null"},
                                        {"label2id", NULL},
                                        {"pooler_type", "\"first_token_transform\""}};
  struct checkpoint checkpoint;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (!open_with("bert-classify", keys[i][0], keys[i][1], &checkpoint)) fail_msg("%s", error.message);
    assert_int_equal(error.warnings, 0);
    checkpoint_close(&checkpoint);
  }
  struct warnings warnings = {0};
  error = (struct error){.warn = collect_warning, .warn_user = &warnings};
  assert_true(open_with("bert", "architectures", "[\"MyOwnModel\"]", &checkpoint));
  if (!strstr(warnings.last, "the class \"MyOwnModel\" is not known; the model is read as a BertModel"))
    fail_msg("%s", warnings.last);
  checkpoint_close(&checkpoint);
  error = (struct error){0};
}

// A tensor's name as BERT's first files have it (gamma and beta), or without the first part, or with one where none belongs.
static void rename_tensor(char out[200], const char *name, int way) {
  const char *norm = strstr(name, "LayerNorm.");
  if (way == 0 && norm)
    snprintf(out, 200, "%.*sLayerNorm.%s", (int)(norm - name), name, strstr(norm, "weight") ? "gamma" : "beta");
  else if (way == 1 && strncmp(name, "bert.", 5) == 0) snprintf(out, 200, "%s", name + 5);
  else if (way == 2 && strncmp(name, "bert.", 5) != 0) snprintf(out, 200, "bert.%s", name);
  else snprintf(out, 200, "%s", name);
}

static void write_renamed(const char *case_name, int way) {
  static char names[100][200];
  static struct tensor_entry entries[100];
  char path[4096], file[4200];
  struct safetensors tensors;
  struct safetensors_writer writer;
  golden(path, case_name);
  snprintf(file, sizeof file, "%s/config.json", path);
  copy_file(file, folder, "config.json");
  assert_true(safetensors_open_directory(&tensors, path, &error) && tensors.count <= 100);
  for (size_t i = 0; i < tensors.count; i++) {
    const struct stored_tensor *tensor = &tensors.tensors[i];
    rename_tensor(names[i], tensor->name, way);
    entries[i] = (struct tensor_entry){.name = names[i], .type = tensor->type, .dimensions = tensor->dimensions};
    memcpy(entries[i].shape, tensor->shape, sizeof entries[i].shape);
  }
  assert_true(
      safetensors_write_begin(&writer, file_join(path, folder, "model.safetensors"), entries, tensors.count, NULL, &error));
  for (size_t i = 0; i < tensors.count; i++) safetensors_write(&writer, tensors.tensors[i].data, tensors.tensors[i].size);
  assert_true(safetensors_write_end(&writer, &error));
  safetensors_close(&tensors);
}

static void other_spellings_are_the_same_model(void **state) {
  static const struct {
    const char *golden;
    int way;
  } cases[] = {{"bert-pretraining", 0}, {"bert-pretraining", 1}, {"bert", 0}, {"bert", 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char path[4096];
    struct checkpoint plain, renamed;
    write_renamed(cases[i].golden, cases[i].way);
    assert_true(checkpoint_open(golden(path, cases[i].golden), &plain, &error));
    if (!checkpoint_open(folder, &renamed, &error)) fail_msg("%s", error.message);
    assert_int_equal(error.warnings, 0);
    assert_true(plain.arch.pooler && renamed.arch.pooler);
    for (int w = 0; w < plain.model->weight_count; w++) {
      struct weight *a = &plain.model->weights[w], *b = &renamed.model->weights[w];
      assert_true(weight_own_values(a, &error) && weight_own_values(b, &error));
      assert_memory_equal(a->values, b->values, weight_size(a) * sizeof(float));
    }
    checkpoint_close(&plain);
    checkpoint_close(&renamed);
  }
}

// config.json says nothing about a pooler: the file does.
static void a_missing_pooler_is_no_pooler(void **state) {
  char path[4096];
  struct checkpoint checkpoint;
  struct checkpoint_saving saving = {.type = TYPE_F32};
  assert_true(checkpoint_open_as(golden(path, "bert"), &(struct head_choice){HEAD_TAG, 2, 1}, &checkpoint, &error));
  assert_true(heads_set(&checkpoint.model->arch, HEAD_NONE, 0, &error));
  checkpoint.model->arch.pooler = false;
  checkpoint.model->arch.pooler_activation = ACTIVATION_NONE;
  assert_true(checkpoint_save(folder, checkpoint.model, &saving, &error));
  checkpoint_close(&checkpoint);
  for (int said = 1; said >= 0; said--) {
    struct error quiet = {0};
    cJSON *config = json_read(file_join(path, folder, "config.json"), &error);
    assert_true(cJSON_IsFalse(cJSON_GetObjectItem(config, "add_pooling_layer")));
    if (!said) cJSON_DeleteItemFromObject(config, "add_pooling_layer");
    char *text = cJSON_Print(config);
    write_text(folder, "config.json", text);
    if (!checkpoint_open(folder, &checkpoint, &quiet)) fail_msg("%s", quiet.message);
    assert_false(checkpoint.arch.pooler);
    assert_null(checkpoint.model->head.pooler.weight);
    checkpoint_close(&checkpoint);
    free(text);
    cJSON_Delete(config);
  }
  error = (struct error){0};
}

// Every allocation on the way fails once: the answer is an error, and nothing is left behind (which the sanitizer sees).
static void survives_without_memory(void **state) {
  char path[4096];
  golden(path, "bert-classify");
  bool done = false;
  for (long n = 0; !done; n++) {
    struct checkpoint checkpoint;
    struct error lacking = {0};
    assert_true(n < 10000);
    memory_fail_after(n);
    done = checkpoint_open_as(path, &(struct head_choice){HEAD_CLASSIFY, 4 - (int)(n % 2), 7}, &checkpoint, &lacking);
    memory_fail_after(-1);
    if (done) checkpoint_close(&checkpoint);
    else assert_int_equal(lacking.code, ERROR_MEMORY);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_head_comes_back),         cmocka_unit_test(every_layout_has_its_heads),
      cmocka_unit_test(another_head_can_be_asked_for), cmocka_unit_test(labels_keep_their_names),
      cmocka_unit_test(knows_published_configs),       cmocka_unit_test(refuses_with_the_reason),
      cmocka_unit_test(accepts_what_changes_nothing),  cmocka_unit_test(other_spellings_are_the_same_model),
      cmocka_unit_test(a_missing_pooler_is_no_pooler), cmocka_unit_test(the_head_that_is_there_is_kept),
      cmocka_unit_test(refuses_what_grows_without_bound), cmocka_unit_test(refuses_knobs_that_contradict),
      cmocka_unit_test(survives_without_memory)};
  if (file_is_directory("/dev/shm")) setenv("TMPDIR", "/dev/shm", 0);
  make_folder(folder);
  if (!context_open(&context, cpu_kernels(PRECISION_F32, &error), (size_t)1 << 28, &error)) return 1;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  context_close(&context);
  remove_folder(folder);
  return failed;
}
