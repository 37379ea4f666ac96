// parallel_for for kernels: a call whose whole work is smaller than what waking the other threads costs runs in one task.
#pragma once
#include "base/parallel.h"
#include "cpu/simd.h"

// In nanoseconds of one core, roughly; only speed depends on it.
enum { WORTH_THREADS = 12000 };

struct work_in_one {
  size_t n;
  parallel_task *task;
  void *data;
};

static inline void work_in_one_task(void *data, size_t index, int worker) {
  struct work_in_one *all = data;
  for (size_t i = 0; i < all->n; i++) all->task(all->data, i, worker);
}

static inline void work_for(size_t n, double nanoseconds, parallel_task *task, void *data) {
  struct work_in_one all = {n, task, data};
  if (nanoseconds < WORTH_THREADS) parallel_for(n > 0, work_in_one_task, &all);
  else parallel_for(n, task, data);
}

static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }
static inline size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// How many of `items` small pieces of work make a task: a few microseconds each, and still some tasks for every thread.
static inline size_t work_grain(size_t items, double nanoseconds) {
  size_t enough = (size_t)(4000 * (double)items / nanoseconds), most = items / (4 * (size_t)parallel_threads());
  return size_max(1, size_min(enough, most));
}
