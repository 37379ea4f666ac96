// "qkv": any mix of knobs that no published layout can say. Every knob of struct arch is a key, every weight has its own
// name, parts of fused weights apart. Nobody else reads these directories.
//
// Invariant: the key table names every field of struct arch but `layout`; config_can_say compares archs by it.
#include "hf/layout_tables.h"

#define STACK(side)                                                                                                           \
  CONFIG_WHOLE(#side "_layers", side.layers, 0, 0, LAYER_LIMIT), CONFIG_WHOLE(#side "_heads", side.heads, 0, 0, HEAD_LIMIT),  \
  {.key = #side "_kv_heads", .type = CONFIG_INTEGER, .field = FIELD(side.kv_heads), .high = HEAD_LIMIT,                       \
   .same_as = #side "_heads"},                                                                                               \
  CONFIG_WHOLE(#side "_ffn", side.ffn, 0, 0, FFN_LIMIT), CONFIG_WHOLE(#side "_groups", side.groups, 0, 0, LAYER_LIMIT)

static const struct config_key keys[] = {
  CONFIG_NAMED("family", family, FAMILY_ENCODER_DECODER, family_names),
  CONFIG_WHOLE("hidden", hidden, 0, 1, WIDTH_LIMIT),
  CONFIG_WHOLE("head_width", head_width, 0, 0, WIDTH_LIMIT),
  CONFIG_WHOLE("source_vocab", source_vocab, 0, 0, VOCABULARY_LIMIT),
  CONFIG_WHOLE("target_vocab", target_vocab, 0, 0, VOCABULARY_LIMIT),
  CONFIG_WHOLE("embedding_width", embedding_width, 0, 0, WIDTH_LIMIT),
  CONFIG_WHOLE("types", types, 0, 0, POSITION_LIMIT),
  STACK(encoder),
  STACK(decoder),
  CONFIG_NAMED("norm", norm, NORM_LAYER, norm_names),
  CONFIG_NAMED("norm_place", norm_place, NORM_POST, norm_place_names),
  CONFIG_WHOLE("norm_groups", norm_groups, 0, 0, WIDTH_LIMIT),
  CONFIG_REAL("norm_epsilon", norm_epsilon, 1e-5, 0, 1),
  CONFIG_SWITCH("norm_epsilon_outside", norm_epsilon_outside, false),
  CONFIG_SWITCH("embedding_norm", embedding_norm, false),
  CONFIG_SWITCH("final_norm", final_norm, false),
  CONFIG_SWITCH("residual", residual, true),
  CONFIG_NAMED("positions", positions, POSITIONS_SINUSOID, position_names),
  CONFIG_WHOLE("max_positions", max_positions, 0, 0, POSITION_LIMIT),
  CONFIG_WHOLE("position_offset", position_offset, 0, 0, POSITION_LIMIT),
  CONFIG_REAL("rotary_base", rotary.base, 0, 0, 1e12),
  CONFIG_NAMED("rotary_scaling", rotary.scaling, ROTARY_PLAIN, rotary_scaling_names),
  CONFIG_REAL("rotary_factor", rotary.factor, 0, 0, 1e6),
  CONFIG_WHOLE("rotary_original_positions", rotary.original_positions, 0, 0, POSITION_LIMIT),
  CONFIG_REAL("rotary_low", rotary.low, 0, 0, 1e6),
  CONFIG_REAL("rotary_high", rotary.high, 0, 0, 1e6),
  CONFIG_REAL("rotary_attention_factor", rotary.attention_factor, 0, 0, 1e6),
  CONFIG_REAL("rotary_mscale", rotary.mscale, 0, 0, 1e6),
  CONFIG_REAL("rotary_mscale_all", rotary.mscale_all, 0, 0, 1e6),
  CONFIG_SWITCH("rotary_truncated", rotary.truncated, false),
  CONFIG_REAL("embedding_scale", embedding_scale, 1, -1e6, 1e6),
  CONFIG_NAMED("activation", activation, ACTIVATION_RELU, activation_names),
  CONFIG_SWITCH("gated", gated, false),
  CONFIG_SWITCH("attention_bias", attention_bias, true),
  CONFIG_SWITCH("ffn_bias", ffn_bias, true),
  CONFIG_SWITCH("head_bias", head_bias, false),
  CONFIG_SWITCH("head_bias_trainable", head_bias_trainable, false),
  CONFIG_SWITCH("shared_embeddings", shared_embeddings, true),
  CONFIG_SWITCH("tied_head", tied_head, true),
  CONFIG_NAMED("attention_score", attention_score, SCORE_PRODUCT, score_names),
  CONFIG_WHOLE("attention_window", attention_window, 0, 0, POSITION_LIMIT),
  CONFIG_SWITCH("attention_bare", attention_bare, false),
  CONFIG_REAL("attention_scale", attention_scale, 0, -1e6, 1e6),
  CONFIG_WHOLE("relative_buckets", relative_buckets, 0, 0, POSITION_LIMIT),
  CONFIG_WHOLE("relative_distance", relative_distance, 0, 0, POSITION_LIMIT),
  CONFIG_NAMED("head", head, HEAD_LANGUAGE, head_names),
  CONFIG_NAMED("features", features, FEATURES_LAST, feature_names),
  CONFIG_WHOLE("lstm_layers", lstm.layers, 0, 0, LSTM_MOST_LAYERS),
  CONFIG_WHOLE("lstm_hidden", lstm.hidden, 0, 0, WIDTH_LIMIT),
  CONFIG_WHOLE("labels", labels, 0, 0, LABEL_LIMIT),
  CONFIG_SWITCH("language_too", language_too, false),
  CONFIG_SWITCH("both_orders", both_orders, false),
  CONFIG_SWITCH("head_transform", head_transform, false),
  CONFIG_NAMED("head_activation", head_activation, ACTIVATION_NONE, activation_names),
  CONFIG_NAMED("pooling", pooling, POOLING_FIRST, pooling_names),
  CONFIG_SWITCH("pooler", pooler, false),
  CONFIG_NAMED("pooler_activation", pooler_activation, ACTIVATION_NONE, activation_names),
  CONFIG_SWITCH("classifier_bias", classifier_bias, false),
  {.key = "head_dropout", .type = CONFIG_NUMBER, .field = FIELD(head_dropout), .high = 0.999, .incidental = true},
  {.key = "pooler_dropout", .type = CONFIG_BOOLEAN, .field = FIELD(pooler_dropout), .incidental = true},
  {.key = "initial_deviation", .type = CONFIG_NUMBER, .field = FIELD(initial_deviation), .high = 1000, .incidental = true},
  CONFIG_SWITCH("padding_learnt", padding_learnt, false),
  {.key = "scaled_residuals", .type = CONFIG_BOOLEAN, .field = FIELD(scaled_residuals), .incidental = true},
  CONFIG_RATE("dropout", dropout, 0),
  {.key = "embedding_dropout", .type = CONFIG_NUMBER, .field = FIELD(embedding_dropout), .high = 0.999, .same_as = "dropout"},
  CONFIG_RATE("attention_dropout", attention_dropout, 0),
  CONFIG_RATE("activation_dropout", activation_dropout, 0),
  CONFIG_TOKEN("bos_token_id", bos_id, -1),
  CONFIG_TOKEN("eos_token_id", eos_id, -1),
  CONFIG_TOKEN("pad_token_id", pad_id, -1),
  {.key = "unk_token_id", .type = CONFIG_ID, .field = FIELD(unk_id), .otherwise = -1, .high = VOCABULARY_LIMIT,
   .incidental = true},
  CONFIG_TOKEN("decoder_start_token_id", decoder_start_id, -1),
  CONFIG_TOKEN("forced_eos_token_id", forced_eos_id, -1),
  {0}};

#define SAME(name) {name, name}
#define LINEAR(name) SAME(name ".weight"), SAME(name ".bias")
#define NORM(name)                                                                                                            \
  SAME(name ".gain"), SAME(name ".bias"), SAME(name ".running_mean"), SAME(name ".running_var"), SAME(name ".num_batches_tracked")
#define PART(stem, name, weight, number) \
  {stem name ".weight", stem weight ".weight", number}, { stem name ".bias", stem weight ".bias", number }
#define LAYER(side)                                                                                                           \
  PART(side ".{}.self.", "query", "query_key_value", 0), PART(side ".{}.self.", "key", "query_key_value", 1),                 \
  PART(side ".{}.self.", "value", "query_key_value", 2), LINEAR(side ".{}.self.output"), NORM(side ".{}.self.norm"),          \
  SAME(side ".{}.self.score.weight"),                                                                                        \
  PART(side ".{}.feed_forward.", "up", "up", 0), PART(side ".{}.feed_forward.", "gate", "up", 1),                             \
  LINEAR(side ".{}.feed_forward.down"), NORM(side ".{}.feed_forward.norm")
#define SIDE(side)                                                                                                            \
  SAME(side ".embedding"), POSITIONS(side), SAME(side ".types"), SAME(side ".relative"), NORM(side ".embedding_norm"),        \
  LINEAR(side ".embedding_projection"), LAYER(side), NORM(side ".norm")
#define LSTM(direction)                                                                                                       \
  LINEAR("head.lstm.{}." direction ".input"), LINEAR("head.lstm.{}." direction ".recurrent")
// Sinusoids can be left out; learned positions are always there (a missing one is refused in reading, see names.c).
#define POSITIONS(side) {side ".positions", side ".positions", .role = TENSOR_OPTIONAL}

static const struct tensor_name names[] = {
  SAME("embedding"),
  SIDE("encoder"),
  SIDE("decoder"),
  LINEAR("decoder.{}.cross.query"),
  PART("decoder.{}.cross.", "key", "key_value", 0),
  PART("decoder.{}.cross.", "value", "key_value", 1),
  LINEAR("decoder.{}.cross.output"),
  SAME("decoder.{}.cross.score.weight"),
  NORM("decoder.{}.cross.norm"),
  SAME("head.weight"),
  SAME("head.bias"),
  NORM("head.mix"),
  LSTM("forward"),
  LSTM("backward"),
  LINEAR("head.transform"),
  NORM("head.transform.norm"),
  LINEAR("head.pooler"),
  LINEAR("head.classifier"),
  {0}};

const struct layout layout_qkv = {.model_type = "qkv", .architecture = "QkvModel", .keys = keys, .names = names};
