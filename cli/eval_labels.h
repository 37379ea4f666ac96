// The part of `qkv eval` for models that give labels: scores against those in a file.
#pragma once
#include "cli/verb.h"

// model gives labels (qkv_model_labels_kind). Returns an exit status.
int eval_labels(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *file,
                const struct qkv_predict_options *options, bool json, const char *output_path);
