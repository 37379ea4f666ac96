// Puts this instruction set's kernels into a table.
#include "cpu/fast.h"

#include "cpu/tile.h"

void KERNEL_NAME(kernels_fill)(struct kernels *kernels) {
#if defined(SIMD_AVX512)
  kernels->name = "avx512";
#else
  kernels->name = "avx2";
#endif
  kernels->panel = TILE_COLUMNS;
  kernels->packed_size = KERNEL_NAME(packed_size);
  kernels->pack = KERNEL_NAME(pack);
  kernels->linear = KERNEL_NAME(linear);
  kernels->linear_gradient = KERNEL_NAME(linear_gradient);
}
