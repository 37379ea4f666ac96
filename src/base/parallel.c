#include "base/parallel.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_THREADS = 255, SPINS = 4000 };

// A job is published by storing `job`: a counter in the upper bits, the number of helping workers in the lower eight, so
// that a worker learns both in one load. Helpers take indexes from `next` until it passes `count` and then lower `busy`;
// the next job is not published before busy is 0 again. Which worker runs which index is arbitrary.
static struct {
  pthread_mutex_t lock;  // one parallel_for from outside at a time
  atomic_int threads;    // wanted, including the caller; 0: not decided yet
  int started;           // worker threads that exist
  unsigned seen_at_start[MAX_THREADS + 1];
  atomic_uint job;
  atomic_int sleeping;
  atomic_size_t next;
  atomic_uint busy;
  atomic_bool caller_sleeps;
  size_t count;
  parallel_task *task;
  void *data;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool inside_task;

static void futex_wait(atomic_uint *word, unsigned seen) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); }

static void futex_wake(atomic_uint *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, MAX_THREADS, NULL, NULL, 0); }

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static unsigned denormals_off(void) {
#if defined(__x86_64__)
  unsigned mode = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mode | 0x8040);  // flush to zero, denormals are zero
  return mode;
#else
  return 0;
#endif
}

static void denormals_restore(unsigned mode) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr(mode);
#endif
}

static void take_indexes(int worker) {
  size_t i;
  while ((i = atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed)) < pool.count) pool.task(pool.data, i, worker);
}

static unsigned wait_for_job(unsigned seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    unsigned job = atomic_load_explicit(&pool.job, memory_order_acquire);
    if (job != seen) return job;
    relax();
  }
  atomic_fetch_add(&pool.sleeping, 1);
  unsigned job;
  while ((job = atomic_load(&pool.job)) == seen) futex_wait(&pool.job, seen);
  atomic_fetch_sub(&pool.sleeping, 1);
  return job;
}

static void *work(void *argument) {
  int worker = (int)(intptr_t)argument;
  unsigned job = pool.seen_at_start[worker];
  inside_task = true;
  denormals_off();
  for (;;) {
    job = wait_for_job(job);
    if (worker > (int)(job & 255)) continue;
    take_indexes(worker);
    // The last one wakes the caller, if it sleeps; the flag is raised before the caller looks at `busy` again.
    if (atomic_fetch_sub(&pool.busy, 1) == 1 && atomic_load(&pool.caller_sleeps)) futex_wake(&pool.busy);
  }
  return NULL;
}

static int processors(void) {
  cpu_set_t set;  // has room for 1,024: on larger machines the call fails
  int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");  // containers limit processors here: "quota period"
  if (file) {
    long quota, period;
    if (fscanf(file, "%ld %ld", &quota, &period) == 2 && period > 0 && quota > 0) {
      int allowed = (int)((quota + period - 1) / period);
      if (allowed < n) n = allowed;
    }
    fclose(file);
  }
  return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : n;
}

// After a fork only the calling thread exists: the child starts a pool of its own when it needs one.
static void forget_workers(void) {
  pthread_mutex_init(&pool.lock, NULL);
  pool.started = 0;
}

// Workers take no signals: a program's handlers run on the threads that it knows.
static void start_workers(int wanted) {
  static bool registered;
  if (pool.started >= wanted) return;
  if (!registered) registered = pthread_atfork(NULL, NULL, forget_workers) == 0;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool.started < wanted) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 4 << 20);
    pthread_t thread;
    pool.seen_at_start[pool.started + 1] = atomic_load(&pool.job);
    int failed = pthread_create(&thread, &attributes, work, (void *)(intptr_t)(pool.started + 1));
    pthread_attr_destroy(&attributes);
    if (failed) break;  // fewer threads: slower, never wrong
    pool.started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int parallel_threads(void) {
  int threads = pool.threads;
  if (threads == 0) pool.threads = threads = processors();
  return threads;
}

void parallel_set_threads(int threads) {
  pool.threads = threads <= 0 ? processors() : threads > MAX_THREADS ? MAX_THREADS : threads;
}

static void run_serially(size_t n, parallel_task *task, void *data) {
  for (size_t i = 0; i < n; i++) task(data, i, 0);
}

static void publish(int helpers) {
  unsigned counter = (atomic_load_explicit(&pool.job, memory_order_relaxed) >> 8) + 1;
  atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
  atomic_store_explicit(&pool.busy, (unsigned)helpers, memory_order_relaxed);
  atomic_store(&pool.job, counter << 8 | (unsigned)helpers);
  if (atomic_load(&pool.sleeping) > 0) futex_wake(&pool.job);
}

// Spinning is short: with more threads than free processors it would only keep the helpers from running.
static void wait_for_helpers(void) {
  for (int spin = 0; spin < SPINS; spin++) {
    if (atomic_load_explicit(&pool.busy, memory_order_acquire) == 0) return;
    relax();
  }
  atomic_store(&pool.caller_sleeps, true);
  unsigned left;
  while ((left = atomic_load(&pool.busy)) > 0) futex_wait(&pool.busy, left);
  atomic_store(&pool.caller_sleeps, false);
}

static void run_on_pool(size_t n, int threads, parallel_task *task, void *data) {
  pthread_mutex_lock(&pool.lock);
  start_workers(threads - 1);
  pool.count = n;
  pool.task = task;
  pool.data = data;
  publish(pool.started < threads - 1 ? pool.started : threads - 1);
  inside_task = true;
  take_indexes(0);
  inside_task = false;
  wait_for_helpers();
  pthread_mutex_unlock(&pool.lock);
}

bool parallel_inside(void) { return inside_task; }

void parallel_for(size_t n, parallel_task *task, void *data) {
  if (n == 0) return;
  if (inside_task) {
    run_serially(n, task, data);
    return;
  }
  int threads = parallel_threads();
  unsigned mode = denormals_off();
  // A single index is not worth a job, and leaves the threads to what runs inside it.
  if (n == 1 || threads == 1) run_serially(n, task, data);
  else run_on_pool(n, threads, task, data);
  denormals_restore(mode);
}
