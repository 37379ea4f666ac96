// What a page chooses where little is said, and what of a wish a stack has.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "inspect/page_detail.h"

static const struct page_extent small = {
    .tokens = 20, .layers = 4, .heads = 2, .hidden = 64, .feed_forward = 256, .vocabulary = 1000};
static const struct page_extent large = {
    .tokens = 64, .layers = 12, .heads = 12, .hidden = 768, .feed_forward = 3072, .vocabulary = 30000};

static void expect(const struct page_chosen *chosen, int first, int count) {
  assert_int_equal(chosen->count, count);
  for (int i = 0; i < count; i++) assert_int_equal(chosen->items[i], first + i);
}

// Each as the first place and how many follow.
static void expect_choice(const struct page_detail *wanted, const struct page_extent *stack, const int tokens[2],
                          const int layers[2], const int heads[2]) {
  struct page_choice choice;
  struct error error = {0};
  assert_true(page_choice_make(&choice, wanted, stack, &error));
  expect(&choice.tokens, tokens[0], tokens[1]);
  expect(&choice.layers, layers[0], layers[1]);
  expect(&choice.heads, heads[0], heads[1]);
  page_choice_free(&choice);
}

static void without_a_wish_it_is_a_page_of_fair_size(void **state) {
  struct page_extent longer = small;
  expect_choice(&(struct page_detail){0}, &small, (int[]){0, 20}, (int[]){0, 4}, (int[]){0, 2});
  expect_choice(&(struct page_detail){0}, &large, (int[]){63, 1}, (int[]){0, 12}, (int[]){0, 12});
  longer.tokens = 128;
  expect_choice(&(struct page_detail){0}, &longer, (int[]){0, 128}, (int[]){0, 4}, (int[]){0, 2});
  longer.tokens = 129;  // beyond 128 tokens it is the layer that the page opens at, or a smaller stack's last
  expect_choice(&(struct page_detail){.layer = 2}, &longer, (int[]){0, 129}, (int[]){2, 1}, (int[]){0, 2});
  expect_choice(&(struct page_detail){.layer = 9}, &longer, (int[]){0, 129}, (int[]){3, 1}, (int[]){0, 2});
}

static void a_wish_is_what_the_stack_has_of_it(void **state) {
  const int64_t tokens[] = {5, 3, 4, 5, 80}, layers[] = {11, 2, 3}, heads[] = {1};
  struct page_detail wanted = {.tokens = {tokens, 5}, .layers = {layers, 3}, .heads = {heads, 1}};
  expect_choice(&wanted, &small, (int[]){3, 3}, (int[]){2, 2}, (int[]){1, 1});
  struct page_extent longer = small;
  longer.tokens = 500;
  wanted.tokens.count = 0;
  expect_choice(&wanted, &longer, (int[]){0, 500}, (int[]){2, 2}, (int[]){1, 1});
}

static void expect_refused(const struct page_detail *wanted, const char *message) {
  struct error error = {0};
  assert_false(page_detail_check(wanted, &small, &error));
  assert_int_equal(error.code, ERROR_USAGE);
  assert_string_equal(error.message, message);
}

static void what_is_nowhere_is_refused(void **state) {
  const int64_t last[] = {19}, beyond[] = {3, 20}, before[] = {-1};
  struct error error = {0};
  assert_true(page_detail_check(&(struct page_detail){.tokens = {last, 1}}, &small, &error));
  expect_refused(&(struct page_detail){.tokens = {beyond, 2}},
                 "there is no token 20 to show in detail; there are tokens 0 to 19");
  expect_refused(&(struct page_detail){.layers = {before, 1}}, "there is no layer -1 to show in detail; there are layers 0 to 3");
  expect_refused(&(struct page_detail){.heads = {beyond, 2}}, "there is no head 3 to show in detail; there are heads 0 to 1");
}

static void memory_that_runs_out_is_an_error(void **state) {
  for (int failures = 0; failures < 3; failures++) {
    struct page_choice choice;
    struct error error = {0};
    memory_fail_after(failures);
    bool made = page_choice_make(&choice, &(struct page_detail){0}, &small, &error);
    memory_fail_after(-1);
    assert_false(made);
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_null(choice.heads.items);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(without_a_wish_it_is_a_page_of_fair_size), cmocka_unit_test(a_wish_is_what_the_stack_has_of_it),
      cmocka_unit_test(what_is_nowhere_is_refused), cmocka_unit_test(memory_that_runs_out_is_an_error)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
