// Spans: which key rows a range of query rows may see. Self, causal, cross and cached attention differ in nothing else.
//
// A batch is rows without padding. In training the keys of a span are the rows [k0, k0 + kn) of the key matrix. In
// generation they lie in pages of KEY_PAGE keys: the span's key i is slot i % KEY_PAGE of page pages[i / KEY_PAGE], so
// that reordering beams and sharing a prompt move page numbers, not keys.
//
// Invariant: q0 + qn <= rows; spans of one call don't overlap in query rows. With causal attention, query row q0 + i stands
// at key position pos + i and sees the keys 0 .. pos + i.
#pragma once
#include <stdint.h>

#include "tensor/weight.h"

enum { KEY_PAGE = 16 };

struct span {
  int q0, qn;
  int k0, kn;
  int pos;
  const int32_t *pages;  // NULL: rows of a matrix
};

// The keys and values of one attention layer in pages. Within a page each key/value head's keys are transposed so that
// sixteen products run side by side: keys [kv_heads, head_width, KEY_PAGE], values [kv_heads, KEY_PAGE, value_width],
// value_width being head_width rounded up to 16 (the rest zero). Slots not written yet hold zeros. Numbers are f32 or bf16.
struct key_store {
  void *keys, *values;
  enum number_type type;
  int kv_heads, head_width, value_width;
  int pages;  // allocated
};

static inline int span_value_width(int head_width) { return (head_width + 15) & ~15; }
