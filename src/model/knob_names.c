#include "model/knob_names.h"

#include <string.h>

#include "model/arch.h"

const struct knob_name family_names[] = {
  {"encoder-decoder", FAMILY_ENCODER_DECODER}, {"encoder", FAMILY_ENCODER}, {"decoder", FAMILY_DECODER}, {0}};

const struct knob_name norm_names[] = {{"layer", NORM_LAYER}, {"rms", NORM_RMS},           {"none", NORM_NONE},
                                       {"batch", NORM_BATCH}, {"instance", NORM_INSTANCE}, {"group", NORM_GROUP}, {0}};

const struct knob_name norm_place_names[] = {{"post", NORM_POST}, {"pre", NORM_PRE}, {0}};

const struct knob_name position_names[] = {{"none", POSITIONS_NONE},
                                           {"sinusoid", POSITIONS_SINUSOID},
                                           {"sinusoid-interleaved", POSITIONS_SINUSOID_INTERLEAVED},
                                           {"learned", POSITIONS_LEARNED},
                                           {"rotary", POSITIONS_ROTARY},
                                           {0}};

const struct knob_name rotary_scaling_names[] = {{"none", ROTARY_PLAIN},    {"linear", ROTARY_LINEAR}, {"dynamic", ROTARY_DYNAMIC},
                                                 {"llama3", ROTARY_LLAMA3}, {"yarn", ROTARY_YARN},     {0}};

const struct knob_name score_names[] = {
  {"product", SCORE_PRODUCT}, {"cosine", SCORE_COSINE}, {"general", SCORE_GENERAL}, {"additive", SCORE_ADDITIVE}, {0}};

const struct knob_name activation_names[] = {{"relu", ACTIVATION_RELU}, {"gelu", ACTIVATION_GELU}, {"gelu-tanh", ACTIVATION_GELU_TANH},
                                             {"silu", ACTIVATION_SILU}, {"tanh", ACTIVATION_TANH}, {"none", ACTIVATION_NONE},
                                             {0}};

const struct knob_name head_names[] = {{"language", HEAD_LANGUAGE},
                                       {"none", HEAD_NONE},
                                       {"pretraining", HEAD_PRETRAINING},
                                       {"next-sentence", HEAD_NEXT_SENTENCE},
                                       {"classify", HEAD_CLASSIFY},
                                       {"tag", HEAD_TAG},
                                       {"span", HEAD_SPAN},
                                       {"choice", HEAD_CHOICE},
                                       {"double", HEAD_DOUBLE},
                                       {"replaced", HEAD_REPLACED},
                                       {0}};

const struct knob_name feature_names[] = {{"last", FEATURES_LAST},
                                          {"embeddings", FEATURES_EMBEDDINGS},
                                          {"second-to-last", FEATURES_SECOND_TO_LAST},
                                          {"sum-last-4", FEATURES_SUM_LAST_4},
                                          {"concat-last-4", FEATURES_CONCAT_LAST_4},
                                          {"sum-all", FEATURES_SUM_ALL},
                                          {"weighted", FEATURES_WEIGHTED},
                                          {0}};

const struct knob_name pooling_names[] = {{"first", POOLING_FIRST}, {"last", POOLING_LAST}, {"mean", POOLING_MEAN}, {0}};

const char *knob_find_name(const struct knob_name *names, int value) {
  while (names->name && names->value != value) names++;
  return names->name;
}

int knob_find_value(const struct knob_name *names, const char *name) {
  while (names->name && strcmp(names->name, name) != 0) names++;
  return names->name ? names->value : -1;
}
