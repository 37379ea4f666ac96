// Where the time goes, for people: the profile of the process and the bounds of the machine beside it.
#include "api/public_context.h"
#include "cpu/cpu.h"
#include "cpu/machine.h"
#include "tensor/profile.h"

bool qkv_profile_start(struct qkv_context *context) { return profile_open(public_begin(context)); }

char *qkv_profile_stop(struct qkv_context *context) {
  struct error *error = public_begin(context);
  profile_pause();
  const struct kernels *kernels = profile_kernels();
  if (!kernels) kernels = cpu_kernels(PRECISION_AUTO, error);
  struct buffer text = {0};
  if (kernels) {
    struct machine_bound bound = machine_measure(kernels);
    profile_write(&text, &bound);
  }
  profile_close();
  if (kernels && buffer_check(&text, error)) return text.data;
  buffer_free(&text);
  return NULL;
}
