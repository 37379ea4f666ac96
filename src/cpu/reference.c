// Reference kernels: plain C, one obvious loop each, correct on any processor. The fast kernels are tested against these,
// and the gradient tests compile this file with double for float.
//
// Only linear, linear_gradient and the outer loops over rows are arranged for speed (sixteen columns side by side, threads),
// because these kernels also run where no fast ones exist.
#include "cpu/turn.h"
#include "cpu/reference.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "base/random.h"
#include "tensor/number.h"

enum { PANEL = 16, ROW_BLOCK = 16, WIDEST = 1 << 15 };  // WIDEST: hidden states are no wider (arch_check)

// ---- dropout ----

// The bits of element (row, column): see struct dropout. 128 columns share the sixteen blocks of one group.
static bool kept(const struct dropout *dropout, uint32_t site, int row, int column) {
  uint32_t words[4];
  int lane = column % 16, j = column % 128 / 16;
  uint64_t block = (uint64_t)(column / 128) * 16 + (uint64_t)lane;
  random_block(words, (struct random_key){{dropout->key[0], dropout->key[1]}}, dropout->row_keys[row],
               (uint64_t)site << 32 | block);
  uint32_t bits = words[j / 2] >> (j % 2 * 16) & 0xFFFF;
  return bits >= dropout->threshold;
}

static float dropout_factor(const struct dropout *dropout, int row, int column) {
  if (dropout->threshold == 0) return 1;
  return kept(dropout, dropout->site, row, column) ? dropout->scale : 0;
}

// ---- products ----

static size_t reference_packed_size(int rows, int cols) { return (size_t)((rows + PANEL - 1) / PANEL * PANEL) * (size_t)cols; }

static void reference_pack(float *packed, const float *values, int rows, int cols, bool transposed) {
  int columns = transposed ? cols : rows, depth = transposed ? rows : cols;
  for (int column = 0; column < (columns + PANEL - 1) / PANEL * PANEL; column++) {
    float *panel = packed + (size_t)(column / PANEL * PANEL) * (size_t)depth + column % PANEL;
    for (int k = 0; k < depth; k++) {
      size_t at = transposed ? (size_t)k * (size_t)cols + (size_t)column : (size_t)column * (size_t)cols + (size_t)k;
      panel[(size_t)k * PANEL] = column < columns ? values[at] : 0;
    }
  }
}

static float activation_value(float x, enum activation activation) {
  const double z = x;
  switch (activation) {
    case ACTIVATION_NONE: return x;
    case ACTIVATION_RELU: return x < 0 ? 0 : x;  // NaN stays NaN
    case ACTIVATION_GELU: return (float)(0.5 * z * (1 + erf(z * 0.70710678118654752)));
    case ACTIVATION_GELU_TANH: return (float)(0.5 * z * (1 + tanh(0.79788456080286536 * (z + 0.044715 * z * z * z))));
    case ACTIVATION_SILU: return (float)(z / (1 + exp(-z)));
    case ACTIVATION_TANH: return (float)tanh(z);
  }
  return x;
}

static double activation_slope(double z, enum activation activation) {
  switch (activation) {
    case ACTIVATION_NONE: return 1;
    case ACTIVATION_RELU: return z > 0;
    case ACTIVATION_GELU: return 0.5 * (1 + erf(z * 0.70710678118654752)) + z * 0.39894228040143268 * exp(-0.5 * z * z);
    case ACTIVATION_GELU_TANH: {
      double t = tanh(0.79788456080286536 * (z + 0.044715 * z * z * z));
      return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * 0.79788456080286536 * (1 + 3 * 0.044715 * z * z);
    }
    case ACTIVATION_SILU: {
      double s = 1 / (1 + exp(-z));
      return s * (1 + z * (1 - s));
    }
    case ACTIVATION_TANH: return 1 - tanh(z) * tanh(z);
  }
  return 1;
}

struct linear_job {
  float *y, *pre;
  const float *x, *packed, *bias;
  int y_stride, x_stride, rows, columns, depth;
  enum activation activation;
  bool accumulate;
};

static void linear_row(const struct linear_job *job, int row, int panel) {
  const float *x = job->x + (size_t)row * (size_t)job->x_stride;
  const float *w = job->packed + (size_t)panel * PANEL * (size_t)job->depth;
  int first = panel * PANEL, n = job->columns - first < PANEL ? job->columns - first : PANEL;
  float *y = job->y + (size_t)row * (size_t)job->y_stride + first;
  float sums[PANEL] = {0};
  if (job->accumulate) memcpy(sums, y, (size_t)n * sizeof *y);
  for (int k = 0; k < job->depth; k++)
    for (int i = 0; i < PANEL; i++) sums[i] += x[k] * w[(size_t)k * PANEL + (size_t)i];
  for (int i = 0; i < n; i++) {
    float value = sums[i] + (job->bias ? job->bias[first + i] : 0);
    if (job->pre) job->pre[(size_t)row * (size_t)job->columns + (size_t)(first + i)] = value;
    y[i] = activation_value(value, job->activation);
  }
}

static void linear_task(void *data, size_t index, int worker) {
  const struct linear_job *job = data;
  int panels = (job->columns + PANEL - 1) / PANEL;
  int block = (int)(index / (size_t)panels), panel = (int)(index % (size_t)panels);
  for (int row = block * ROW_BLOCK; row < (block + 1) * ROW_BLOCK && row < job->rows; row++) linear_row(job, row, panel);
}

static void reference_linear(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                             const float *packed, const float *bias, enum activation activation, bool accumulate) {
  struct linear_job job = {y, pre, x, packed, bias, y_stride, x_stride, rows, columns, depth, activation, accumulate};
  parallel_for((size_t)((rows + ROW_BLOCK - 1) / ROW_BLOCK) * (size_t)((columns + PANEL - 1) / PANEL), linear_task, &job);
}

struct gradient_job {
  float *dw, *db;
  const float *dy, *x;
  int dy_stride, x_stride, rows, depth;
};

static void linear_gradient_task(void *data, size_t index, int worker) {
  const struct gradient_job *job = data;
  float *dw = job->dw + index * (size_t)job->depth;
  for (int row = 0; row < job->rows; row++) {
    float g = job->dy[(size_t)row * (size_t)job->dy_stride + index];
    const float *x = job->x + (size_t)row * (size_t)job->x_stride;
    for (int k = 0; k < job->depth; k++) dw[k] += g * x[k];
    if (job->db) job->db[index] += g;
  }
}

static void reference_linear_gradient(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride,
                                      int rows, int columns, int depth, float *scratch) {
  struct gradient_job job = {dw, db, dy, x, dy_stride, x_stride, rows, depth};
  parallel_for((size_t)columns, linear_gradient_task, &job);
}

static void reference_linear_gradient_half(float *dw, float *db, const float *dy, int dy_stride, const uint16_t *x, int x_stride,
                                           int rows, int columns, int depth, float *scratch) {
  for (int c = 0; c < columns; c++)
    for (int row = 0; row < rows; row++) {
      float g = dy[(size_t)row * (size_t)dy_stride + (size_t)c];
      for (int k = 0; k < depth; k++)
        dw[(size_t)c * (size_t)depth + (size_t)k] += g * number_from_bf16(x[(size_t)row * (size_t)x_stride + (size_t)k]);
      if (db) db[c] += g;
    }
}

// ---- element by element ----

static void reference_activate(float *y, const float *x, int rows, int columns, enum activation activation,
                               const struct dropout *dropout) {
  for (int row = 0; row < rows; row++)
    for (int c = 0; c < columns; c++) {
      size_t at = (size_t)row * (size_t)columns + (size_t)c;
      y[at] = activation_value(x[at], activation) * dropout_factor(dropout, row, c);
    }
}

static void reference_activate_gradient(float *dx, const float *dy, const float *x, int rows, int columns,
                                        enum activation activation, const struct dropout *dropout) {
  for (int row = 0; row < rows; row++)
    for (int c = 0; c < columns; c++) {
      size_t at = (size_t)row * (size_t)columns + (size_t)c;
      dx[at] = (float)(dy[at] * dropout_factor(dropout, row, c) * activation_slope(x[at], activation));
    }
}

static void reference_gate(float *y, const float *x, int rows, int columns, enum activation activation,
                           const struct dropout *dropout) {
  for (int row = 0; row < rows; row++) {
    const float *up = x + (size_t)row * 2 * (size_t)columns, *gate = up + columns;
    for (int c = 0; c < columns; c++)
      y[(size_t)row * (size_t)columns + (size_t)c] = activation_value(gate[c], activation) * up[c] *
                                                     dropout_factor(dropout, row, c);
  }
}

static void reference_gate_gradient(float *dx, const float *dy, const float *x, int rows, int columns, enum activation activation,
                                    const struct dropout *dropout) {
  for (int row = 0; row < rows; row++) {
    size_t at = (size_t)row * 2 * (size_t)columns;
    const float *up = x + at, *gate = up + columns;
    for (int c = 0; c < columns; c++) {
      float d = dy[(size_t)row * (size_t)columns + (size_t)c] * dropout_factor(dropout, row, c);
      dx[at + (size_t)c] = d * activation_value(gate[c], activation);
      dx[at + (size_t)(columns + c)] = (float)(d * up[c] * activation_slope(gate[c], activation));
    }
  }
}

static float sigmoid(float x) { return (float)(1 / (1 + exp(-(double)x))); }

static void reference_lstm(float *hidden, float *out, int out_stride, float *cells, float *gates, const float *recurrent,
                           int recurrent_stride, const struct lstm_step *step) {
  const int n = step->columns;
  for (int slot = 0; slot < step->count; slot++, recurrent += recurrent_stride) {
    size_t row = (size_t)step->rows[slot];
    float *gate = gates + row * 4 * (size_t)n, *cell = cells + row * (size_t)n, *result = out + row * (size_t)out_stride;
    const float *before = step->previous ? cell + step->previous * n : NULL;
    for (int c = 0; c < n; c++) {
      for (int part = 0; part < 4; part++) {
        float x = gate[part * n + c] + recurrent[part * n + c];
        gate[part * n + c] = part == 2 ? (float)tanh(x) : sigmoid(x);
      }
      cell[c] = gate[c] * gate[2 * n + c] + (before ? gate[n + c] * before[c] : 0);
      result[c] = hidden[(size_t)slot * (size_t)n + (size_t)c] = gate[3 * n + c] * (float)tanh(cell[c]);
    }
  }
}

static void reference_lstm_gradient(float *gates, float *dcells, const float *dhidden, const float *dout, int dout_stride,
                                    const float *cells, const struct lstm_step *step) {
  const int n = step->columns;
  for (int slot = 0; slot < step->count; slot++, dcells += n, dhidden += n) {
    size_t row = (size_t)step->rows[slot];
    const float *cell = cells + row * (size_t)n, *d = dout + row * (size_t)dout_stride;
    const float *before = step->previous ? cell + step->previous * n : NULL;
    float *in = gates + row * 4 * (size_t)n, *forget = in + n, *new = forget + n, *open = new + n;
    for (int c = 0; c < n; c++) {
      float shown = (float)tanh(cell[c]), dh = d[c] + dhidden[c], dcell = dcells[c] + dh * open[c] * (1 - shown * shown);
      dcells[c] = dcell * forget[c];
      float din = dcell * new[c], dnew = dcell * in[c], dforget = before ? dcell * before[c] : 0, dopen = dh * shown;
      in[c] = din * in[c] * (1 - in[c]);
      forget[c] = dforget * forget[c] * (1 - forget[c]);
      new[c] = dnew * (1 - new[c] * new[c]);
      open[c] = dopen * open[c] * (1 - open[c]);
    }
  }
}

static void reference_rotary_table(float *table, const int32_t *positions, const float *frequencies, float scale, int rows,
                                   int half) {
  for (int row = 0; row < rows; row++, table += 2 * half)
    for (int i = 0; i < half; i++) turn_of(&table[i], &table[half + i], (float)positions[row] * frequencies[i], scale);
}

static void reference_rotate(float *x, int stride, const float *table, int rows, int heads, int half, bool backward) {
  for (int row = 0; row < rows; row++, x += stride, table += 2 * half)
    for (int head = 0; head < heads; head++)
      for (int i = 0; i < half; i++) {
        float *a = &x[head * 2 * half + i], *b = a + half;
        float first = *a, second = *b, cosine = table[i], sine = backward ? -table[half + i] : table[half + i];
        *a = first * cosine - second * sine;
        *b = second * cosine + first * sine;
      }
}

static void reference_add(float *y, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] += x[i];
}

static void reference_gather(float *y, const float *x, const int32_t *rows, int count, int columns) {
  for (int i = 0; i < count; i++)
    memcpy(y + (size_t)i * (size_t)columns, x + (size_t)rows[i] * (size_t)columns, (size_t)columns * sizeof *y);
}

static void reference_scatter(float *x, int x_rows, const float *y, const int32_t *rows, int count, int columns) {
  memset(x, 0, (size_t)x_rows * (size_t)columns * sizeof *x);
  for (int i = 0; i < count; i++)
    memcpy(x + (size_t)rows[i] * (size_t)columns, y + (size_t)i * (size_t)columns, (size_t)columns * sizeof *x);
}

// ---- norm ----

struct norm_job {
  float *y, *sum, *mean, *deviation;
  const float *x, *f, *gain, *bias;
  int columns;
  const struct norm *norm;
  const struct dropout *dropout;
};

static void norm_row(void *data, size_t row, int worker) {
  const struct norm_job *job = data;
  int columns = job->columns;
  size_t start = row * (size_t)columns;
  const float *input = job->x + start;
  if (job->f) {
    float *sum = job->sum + start;
    for (int c = 0; c < columns; c++)
      sum[c] = job->x[start + (size_t)c] + job->f[start + (size_t)c] * dropout_factor(job->dropout, (int)row, c);
    input = sum;
  }
  if (!job->y) return;
  double mean = 0, variance = 0;
  for (int c = 0; c < columns; c++) mean += input[c];
  mean = job->norm->rms ? 0 : mean / columns;
  for (int c = 0; c < columns; c++) variance += (input[c] - mean) * (input[c] - mean);
  double deviation = reference_deviation(job->norm, variance / columns);
  for (int c = 0; c < columns; c++)
    job->y[start + (size_t)c] = (float)((input[c] - mean) * deviation * job->gain[c] + (job->bias ? job->bias[c] : 0));
  if (job->mean) job->mean[row] = (float)mean;
  if (job->deviation) job->deviation[row] = (float)deviation;
}

static void reference_residual_norm(float *y, float *sum, float *mean, float *deviation, const float *x, const float *f,
                                    const float *gain, const float *bias, int rows, int columns, const struct norm *norm,
                                    const struct dropout *dropout) {
  struct norm_job job = {y, sum, mean, deviation, x, f, gain, bias, columns, norm, dropout};
  parallel_for((size_t)rows, norm_row, &job);
}

static void norm_gradient_row(float *dsum, const float *dy, const float *sum, double mean, double deviation, const float *gain,
                              float *dgain, float *dbias, int columns, const struct norm *norm) {
  double mean_g = 0, mean_gx = 0;
  for (int c = 0; c < columns; c++) {
    double normed = (sum[c] - mean) * deviation, g = (double)dy[c] * gain[c];
    mean_g += g;
    mean_gx += g * normed;
    if (dgain) dgain[c] += (float)(dy[c] * normed);
    if (dbias) dbias[c] += dy[c];
  }
  mean_g = norm->rms ? 0 : mean_g / columns;
  mean_gx *= reference_variance_factor(norm, deviation) / columns;
  for (int c = 0; c < columns; c++)
    dsum[c] = (float)(((double)dy[c] * gain[c] - mean_g - (sum[c] - mean) * deviation * mean_gx) * deviation);
}

static void reference_residual_norm_gradient(float *dx, bool dx_accumulate, float *df, float *dgain, float *dbias,
                                             const float *dy, const float *dresidual, const float *sum, const float *mean,
                                             const float *deviation, const float *gain, int rows, int columns,
                                             const struct norm *norm, const struct dropout *dropout) {
  for (int row = 0; row < rows; row++) {
    size_t start = (size_t)row * (size_t)columns;
    float dsum[WIDEST];
    memset(dsum, 0, (size_t)columns * sizeof *dsum);
    if (dy)
      norm_gradient_row(dsum, dy + start, sum + start, mean[row], deviation[row], gain, dgain, dbias, columns, norm);
    for (int c = 0; c < columns; c++) {
      size_t at = start + (size_t)c;
      float g = dsum[c] + (dresidual ? dresidual[at] : 0);
      if (df) df[at] = g * dropout_factor(dropout, row, c);
      dx[at] = dx_accumulate ? dx[at] + g : g;
    }
  }
}

// ---- attention ----

// What one head of one span works on.
struct head {
  const struct attention_keys *keys;
  const struct span *span;
  const struct attention *attention;
  int head, kv_head;
};

static float stored_number(const struct key_store *store, const void *base, size_t at) {
  float number;
  number_read(&number, (const char *)base + at * number_size(store->type), store->type, 1);
  return number;
}

static void store_number(const struct key_store *store, void *base, size_t at, float number) {
  number_write((char *)base + at * number_size(store->type), &number, store->type, 1);
}

static float key_value(const struct head *h, int key, int d) {
  size_t row = (size_t)(h->span->k0 + key), column = (size_t)(h->kv_head * h->attention->head_width + d);
  if (!h->span->pages) return h->keys->keys[row * (size_t)h->keys->key_stride + column];
  const struct key_store *store = h->keys->store;
  size_t page = (size_t)h->span->pages[key / KEY_PAGE] * (size_t)store->kv_heads + (size_t)h->kv_head;
  return stored_number(store, store->keys, (page * (size_t)store->head_width + (size_t)d) * KEY_PAGE + (size_t)(key % KEY_PAGE));
}

static float value_value(const struct head *h, int key, int d) {
  size_t row = (size_t)(h->span->k0 + key), column = (size_t)(h->kv_head * h->attention->head_width + d);
  if (!h->span->pages) return h->keys->values[row * (size_t)h->keys->value_stride + column];
  const struct key_store *store = h->keys->store;
  size_t page = (size_t)h->span->pages[key / KEY_PAGE] * (size_t)store->kv_heads + (size_t)h->kv_head;
  return stored_number(store, store->values,
                       (page * KEY_PAGE + (size_t)(key % KEY_PAGE)) * (size_t)store->value_width + (size_t)d);
}

// Query i of the span sees the keys [first, end).
static void visible(const struct attention *attention, const struct span *span, int i, int *first, int *end) {
  int position = span->pos + i;
  *first = attention->window > 0 && position - attention->window + 1 > 0 ? position - attention->window + 1 : 0;
  *end = attention->causal && position + 1 < span->kn ? position + 1 : span->kn;
}

static int bias_at(const struct attention *attention, const struct span *span, int i, int key) {
  int distance = key - (span->pos + i), reach = attention->bias_reach;
  if (distance < -reach) distance = -reach;
  if (distance > reach) distance = reach;
  return distance + reach;
}

static double score(const struct head *h, const float *query, int i, int key) {
  double sum = 0;
  const float *v = h->attention->additive ? h->attention->additive + (size_t)h->head * (size_t)h->attention->head_width : NULL;
  for (int d = 0; d < h->attention->head_width; d++)
    sum += v ? v[d] * tanh((double)query[d] + key_value(h, key, d)) : (double)query[d] * key_value(h, key, d);
  sum *= h->attention->scale;
  if (h->attention->bias)
    sum += h->attention->bias[(size_t)h->head * (size_t)(2 * h->attention->bias_reach + 1) +
                              (size_t)bias_at(h->attention, h->span, i, key)];
  return sum;
}

static float attention_dropout(const struct head *h, int row, int key) {
  const struct dropout *dropout = &h->attention->dropout;
  if (dropout->threshold == 0) return 1;
  return kept(dropout, dropout->site + (uint32_t)h->head, row, key) ? dropout->scale : 0;
}

// One query row: scores twice rather than a row of them in memory, so that any length works.
static void attend(const struct head *h, float *out, float *log_sum, float *probabilities, const float *query, int i) {
  int first, end, width = h->attention->head_width, row = h->span->q0 + i;
  visible(h->attention, h->span, i, &first, &end);
  double largest = -INFINITY, total = 0;
  for (int key = first; key < end; key++) largest = fmax(largest, score(h, query, i, key));
  for (int key = first; key < end; key++) total += exp(score(h, query, i, key) - largest);
  for (int d = 0; d < width; d++) out[d] = 0;
  if (probabilities) memset(probabilities, 0, (size_t)h->span->kn * sizeof *probabilities);
  for (int key = first; key < end; key++) {
    float p = (float)(exp(score(h, query, i, key) - largest) / total);
    if (probabilities) probabilities[key] = p;
    p *= attention_dropout(h, row, key);
    for (int d = 0; d < width; d++) out[d] += p * value_value(h, key, d);
  }
  if (h->attention->gain)
    for (int d = 0; d < width; d++) out[d] *= h->attention->gain[h->head];
  if (log_sum) *log_sum = (float)(largest + log(total));
}

static void reference_attention(float *out, int out_stride, float *log_sum, float *probabilities, const float *query,
                                int query_stride, const struct attention_keys *keys, const struct span *spans, int span_count,
                                const struct attention *attention) {
  size_t cell = 0;
  for (int s = 0; s < span_count; s++) {
    for (int head = 0; head < attention->heads; head++) {
      struct head h = {keys, &spans[s], attention, head, head / (attention->heads / attention->kv_heads)};
      for (int i = 0; i < spans[s].qn; i++, cell += (size_t)spans[s].kn) {
        size_t row = (size_t)(spans[s].q0 + i), column = (size_t)head * (size_t)attention->head_width;
        attend(&h, out + row * (size_t)out_stride + column, log_sum ? log_sum + row * (size_t)attention->heads + head : NULL,
               probabilities ? probabilities + cell : NULL, query + row * (size_t)query_stride + column, i);
      }
    }
  }
}

struct head_gradient {
  float *dquery, *dkeys, *dvalues, *dbias, *dgain, *dadditive;  // of this head: dkeys and dvalues at the span's first key
  int dkey_stride, dvalue_stride;
};

// Of a score by ds: query . key, or v . tanh(query + key).
static void score_gradient(const struct head *h, const struct head_gradient *to, float *dk, const float *query, int key,
                           double ds) {
  int width = h->attention->head_width;
  const float *v = h->attention->additive ? h->attention->additive + (size_t)h->head * (size_t)width : NULL;
  for (int d = 0; d < width; d++) {
    double k = key_value(h, key, d), t = v ? tanh(query[d] + k) : 0, slope = v ? v[d] * (1 - t * t) : 0;
    to->dquery[d] += (float)(ds * (v ? slope : k));
    dk[d] += (float)(ds * (v ? slope : query[d]));
    if (to->dadditive) to->dadditive[d] += (float)(ds * t);
  }
}

static void attend_gradient(const struct head *h, const struct head_gradient *to, const float *dout, const float *out,
                            double log_sum, const float *query, int i) {
  const struct attention *attention = h->attention;
  int first, end, width = attention->head_width, row = h->span->q0 + i;
  visible(attention, h->span, i, &first, &end);
  double gain = attention->gain ? attention->gain[h->head] : 1, out_dout = 0, own = 0;
  for (int d = 0; d < width; d++) {
    to->dquery[d] = 0;
    out_dout += (double)dout[d] * out[d];
  }
  for (int key = first; key < end; key++) {
    float *dk = to->dkeys + (size_t)key * (size_t)to->dkey_stride, *dv = to->dvalues + (size_t)key * (size_t)to->dvalue_stride;
    double p = exp(score(h, query, i, key) - log_sum), kept_factor = attention_dropout(h, row, key), dp = 0;
    for (int d = 0; d < width; d++) {
      dp += (double)dout[d] * value_value(h, key, d);
      dv[d] += (float)(gain * p * kept_factor * dout[d]);
    }
    own += p * kept_factor * dp;
    double ds = p * (gain * dp * kept_factor - out_dout);
    if (to->dbias) to->dbias[bias_at(attention, h->span, i, key)] += (float)ds;
    score_gradient(h, to, dk, query, key, ds * attention->scale);
  }
  if (to->dgain) *to->dgain += (float)own;
}

static void reference_attention_gradient(float *dquery, int dquery_stride, float *dkeys, int dkey_stride, float *dvalues,
                                         int dvalue_stride, float *dbias, float *dgain, float *dadditive, const float *dout,
                                         int dout_stride, const float *out, int out_stride, const float *log_sum,
                                         const float *query, int query_stride, const struct attention_keys *keys,
                                         const struct span *spans, int span_count, const struct attention *attention) {
  int width = attention->head_width;
  for (int s = 0; s < span_count; s++) {
    const struct span *span = &spans[s];
    for (int key = span->k0; key < span->k0 + span->kn; key++) {
      memset(dkeys + (size_t)key * (size_t)dkey_stride, 0, (size_t)(attention->kv_heads * width) * sizeof *dkeys);
      memset(dvalues + (size_t)key * (size_t)dvalue_stride, 0, (size_t)(attention->kv_heads * width) * sizeof *dvalues);
    }
    for (int head = 0; head < attention->heads; head++) {
      struct head h = {keys, span, attention, head, head / (attention->heads / attention->kv_heads)};
      size_t kv_column = (size_t)(h.kv_head * width), column = (size_t)(head * width);
      struct head_gradient to = {.dkeys = dkeys + (size_t)span->k0 * (size_t)dkey_stride + kv_column, .dkey_stride = dkey_stride,
                                 .dvalues = dvalues + (size_t)span->k0 * (size_t)dvalue_stride + kv_column, .dvalue_stride = dvalue_stride,
                                 .dbias = dbias ? dbias + (size_t)head * (size_t)(2 * attention->bias_reach + 1) : NULL,
                                 .dgain = dgain ? dgain + head : NULL,
                                 .dadditive = dadditive ? dadditive + column : NULL};
      for (int i = 0; i < span->qn; i++) {
        size_t row = (size_t)(span->q0 + i);
        to.dquery = dquery + row * (size_t)dquery_stride + column;
        attend_gradient(&h, &to, dout + row * (size_t)dout_stride + column, out + row * (size_t)out_stride + column,
                        log_sum[row * (size_t)attention->heads + (size_t)head], query + row * (size_t)query_stride + column, i);
      }
    }
  }
}

static void reference_store_keys(struct key_store *store, const int32_t *slots, const float *keys, int key_stride,
                                 const float *values, int value_stride, int rows) {
  int width = store->head_width;
  for (int row = 0; row < rows; row++) {
    for (int head = 0; head < store->kv_heads; head++) {
      size_t page = (size_t)(slots[row] / KEY_PAGE) * (size_t)store->kv_heads + (size_t)head,
             slot = (size_t)(slots[row] % KEY_PAGE);
      for (int d = 0; d < width; d++) {
        store_number(store, store->keys, (page * (size_t)width + (size_t)d) * KEY_PAGE + slot,
                     keys[(size_t)row * (size_t)key_stride + (size_t)(head * width + d)]);
        store_number(store, store->values, (page * KEY_PAGE + slot) * (size_t)store->value_width + (size_t)d,
                     values[(size_t)row * (size_t)value_stride + (size_t)(head * width + d)]);
      }
    }
  }
}

static void reference_round_bf16(float *x, int stride, int rows, int columns) {
  for (int row = 0; row < rows; row++, x += stride)
    for (int c = 0; c < columns; c++) x[c] = number_from_bf16(number_to_bf16(x[c]));
}

static void reference_to_bf16(uint16_t *y, const float *x, size_t n) {
  for (size_t i = 0; i < n; i++) y[i] = number_to_bf16(x[i]);
}

static void reference_relu_gradient_half(float *dx, const uint16_t *y, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(number_from_bf16(y[i]) > 0)) dx[i] = 0;
}

// ---- embedding ----

static void add_row(float *out, const struct weight *table, int row, float scale, float *scratch, int columns) {
  const float *values = weight_row(table, row, scratch);
  for (int c = 0; c < columns; c++) out[c] += scale * values[c];
}

static void reference_embed(float *out, const struct weight *table, const int32_t *ids, float scale,
                            const struct weight *position_table, const int32_t *positions, const struct weight *type_table,
                            const int32_t *types, int rows, int columns, const struct dropout *dropout) {
  float scratch[WIDEST];
  for (int row = 0; row < rows; row++) {
    float *to = out + (size_t)row * (size_t)columns;
    memset(to, 0, (size_t)columns * sizeof *to);
    add_row(to, table, ids[row], scale, scratch, columns);
    if (position_table) add_row(to, position_table, positions[row], 1, scratch, columns);
    if (type_table) add_row(to, type_table, types[row], 1, scratch, columns);
    for (int c = 0; c < columns; c++) to[c] *= dropout_factor(dropout, row, c);
  }
}

static void reference_embed_gradient(float *dtable, const int32_t *ids, float scale, const float *dout, int rows, int columns,
                                     const struct dropout *dropout) {
  for (int row = 0; row < rows; row++)
    for (int c = 0; c < columns && ids[row] >= 0; c++)
      dtable[(size_t)ids[row] * (size_t)columns + (size_t)c] += scale * dout[(size_t)row * (size_t)columns + (size_t)c] *
                                                                dropout_factor(dropout, row, c);
}

// ---- vocabulary ----

static double log_sum_of(const float *logits, int columns, int *best) {
  *best = 0;
  for (int v = 1; v < columns; v++)
    if (logits[v] > logits[*best]) *best = v;
  double largest = logits[*best], total = 0;
  for (int v = 0; v < columns; v++) total += exp(logits[v] - largest);
  return largest + log(total);
}

static void reference_cross_entropy(float *losses, float *means, int32_t *best, float *logits, int stride, const int32_t *targets,
                                    int rows, int columns, float smoothing, float scale) {
  for (int row = 0; row < rows; row++) {
    float *z = logits + (size_t)row * (size_t)stride;
    int argmax;
    double log_sum = log_sum_of(z, columns, &argmax), mean = 0;
    bool learnt = targets[row] >= 0;
    for (int v = 0; v < columns; v++) mean += (log_sum - z[v]) / columns;
    losses[row] = learnt ? (float)(log_sum - z[targets[row]]) : 0;
    if (means) means[row] = learnt ? (float)mean : 0;
    if (best) best[row] = argmax;
    if (scale == 0) continue;
    for (int v = 0; v < columns; v++) {
      double wanted = smoothing / columns + (v == targets[row] ? 1 - smoothing : 0);
      z[v] = learnt ? (float)(scale * (exp(z[v] - log_sum) - wanted)) : 0;
    }
  }
}

static void reference_log_softmax(float *logits, int stride, int rows, int columns) {
  for (int row = 0; row < rows; row++) {
    float *z = logits + (size_t)row * (size_t)stride;
    int best;
    double log_sum = log_sum_of(z, columns, &best);
    for (int v = 0; v < columns; v++) z[v] = (float)(z[v] - log_sum);
  }
}

static void reference_softmax(float *logits, int stride, int rows, int columns, float factor) {
  for (int row = 0; row < rows; row++) {
    float *z = logits + (size_t)row * (size_t)stride;
    double total = 0, largest = z[0];
    for (int v = 1; v < columns; v++) largest = z[v] > largest ? z[v] : largest;
    for (int v = 0; v < columns; v++) total += exp((z[v] - largest) * factor);
    for (int v = 0; v < columns; v++) z[v] = (float)(exp((z[v] - largest) * factor) / total);
  }
}

static void reference_largest(float *values, int32_t *indexes, float *log_sums, const float *x, int stride, int rows, int columns,
                              int count) {
  for (int row = 0; row < rows; row++) {
    float *found = values + (size_t)row * (size_t)count;
    int32_t *at = indexes + (size_t)row * (size_t)count;
    int n = 0;
    for (int c = 0; c < columns; c++) {
      float value = x[(size_t)row * (size_t)stride + (size_t)c];
      if (n == count && !(value > found[n - 1])) continue;
      int place = n < count ? n++ : n - 1;
      for (; place > 0 && value > found[place - 1]; place--) {
        found[place] = found[place - 1];
        at[place] = at[place - 1];
      }
      found[place] = value;
      at[place] = c;
    }
    double sum = 0;
    for (int c = 0; log_sums && c < columns; c++) sum += exp((double)x[(size_t)row * (size_t)stride + (size_t)c] - found[0]);
    if (log_sums) log_sums[row] = (float)(found[0] + log(sum));
  }
}

// ---- optimizer ----

static double reference_sum_squares(const float *x, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
  return sum;
}

static void reference_adamw(float *value, float *gradient, float *first, float *second, size_t n, float scale, float rate,
                            float decay, float beta1, float beta2, float epsilon, float correction1, float correction2) {
  for (size_t i = 0; i < n; i++) {
    float g = gradient[i] * scale;
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    value[i] -= rate * decay * value[i];
    value[i] -= (float)(rate * (first[i] / correction1) / (sqrt(second[i] / correction2) + epsilon));
    gradient[i] = 0;
  }
}

void kernels_fill_reference(struct kernels *kernels) {
  kernels->name = "reference";
  kernels->dtype = "f32";
#define KERNEL(result, slot, arguments) kernels->slot = reference_##slot;
  KERNEL_TABLE(KERNEL)
#undef KERNEL
}
