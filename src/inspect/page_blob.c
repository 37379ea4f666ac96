#include "inspect/page_blob.h"

#include <math.h>

#include "tensor/number.h"

enum { CHUNK = 1024 };

static int begin(struct page_blob *blob, int rows, int columns, enum page_number type) {
  static const char *const names[] = {[PAGE_F32] = "f32", [PAGE_F24] = "f24", [PAGE_F16] = "f16"};
  buffer_format(&blob->list, "%s{\"shape\":[%d,%d],\"type\":\"%s\",\"offset\":%zu}", blob->count ? "," : "", rows, columns,
                names[type], blob->bytes.size);
  return blob->count++;
}

// Round to nearest, ties to even; NaN stays NaN.
static uint32_t to_f24(float value) {
  uint32_t bits = number_bits(value);
  return isnan(value) ? bits >> 8 | 0x4000 : (bits + 0x7F + (bits >> 8 & 1)) >> 8;
}

static size_t write_f24(char *to, const float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = to_f24(values[i]);
    for (int byte = 0; byte < 3; byte++) to[3 * i + (size_t)byte] = (char)(bits >> 8 * byte);
  }
  return 3 * count;
}

static void append(struct page_blob *blob, const float *values, int count, enum page_number type) {
  char chunk[CHUNK * sizeof(float)];
  for (int i = 0; i < count; i += CHUNK) {
    size_t n = (size_t)(count - i < CHUNK ? count - i : CHUNK);
    if (type == PAGE_F24) {
      buffer_append(&blob->bytes, chunk, write_f24(chunk, values + i, n));
      continue;
    }
    enum number_type stored = type == PAGE_F32 ? TYPE_F32 : TYPE_F16;
    number_write(chunk, values + i, stored, n);
    buffer_append(&blob->bytes, chunk, n * number_size(stored));
  }
}

int page_blob_add(struct page_blob *blob, const float *values, size_t stride, const int *rows, int count, int columns,
                  enum page_number type) {
  int number = begin(blob, count, columns, type);
  for (int i = 0; i < count; i++) append(blob, values + (size_t)(rows ? rows[i] : i) * stride, columns, type);
  return number;
}

int page_blob_add_weight(struct page_blob *blob, const struct weight *weight, int rows, float *scratch) {
  if (rows == 0 || rows > weight->rows) rows = weight->rows;
  int number = begin(blob, rows, weight->cols, PAGE_F32);
  for (int row = 0; row < rows; row++) append(blob, weight_row(weight, row, scratch), weight->cols, PAGE_F32);
  return number;
}

void page_blob_base64(const struct page_blob *blob, struct buffer *out) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const unsigned char *bytes = (const unsigned char *)blob->bytes.data;
  char chunk[CHUNK * 4];
  size_t filled = 0;
  for (size_t i = 0; i < blob->bytes.size; i += 3) {
    size_t left = blob->bytes.size - i;
    uint32_t three = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    chunk[filled++] = digits[three >> 18];
    chunk[filled++] = digits[three >> 12 & 63];
    chunk[filled++] = left > 1 ? digits[three >> 6 & 63] : '=';
    chunk[filled++] = left > 2 ? digits[three & 63] : '=';
    if (filled == sizeof chunk) {
      buffer_append(out, chunk, filled);
      filled = 0;
    }
  }
  buffer_append(out, chunk, filled);
}

void page_blob_free(struct page_blob *blob) {
  buffer_free(&blob->bytes);
  buffer_free(&blob->list);
  *blob = (struct page_blob){0};
}
