// Kernels that do nothing: a run with these and a measuring arena tells how much memory a batch needs.
#include "cpu/cpu.h"

#define RETURN_void
#define RETURN_size_t return 0;
#define RETURN_double return 0;

#define KERNEL(result, slot, arguments) \
  static result measuring_##slot arguments { RETURN_##result }
KERNEL_TABLE(KERNEL)
#undef KERNEL

#define KERNEL(result, slot, arguments) .slot = measuring_##slot,
#define TABLE(type) {.name = "measuring", .product_type = type, KERNEL_TABLE(KERNEL)}
static const struct kernels of_f32 = TABLE(TYPE_F32), of_bf16 = TABLE(TYPE_BF16);
#undef KERNEL

const struct kernels *cpu_kernels_measuring(enum number_type product_type) {
  return product_type == TYPE_BF16 ? &of_bf16 : &of_f32;
}
