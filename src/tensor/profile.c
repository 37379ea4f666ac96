#include "tensor/profile.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "tensor/number.h"

enum slot {
#define KERNEL(result, name, arguments) SLOT_##name,
  KERNEL_TABLE(KERNEL)
#undef KERNEL
  SLOTS
};

static const char *const slot_names[SLOTS] = {
#define KERNEL(result, name, arguments) [SLOT_##name] = #name,
  KERNEL_TABLE(KERNEL)
#undef KERNEL
};

struct work {
  double seconds, operations, bytes;
  uint64_t calls;
};

struct entry {
  enum slot slot;
  enum profile_pass pass;
  char name[56];
  struct work work;
};

static struct {
  pthread_mutex_t lock;
  bool open;
  struct kernels wrapped;
  const struct kernels *real;
  struct entry *entries;
  size_t count, capacity;
  double seconds, since;  // of the clock, while it ran
  uint64_t units;
  const char *unit;
} profile = {.lock = PTHREAD_MUTEX_INITIALIZER};

atomic_bool profile_running;

static _Thread_local struct work waiting[SLOTS];  // for profile_done

// --- Counting

static double begin(void) { return atomic_load_explicit(&profile_running, memory_order_relaxed) ? clock_seconds() : 0; }

static void end(double started, enum slot slot, double operations, double bytes) {
  if (started == 0) return;
  struct work *work = &waiting[slot];
  work->seconds += (clock_seconds() - started) / (parallel_inside() ? parallel_threads() : 1);
  work->operations += operations;
  work->bytes += bytes;
  work->calls++;
}

static double area(int rows, int columns) { return (double)rows * (double)columns; }

static void count_pack(float *packed, const float *values, int rows, int cols, bool transposed) {
  double started = begin();
  profile.real->pack(packed, values, rows, cols, transposed);
  size_t written = transposed ? profile.real->packed_size(cols, rows) : profile.real->packed_size(rows, cols);
  end(started, SLOT_pack, 0, 4 * area(rows, cols) + 4 * (double)written);
}

static void count_linear(float *y, int y_stride, float *pre, const float *x, int x_stride, int rows, int columns, int depth,
                         const float *packed, const float *bias, enum activation activation, bool accumulate) {
  double started = begin();
  profile.real->linear(y, y_stride, pre, x, x_stride, rows, columns, depth, packed, bias, activation, accumulate);
  double moved = 4 * area(rows, depth) + (pre || accumulate ? 8 : 4) * area(rows, columns) +
                 4 * (double)profile.real->packed_size(columns, depth);
  end(started, SLOT_linear, 2 * area(rows, columns) * depth, moved);
}

static void count_linear_gradient(float *dw, float *db, const float *dy, int dy_stride, const float *x, int x_stride, int rows,
                                  int columns, int depth, float *scratch) {
  double started = begin();
  profile.real->linear_gradient(dw, db, dy, dy_stride, x, x_stride, rows, columns, depth, scratch);
  end(started, SLOT_linear_gradient, 2 * area(rows, columns) * depth,
      4 * area(rows, columns) + 4 * area(rows, depth) + 8 * area(columns, depth));
}

static void count_linear_gradient_half(float *dw, float *db, const float *dy, int dy_stride, const uint16_t *x, int x_stride,
                                       int rows, int columns, int depth, float *scratch) {
  double started = begin();
  profile.real->linear_gradient_half(dw, db, dy, dy_stride, x, x_stride, rows, columns, depth, scratch);
  end(started, SLOT_linear_gradient_half, 2 * area(rows, columns) * depth,
      4 * area(rows, columns) + 2 * area(rows, depth) + 8 * area(columns, depth));
}

static void count_activate(float *y, const float *x, int rows, int columns, enum activation activation,
                           const struct dropout *dropout) {
  double started = begin();
  profile.real->activate(y, x, rows, columns, activation, dropout);
  end(started, SLOT_activate, 0, 8 * area(rows, columns));
}

static void count_activate_gradient(float *dx, const float *dy, const float *x, int rows, int columns,
                                    enum activation activation, const struct dropout *dropout) {
  double started = begin();
  profile.real->activate_gradient(dx, dy, x, rows, columns, activation, dropout);
  end(started, SLOT_activate_gradient, 0, 12 * area(rows, columns));
}

static void count_residual_norm(float *y, float *sum, float *mean, float *deviation, const float *x, const float *f,
                                const float *gain, const float *bias, int rows, int columns, const struct norm *norm,
                                const struct dropout *dropout) {
  double started = begin();
  profile.real->residual_norm(y, sum, mean, deviation, x, f, gain, bias, rows, columns, norm, dropout);
  end(started, SLOT_residual_norm, 0, 4 * area(rows, columns) * (1 + (f ? 2 : 0) + (y ? 1 : 0)));
}

static void count_residual_norm_gradient(float *dx, bool dx_accumulate, float *df, float *dgain, float *dbias, const float *dy,
                                         const float *dresidual, const float *sum, const float *mean, const float *deviation,
                                         const float *gain, int rows, int columns, const struct norm *norm,
                                         const struct dropout *dropout) {
  double started = begin();
  profile.real->residual_norm_gradient(dx, dx_accumulate, df, dgain, dbias, dy, dresidual, sum, mean, deviation, gain, rows,
                                       columns, norm, dropout);
  int arrays = 1 + dx_accumulate + (df != NULL) + (dy ? 2 : 0) + (dresidual != NULL);
  end(started, SLOT_residual_norm_gradient, 0, 4 * area(rows, columns) * arrays);
}

static double span_rows(const struct span *spans, int span_count) {
  double rows = 0;
  for (int i = 0; i < span_count; i++) rows += spans[i].qn;
  return rows;
}

static void count_column_statistics(float *mean, float *variance, const float *x, int columns, const struct span *spans,
                                    int span_count, int groups) {
  double started = begin();
  profile.real->column_statistics(mean, variance, x, columns, spans, span_count, groups);
  end(started, SLOT_column_statistics, 0, 8 * span_rows(spans, span_count) * columns);
}

static void count_column_norm(float *y, const float *x, const float *mean, const float *variance, const float *gain,
                              const float *bias, int columns, const struct span *spans, int span_count, int groups,
                              const struct norm *norm) {
  double started = begin();
  profile.real->column_norm(y, x, mean, variance, gain, bias, columns, spans, span_count, groups, norm);
  end(started, SLOT_column_norm, 0, 8 * span_rows(spans, span_count) * columns);
}

static void count_column_norm_gradient(float *dx, bool dx_accumulate, float *dgain, float *dbias, const float *dy, const float *x,
                                       const float *mean, const float *variance, const float *gain, int columns,
                                       const struct span *spans, int span_count, int groups, bool constant,
                                       const struct norm *norm) {
  double started = begin();
  profile.real->column_norm_gradient(dx, dx_accumulate, dgain, dbias, dy, x, mean, variance, gain, columns, spans, span_count,
                                     groups, constant, norm);
  end(started, SLOT_column_norm_gradient, 0, 4 * span_rows(spans, span_count) * columns * (5 + dx_accumulate));
}

// Pairs of a query and a key that it sees.
static double pairs(const struct span *spans, int span_count, const struct attention *attention) {
  double sum = 0;
  for (int i = 0; i < span_count; i++) {
    double queries = spans[i].qn, keys = spans[i].kn;
    if (attention->causal) keys = spans[i].pos + (queries + 1) / 2;
    if (attention->window > 0 && keys > attention->window) keys = attention->window;
    sum += queries * keys;
  }
  return sum * attention->heads;
}

// Bytes of the rows of queries, results, keys and values, where a number of the latter two takes key_size.
static double attention_bytes(const struct span *spans, int span_count, const struct attention *attention, size_t key_size) {
  double sum = 0;
  for (int i = 0; i < span_count; i++)
    sum += 8.0 * spans[i].qn * attention->heads + 2.0 * (double)key_size * spans[i].kn * attention->kv_heads;
  return sum * attention->head_width;
}

static void count_attention(float *out, int out_stride, float *log_sum, float *probabilities, const float *query,
                            int query_stride, const struct attention_keys *keys, const struct span *spans, int span_count,
                            const struct attention *attention) {
  double started = begin();
  profile.real->attention(out, out_stride, log_sum, probabilities, query, query_stride, keys, spans, span_count, attention);
  if (started == 0) return;
  end(started, SLOT_attention, 4 * pairs(spans, span_count, attention) * attention->head_width,
      attention_bytes(spans, span_count, attention, keys->store ? number_size(keys->store->type) : sizeof(float)));
}

static void count_attention_gradient(float *dquery, int dquery_stride, float *dkeys, int dkey_stride, float *dvalues,
                                     int dvalue_stride, float *dbias, float *dgain, float *dadditive, const float *dout,
                                     int dout_stride, const float *out, int out_stride, const float *log_sum, const float *query,
                                     int query_stride, const struct attention_keys *keys, const struct span *spans,
                                     int span_count, const struct attention *attention) {
  double started = begin();
  profile.real->attention_gradient(dquery, dquery_stride, dkeys, dkey_stride, dvalues, dvalue_stride, dbias, dgain, dadditive,
                                   dout, dout_stride, out, out_stride, log_sum, query, query_stride, keys, spans, span_count,
                                   attention);
  if (started == 0) return;
  end(started, SLOT_attention_gradient, 10 * pairs(spans, span_count, attention) * attention->head_width,
      2 * attention_bytes(spans, span_count, attention, sizeof(float)));
}

static void count_store_keys(struct key_store *store, const int32_t *slots, const float *keys, int key_stride,
                             const float *values, int value_stride, int rows) {
  double started = begin();
  profile.real->store_keys(store, slots, keys, key_stride, values, value_stride, rows);
  end(started, SLOT_store_keys, 0, (8 + 2 * (double)number_size(store->type)) * area(rows, store->kv_heads * store->head_width));
}

static void count_round_bf16(float *x, int stride, int rows, int columns) {
  double started = begin();
  profile.real->round_bf16(x, stride, rows, columns);
  end(started, SLOT_round_bf16, 0, 8 * area(rows, columns));
}

static void count_to_bf16(uint16_t *y, const float *x, size_t n) {
  double started = begin();
  profile.real->to_bf16(y, x, n);
  end(started, SLOT_to_bf16, 0, 6 * (double)n);
}

static void count_relu_gradient_half(float *dx, const uint16_t *y, size_t n) {
  double started = begin();
  profile.real->relu_gradient_half(dx, y, n);
  end(started, SLOT_relu_gradient_half, 0, 10 * (double)n);
}

static void count_embed(float *out, const struct weight *table, const int32_t *ids, float scale,
                        const struct weight *position_table, const int32_t *positions, const struct weight *type_table,
                        const int32_t *types, int rows, int columns, const struct dropout *dropout) {
  double started = begin();
  profile.real->embed(out, table, ids, scale, position_table, positions, type_table, types, rows, columns, dropout);
  end(started, SLOT_embed, 0, 4 * area(rows, columns) * (2 + (position_table != NULL) + (type_table != NULL)));
}

static void count_embed_gradient(float *dtable, const int32_t *ids, float scale, const float *dout, int rows, int columns,
                                 const struct dropout *dropout) {
  double started = begin();
  profile.real->embed_gradient(dtable, ids, scale, dout, rows, columns, dropout);
  end(started, SLOT_embed_gradient, 0, 12 * area(rows, columns));
}

static void count_cross_entropy(float *losses, float *means, int32_t *best, float *logits, int stride, const int32_t *targets,
                                int rows, int columns, float smoothing, float scale) {
  double started = begin();
  profile.real->cross_entropy(losses, means, best, logits, stride, targets, rows, columns, smoothing, scale);
  end(started, SLOT_cross_entropy, 0, (scale != 0 ? 8 : 4) * area(rows, columns));
}

static void count_log_softmax(float *logits, int stride, int rows, int columns) {
  double started = begin();
  profile.real->log_softmax(logits, stride, rows, columns);
  end(started, SLOT_log_softmax, 0, 8 * area(rows, columns));
}

static void count_softmax(float *logits, int stride, int rows, int columns, float factor) {
  double started = begin();
  profile.real->softmax(logits, stride, rows, columns, factor);
  end(started, SLOT_softmax, 0, 8 * area(rows, columns));
}

static void count_largest(float *values, int32_t *indexes, float *log_sums, const float *x, int stride, int rows, int columns,
                          int count) {
  double started = begin();
  profile.real->largest(values, indexes, log_sums, x, stride, rows, columns, count);
  end(started, SLOT_largest, 0, 4 * area(rows, columns));
}

static double count_sum_squares(const float *x, size_t n) {
  double started = begin();
  double sum = profile.real->sum_squares(x, n);
  end(started, SLOT_sum_squares, 0, 4 * (double)n);
  return sum;
}

static void count_adamw(float *value, float *gradient, float *first, float *second, size_t n, float scale, float rate,
                        float decay, float beta1, float beta2, float epsilon, float correction1, float correction2) {
  double started = begin();
  profile.real->adamw(value, gradient, first, second, n, scale, rate, decay, beta1, beta2, epsilon, correction1, correction2);
  end(started, SLOT_adamw, 0, 32 * (double)n);
}

static void count_add(float *y, const float *x, size_t n) {
  double started = begin();
  profile.real->add(y, x, n);
  end(started, SLOT_add, 0, 12 * (double)n);
}

static void count_gather(float *y, const float *x, const int32_t *rows, int count, int columns) {
  double started = begin();
  profile.real->gather(y, x, rows, count, columns);
  end(started, SLOT_gather, 0, 8 * area(count, columns));
}

static void count_scatter(float *x, int x_rows, const float *y, const int32_t *rows, int count, int columns) {
  double started = begin();
  profile.real->scatter(x, x_rows, y, rows, count, columns);
  end(started, SLOT_scatter, 0, 4 * area(count, columns) + 4 * area(x_rows, columns));
}

static void count_gate(float *y, const float *x, int rows, int columns, enum activation activation,
                       const struct dropout *dropout) {
  double started = begin();
  profile.real->gate(y, x, rows, columns, activation, dropout);
  end(started, SLOT_gate, 0, 12 * area(rows, columns));
}

static void count_gate_gradient(float *dx, const float *dy, const float *x, int rows, int columns, enum activation activation,
                                const struct dropout *dropout) {
  double started = begin();
  profile.real->gate_gradient(dx, dy, x, rows, columns, activation, dropout);
  end(started, SLOT_gate_gradient, 0, 20 * area(rows, columns));
}

static void count_lstm(float *hidden, float *out, int out_stride, float *cells, float *gates, const float *recurrent,
                       int recurrent_stride, const struct lstm_step *step) {
  double started = begin();
  profile.real->lstm(hidden, out, out_stride, cells, gates, recurrent, recurrent_stride, step);
  end(started, SLOT_lstm, 0, 64 * area(step->count, step->columns));
}

static void count_lstm_gradient(float *gates, float *dcells, const float *dhidden, const float *dout, int dout_stride,
                                const float *cells, const struct lstm_step *step) {
  double started = begin();
  profile.real->lstm_gradient(gates, dcells, dhidden, dout, dout_stride, cells, step);
  end(started, SLOT_lstm_gradient, 0, 56 * area(step->count, step->columns));
}

static void count_rotary_table(float *table, const int32_t *positions, const float *frequencies, float scale, int rows,
                               int half) {
  double started = begin();
  profile.real->rotary_table(table, positions, frequencies, scale, rows, half);
  end(started, SLOT_rotary_table, 0, 8 * area(rows, half));
}

static void count_rotate(float *x, int stride, const float *table, int rows, int heads, int half, bool backward) {
  double started = begin();
  profile.real->rotate(x, stride, table, rows, heads, half, backward);
  end(started, SLOT_rotate, 0, 16 * area(rows, heads * half) + 8 * area(rows, half));
}

static void count_unit_heads(float *x, int stride, float *lengths, int rows, int heads, int width) {
  double started = begin();
  profile.real->unit_heads(x, stride, lengths, rows, heads, width);
  end(started, SLOT_unit_heads, 0, 8 * area(rows, heads * width));
}

static void count_unit_heads_gradient(float *dx, int dx_stride, const float *y, int y_stride, const float *lengths, int rows,
                                      int heads, int width) {
  double started = begin();
  profile.real->unit_heads_gradient(dx, dx_stride, y, y_stride, lengths, rows, heads, width);
  end(started, SLOT_unit_heads_gradient, 0, 12 * area(rows, heads * width));
}

static void count_head_products(float *y, int y_stride, const float *x, int x_stride, const float *w, int rows, int heads,
                                int width) {
  double started = begin();
  profile.real->head_products(y, y_stride, x, x_stride, w, rows, heads, width);
  end(started, SLOT_head_products, 2 * area(rows, heads) * area(width, width), 8 * area(rows, heads * width));
}

static void count_head_products_gradient(float *dx, int dx_stride, float *dw, const float *dy, int dy_stride, const float *x,
                                         int x_stride, const float *w, int rows, int heads, int width) {
  double started = begin();
  profile.real->head_products_gradient(dx, dx_stride, dw, dy, dy_stride, x, x_stride, w, rows, heads, width);
  end(started, SLOT_head_products_gradient, 4 * area(rows, heads) * area(width, width), 12 * area(rows, heads * width));
}

// A slot that is not listed runs uncounted, in the rest.
const struct kernels *profile_wrap(const struct kernels *kernels) {
  if (!profile.open || (profile.real && profile.real != kernels)) return kernels;
  struct kernels *wrapped = &profile.wrapped;
  *wrapped = *kernels;
#define COUNT(slot) wrapped->slot = count_##slot
  COUNT(pack), COUNT(linear), COUNT(linear_gradient), COUNT(linear_gradient_half), COUNT(activate), COUNT(activate_gradient);
  COUNT(residual_norm), COUNT(to_bf16), COUNT(relu_gradient_half);
  COUNT(residual_norm_gradient), COUNT(attention), COUNT(attention_gradient), COUNT(store_keys), COUNT(embed);
  COUNT(embed_gradient), COUNT(cross_entropy), COUNT(log_softmax), COUNT(softmax), COUNT(largest), COUNT(sum_squares);
  COUNT(adamw), COUNT(add), COUNT(gather), COUNT(scatter), COUNT(gate), COUNT(gate_gradient);
  COUNT(rotary_table), COUNT(rotate), COUNT(lstm), COUNT(lstm_gradient), COUNT(round_bf16);
  COUNT(unit_heads), COUNT(unit_heads_gradient), COUNT(head_products), COUNT(head_products_gradient);
  COUNT(column_statistics), COUNT(column_norm), COUNT(column_norm_gradient);
#undef COUNT
  profile.real = kernels;
  return wrapped;
}

// --- Names

// "decoder.3.self.output" becomes "decoder.*.self.output".
static void generalise(char *out, size_t size, const char *name) {
  size_t used = 0;
  while (*name && used + 1 < size) {
    size_t digits = strspn(name, "0123456789");
    out[used++] = digits ? '*' : *name;
    name += digits ? digits : 1;
  }
  out[used] = 0;
}

static void add_work(struct work *to, const struct work *work) {
  to->seconds += work->seconds;
  to->operations += work->operations;
  to->bytes += work->bytes;
  to->calls += work->calls;
}

static void add_entry(enum slot slot, enum profile_pass pass, const char *name, const struct work *work) {
  struct error ignored = {0};
  for (size_t i = 0; i < profile.count; i++) {
    struct entry *entry = &profile.entries[i];
    if (entry->slot != slot || entry->pass != pass || strcmp(entry->name, name) != 0) continue;
    add_work(&entry->work, work);
    return;
  }
  if (!memory_grow(&ignored, &profile.entries, &profile.capacity, profile.count + 1, sizeof *profile.entries)) return;
  struct entry *entry = &profile.entries[profile.count++];
  *entry = (struct entry){.slot = slot, .pass = pass, .work = *work};
  snprintf(entry->name, sizeof entry->name, "%s", name);
}

void profile_name(const char *name, enum profile_pass pass) {
  char general[sizeof((struct entry *)0)->name];
  generalise(general, sizeof general, name);
  pthread_mutex_lock(&profile.lock);
  for (int slot = 0; slot < SLOTS; slot++) {
    if (!waiting[slot].calls) continue;
    add_entry((enum slot)slot, pass, general, &waiting[slot]);
    waiting[slot] = (struct work){0};
  }
  pthread_mutex_unlock(&profile.lock);
}

// --- Life

bool profile_open(struct error *error) {
  pthread_mutex_lock(&profile.lock);
  bool was = profile.open;
  profile.open = true;
  pthread_mutex_unlock(&profile.lock);
  if (was) return error_set(error, ERROR_USAGE, "another profile is being made; there can be one at a time in a process");
  profile_clear();
  profile_resume();
  return true;
}

void profile_clear(void) {
  profile_pause();
  profile.seconds = 0;
  profile.units = profile.count = 0;
  profile.unit = NULL;
  memset(waiting, 0, sizeof waiting);
}

void profile_close(void) {
  if (!profile.open) return;
  atomic_store(&profile_running, false);
  free(profile.entries);
  profile.entries = NULL;
  profile.count = profile.capacity = 0;
  profile.open = false;
}

void profile_pause(void) {
  if (!atomic_load(&profile_running)) return;
  profile.seconds += clock_seconds() - profile.since;
  atomic_store(&profile_running, false);
}

void profile_resume(void) {
  if (!profile.open || atomic_load(&profile_running)) return;
  profile.since = clock_seconds();
  atomic_store(&profile_running, true);
}

void profile_count(const char *unit) {
  profile.unit = unit;
  profile.units++;
}

double profile_operations(void) {
  double sum = 0;
  pthread_mutex_lock(&profile.lock);
  for (size_t i = 0; i < profile.count; i++) sum += profile.entries[i].work.operations;
  pthread_mutex_unlock(&profile.lock);
  return sum;
}

const struct kernels *profile_kernels(void) { return profile.real; }

// --- The report

static const char *const pass_names[] = {"forward", "backward", "update", "load"};

struct line {
  const char *text;
  enum profile_pass pass;
  struct work work;
};

static int more_time_first(const void *a, const void *b) {
  double x = ((const struct line *)a)->work.seconds, y = ((const struct line *)b)->work.seconds;
  return x < y ? 1 : x > y ? -1 : 0;
}

static const char *text_of(const struct entry *entry, bool by_name) { return by_name ? entry->name : slot_names[entry->slot]; }

static size_t sum_up(struct line *lines, bool by_name) {
  size_t count = 0;
  for (size_t i = 0; i < profile.count; i++) {
    const struct entry *entry = &profile.entries[i];
    const char *text = text_of(entry, by_name);
    size_t at = 0;
    while (at < count && (lines[at].pass != entry->pass || strcmp(lines[at].text, text) != 0)) at++;
    if (at == count) lines[count++] = (struct line){.text = text, .pass = entry->pass};
    add_work(&lines[at].work, &entry->work);
  }
  qsort(lines, count, sizeof *lines, more_time_first);
  return count;
}

struct scale {
  double total, per;  // seconds; milliseconds are divided by per
  const struct machine_bound *bound;
};

static void write_time(struct buffer *out, const struct scale *scale, double seconds) {
  buffer_format(out, "%6.1f %% %10.3f", scale->total > 0 ? 100 * seconds / scale->total : 0, 1e3 * seconds / scale->per);
}

// Whatever takes longer at the machine's rates, the operations or the bytes, bounds the time and is the rate that is shown.
static void write_line(struct buffer *out, const struct scale *scale, const struct line *line) {
  const struct work *work = &line->work;
  double computing = work->operations / scale->bound->operations, moving = work->bytes / scale->bound->bytes;
  bool computes = computing >= moving;
  buffer_format(out, "%-40s %-8s ", line->text, pass_names[line->pass]);
  write_time(out, scale, work->seconds);
  buffer_format(out, " %9.1f %9.1f %-8s %5.0f %%\n", (double)work->calls / scale->per,
                1e-9 * (computes ? work->operations : work->bytes) / work->seconds, computes ? "GFLOP/s" : "GB/s",
                100 * (computes ? computing : moving) / work->seconds);
}

static void write_table(struct buffer *out, const struct scale *scale, const struct line *lines, size_t count, const char *title,
                        const char *unit) {
  double sum = 0;
  char each[24];
  snprintf(each, sizeof each, unit ? "ms/%.12s" : "ms", unit);
  buffer_format(out, "\n%-40s %-8s %8s %10s %9s %18s %7s\n", title, "pass", "time", each, "calls", "rate", "of bound");
  for (size_t i = 0; i < count; i++) {
    write_line(out, scale, &lines[i]);
    sum += lines[i].work.seconds;
  }
  buffer_format(out, "%-40s %-8s ", "the rest", "");
  write_time(out, scale, scale->total - sum);
  buffer_format(out, "\n%-40s %-8s ", "all", "");
  write_time(out, scale, scale->total);
  buffer_char(out, '\n');
}

void profile_write(struct buffer *out, const struct machine_bound *bound) {
  const char *unit = profile.unit;
  profile_name("(no name)", PROFILE_FORWARD);
  struct error none = {0};
  struct line *lines = memory_new(&none, profile.count + 1, sizeof *lines);
  if (!lines) {
    out->failed = true;
    return;
  }
  bool running = atomic_load(&profile_running);
  struct scale scale = {profile.seconds + (running ? clock_seconds() - profile.since : 0), 1, bound};
  buffer_text(out, "profile");
  if (unit) {
    buffer_format(out, " of %llu %s%s", (unsigned long long)profile.units, unit, profile.units == 1 ? "" : "s");
    scale.per = profile.units ? (double)profile.units : 1;
  }
  buffer_format(out, ": %.3f s on %d thread%s", scale.total, parallel_threads(), parallel_threads() == 1 ? "" : "s");
  if (profile.real) buffer_format(out, ", %s path, products in %s", profile.real->name, profile.real->dtype);
  buffer_format(out, "\nthis machine's bounds, measured: %.0f GFLOP/s, %.1f GB/s; what lies in a cache may exceed the latter\n",
                1e-9 * bound->operations, 1e-9 * bound->bytes);
  write_table(out, &scale, lines, sum_up(lines, false), "kernel", unit);
  write_table(out, &scale, lines, sum_up(lines, true), "operation", unit);
  free(lines);
}
