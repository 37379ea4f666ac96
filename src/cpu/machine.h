// What this machine can do at most, measured in a fraction of a second: the bound that speeds are compared with.
#pragma once
#include "tensor/kernels.h"
#include "tensor/profile.h"

// Products: as many multiply-adds as the table's instruction set can do in registers, on all threads. Memory: a range far
// larger than the caches, read by all threads. A bound that could not be measured for lack of memory is 0.
struct machine_bound machine_measure(const struct kernels *kernels);
double machine_operations(const struct kernels *kernels);
double machine_read(void);
double machine_copy(void);  // bytes read plus bytes written
