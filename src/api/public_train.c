// Training, behind the public function.
#include "api/public_context.h"
#include "base/buffer.h"
#include "train/task.h"

struct qkv_train_options qkv_train_options_default(void) { return train_options_default(); }

bool qkv_train(struct qkv_context *context, const char *out, const struct qkv_train_options *options,
               const struct qkv_train_listener *listener) {
  struct error *error = public_begin(context);
  return job_run(out, options, listener, error);
}

char *qkv_train_show_batch(struct qkv_context *context, const struct qkv_train_options *options) {
  struct error *error = public_begin(context);
  struct buffer text = {0};
  if (job_show_batch(&text, options, error)) return text.data;
  buffer_free(&text);
  return NULL;
}
