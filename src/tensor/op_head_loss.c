// Output head and cross-entropy, fused: for each chunk of rows the logits, the loss, the logits' gradient and both products
// of backward while the chunk is in the cache. The target counts are known beforehand, so the gradient's scale is too.
#include <string.h>

#include "tensor/operations.h"
#include "tensor/profile.h"
#include "tensor/tape.h"

// Rows at a time: few, so that a chunk of logits stays in the cache, but more of a small vocabulary, whose chunks would be no
// work.
enum { CHUNK_LEAST = 256, CHUNK_MOST = 4096, CHUNK_LOGITS = 1 << 20 };

static int chunk_rows(int columns) {
  int rows = CHUNK_LOGITS / columns / CHUNK_LEAST * CHUNK_LEAST;
  return rows < CHUNK_LEAST ? CHUNK_LEAST : rows > CHUNK_MOST ? CHUNK_MOST : rows;
}

struct chunk_memory {
  float *logits, *means, *losses, *scratch;
  int32_t *best;
};

static bool take_memory(struct context *context, struct chunk_memory *memory, int chunk, int columns, int depth, bool learn) {
  memory->logits = context_memory(context, (size_t)chunk * (size_t)columns * sizeof(float));
  memory->means = context_memory(context, (size_t)chunk * sizeof(float));
  memory->losses = context_memory(context, (size_t)chunk * sizeof(float));
  memory->best = context_memory(context, (size_t)chunk * sizeof(int32_t));
  size_t scratch = learn ? linear_gradient_scratch(chunk, depth) : 0;
  memory->scratch = context_memory(context, scratch * sizeof(float));
  return context_ok(context);
}

static void add_up(struct head_loss *loss, const struct chunk_memory *memory, const int32_t *labels, int rows, float smoothing) {
  for (int i = 0; i < rows; i++) {
    if (labels[i] < 0) continue;
    loss->plain_sum += memory->losses[i];
    loss->sum += (1 - (double)smoothing) * memory->losses[i] + (double)smoothing * memory->means[i];
    loss->count++;
    loss->correct += memory->best[i] == labels[i];
  }
}

// A padding row that is zero stays zero (the decoder's start symbol in Marian's convention, where other programs rely on it).
static void hold_frozen_row(const struct weight *weight) {
  if (weight->gradient && weight->frozen_row >= 0)
    memset(weight->gradient + (size_t)weight->frozen_row * (size_t)weight->cols, 0,
           (size_t)weight->cols * sizeof *weight->gradient);
}

bool op_head_loss(struct context *context, const char *name, struct tensor *x, struct weight *weight, struct weight *bias,
                  const int32_t *labels, float smoothing, float scale, struct head_loss *loss, float *losses) {
  if (!x) return false;
  const struct kernels *kernels = context->kernels;
  int columns = weight->rows, depth = weight->cols;
  bool learn = context->recording && scale != 0, first = true;
  float *dx = learn && x->wanted ? tensor_gradient(context, x, &first) : NULL;
  size_t mark = context->arena.low;
  struct chunk_memory memory;
  int chunk = chunk_rows(columns) < x->rows ? chunk_rows(columns) : x->rows;
  if (!take_memory(context, &memory, chunk, columns, depth, learn)) return false;
  for (int row = 0; row < x->rows; row += chunk) {
    int rows = x->rows - row < chunk ? x->rows - row : chunk;
    const float *input = x->data + (size_t)row * (size_t)depth;
    kernels->linear(memory.logits, columns, NULL, input, depth, rows, columns, depth, weight->packed, bias ? bias->values : NULL,
                    ACTIVATION_NONE, false);
    kernels->cross_entropy(memory.losses, memory.means, memory.best, memory.logits, columns, labels + row, rows, columns,
                           smoothing, learn ? scale : 0);
    if (!context->arena.measuring) {
      add_up(loss, &memory, labels + row, rows, smoothing);
      for (int i = 0; losses && i < rows; i++) losses[row + i] = memory.losses[i];
    }
    if (learn && weight->gradient)
      kernels->linear_gradient(weight->gradient, bias ? bias->gradient : NULL, memory.logits, columns, input, depth, rows,
                               columns, depth, memory.scratch);
    else if (learn && bias && bias->gradient && !context->arena.measuring)  // the matrix is an embedding table that is frozen
      weight_add_column_sums(bias, memory.logits, rows);
    if (dx)
      kernels->linear(dx + (size_t)row * (size_t)depth, depth, NULL, memory.logits, columns, rows, depth, columns,
                      weight->packed_transposed, NULL, ACTIVATION_NONE, !first);
  }
  if (learn && !context->arena.measuring) hold_frozen_row(weight);
  context->arena.low = mark;
  profile_done(name, PROFILE_FORWARD);
  return context_ok(context);
}
