#include "tensor/weight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "tensor/kernels.h"
#include "tensor/number.h"

void weight_free(struct weight *weight) {
  free(weight->values);
  free(weight->gradient);
  free(weight->first);
  free(weight->second);
  free(weight->packed);
  free(weight->packed_transposed);
  weight->values = weight->gradient = weight->first = weight->second = weight->packed = weight->packed_transposed = NULL;
}

static size_t part_stride(const struct weight_part *part) { return (size_t)(part->stride ? part->stride : part->rows); }

static void read_stored(const struct weight_part *part, int cols, int row, float *out) {
  size_t size = number_size(part->type);
  const char *base = part->stored;
  if (!part->transposed) {
    number_read(out, base + (size_t)row * (size_t)cols * size, part->type, (size_t)cols);
    return;
  }
  for (int col = 0; col < cols; col++)
    number_read(out + col, base + ((size_t)col * part_stride(part) + (size_t)row) * size, part->type, 1);
}

const float *weight_row(const struct weight *weight, int row, float *scratch) {
  if (weight->values) return weight->values + (size_t)row * (size_t)weight->cols;
  const struct weight_part *part = weight->parts;
  while (row >= part->rows) row -= part++->rows;
  if (part->type == TYPE_F32 && !part->transposed) return (const float *)part->stored + (size_t)row * (size_t)weight->cols;
  read_stored(part, weight->cols, row, scratch);
  return scratch;
}

// A transposed part turned over, in strips of its rows, so that memory is read and written in whole cache lines.
static void turn_part(const struct weight_part *part, int cols, float *out) {
  enum { STRIP = 16 };
  size_t size = number_size(part->type);
  for (int row = 0; row < part->rows; row += STRIP) {
    int rows = part->rows - row < STRIP ? part->rows - row : STRIP;
    const char *base = (const char *)part->stored + (size_t)row * size;
    for (int col = 0; col < cols; col++) {
      float strip[STRIP];
      number_read(strip, base + (size_t)col * part_stride(part) * size, part->type, (size_t)rows);
      for (int i = 0; i < rows; i++) out[(size_t)(row + i) * (size_t)cols + (size_t)col] = strip[i];
    }
  }
}

static void copy_stored(const struct weight *weight, float *out) {
  size_t cols = (size_t)weight->cols;
  for (int p = 0; p < weight->part_count; p++) {
    const struct weight_part *part = &weight->parts[p];
    if (part->transposed) turn_part(part, weight->cols, out);
    else number_read(out, part->stored, part->type, (size_t)part->rows * cols);
    out += (size_t)part->rows * cols;
  }
}

bool weight_own_values(struct weight *weight, struct error *error) {
  if (weight->values) return true;
  bool stored = weight->parts[0].stored != NULL;
  float *values = memory_new_aligned(error, weight_size(weight), sizeof *values);
  if (!values) return false;
  if (stored) copy_stored(weight, values);
  else memset(values, 0, weight_size(weight) * sizeof *values);
  weight->values = values;
  return true;
}

static uint64_t hash_name(const char *name) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
  return hash;
}

// Vaswani et al. 2017, section 3.5; `interleaved` is the paper's order, the other one puts all sines first.
static void fill_sinusoid(struct weight *weight, bool interleaved) {
  int width = weight->cols, sines = (width + 1) / 2;
  for (int col = 0; col < width; col++) {
    int pair = interleaved ? col / 2 : col < sines ? col : col - sines;
    bool sine = interleaved ? col % 2 == 0 : col < sines;
    double wavelength = pow(10000, 2.0 * pair / width);
    for (int position = 0; position < weight->rows; position++) {
      double angle = position / wavelength;
      weight->values[(size_t)position * (size_t)width + (size_t)col] = (float)(sine ? sin(angle) : cos(angle));
    }
  }
}

// Glorot and Bengio 2010: uniform within sqrt(6 / (inputs + outputs)), each part as the matrix that it is.
static void fill_xavier(struct weight *weight, struct random_key key) {
  uint64_t i = 0;
  for (int p = 0; p < weight->part_count; p++) {
    double bound = sqrt(6.0 / (weight->cols + weight->parts[p].rows));
    for (uint64_t end = i + (uint64_t)weight->parts[p].rows * (uint64_t)weight->cols; i < end; i++)
      weight->values[i] = (float)(bound * (2 * random_uniform(key, i) - 1));
  }
}

void weight_initialise(struct weight *weight, uint64_t seed) {
  size_t size = weight_size(weight);
  struct random_key key = random_key(seed, hash_name(weight->name));
  switch (weight->initialisation) {
    case INITIAL_ZERO:
    case INITIAL_ONE:
      for (size_t i = 0; i < size; i++) weight->values[i] = weight->initialisation == INITIAL_ONE ? 1 : 0;
      break;
    case INITIAL_NORMAL:
      for (size_t i = 0; i < size; i++) weight->values[i] = (float)(weight->deviation * random_normal(key, i));
      break;
    case INITIAL_XAVIER: fill_xavier(weight, key); break;
    case INITIAL_SINUSOID: fill_sinusoid(weight, false); break;
    case INITIAL_SINUSOID_INTERLEAVED: fill_sinusoid(weight, true); break;
  }
  if (weight->zero_row >= 0)
    memset(weight->values + (size_t)weight->zero_row * (size_t)weight->cols, 0, (size_t)weight->cols * sizeof *weight->values);
}

static bool row_is_zero(const struct weight *weight, int row) {
  for (int col = 0; col < weight->cols; col++)
    if (weight->values[(size_t)row * (size_t)weight->cols + (size_t)col] != 0) return false;
  return true;
}

bool weight_start_training(struct weight *weight, struct error *error) {
  if (!weight_own_values(weight, error)) return false;
  weight->frozen_row = weight->zero_row >= 0 && row_is_zero(weight, weight->zero_row) ? weight->zero_row : -1;
  if (!weight->trainable) return true;
  float **arrays[] = {&weight->gradient, &weight->first, &weight->second};
  for (int i = 0; i < 3; i++) {
    if (*arrays[i]) continue;
    *arrays[i] = memory_new_aligned(error, weight_size(weight), sizeof(float));
    if (!*arrays[i]) return false;
    memset(*arrays[i], 0, weight_size(weight) * sizeof(float));
  }
  return true;
}

void weight_add_column_sums(struct weight *bias, const float *dy, int rows) {
  for (int row = 0; row < rows; row++, dy += bias->rows)
    for (int i = 0; i < bias->rows; i++) bias->gradient[i] += dy[i];
}

// The values as one f32 matrix: in place where they lie so already, otherwise converted into *converted.
static const float *as_matrix(const struct weight *weight, float **converted, struct error *error) {
  *converted = NULL;
  const struct weight_part *part = &weight->parts[0];
  if (weight->values) return weight->values;
  if (weight->part_count == 1 && part->type == TYPE_F32 && !part->transposed) return part->stored;
  *converted = memory_new_aligned(error, weight_size(weight), sizeof(float));
  if (*converted) copy_stored(weight, *converted);
  return *converted;
}

static bool pack_one(float **packed, const float *values, const struct weight *weight, const struct kernels *kernels,
                     bool transposed, struct error *error) {
  int rows = transposed ? weight->cols : weight->rows, cols = transposed ? weight->rows : weight->cols;
  if (!*packed) *packed = memory_new_aligned(error, kernels->packed_size(rows, cols), sizeof **packed);
  if (!*packed) return false;
  kernels->pack(*packed, values, weight->rows, weight->cols, transposed);
  return true;
}

// Stored turned over and in one piece, values can be packed from where they lie: the other orientation is the one that is wanted.
static bool is_turned_over(const struct weight *weight) {
  const struct weight_part *part = &weight->parts[0];
  return !weight->values && weight->part_count == 1 && part->stored && part->type == TYPE_F32 && part->transposed &&
         part_stride(part) == (size_t)part->rows;
}

bool weight_pack(struct weight *weight, const struct kernels *kernels, bool with_transposed, struct error *error) {
  if (is_turned_over(weight) && !with_transposed) {
    if (!weight->packed)
      weight->packed = memory_new_aligned(error, kernels->packed_size(weight->rows, weight->cols), sizeof(float));
    if (weight->packed) kernels->pack(weight->packed, weight->parts[0].stored, weight->cols, weight->rows, true);
    return weight->packed != NULL;
  }
  float *converted;
  const float *values = as_matrix(weight, &converted, error);
  bool ok = values && pack_one(&weight->packed, values, weight, kernels, false, error) &&
            (!with_transposed || pack_one(&weight->packed_transposed, values, weight, kernels, true, error));
  free(converted);
  return ok;
}

void weight_repack(const struct weight *weight, const struct kernels *kernels) {
  kernels->pack(weight->packed, weight->values, weight->rows, weight->cols, false);
  if (weight->packed_transposed) kernels->pack(weight->packed_transposed, weight->values, weight->rows, weight->cols, true);
}
