// Attention over spans: rows of matrices and pages, every knob, forward and backward.
#include <math.h>
#include <string.h>

#include "attention_cases.h"
#include "tensor/number.h"

enum { CAUSAL = 1, WINDOW = 2, BIAS = 4, GAIN = 8, DROPOUT = 16, GROUPED = 32, WIDE = 64, ADDITIVE = 128 };

// rows: how many spans; columns: keys of the longest; depth: head width; variant: the knobs
const struct shape attention_shapes[ATTENTION_SHAPES] = {
    {1, 1, 1, 0},
    {1, 5, 8, CAUSAL},
    {2, 16, 24, 0},
    {3, 17, 64, CAUSAL},
    {4, 63, 16, WINDOW},
    {2, 70, 128, CAUSAL | WINDOW},
    {3, 33, 24, CAUSAL | BIAS},
    {3, 40, 32, BIAS | GAIN | WIDE},
    {4, 30, 64, CAUSAL | DROPOUT},
    {2, 150, 8, DROPOUT | GAIN | GROUPED},
    {3, 65, 20, CAUSAL | GROUPED | WIDE},
    {1, 300, 16, 0},
    {1, 290, 40, CAUSAL},
    {1, 530, 8, CAUSAL | WINDOW | DROPOUT},
    {1, 600, 16, CAUSAL | BIAS | GAIN | GROUPED},
    {1, 40, 300, CAUSAL},
    {20, 9, 16, CAUSAL | GROUPED},
    {1, 257, 5, 0},
    {3, 17, 24, ADDITIVE},
    {2, 40, 20, ADDITIVE | CAUSAL | GROUPED | WIDE},
    {1, 290, 16, ADDITIVE | CAUSAL | WINDOW | BIAS | DROPOUT},
    {2, 33, 300, ADDITIVE | GAIN},
};

// Spans of falling length, queries and keys of their own rows; with causal attention the last queries of the keys.
static void make(struct setting *setting, const struct shape *s) {
  struct attention *attention = &setting->attention;
  *attention = (struct attention){.heads = 4, .kv_heads = s->variant & GROUPED ? 2 : 4, .head_width = s->depth,
                                  .causal = s->variant & CAUSAL, .window = s->variant & WINDOW ? 21 : 0,
                                  .scale = 1.5f / sqrtf((float)s->depth), .bias_reach = 6};
  setting->span_count = s->rows;
  setting->rows = setting->key_rows = 0;
  setting->cells = 0;
  for (int i = 0; i < s->rows; i++) {
    int kn = s->columns - i * 3 > 1 ? s->columns - i * 3 : 1, qn = attention->causal ? kn - kn / 4 * (i % 2) : kn / 2 + 1;
    setting->spans[i] =
        (struct span){setting->rows, qn, setting->key_rows, kn, attention->causal || attention->window ? kn - qn : 0, NULL};
    setting->rows += qn;
    setting->key_rows += kn;
    setting->cells += (size_t)attention->heads * (size_t)qn * (size_t)kn;
  }
  int kv_width = attention->kv_heads * s->depth, wider = s->variant & WIDE ? 5 : 0;
  setting->query_stride = attention->heads * s->depth + wider;
  setting->key_stride = setting->value_stride = kv_width + wider;
  setting->query = case_floats((size_t)(setting->rows * setting->query_stride));
  setting->keys = (struct attention_keys){case_floats((size_t)(setting->key_rows * setting->key_stride)),
                                          case_floats((size_t)(setting->key_rows * setting->value_stride)), setting->key_stride,
                                          setting->value_stride, NULL};
  float *bias = case_floats((size_t)(4 * 13)), *gain = case_floats(4);
  gain[2] = 0;
  attention->bias = s->variant & BIAS ? bias : NULL;
  attention->gain = s->variant & GAIN ? gain : NULL;
  attention->additive = s->variant & ADDITIVE ? case_floats((size_t)(4 * s->depth)) : NULL;
  attention->dropout = case_dropout(s->variant & DROPOUT, setting->rows);
}

struct setting attention_setting(const struct shape *shape) {
  struct setting setting;
  make(&setting, shape);
  return setting;
}

void attention_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  struct setting s = attention_setting(shape);
  float *out = case_output(outputs, (size_t)(s.rows * s.query_stride), 1e-5f);
  float *log_sum = case_output(outputs, (size_t)(s.rows * s.attention.heads), 1e-5f);
  float *probabilities = case_output(outputs, s.cells, 1e-5f);
  kernels->attention(out, s.query_stride, log_sum, probabilities, s.query, s.query_stride, &s.keys, s.spans, s.span_count,
                     &s.attention);
}

void attention_gradient_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  struct setting s = attention_setting(shape);
  const struct attention *a = &s.attention;
  float *out = case_floats((size_t)(s.rows * s.query_stride)), *log_sum = case_floats((size_t)(s.rows * a->heads));
  float *dout = case_floats((size_t)(s.rows * s.query_stride));
  float *dquery = case_output(outputs, (size_t)(s.rows * s.query_stride), 2e-5f);
  float *dkeys = case_output(outputs, (size_t)(s.key_rows * s.key_stride), 2e-5f);
  float *dvalues = case_output(outputs, (size_t)(s.key_rows * s.value_stride), 2e-5f);
  float *dbias = case_output(outputs, 4 * 13, 1e-4f), *dgain = case_output(outputs, 4, 1e-4f);
  float *dadditive = case_output(outputs, (size_t)(4 * shape->depth), 1e-4f);
  kernels->attention(out, s.query_stride, log_sum, NULL, s.query, s.query_stride, &s.keys, s.spans, s.span_count, a);
  kernels->attention_gradient(dquery, s.query_stride, dkeys, s.key_stride, dvalues, s.value_stride, a->bias ? dbias : NULL,
                              a->gain ? dgain : NULL, a->additive ? dadditive : NULL, dout, s.query_stride, out, s.query_stride,
                              log_sum, s.query, s.query_stride, &s.keys, s.spans, s.span_count, a);
}

// The same keys in pages: page numbers fall so that their order is not the keys'. pages [page_count] belongs to the caller.
struct key_store attention_store(const struct kernels *kernels, enum number_type type, const struct setting *s,
                                 struct span *spans, int32_t *pages, int32_t *slots) {
  struct key_store store = {.type = type, .kv_heads = s->attention.kv_heads, .head_width = s->attention.head_width,
                            .value_width = span_value_width(s->attention.head_width)};
  for (int i = 0; i < s->span_count; i++) store.pages += (s->spans[i].kn + KEY_PAGE - 1) / KEY_PAGE;
  size_t heads = (size_t)(store.pages * store.kv_heads);
  size_t keys = heads * (size_t)store.head_width * KEY_PAGE * number_size(type),
         values = heads * (size_t)store.value_width * KEY_PAGE * number_size(type);
  store.keys = memset(case_floats(keys / sizeof(float)), 0, keys);
  store.values = memset(case_floats(values / sizeof(float)), 0, values);
  int page = 0;
  for (int i = 0; i < s->span_count; i++) {
    spans[i] = s->spans[i];
    spans[i].pages = pages + page;
    for (int key = 0; key < spans[i].kn; key++) {
      if (key % KEY_PAGE == 0) {
        pages[page] = store.pages - 1 - page;
        page++;
      }
      slots[spans[i].k0 + key] = pages[page - 1] * KEY_PAGE + key % KEY_PAGE;
    }
  }
  kernels->store_keys(&store, slots, s->keys.keys, s->key_stride, s->keys.values, s->value_stride, s->key_rows);
  return store;
}

static void pages_case(const struct kernels *kernels, enum number_type type, const struct shape *shape, struct outputs *outputs) {
  struct setting s = attention_setting(shape);
  struct span spans[SPANS];
  int32_t pages[SPANS * 40], slots[4096];
  float *out = case_output(outputs, (size_t)(s.rows * s.query_stride), 1e-5f);
  float *log_sum = case_output(outputs, (size_t)(s.rows * s.attention.heads), 1e-5f);
  struct key_store store = attention_store(kernels, type, &s, spans, pages, slots);
  struct attention_keys keys = {.store = &store};
  kernels->attention(out, s.query_stride, log_sum, NULL, s.query, s.query_stride, &keys, spans, s.span_count, &s.attention);
}

void attention_pages_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  pages_case(kernels, TYPE_F32, shape, outputs);
}

void attention_half_pages_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  pages_case(kernels, TYPE_BF16, shape, outputs);
}

static void store_case(const struct kernels *kernels, enum number_type type, const struct shape *shape, struct outputs *outputs) {
  struct setting s = attention_setting(shape);
  struct span spans[SPANS];
  int32_t pages[SPANS * 40], slots[4096];
  struct key_store store = attention_store(kernels, type, &s, spans, pages, slots);
  size_t heads = (size_t)(store.pages * store.kv_heads), keys = heads * (size_t)store.head_width * KEY_PAGE;
  size_t values = heads * (size_t)store.value_width * KEY_PAGE;
  number_read(case_output(outputs, keys, 0), store.keys, type, keys);
  number_read(case_output(outputs, values, 0), store.values, type, values);
}

void store_keys_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  store_case(kernels, TYPE_F32, shape, outputs);
}

void store_half_keys_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs) {
  store_case(kernels, TYPE_BF16, shape, outputs);
}
