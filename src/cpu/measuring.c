// Kernels that do nothing: a run with these and a measuring arena tells how much memory a batch needs.
#include "cpu/cpu.h"

#define RETURN_void
#define RETURN_size_t return 0;
#define RETURN_double return 0;

#define KERNEL(result, slot, arguments) \
  static result measuring_##slot arguments { RETURN_##result }
KERNEL_TABLE(KERNEL)
#undef KERNEL

static const struct kernels table = {
  .name = "measuring",
#define KERNEL(result, slot, arguments) .slot = measuring_##slot,
  KERNEL_TABLE(KERNEL)
#undef KERNEL
};

const struct kernels *cpu_kernels_measuring(void) { return &table; }
