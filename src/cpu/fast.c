// Puts this instruction set's kernels into a table.
#include "cpu/fast.h"

#include "cpu/tile.h"

void KERNEL_NAME(kernels_fill)(struct kernels *kernels) {
#if defined(SIMD_AVX512)
  kernels->name = "avx512";
#else
  kernels->name = "avx2";
#endif
  kernels->packed_size = KERNEL_NAME(packed_size);
  kernels->pack = KERNEL_NAME(pack);
  kernels->linear = KERNEL_NAME(linear);
  kernels->linear_gradient = KERNEL_NAME(linear_gradient);
  kernels->activate = KERNEL_NAME(activate);
  kernels->activate_gradient = KERNEL_NAME(activate_gradient);
  kernels->gate = KERNEL_NAME(gate);
  kernels->gate_gradient = KERNEL_NAME(gate_gradient);
  kernels->lstm = KERNEL_NAME(lstm);
  kernels->lstm_gradient = KERNEL_NAME(lstm_gradient);
  kernels->rotary_table = KERNEL_NAME(rotary_table);
  kernels->rotate = KERNEL_NAME(rotate);
  kernels->residual_norm = KERNEL_NAME(residual_norm);
  kernels->residual_norm_gradient = KERNEL_NAME(residual_norm_gradient);
  kernels->unit_heads = KERNEL_NAME(unit_heads);
  kernels->unit_heads_gradient = KERNEL_NAME(unit_heads_gradient);
  kernels->head_products = KERNEL_NAME(head_products);
  kernels->head_products_gradient = KERNEL_NAME(head_products_gradient);
  kernels->column_statistics = KERNEL_NAME(column_statistics);
  kernels->column_norm = KERNEL_NAME(column_norm);
  kernels->column_norm_gradient = KERNEL_NAME(column_norm_gradient);
  kernels->attention = KERNEL_NAME(attention);
  kernels->attention_gradient = KERNEL_NAME(attention_gradient);
  kernels->store_keys = KERNEL_NAME(store_keys);
  kernels->round_bf16 = KERNEL_NAME(round_bf16);
  kernels->to_bf16 = KERNEL_NAME(to_bf16);
  kernels->relu_gradient_half = KERNEL_NAME(relu_gradient_half);
  kernels->embed = KERNEL_NAME(embed);
  kernels->embed_gradient = KERNEL_NAME(embed_gradient);
  kernels->cross_entropy = KERNEL_NAME(cross_entropy);
  kernels->log_softmax = KERNEL_NAME(log_softmax);
  kernels->softmax = KERNEL_NAME(softmax);
  kernels->largest = KERNEL_NAME(largest);
  kernels->sum_squares = KERNEL_NAME(sum_squares);
  kernels->adamw = KERNEL_NAME(adamw);
  kernels->add = KERNEL_NAME(add);
  kernels->gather = KERNEL_NAME(gather);
  kernels->scatter = KERNEL_NAME(scatter);
}
