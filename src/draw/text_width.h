// How many columns of a terminal a text takes (East Asian wide characters take two, combining marks none), and texts
// fitted to a number of columns. Control characters and bytes that are no UTF-8 are shown as U+FFFD.
#pragma once
#include "base/buffer.h"

size_t text_width(const char *text);
// Cuts to `width` columns, the last being an ellipsis if something was cut; returns the columns written (<= width).
size_t text_append_cut(struct buffer *out, const char *text, size_t width);
void text_append_blanks(struct buffer *out, size_t count);
// Cut and filled up to exactly `width` columns.
void text_append_left(struct buffer *out, const char *text, size_t width);
void text_append_right(struct buffer *out, const char *text, size_t width);
void text_append_centred(struct buffer *out, const char *text, size_t width);
