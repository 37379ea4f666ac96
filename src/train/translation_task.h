// The main job: from files of parallel text to a translator. Learns a vocabulary, makes a model, trains it, and says what was
// done; or fine-tunes a model that exists; or goes on with a training that was interrupted.
#pragma once
#include "base/buffer.h"
#include "base/error.h"
#include "qkv.h"

bool translation_task_run(const char *out, const struct qkv_train_options *options, const struct qkv_train_listener *listener,
                          struct error *error);
// The first batch of such a training as readable text.
bool translation_task_show_batch(struct buffer *text, const struct qkv_train_options *options, struct error *error);
