#include "model/arch.h"

#include <math.h>
#include <stdio.h>

#include "model/knob_names.h"

enum { WIDEST = 1 << 15, MOST_LAYERS = 1000, MOST_HEADS = 128, LARGEST_VOCABULARY = 1 << 24 };

int arch_head_width(const struct arch *arch, const struct stack_arch *stack) {
  return arch->head_width ? arch->head_width : arch->hidden / stack->heads;
}

float arch_attention_scale(const struct arch *arch, const struct stack_arch *stack) {
  if (arch->attention_scale != 0) return arch->attention_scale;
  return arch->attention_score == SCORE_PRODUCT ? (float)(1 / sqrt(arch_head_width(arch, stack))) : 1;
}

bool arch_norm_spans_rows(const struct arch *arch) {
  return arch->norm == NORM_BATCH || arch->norm == NORM_INSTANCE || arch->norm == NORM_GROUP;
}

struct norm arch_norm(const struct arch *arch) {
  return (struct norm){.epsilon = arch->norm_epsilon, .rms = arch->norm == NORM_RMS,
                       .epsilon_outside = arch->norm_epsilon_outside};
}

int arch_longest_text(const struct arch *arch) {
  enum { NO_END = 1 << 20 };
  bool endless = arch->positions == POSITIONS_NONE ||
                 (arch->positions == POSITIONS_ROTARY && arch->rotary.scaling == ROTARY_DYNAMIC && arch->max_positions < NO_END);
  return endless ? NO_END : arch->max_positions;
}

int arch_embedding_width(const struct arch *arch) { return arch->embedding_width ? arch->embedding_width : arch->hidden; }

const struct stack_arch *arch_head_stack(const struct arch *arch) {
  return arch->family == FAMILY_ENCODER ? &arch->encoder : &arch->decoder;
}

int arch_head_vocabulary(const struct arch *arch) {
  return arch->family == FAMILY_ENCODER ? arch->source_vocab : arch->target_vocab;
}

bool arch_has_vocabulary(const struct arch *arch) {
  return arch->head == HEAD_LANGUAGE || arch->head == HEAD_PRETRAINING || arch->head == HEAD_DOUBLE || arch->language_too;
}

bool arch_has_choices(const struct arch *arch) { return arch->head == HEAD_CHOICE || arch->head == HEAD_DOUBLE; }

bool arch_has_row_labels(const struct arch *arch) { return arch->head == HEAD_TAG || arch->head == HEAD_REPLACED; }

bool head_has_texts(enum head_kind head) {
  return head == HEAD_PRETRAINING || head == HEAD_NEXT_SENTENCE || head == HEAD_CLASSIFY || head == HEAD_CHOICE ||
         head == HEAD_DOUBLE;
}

bool arch_has_texts(const struct arch *arch) { return head_has_texts(arch->head); }

int arch_head_outputs(const struct arch *arch) {
  switch (arch->head) {
    case HEAD_CLASSIFY:
    case HEAD_TAG: return arch->labels;
    case HEAD_PRETRAINING:
    case HEAD_NEXT_SENTENCE:
    case HEAD_SPAN: return 2;
    case HEAD_CHOICE:
    case HEAD_DOUBLE:
    case HEAD_REPLACED: return 1;
    case HEAD_LANGUAGE:
    case HEAD_NONE: break;
  }
  return 0;
}

bool arch_has_features(const struct arch *arch) { return arch->features != FEATURES_LAST || arch->lstm.layers; }

bool arch_reads_state(const struct arch *arch, int state) {
  int layers = arch_head_stack(arch)->layers;
  switch (arch->features) {
    case FEATURES_LAST: return state == layers;
    case FEATURES_EMBEDDINGS: return state == 0;
    case FEATURES_SECOND_TO_LAST: return state == layers - 1;
    case FEATURES_SUM_LAST_4:
    case FEATURES_CONCAT_LAST_4: return state > layers - 4;
    case FEATURES_SUM_ALL: return state > 0;
    case FEATURES_WEIGHTED: break;
  }
  return true;
}

int arch_feature_width(const struct arch *arch) { return arch->hidden * (arch->features == FEATURES_CONCAT_LAST_4 ? 4 : 1); }

int arch_head_inputs(const struct arch *arch) { return arch->lstm.layers ? 2 * arch->lstm.hidden : arch_feature_width(arch); }

static bool between(struct error *error, const char *what, long value, long least, long most) {
  if (value >= least && value <= most) return true;
  return error_set(error, ERROR_UNSUPPORTED, "%s is %ld; it has to be between %ld and %ld", what, value, least, most);
}

static bool check_stack(const struct arch *arch, const struct stack_arch *stack, const char *name, struct error *error) {
  char what[64];
#define WHAT(text) (snprintf(what, sizeof what, "the %s's number of %s", name, text), what)
  if (!between(error, WHAT("layers"), stack->layers, 1, MOST_LAYERS) ||
      !between(error, WHAT("heads"), stack->heads, 1, MOST_HEADS) ||
      !between(error, WHAT("key/value heads"), stack->kv_heads, 1, stack->heads) ||
      !between(error, WHAT("feed-forward units"), stack->ffn, 1, 1 << 20))
    return false;
#undef WHAT
  if (!arch->head_width && arch->hidden % stack->heads)
    return error_set(
        error, ERROR_UNSUPPORTED,
        "the hidden width %d cannot be divided among the %s's %d heads; choose a width that is a multiple of the number of heads",
        arch->hidden, name, stack->heads);
  if (stack->heads % stack->kv_heads)
    return error_set(error, ERROR_UNSUPPORTED,
                     "the %s's %d heads cannot share %d key/value heads evenly; the first has to be a multiple of the second",
                     name, stack->heads, stack->kv_heads);
  if (!between(error, "the number of layer groups", stack->groups, 0, stack->layers)) return false;
  if (stack->groups && stack->layers % stack->groups)
    return error_set(error, ERROR_UNSUPPORTED,
                     "the %s's %d layers cannot be %d groups of shared layers; choose a number that divides them", name,
                     stack->layers, stack->groups);
  return true;
}

static bool check_rates(const struct arch *arch, struct error *error) {
  const struct { const char *name; float rate; } rates[] = {
    {"dropout", arch->dropout}, {"attention dropout", arch->attention_dropout}, {"activation dropout", arch->activation_dropout},
    {"the head's dropout", arch->head_dropout}, {"embedding dropout", arch->embedding_dropout}};
  for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
    if (!(rates[i].rate >= 0 && rates[i].rate <= 0.999f))
      return error_set(error, ERROR_UNSUPPORTED, "%s is %g; it has to be from 0 to 0.999", rates[i].name, rates[i].rate);
  return true;
}

static bool check_embeddings(const struct arch *arch, struct error *error) {
  if (!between(error, "the embedding width", arch->embedding_width, 0, WIDEST) ||
      !between(error, "the number of segment types", arch->types, 0, 1 << 16) ||
      !between(error, "the number of relative position buckets", arch->relative_buckets, 0, 1 << 12))
    return false;
  if (arch->relative_buckets &&
      (arch->relative_buckets % 4 || arch->relative_distance <= arch->relative_buckets / 4 || arch->relative_distance > 1 << 16))
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%d relative position buckets up to distance %d are impossible; the buckets have to be a multiple of 4, and the distance "
        "more than a quarter of them and at most 65536",
        arch->relative_buckets, arch->relative_distance);
  if (arch->relative_buckets && arch->family == FAMILY_DECODER)
    return error_set(error, ERROR_UNSUPPORTED,
                     "relative position biases are built for encoders only; this model has only a decoder");
  return true;
}

static bool check_head(const struct arch *arch, struct error *error) {
  const char *name = knob_find_name(head_names, arch->head);
  bool labelled = arch->head == HEAD_CLASSIFY || arch->head == HEAD_TAG;
  if (labelled && !between(error, "the number of labels", arch->labels, 1, 1 << 20)) return false;
  if (!labelled && arch->labels)
    return error_set(error, ERROR_UNSUPPORTED, "a model with the head \"%s\" has no labels; this one says %d", name,
                     arch->labels);
  if (arch->both_orders && arch->pooling == POOLING_MEAN)
    return error_set(error, ERROR_UNSUPPORTED,
                     "a pair in both orders is told from two rows; the mean of all cannot stand for it (--pooling)");
  if ((arch->language_too || arch->both_orders) && arch->head != HEAD_CLASSIFY)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s belongs to the head \"classify\"; this model's is \"%s\"",
                     arch->language_too ? "a vocabulary beside the head" : "adding up both orders of a pair", name);
  if (arch->language_too && arch->family != FAMILY_DECODER)
    return error_set(error, ERROR_UNSUPPORTED, "only a decoder's rows can learn the next token beside the head \"classify\"");
  if (arch->family == FAMILY_ENCODER_DECODER && arch->head != HEAD_LANGUAGE)
    return error_set(error, ERROR_UNSUPPORTED,
                     "the head \"%s\" needs a model with one stack; on an encoder-decoder only \"language\" is built",
                     name);
  if (arch_has_vocabulary(arch) && arch->tied_head && !arch->head_transform && arch_embedding_width(arch) != arch->hidden)
    return error_set(error, ERROR_UNSUPPORTED,
                     "the head cannot be tied to embeddings of width %d: the hidden states have width %d; use a head "
                     "transform",
                     arch->embedding_width, arch->hidden);
  return true;
}

static bool check_features(const struct arch *arch, struct error *error) {
  const struct lstm_arch *lstm = &arch->lstm;
  int layers = arch_head_stack(arch)->layers;
  if (!between(error, "the number of LSTM layers", lstm->layers, 0, LSTM_MOST_LAYERS) ||
      !between(error, "the LSTM's width", lstm->hidden, lstm->layers != 0, lstm->layers ? WIDEST : 0))
    return false;
  if (!arch_has_features(arch)) return true;
  if (arch->family == FAMILY_ENCODER_DECODER || arch->head == HEAD_NONE || arch_has_vocabulary(arch))
    return error_set(
        error, ERROR_UNSUPPORTED,
        "features and an LSTM serve heads for tags, answers, texts and choices of a model with one stack, not this head; "
        "start from the model that the features are of");
  bool four = arch->features == FEATURES_SUM_LAST_4 || arch->features == FEATURES_CONCAT_LAST_4;
  if (four && layers < 4)
    return error_set(error, ERROR_UNSUPPORTED, "the features are of the last four layers, but the model has only %d", layers);
  return true;
}

static bool check_rotary(const struct arch *arch, const struct stack_arch *stack, struct error *error) {
  const struct rotary_arch *rotary = &arch->rotary;
  int width = arch_head_width(arch, stack);
  if (width % 2)
    return error_set(error, ERROR_UNSUPPORTED,
                     "heads are %d wide; rotary positions turn pairs of columns, so the width has to be even", width);
  if (!(rotary->base > 1) || !isfinite(rotary->base))
    return error_set(error, ERROR_UNSUPPORTED, "the base of rotary positions is %g; it has to be more than 1", rotary->base);
  if (rotary->scaling == ROTARY_PLAIN) return true;
  if (!(rotary->factor >= 1e-6f) || !isfinite(rotary->factor))  // angles have to stay finite
    return error_set(error, ERROR_UNSUPPORTED, "the factor of scaled rotary positions is %g; it has to be at least 1e-06",
                     rotary->factor);
  if (rotary->scaling != ROTARY_LLAMA3 && rotary->scaling != ROTARY_YARN) return true;
  if (!between(error, "the number of positions before rotary scaling", rotary->original_positions, 1, 1 << 24)) return false;
  if (!(rotary->low > 0) || !(rotary->high > rotary->low) || !isfinite(rotary->high))
    return error_set(error, ERROR_UNSUPPORTED,
                     "the bounds of scaled rotary positions are %g and %g; the second has to be the larger one", rotary->low,
                     rotary->high);
  if (!(rotary->attention_factor >= 0) || !(rotary->mscale >= 0) || !(rotary->mscale_all >= 0))
    return error_set(error, ERROR_UNSUPPORTED, "the attention factor of rotary positions cannot be negative");
  return true;
}

// Nobody stores sinusoids: they are made when the model is, however long config.json says they are.
static bool check_sinusoids(const struct arch *arch, struct error *error) {
  enum { LARGEST_TABLE = 1 << 28 };
  bool sinusoids = arch->positions == POSITIONS_SINUSOID || arch->positions == POSITIONS_SINUSOID_INTERLEAVED;
  int width = arch_embedding_width(arch);
  double numbers = ((double)arch->max_positions + arch->position_offset) * width;
  if (!sinusoids || numbers <= LARGEST_TABLE) return true;
  return error_set(error, ERROR_UNSUPPORTED, "a table of %d positions, each %d wide, would take %.1f GB; choose fewer positions",
                   arch->max_positions, width, numbers * sizeof(float) / 1e9);
}

static bool check_norm(const struct arch *arch, struct error *error) {
  const char *name = knob_find_name(norm_names, arch->norm);
  if (!(arch->norm_epsilon >= 0) || !isfinite(arch->norm_epsilon))
    return error_set(error, ERROR_UNSUPPORTED, "the norm's epsilon is %g; it has to be 0 or more", arch->norm_epsilon);
  if (arch->final_norm && arch->norm_place == NORM_POST)
    return error_set(error, ERROR_UNSUPPORTED,
                     "a final norm belongs to a model with the norm first (pre-norm); this one has it behind each sublayer");
  if (arch_norm_spans_rows(arch) && arch->family != FAMILY_ENCODER)
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s norm looks at the tokens that follow, so it cannot be part of a decoder; choose layer, rms or no norm, or a "
        "model that is an encoder only",
        name);
  if (arch->norm == NORM_INSTANCE && arch->norm_epsilon == 0)
    return error_set(error, ERROR_UNSUPPORTED,
                     "instance norm divides by epsilon alone where a text has one token; it cannot be 0 (PyTorch's is 1e-5)");
  if (arch->norm != NORM_GROUP)
    return arch->norm_groups == 0 || error_set(error, ERROR_UNSUPPORTED, "%d norm groups belong to group norm; this is %s norm",
                                               arch->norm_groups, name);
  if (!between(error, "the number of norm groups", arch->norm_groups, 1, arch->hidden)) return false;
  int width = arch->hidden % arch->norm_groups ? arch->hidden : arch->embedding_norm ? arch_embedding_width(arch) : 0;
  if (width % arch->norm_groups)
    return error_set(error, ERROR_UNSUPPORTED,
                     "%d columns cannot be %d norm groups of one width; choose a number that divides them", width,
                     arch->norm_groups);
  return true;
}

static bool check_attention(const struct arch *arch, struct error *error) {
  if (!between(error, "the attention window", arch->attention_window, 0, 1 << 24)) return false;
  if (arch->attention_window && arch->family == FAMILY_ENCODER)
    return error_set(error, ERROR_UNSUPPORTED, "an attention window of %d tokens is for decoders; this model is an encoder only",
                     arch->attention_window);
  if (!arch->attention_bare) return true;
  if (arch->attention_score == SCORE_GENERAL || arch->attention_score == SCORE_ADDITIVE)
    return error_set(
        error, ERROR_UNSUPPORTED,
        "%s scores have weights of their own, which attention without weights has not; choose scaled, dot or cosine ones",
        knob_find_name(score_names, arch->attention_score));
  for (int side = 0; side < 2; side++) {
    const struct stack_arch *stack = side ? &arch->decoder : &arch->encoder;
    if (stack->layers && (stack->kv_heads != stack->heads || stack->heads * arch_head_width(arch, stack) != arch->hidden))
      return error_set(
          error, ERROR_UNSUPPORTED,
          "attention without weights parts the %d columns of its input among the heads: %d heads of %d columns with %d "
          "key/value heads cannot be; choose as many key/value heads as heads, which together are as wide as the input",
          arch->hidden, stack->heads, arch_head_width(arch, stack), stack->kv_heads);
  }
  return true;
}

bool arch_check(const struct arch *arch, struct error *error) {
  bool encoder = arch->family != FAMILY_DECODER, decoder = arch->family != FAMILY_ENCODER;
  if (!between(error, "the hidden width", arch->hidden, 1, WIDEST) ||
      (encoder && !between(error, "the source vocabulary", arch->source_vocab, 1, LARGEST_VOCABULARY)) ||
      (decoder && !between(error, "the vocabulary", arch->target_vocab, 1, LARGEST_VOCABULARY)))
    return false;
  if ((encoder && !check_stack(arch, &arch->encoder, "encoder", error)) ||
      (decoder && !check_stack(arch, &arch->decoder, "decoder", error)))
    return false;
  if (arch->positions != POSITIONS_NONE && !between(error, "the number of positions", arch->max_positions, 1, 1 << 24))
    return false;
  if (!check_sinusoids(arch, error)) return false;
  if (arch->positions == POSITIONS_ROTARY &&
      ((encoder && !check_rotary(arch, &arch->encoder, error)) || (decoder && !check_rotary(arch, &arch->decoder, error))))
    return false;
  if (!between(error, "the position offset", arch->position_offset, 0, 1024)) return false;
  if (arch->shared_embeddings && arch->source_vocab != arch->target_vocab)
    return error_set(error, ERROR_UNSUPPORTED,
                     "encoder and decoder cannot share an embedding table: their vocabularies have %d and %d entries",
                     arch->source_vocab, arch->target_vocab);
  return check_norm(arch, error) && check_attention(arch, error) && check_embeddings(arch, error) && check_head(arch, error) &&
         check_features(arch, error) && check_rates(arch, error);
}
