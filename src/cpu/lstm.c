// One step of an LSTM and its gradient, element by element; the products stand beside it (tensor/op_lstm.c).
#include "cpu/fast.h"
#include "cpu/simd_math.h"
#include "cpu/work.h"

enum { TASK_ELEMENTS = 2048 };

struct lstm {
  float *hidden, *out, *cells, *gates, *dcells;
  const float *recurrent, *dhidden, *dout;
  size_t out_stride, recurrent_stride;
  const struct lstm_step *step;
  int slots_each;
};

INLINE vec sigmoid_slope(vec y) { return vec_mul(y, vec_sub(vec_set(1.0f), y)); }
INLINE vec tanh_slope(vec y) { return vec_negative_fma(y, y, vec_set(1.0f)); }

static void forward_slot(const struct lstm *job, int slot) {
  const int n = job->step->columns, row = job->step->rows[slot];
  float *gates = job->gates + (size_t)row * 4 * n, *cell = job->cells + (size_t)row * n, *out = job->out + row * job->out_stride;
  float *hidden = job->hidden + (size_t)slot * n;
  const float *recurrent = job->recurrent + slot * job->recurrent_stride;
  const float *before = job->step->previous ? cell + job->step->previous * n : NULL;
  for (int c = 0; c < n; c += LANES) {
    lane_mask mask = mask_first(n - c);
    vec gate[4];
    for (int part = 0; part < 4; part++) {
      int at = part * n + c;
      vec x = vec_add(vec_load_mask(gates + at, mask), vec_load_mask(recurrent + at, mask));
      gate[part] = part == 2 ? vec_tanh(x) : vec_sigmoid(x);
      vec_store_mask(gates + at, gate[part], mask);
    }
    vec now = vec_mul(gate[0], gate[2]);
    if (before) now = vec_fma(gate[1], vec_load_mask(before + c, mask), now);
    vec y = vec_mul(gate[3], vec_tanh(now));
    vec_store_mask(cell + c, now, mask);
    vec_store_mask(out + c, y, mask);
    vec_store_mask(hidden + c, y, mask);
  }
}

static void backward_slot(const struct lstm *job, int slot) {
  const int n = job->step->columns, row = job->step->rows[slot];
  float *gates = job->gates + (size_t)row * 4 * n, *dcells = job->dcells + (size_t)slot * n;
  const float *cell = job->cells + (size_t)row * n, *dout = job->dout + row * job->out_stride;
  const float *dhidden = job->dhidden + (size_t)slot * n;
  const float *before = job->step->previous ? cell + job->step->previous * n : NULL;
  for (int c = 0; c < n; c += LANES) {
    lane_mask mask = mask_first(n - c);
    vec gate[4];
    for (int part = 0; part < 4; part++) gate[part] = vec_load_mask(gates + part * n + c, mask);
    vec shown = vec_tanh(vec_load_mask(cell + c, mask));
    vec dh = vec_add(vec_load_mask(dout + c, mask), vec_load_mask(dhidden + c, mask));
    vec dcell = vec_fma(vec_mul(dh, gate[3]), tanh_slope(shown), vec_load_mask(dcells + c, mask));
    vec dforget = before ? vec_mul(dcell, vec_load_mask(before + c, mask)) : vec_zero();
    vec_store_mask(dcells + c, vec_mul(dcell, gate[1]), mask);
    vec_store_mask(gates + c, vec_mul(vec_mul(dcell, gate[2]), sigmoid_slope(gate[0])), mask);
    vec_store_mask(gates + n + c, vec_mul(dforget, sigmoid_slope(gate[1])), mask);
    vec_store_mask(gates + 2 * n + c, vec_mul(vec_mul(dcell, gate[0]), tanh_slope(gate[2])), mask);
    vec_store_mask(gates + 3 * n + c, vec_mul(vec_mul(dh, shown), sigmoid_slope(gate[3])), mask);
  }
}

static void forward_task(void *data, size_t index, int worker) {
  const struct lstm *job = data;
  int first = (int)index * job->slots_each, left = job->step->count - first;
  for (int slot = first; slot < first + (left < job->slots_each ? left : job->slots_each); slot++) forward_slot(job, slot);
}

static void backward_task(void *data, size_t index, int worker) {
  const struct lstm *job = data;
  int first = (int)index * job->slots_each, left = job->step->count - first;
  for (int slot = first; slot < first + (left < job->slots_each ? left : job->slots_each); slot++) backward_slot(job, slot);
}

static void run(struct lstm *job, parallel_task *task, double nanoseconds) {
  const struct lstm_step *step = job->step;
  if (step->count <= 0 || step->columns <= 0) return;
  job->slots_each = (int)size_max(1, TASK_ELEMENTS / (size_t)step->columns);
  work_for(ceil_div((size_t)step->count, (size_t)job->slots_each), nanoseconds * step->count * step->columns, task, job);
}

void KERNEL_NAME(lstm)(float *hidden, float *out, int out_stride, float *cells, float *gates, const float *recurrent,
                       int recurrent_stride, const struct lstm_step *step) {
  struct lstm job = {.hidden = hidden,
                     .out = out,
                     .cells = cells,
                     .gates = gates,
                     .recurrent = recurrent,
                     .out_stride = (size_t)out_stride,
                     .recurrent_stride = (size_t)recurrent_stride,
                     .step = step};
  run(&job, forward_task, 6);
}

void KERNEL_NAME(lstm_gradient)(float *gates, float *dcells, const float *dhidden, const float *dout, int dout_stride,
                                const float *cells, const struct lstm_step *step) {
  struct lstm job = {.cells = (float *)cells,
                     .gates = gates,
                     .dcells = dcells,
                     .dhidden = dhidden,
                     .dout = dout,
                     .out_stride = (size_t)dout_stride,
                     .step = step};
  run(&job, backward_task, 3);
}
