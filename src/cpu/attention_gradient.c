// Attention over spans, backward. The weights are made again from the scores and the log-sums; nothing of forward was kept.
//
// One task does all queries of one span for one key/value head, so that no two tasks add to the same keys; with gradients of
// the bias or the gains one task does all spans, in order. Per block of keys and block of query rows:
//   weights = exp(scores - log_sum), dweights = dout * values; with D = sum of dout * out per row,
//   dscores = weights * (dropout(dweights) * gain - D)
//   dvalues += dropout(weights)^T * dout * gain, dkeys += dscores^T * query * scale, dquery += dscores * keys * scale
#include <math.h>

#include "cpu/attention_additive.h"
#include "cpu/attention_block.h"
#include "cpu/fast.h"
#include "cpu/simd_math.h"
#include "cpu/work.h"

struct backward {
  float *dquery, *dkeys, *dvalues, *dbias, *dgain, *dadditive;
  size_t dquery_stride, dkey_stride, dvalue_stride;
  const float *dout, *out, *log_sum, *query;
  size_t dout_stride, out_stride, query_stride;
  const struct attention_keys *keys;
  const struct span *spans;
  int span_count;
  const struct attention *attention;
  size_t items, items_each;
};

// A block of query rows of one head against one block of keys.
struct block {
  struct attention_head head;
  int first_query, queries;
  int key, keys;
  const float *key_rows, *value_rows;           // of this head's columns at the first key
  float *dkey_rows, *dvalue_rows;
  float weights[ATTENTION_ROWS * ATTENTION_KEYS];
  float dweights[ATTENTION_ROWS * ATTENTION_KEYS];
};

// The row's scores become dropout(weights) * gain, its dweights become dscores * scale; zero where the query doesn't see.
static void gradient_row(const struct backward *job, struct block *block, int r) {
  const struct attention *attention = job->attention;
  const struct span *span = block->head.span;
  int i = block->first_query + r, head = block->head.head, position = span->pos + i, first, end;
  size_t row = (size_t)(span->q0 + i), column = (size_t)head * attention->head_width;
  float *weights = block->weights + r * ATTENTION_KEYS, *dweights = block->dweights + r * ATTENTION_KEYS;
  keys_seen(attention, span, i, &first, &end);
  first = first > block->key ? first - block->key : 0;
  end = end < block->key + block->keys ? end - block->key : block->keys;
  vec log_sum = vec_set(job->log_sum[row * attention->heads + head]), own = vec_zero(), factor[DROPOUT_VECS];
  vec out_dout = vec_set(
      dot_product(job->out + row * job->out_stride + column, job->dout + row * job->dout_stride + column, attention->head_width));
  vec gain = vec_set(attention->gain ? attention->gain[head] : 1), scale = vec_set(attention->scale);
  float *dbias = job->dbias ? job->dbias + (size_t)head * (2 * attention->bias_reach + 1) + attention->bias_reach : NULL;
  for (int j = 0; j < block->keys; j += LANES) {
    if (j == 0 || (drops(&attention->dropout) && j % DROPOUT_COLUMNS == 0)) {
      struct dropout dropout = attention->dropout;
      dropout.site += (uint32_t)head;
      row_factors(&dropout, (int)row, (block->key + j) / DROPOUT_COLUMNS, factor);
    }
    lane_mask seen = mask_between(first - j, end - j);
    if (!mask_any(seen)) {
      vec_store(weights + j, vec_zero());
      vec_store(dweights + j, vec_zero());
      continue;
    }
    vec drop = drops(&attention->dropout) ? factor[j % DROPOUT_COLUMNS / LANES] : vec_set(1);
    vec score = finished_scores(&block->head, vec_load(weights + j), position, block->key + j);
    vec weight = vec_keep(seen, vec_exp(vec_sub(score, log_sum)));
    vec dweight = vec_keep(seen, vec_mul(vec_load(dweights + j), drop));
    own = vec_fma(weight, dweight, own);
    vec dscore = vec_mul(weight, vec_sub(vec_mul(dweight, gain), out_dout));
    vec_store(weights + j, vec_mul(vec_mul(weight, drop), gain));
    vec_store(dweights + j, vec_mul(dscore, scale));
    if (!dbias) continue;
    float dscores[LANES];
    vec_store(dscores, dscore);
    for (int k = j > first ? j : first; k < end && k < j + LANES; k++) {
      int distance = block->key + k - position, reach = attention->bias_reach;
      dbias[distance < -reach ? -reach : distance > reach ? reach : distance] += dscores[k - j];
    }
  }
  if (job->dgain) job->dgain[head] += vec_sum(own);
}

// to[key] += sum over the queries of weights[query, key] * from[query]
static void add_to_keys(const struct block *block, float *to, size_t to_stride, const float *weights, const float *from,
                        size_t from_stride) {
  int width = block->head.attention->head_width;
  for (int j = 0, step; j < block->keys; j += step) {
    step = tile_rows_next(block->keys - j);
    int row = first_row_seeing(&block->head, block->key + j, block->first_query, block->queries);
    if (row == block->queries) return;
    struct tile tile = {.c = to + j * to_stride,
                        .c_row = to_stride,
                        .a = weights + row * ATTENTION_KEYS + j,
                        .a_row = 1,
                        .a_step = ATTENTION_KEYS,
                        .b = from + row * from_stride,
                        .b_step = from_stride,
                        .depth = block->queries - row,
                        .from_c = true};
    tile_product(width % LANES ? KERNEL_NAME(turned_ragged_tiles) : KERNEL_NAME(turned_tiles), tile, step, width);
  }
}

static void add_to_queries(const struct backward *job, const struct block *block, float *dquery) {
  int width = job->attention->head_width;
  for (int r = 0, step; r < block->queries; r += step) {
    step = tile_rows_next(block->queries - r);
    int first, end;
    keys_seen(job->attention, block->head.span, block->first_query + r + step - 1, &first, &end);
    end = end < block->key + block->keys ? end - block->key : block->keys;
    if (end <= 0) continue;
    struct tile tile = {.c = dquery + r * job->dquery_stride,
                        .c_row = job->dquery_stride,
                        .a = block->dweights + r * ATTENTION_KEYS,
                        .a_row = ATTENTION_KEYS,
                        .a_step = 1,
                        .b = block->key_rows,
                        .b_step = (size_t)job->keys->key_stride,
                        .depth = end,
                        .from_c = true};
    tile_product(width % LANES ? KERNEL_NAME(forward_ragged_tiles) : KERNEL_NAME(forward_tiles), tile, step, width);
  }
}

static void block_gradient(const struct backward *job, struct block *block) {
  const struct attention *attention = job->attention;
  size_t row = (size_t)(block->head.span->q0 + block->first_query), column = (size_t)block->head.head * attention->head_width;
  const float *query = job->query + row * job->query_stride + column, *dout = job->dout + row * job->dout_stride + column;
  block_scores(&block->head, block->weights, query, job->query_stride, block->first_query, block->queries, block->key_rows,
               (size_t)job->keys->key_stride, block->key, block->keys);
  block_products(&block->head, block->dweights, dout, job->dout_stride, block->first_query, block->queries, block->value_rows,
                 (size_t)job->keys->value_stride, block->key, block->keys);
  for (int r = 0; r < block->queries; r++) gradient_row(job, block, r);
  add_to_keys(block, block->dvalue_rows, job->dvalue_stride, block->weights, dout, job->dout_stride);
  float *dquery = job->dquery + row * job->dquery_stride + column;
  if (attention->additive) {
    additive_gradient(&block->head, dquery, job->dquery_stride, block->dkey_rows, job->dkey_stride,
                      job->dadditive ? job->dadditive + column : NULL, block->dweights, query, job->query_stride,
                      block->first_query, block->queries, block->key_rows, (size_t)job->keys->key_stride, block->key,
                      block->keys);
    return;
  }
  add_to_keys(block, block->dkey_rows, job->dkey_stride, block->dweights, query, job->query_stride);
  add_to_queries(job, block, dquery);
}

static void head_gradient(const struct backward *job, struct block *block) {
  const struct attention *attention = job->attention;
  const struct span *span = block->head.span;
  int width = attention->head_width;
  clear_rows(job->dquery + span->q0 * job->dquery_stride + (size_t)block->head.head * width, job->dquery_stride, span->qn, width);
  for (block->key = 0; block->key < span->kn; block->key += ATTENTION_KEYS) {
    size_t key = (size_t)(span->k0 + block->key), column = (size_t)block->head.kv_head * width;
    block->keys = span->kn - block->key < ATTENTION_KEYS ? span->kn - block->key : ATTENTION_KEYS;
    block->key_rows = job->keys->keys + key * job->keys->key_stride + column;
    block->value_rows = job->keys->values + key * job->keys->value_stride + column;
    block->dkey_rows = job->dkeys + key * job->dkey_stride + column;
    block->dvalue_rows = job->dvalues + key * job->dvalue_stride + column;
    int start = first_seeing(attention, span, block->key, span->qn);
    for (block->first_query = start; block->first_query < span->qn; block->first_query += ATTENTION_ROWS) {
      block->queries = span->qn - block->first_query < ATTENTION_ROWS ? span->qn - block->first_query : ATTENTION_ROWS;
      block_gradient(job, block);
    }
  }
}

static void span_gradient(const struct backward *job, const struct span *span, int kv_head) {
  int group = job->attention->heads / job->attention->kv_heads, width = job->attention->head_width;
  struct block block;
  block.head = (struct attention_head){job->attention, span, 0, kv_head};
  clear_rows(job->dkeys + span->k0 * job->dkey_stride + (size_t)kv_head * width, job->dkey_stride, span->kn, width);
  clear_rows(job->dvalues + span->k0 * job->dvalue_stride + (size_t)kv_head * width, job->dvalue_stride, span->kn, width);
  for (int h = 0; h < group; h++) {
    block.head.head = kv_head * group + h;
    head_gradient(job, &block);
  }
}

static void gradient_task(void *data, size_t index, int worker) {
  const struct backward *job = data;
  size_t end = size_min((index + 1) * job->items_each, job->items);
  for (size_t item = index * job->items_each; item < end; item++)
    span_gradient(job, &job->spans[item / job->attention->kv_heads], (int)(item % job->attention->kv_heads));
}

static void all_spans_task(void *data, size_t index, int worker) {
  const struct backward *job = data;
  for (int s = 0; s < job->span_count; s++) span_gradient(job, &job->spans[s], (int)index);
}

void KERNEL_NAME(attention_gradient)(float *dquery, int dquery_stride, float *dkeys, int dkey_stride, float *dvalues,
                                     int dvalue_stride, float *dbias, float *dgain, float *dadditive, const float *dout,
                                     int dout_stride, const float *out, int out_stride, const float *log_sum, const float *query,
                                     int query_stride, const struct attention_keys *keys, const struct span *spans,
                                     int span_count, const struct attention *attention) {
  struct backward job = {dquery, dkeys, dvalues, dbias, dgain, dadditive, (size_t)dquery_stride, (size_t)dkey_stride,
                         (size_t)dvalue_stride, dout, out, log_sum, query, (size_t)dout_stride, (size_t)out_stride,
                         (size_t)query_stride, keys, spans, span_count, attention, 0, 0};
  double work = 0;
  for (int s = 0; s < span_count; s++) work += attention->heads * attention_work(attention, &spans[s], 5);
  if (span_count == 0) return;
  if (dbias || dgain || dadditive) {
    work_for((size_t)attention->kv_heads, work, all_spans_task, &job);
    return;
  }
  job.items = (size_t)span_count * attention->kv_heads;
  job.items_each = work_grain(job.items, work);
  work_for(ceil_div(job.items, job.items_each), work, gradient_task, &job);
}
