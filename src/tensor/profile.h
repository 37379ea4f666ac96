// Where the time goes: a kernel table whose functions count and time, then call the real ones. Off, it does not exist, so it
// costs nothing.
//
// Kernels are functions without state, so there is one profile in a process, and it follows one table: the first that is ever
// wrapped (models that were prepared with it may outlive the profile). What a thread's kernels took is kept by the thread until
// profile_done gives it the name of the operation that called them. A kernel that ran inside a task shares the processor with the
// other tasks; its time counts as that part of the clock's, so that all times and the rest add up to the time that passed.
//
// Invariant: an entry is one kernel, one pass and one name, in which layers share a line ("decoder.*.self.output").
#pragma once
#include <stdatomic.h>

#include "base/buffer.h"
#include "tensor/kernels.h"

enum profile_pass { PROFILE_FORWARD, PROFILE_BACKWARD, PROFILE_UPDATE, PROFILE_LOAD };

// False with an error when a profile is open already. It starts running.
bool profile_open(struct error *error);
void profile_close(void);
// The table to use instead of `kernels`: itself while no profile is open.
const struct kernels *profile_wrap(const struct kernels *kernels);

// Only what is between resume and pause is counted, and so is the time; both from the thread that opened.
void profile_pause(void);
void profile_resume(void);
void profile_clear(void);  // what was counted so far is forgotten, and it pauses
// One more of what the times are then given for each of: "update". The text has to live on.
void profile_count(const char *unit);

extern atomic_bool profile_running;
void profile_name(const char *name, enum profile_pass pass);
// The kernels that this thread called since the last profile_done belong to the operation `name`.
static inline void profile_done(const char *name, enum profile_pass pass) {
  if (atomic_load_explicit(&profile_running, memory_order_relaxed)) profile_name(name, pass);
}

// What this machine can do at most, with all threads.
struct machine_bound {
  double operations;  // floating-point operations per second of products
  double bytes;       // per second, from memory
};

double profile_operations(void);  // of all kernels so far that had a name
const struct kernels *profile_kernels(void);  // whose times they are, not wrapped; NULL: no table was asked for yet
// The tables for people: by kernel, and by the operation's name.
void profile_write(struct buffer *out, const struct machine_bound *bound);
