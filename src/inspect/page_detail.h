// Whose steps a page gives in numbers: what is wanted of tokens, layers and heads, and what that comes to in a stack.
#pragma once
#include <stdint.h>

#include "base/error.h"

// Places from 0; none: those that are usual.
struct page_indices {
  const int64_t *items;
  size_t count;
};

struct page_detail {
  struct page_indices tokens;  // usual: all if they are few numbers, else the last
  struct page_indices layers;  // usual: all, and of a long text the one that the page opens at
  struct page_indices heads;   // usual: all
  int layer;                   // that the page opens at
  bool plain;                  // all numbers have 32 bits, however many there are
};

// How much there is of a stack, or at the most of several.
struct page_extent {
  int tokens, layers, heads;
  int hidden, feed_forward;    // widths
  int vocabulary;              // of the head on top; 0: there is none
};

struct page_chosen {
  int *items;                  // ascending
  int count;
};

struct page_choice {
  struct page_chosen tokens, layers, heads;
};

// Refuses places that are nowhere.
bool page_detail_check(const struct page_detail *detail, const struct page_extent *most, struct error *error);
// Of what is wanted, what a stack has. On failure the choice is empty.
bool page_choice_make(struct page_choice *choice, const struct page_detail *wanted, const struct page_extent *stack,
                      struct error *error);
void page_choice_free(struct page_choice *choice);
bool page_chosen_has(const struct page_chosen *chosen, int place);
