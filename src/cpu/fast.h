// The kernels of this folder for one instruction set, under their table names with the set as suffix.
#pragma once
#include "cpu/simd.h"
#include "tensor/kernels.h"

#define KERNEL(result, name, arguments) result KERNEL_NAME(name) arguments;
KERNEL_TABLE(KERNEL)
#undef KERNEL

void KERNEL_NAME(kernels_fill)(struct kernels *kernels);
