#include "inspect/page_detail.h"

#include <stdlib.h>

#include "base/memory.h"

enum {
  FEW_NUMBERS = 6 << 20,  // up to here all tokens' steps are given
  LONG_TEXT = 128,        // tokens, beyond which one layer's steps are
};

static bool check(const char *what, const struct page_indices *wanted, int most, struct error *error) {
  for (size_t i = 0; i < wanted->count; i++)
    if (wanted->items[i] < 0 || wanted->items[i] >= most)
      return error_set(error, ERROR_USAGE, "there is no %s %lld to show in detail; there are %ss 0 to %d", what,
                       (long long)wanted->items[i], what, most - 1);
  return true;
}

bool page_detail_check(const struct page_detail *detail, const struct page_extent *most, struct error *error) {
  return check("token", &detail->tokens, most->tokens, error) && check("layer", &detail->layers, most->layers, error) &&
         check("head", &detail->heads, most->heads, error);
}

static bool is_among(const struct page_indices *wanted, int place) {
  for (size_t i = 0; i < wanted->count; i++)
    if (wanted->items[i] == place) return true;
  return false;
}

// Of `available` places those that are wanted, else those from `first` to before `end`.
static bool choose(struct page_chosen *chosen, const struct page_indices *wanted, int available, int first, int end,
                   struct error *error) {
  chosen->items = memory_new(error, (size_t)available + 1, sizeof *chosen->items);
  if (!chosen->items) return false;
  for (int i = 0; i < available; i++)
    if (wanted->count ? is_among(wanted, i) : i >= first && i < end) chosen->items[chosen->count++] = i;
  return true;
}

// Numbers of all tokens' steps, about.
static size_t step_numbers(const struct page_extent *stack, const struct page_choice *choice) {
  size_t tokens = (size_t)stack->tokens, heads = (size_t)choice->heads.count;
  size_t layer = (size_t)stack->hidden * (14 + heads) + (size_t)stack->feed_forward + heads * tokens;
  return tokens * ((size_t)choice->layers.count * layer + (size_t)stack->vocabulary);
}

bool page_choice_make(struct page_choice *choice, const struct page_detail *wanted, const struct page_extent *stack,
                      struct error *error) {
  *choice = (struct page_choice){0};
  bool one = stack->tokens > LONG_TEXT;
  int layer = wanted->layer < stack->layers ? wanted->layer : stack->layers - 1;
  bool fine = choose(&choice->heads, &wanted->heads, stack->heads, 0, stack->heads, error) &&
              choose(&choice->layers, &wanted->layers, stack->layers, one ? layer : 0, one ? layer + 1 : stack->layers, error);
  int first = fine && step_numbers(stack, choice) > FEW_NUMBERS ? stack->tokens - 1 : 0;
  if (fine && choose(&choice->tokens, &wanted->tokens, stack->tokens, first, stack->tokens, error)) return true;
  page_choice_free(choice);
  return false;
}

void page_choice_free(struct page_choice *choice) {
  free(choice->tokens.items);
  free(choice->layers.items);
  free(choice->heads.items);
  *choice = (struct page_choice){0};
}

bool page_chosen_has(const struct page_chosen *chosen, int place) {
  for (int i = 0; i < chosen->count; i++)
    if (chosen->items[i] == place) return true;
  return false;
}
