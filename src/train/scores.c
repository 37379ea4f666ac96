#include "train/scores.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "model/model.h"

const struct score_kind score_loss = {.metric = "loss", .key = "valid_loss", .name = "loss", .before = "loss ", .after = "",
                                      .factor = 1, .decimals = 3, .smaller_is_better = true};
const struct score_kind score_perplexity = {.metric = "perplexity", .key = "perplexity", .name = "perplexity",
                                            .before = "perplexity ", .after = "", .factor = 1, .decimals = 2,
                                            .smaller_is_better = true};
const struct score_kind score_accuracy = {.metric = "accuracy", .key = "accuracy", .name = "tokens right, %", .before = "",
                                          .after = " % of tokens right", .factor = 100, .decimals = 1};

void scores_add(struct scores *scores, const struct score_kind *kind, double value) {
  if (scores->count == SCORES_MOST) return;
  scores->items[scores->count].kind = kind;
  scores->items[scores->count++].value = value;
}

struct scores scores_of_loss(const struct loss *sum, bool tokens) {
  double count = sum->count ? (double)sum->count : 1;
  struct scores scores = {.loss = sum->plain_sum / count};
  scores_add(&scores, &score_loss, scores.loss);
  if (!tokens) return scores;
  scores_add(&scores, &score_perplexity, exp(scores.loss));
  scores_add(&scores, &score_accuracy, (double)sum->correct / count);
  return scores;
}

double scores_rank(const struct scores *scores, const char *metric) {
  for (int i = 0; i < scores->count; i++)
    if (strcmp(scores->items[i].kind->metric, metric) == 0)
      return scores->items[i].kind->smaller_is_better ? -scores->items[i].value : scores->items[i].value;
  return -scores->loss;
}

void scores_write_text(const struct scores *scores, bool headlines, struct buffer *out) {
  for (int i = 0; i < scores->count; i++) {
    const struct score_kind *kind = scores->items[i].kind;
    if (headlines && !kind->headline) continue;
    if (i) buffer_text(out, ", ");
    buffer_text(out, kind->before);
    buffer_decimal(out, kind->factor * scores->items[i].value, kind->decimals);
    buffer_text(out, kind->after);
  }
}

void scores_write_json(const struct scores *scores, bool headlines, struct buffer *out) {
  for (int i = 0; i < scores->count; i++) {
    const struct score_kind *kind = scores->items[i].kind;
    if (headlines && !kind->headline && kind != &score_loss) continue;
    buffer_format(out, ",\"%s\":", kind->key);
    json_write_number(out, scores->items[i].value);
  }
}
