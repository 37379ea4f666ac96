#pragma once
#include "tensor/kernels.h"

void kernels_fill_reference(struct kernels *kernels);
