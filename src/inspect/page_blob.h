// Numbers for a page: arrays one behind the other as little-endian bytes, written as one base64 text, and a JSON list of their
// shapes. Where there would be too many, they are rounded to 24 or to 16 bits.
#pragma once
#include "base/buffer.h"
#include "tensor/weight.h"

// f24 is f32 without the lower 8 bits of its fraction, rounded: 5 digits.
enum page_number { PAGE_F32, PAGE_F24, PAGE_F16 };

struct page_blob {
  struct buffer bytes;
  struct buffer list;  // {"shape":[3,4],"type":"f32","offset":0},...
  int count;
};

// Rows of `columns` values that begin `stride` floats after each other; rows NULL: the first `count`. Returns the array's number.
int page_blob_add(struct page_blob *blob, const float *values, size_t stride, const int *rows, int count, int columns,
                  enum page_number type);
// A weight's first rows, all of them if `rows` is 0. scratch: [weight->cols].
int page_blob_add_weight(struct page_blob *blob, const struct weight *weight, int rows, float *scratch);
void page_blob_base64(const struct page_blob *blob, struct buffer *out);
void page_blob_free(struct page_blob *blob);
