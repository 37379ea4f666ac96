#include "hf/layout_encoders.h"

const char *const encoder_harmless[] = {
  "cls_token_id", "directionality", "mask_token_id", "output_past", "pooler_fc_size", "pooler_num_attention_heads",
  "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type", "add_pooling_layer", "summary_last_dropout",
  "unk_token_id", NULL};

void encoder_constants(struct arch *arch) {
  arch->family = FAMILY_ENCODER;
  arch->norm = NORM_LAYER;
  arch->norm_place = NORM_POST;
  arch->embedding_norm = arch->residual = true;
  arch->positions = POSITIONS_LEARNED;
  arch->embedding_scale = 1;
  arch->attention_bias = arch->ffn_bias = true;
  arch->unk_id = arch->decoder_start_id = arch->forced_eos_id = -1;
}

bool encoder_complete(struct arch *arch, const char *path, struct error *error) {
  (void)path;
  (void)error;
  arch->encoder.kv_heads = arch->encoder.heads;
  return true;
}

bool encoder_positions_after(struct arch *arch, int padding, const char *path, struct error *error) {
  if (padding < 0)
    return error_set(error, ERROR_FORMAT, "%s: \"pad_token_id\" is missing; this kind of model counts its positions from it",
                     path);
  arch->position_offset = padding + 1;
  arch->max_positions -= arch->position_offset;
  if (arch->max_positions > 0) return true;
  return error_set(error, ERROR_FORMAT, "%s: \"max_position_embeddings\" is %d, of which the first %d belong to the padding",
                   path, arch->max_positions + arch->position_offset, arch->position_offset);
}
