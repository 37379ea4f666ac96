// Looking up embeddings, and adding their gradients.
#include <string.h>

#include "cpu/fast.h"
#include "cpu/simd_dropout.h"
#include "cpu/work.h"

enum {
  TASK_ELEMENTS = 8192,
  WIDEST = 1 << 15,  // hidden states are no wider (arch_check)
};

struct embed {
  float *out;
  const struct weight *table, *position_table, *type_table;
  const int32_t *ids, *positions, *types;
  float scale;
  int rows, columns, rows_each;
  const struct dropout *dropout;
};

static void add_row(float *out, const struct weight *table, int row, int columns) {
  float scratch[WIDEST];
  const float *values = weight_row(table, row, scratch);
  for (int c = 0; c < columns; c += LANES) {
    lane_mask mask = mask_first(columns - c);
    vec_store_mask(out + c, vec_add(vec_load_mask(out + c, mask), vec_load_mask(values + c, mask)), mask);
  }
}

static void embed_row(const struct embed *job, int row) {
  float *out = job->out + (size_t)row * job->columns;
  const float *values = weight_row(job->table, job->ids[row], out);
  for (int c = 0; c < job->columns; c += LANES) {
    lane_mask mask = mask_first(job->columns - c);
    vec_store_mask(out + c, vec_mul(vec_set(job->scale), vec_load_mask(values + c, mask)), mask);
  }
  if (job->position_table) add_row(out, job->position_table, job->positions[row], job->columns);
  if (job->type_table) add_row(out, job->type_table, job->types[row], job->columns);
  if (!drops(job->dropout)) return;
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec factor[DROPOUT_VECS];
    row_factors(job->dropout, row, c / DROPOUT_COLUMNS, factor);
    for (int j = 0; j < DROPOUT_VECS && c + j * LANES < job->columns; j++) {
      lane_mask mask = mask_first(job->columns - c - j * LANES);
      float *place = out + c + j * LANES;
      vec_store_mask(place, vec_mul(vec_load_mask(place, mask), factor[j]), mask);
    }
  }
}

static void embed_task(void *data, size_t index, int worker) {
  const struct embed *job = data;
  int first = (int)index * job->rows_each, end = first + job->rows_each < job->rows ? first + job->rows_each : job->rows;
  for (int row = first; row < end; row++) embed_row(job, row);
}

void KERNEL_NAME(embed)(float *out, const struct weight *table, const int32_t *ids, float scale,
                        const struct weight *position_table, const int32_t *positions, const struct weight *type_table,
                        const int32_t *types, int rows, int columns, const struct dropout *dropout) {
  if (rows <= 0 || columns <= 0) return;
  struct embed job = {out, table, position_table, type_table, ids, positions, types, scale, rows, columns, 1, dropout};
  job.rows_each = (int)size_max(1, TASK_ELEMENTS / (size_t)columns);
  work_for(ceil_div((size_t)rows, (size_t)job.rows_each), 0.5 * rows * columns, embed_task, &job);
}

struct embed_gradient {
  float *dtable;
  const int32_t *ids;
  float scale;
  const float *dout;
  int rows, columns;
  uint32_t tasks;
  const struct dropout *dropout;
};

static void add_gradient_row(const struct embed_gradient *job, int row) {
  float *to = job->dtable + (size_t)job->ids[row] * job->columns;
  const float *from = job->dout + (size_t)row * job->columns;
  vec scale = vec_set(job->scale);
  for (int c = 0; c < job->columns; c += DROPOUT_COLUMNS) {
    vec factor[DROPOUT_VECS];
    row_factors(job->dropout, row, c / DROPOUT_COLUMNS, factor);
    for (int j = 0; j < DROPOUT_VECS && c + j * LANES < job->columns; j++) {
      int column = c + j * LANES;
      lane_mask mask = mask_first(job->columns - column);
      vec value = vec_mul(vec_mul(scale, vec_load_mask(from + column, mask)), factor[j]);
      vec_store_mask(to + column, vec_add(vec_load_mask(to + column, mask), value), mask);
    }
  }
}

// Each task owns some of the ids, so that an id's rows are added in order whatever the number of tasks.
static void embed_gradient_task(void *data, size_t index, int worker) {
  const struct embed_gradient *job = data;
  for (int row = 0; row < job->rows; row++) {
    if (job->ids[row] < 0) continue;
    uint32_t mixed = (uint32_t)job->ids[row] * 0x9E3779B1u;
    if ((uint64_t)mixed * job->tasks >> 32 == index) add_gradient_row(job, row);
  }
}

void KERNEL_NAME(embed_gradient)(float *dtable, const int32_t *ids, float scale, const float *dout, int rows, int columns,
                                 const struct dropout *dropout) {
  if (rows <= 0 || columns <= 0) return;
  struct embed_gradient job = {dtable, ids, scale, dout, rows, columns, 2 * (uint32_t)parallel_threads(), dropout};
  work_for(job.tasks, 0.6 * rows * columns, embed_gradient_task, &job);
}
