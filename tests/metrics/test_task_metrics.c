// The scores of classification, regression, tagging and question answering against known numbers: those of scikit-learn, SciPy,
// conlleval and SQuAD's script on the same data, or small cases counted by hand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "metrics/answers.h"
#include "metrics/confusion.h"
#include "metrics/correlation.h"
#include "metrics/entities.h"

static void near(double found, double wanted) {
  if (!(fabs(found - wanted) < 1e-9)) fail_msg("%.12g, wanted %.12g", found, wanted);
}

// scikit-learn's documentation: matthews_corrcoef([1,1,1,-1], [1,-1,1,1]) is -0.33.
static void two_labels(void **state) {
  struct error error = {0};
  struct confusion confusion;
  assert_true(confusion_open(&confusion, 2, &error));
  const int right[] = {1, 1, 1, 0}, predicted[] = {1, 0, 1, 1};
  for (int i = 0; i < 4; i++) confusion_add(&confusion, right[i], predicted[i]);
  near(confusion_accuracy(&confusion), 0.5);
  near(confusion_matthews(&confusion), -1.0 / 3);
  near(confusion_label(&confusion, 1).f1, 2.0 / 3);
  near(confusion_label(&confusion, 0).f1, 0);
  near(confusion_macro_f1(&confusion), 1.0 / 3);
  confusion_free(&confusion);
}

// scikit-learn's documentation of f1_score: [0,1,2,0,1,2] against [0,2,1,0,0,1] has the macro average 0.26666.
static void three_labels(void **state) {
  struct error error = {0};
  struct confusion confusion;
  assert_true(confusion_open(&confusion, 3, &error));
  const int right[] = {0, 1, 2, 0, 1, 2}, predicted[] = {0, 2, 1, 0, 0, 1};
  for (int i = 0; i < 6; i++) confusion_add(&confusion, right[i], predicted[i]);
  near(confusion_macro_f1(&confusion), 4.0 / 15);
  near(confusion_label(&confusion, 0).precision, 2.0 / 3);
  near(confusion_label(&confusion, 0).recall, 1);
  near(confusion_accuracy(&confusion), 1.0 / 3);
  // Gorodkin: (2 * 6 - (2*3 + 2*2 + 2*1)) / sqrt(36 - 14) / sqrt(36 - 12)
  near(confusion_matthews(&confusion), 0);
  struct buffer text = {0};
  confusion_write(&confusion, (const char *const[]){"negative", "neutral", "positive"}, &text);
  assert_non_null(strstr(buffer_string(&text), "negative        66.7    100.0     80.0         2"));
  buffer_free(&text);
  confusion_free(&confusion);
}

// One label on one side: no correlation, not a division by zero.
static void one_label_predicted(void **state) {
  struct error error = {0};
  struct confusion confusion;
  assert_true(confusion_open(&confusion, 2, &error));
  for (int i = 0; i < 4; i++) confusion_add(&confusion, i % 2, 1);
  near(confusion_matthews(&confusion), 0);
  near(confusion_macro_f1(&confusion), 1.0 / 3);
  confusion_free(&confusion);
}

// Anscombe's first quartet; SciPy's spearmanr([1,2,3,4,5], [5,6,7,8,7]) is 0.82078 (a tie).
static void correlations(void **state) {
  const double x[] = {10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5};
  const double y[] = {8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68};
  near(correlation_pearson(x, y, 11), 0.81642051634484);
  const double a[] = {1, 2, 3, 4, 5}, b[] = {5, 6, 7, 8, 7}, constant[] = {2, 2, 2, 2, 2};
  struct error error = {0};
  double result;
  assert_true(correlation_spearman(a, b, 5, &result, &error));
  near(result, 0.82078268166812329);
  near(correlation_pearson(a, constant, 5), 0);
}

static void entities_as_conlleval(void **state) {
  struct error error = {0};
  struct entity_statistics statistics = {0};
  const char *right[] = {"B-PER", "I-PER", "O", "B-LOC", "O", "B-ORG", "I-ORG", "I-ORG"};
  const char *predicted[] = {"B-PER", "I-PER", "O", "B-ORG", "O", "B-ORG", "I-ORG", "O"};
  assert_true(entities_add(&statistics, right, predicted, 8, &error));
  // Inconsistent tags: I- after O begins an entity, and so does another type.
  const char *loose[] = {"I-PER", "I-LOC", "I-LOC", "O"}, *strict[] = {"B-PER", "B-LOC", "I-LOC", "O"};
  assert_true(entities_add(&statistics, strict, loose, 4, &error));
  assert_int_equal(statistics.all.right, 5);
  assert_int_equal(statistics.all.predicted, 5);
  assert_int_equal(statistics.all.both, 3);
  near(entity_scores(&statistics.all).f1, 60);
  assert_string_equal(statistics.types[0].type, "PER");
  assert_int_equal(statistics.types[0].both, 2);
  // Two entities side by side are not one.
  const char *two[] = {"B-PER", "B-PER"}, *one[] = {"B-PER", "I-PER"};
  assert_true(entities_add(&statistics, two, one, 2, &error));
  assert_int_equal(statistics.all.right, 7);
  assert_int_equal(statistics.all.both, 3);
  assert_int_equal(statistics.words, 14);
  assert_int_equal(statistics.same_tag, 9);
  // Types that differ only far behind.
  const char *long_types[] = {"B-a-type-whose-name-is-as-long-as-this-1", "B-a-type-whose-name-is-as-long-as-this-2"};
  assert_true(entities_add(&statistics, long_types, long_types, 2, &error));
  assert_string_equal(statistics.types[statistics.count - 2].type, long_types[0] + 2);
  assert_string_equal(statistics.types[statistics.count - 1].type, long_types[1] + 2);
  entities_free(&statistics);
}

static struct answer_scores score(const char *predicted, const char *first, const char *second) {
  struct error error = {0};
  struct answer_scores scores;
  struct metric_text right[] = {metric_text(first ? first : ""), metric_text(second ? second : "")};
  assert_true(answer_score(&scores, metric_text(predicted), right, (size_t)(first != NULL) + (second != NULL), &error));
  return scores;
}

static void answers_as_squad(void **state) {
  near(score("The Denver  Broncos!", "Denver Broncos", NULL).exact, 1);
  near(score("Denver", "the Denver Broncos", NULL).exact, 0);
  near(score("Denver", "the Denver Broncos", NULL).f1, 2.0 / 3);
  near(score("in 1903 at Paris", "Paris in 1903", "Lyon").f1, 6.0 / 7);
  near(score("a cat a cat", "cat", NULL).f1, 2.0 / 3);
  near(score("dog", "cat", "a dog").exact, 1);
  near(score("", NULL, NULL).exact, 1);   // rightly no answer
  near(score("", NULL, NULL).f1, 1);
  near(score("cat", NULL, NULL).f1, 0);
  near(score("", "cat", NULL).f1, 0);
  near(score("5th-century \xE2\x80\x93 ", "5thcentury \xE2\x80\x93", NULL).exact, 1);  // only ASCII punctuation goes
}

// Against the normalize_answer of SQuAD's script (Python's \b(a|an|the)\b): articles go wherever no letter or number touches
// them.
static void articles_as_squad(void **state) {
  static const char *const pairs[][2] = {
      {"The\u2013end of the\u2014day", "\u2013end of \u2014day"},
      {"a\u0301 tout", "\u0301 tout"},
      {"l\u2019a vu", "l\u2019 vu"},
      {"\u00BDthe a\u00BD \u00BD the", "\u00BDthe a\u00BD \u00BD"},
      {"The \u201Can\u201D \u00ABa\u00BB \u0431", "\u201C \u201D \u00AB \u00BB \u0431"},
      {"an\u2009apple 3a a3 \u65E5a a", "apple 3a a3 \u65E5a"},
      {"e\u0301the the\u0301", "e\u0301 \u0301"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct buffer found = {0};
    answer_normalise(&found, metric_text(pairs[i][0]));
    assert_string_equal(buffer_string(&found), pairs[i][1]);
    buffer_free(&found);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_labels),   cmocka_unit_test(three_labels),          cmocka_unit_test(one_label_predicted),
      cmocka_unit_test(correlations), cmocka_unit_test(entities_as_conlleval), cmocka_unit_test(answers_as_squad),
      cmocka_unit_test(articles_as_squad),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
