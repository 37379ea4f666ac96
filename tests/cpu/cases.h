// One case runs one slot of a kernel table on given shapes. Inputs and the outputs' first contents are a function of the shape
// alone, so that two runs can be compared element by element, what must not be written included.
#pragma once
#include "tensor/kernels.h"

enum { OUTPUTS = 8 };

struct outputs {
  int count;
  struct {
    float *data;
    size_t n;
    float tolerance;  // of a difference, relative to 1 + the wanted value's size; 0: bit-equal
  } list[OUTPUTS];
};

struct shape {
  int rows, columns, depth;
  int variant;   // bits or a number, as the case says
};

typedef void kernel_case(const struct kernels *kernels, const struct shape *shape, struct outputs *outputs);

// Memory between guard bytes, filled with numbers in (-1, 1); case_begin restarts the numbers, case_end checks the guards and
// frees everything, false if somebody wrote there.
void case_begin(unsigned seed);
float *case_floats(size_t n);
int32_t *case_ints(size_t n, int32_t first, int32_t end);
float *case_output(struct outputs *outputs, size_t n, float tolerance);
void case_int_output(struct outputs *outputs, const int32_t *values, size_t n);
bool case_end(void);

// A dropout of rate 0.1 over that many rows, or none.
struct dropout case_dropout(bool on, int rows);

extern const struct slot_case {
  const char *name;
  kernel_case *run;
  const struct shape *shapes;
  int shape_count;
} slot_cases[];
extern const int slot_case_count;

int bench_kernels(const char *only);
