// The one way to use several threads: parallel_for(n, task, data) calls task(data, i, worker) for every i in [0, n), each
// once, in any order, on the calling thread and the pool's workers, and returns when all are done.
//
// Results never depend on the number of threads as long as task i writes only what belongs to i. Called from inside a
// task of a job of several it runs serially, so whoever parallelises outermost wins. Floating-point mode: every task runs with
// denormals flushed to zero; the caller's own mode is restored on return.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef void parallel_task(void *data, size_t index, int worker);

// worker is in [0, parallel_threads()). Scratch memory may be indexed by it.
void parallel_for(size_t n, parallel_task *task, void *data);

// Whether the caller runs inside a task of a job of several, where parallel_for runs serially.
bool parallel_inside(void);
int parallel_threads(void);
// 0: one thread per processor that this process may use (taskset and cgroups respected). Not to be called from a task.
void parallel_set_threads(int threads);
