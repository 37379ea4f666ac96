// All that a page knows about one pass of one model over one text, as JSON and arrays: tokens, states, queries, keys and values,
// the steps of chosen tokens in numbers, what the model would say at each layer, positions, nearest words.
//
// Attention is not stored: the page computes it from queries and keys, as the model did, and holds it against the model's own
// weights where those are given (the chosen tokens).
#pragma once
#include "inspect/inspected_text.h"
#include "inspect/page_blob.h"
#include "inspect/page_detail.h"

struct page_subject {
  const char *title;               // such as the model's directory
  const struct model *model;       // prepared
  const struct tokenizer *tokenizer;
  const char *first, *second;      // the texts; second may be NULL
};

// Appends one JSON object; its arrays go to `blob`.
bool page_data_write(struct buffer *out, struct page_blob *blob, const struct page_subject *subject,
                     const struct page_detail *detail, struct error *error);
