#include "train/validation.h"

#include <math.h>
#include <string.h>

bool validation_open(struct validation *validation, const struct corpus *corpus, const struct parallel_text *text,
                     int decoder_start_id, size_t batch_tokens, struct error *error) {
  *validation = (struct validation){.corpus = corpus, .text = text, .decoder_start_id = decoder_start_id};
  struct batch_plan_options options = {.batch_tokens = batch_tokens};
  return batch_plan_make(&validation->plan, corpus, &options, 0, error);
}

void validation_close(struct validation *validation) {
  batch_plan_free(&validation->plan);
  translation_batch_free(&validation->batch);
  buffer_free(&validation->translations);
  *validation = (struct validation){0};
}

static bool measure_loss(struct validation *validation, struct context *context, const struct model *model, struct loss *sum) {
  for (size_t i = 0; i < validation->plan.batch_count; i++) {
    struct batch_list list = batch_plan_batch(&validation->plan, i);
    struct loss loss = {0};
    if (!translation_batch_from_corpus(&validation->batch, validation->corpus, list.samples, list.count,
                                       validation->decoder_start_id, context->error))
      return false;
    context_begin(context, false, false, 0, 0);
    if (!model_loss(context, model, &validation->batch.batch, 0, (struct loss_scale){0}, &loss, NULL)) return false;
    sum->plain_sum += loss.plain_sum;
    sum->count += loss.count;
    sum->correct += loss.correct;
  }
  return true;
}

struct text_line validation_source(const struct validation *validation, size_t sample) {
  uint64_t place = validation->corpus->samples[sample].place;
  return line_file_get(&validation->text->sources[place_file(place)], place_line(place) - 1);
}

struct text_line validation_target(const struct validation *validation, size_t sample) {
  uint64_t place = validation->corpus->samples[sample].place;
  return line_file_get(&validation->text->targets[place_file(place)], place_line(place) - 1);
}

static struct text_line cut_line(const char **at, const char *end) {
  const char *start = *at, *stop = memchr(start, '\n', (size_t)(end - start));
  if (!stop) stop = end;
  *at = stop < end ? stop + 1 : end;
  return (struct text_line){start, (size_t)(stop - start)};
}

struct text_line validation_translation(const struct validation *validation, size_t sample) {
  const char *at = buffer_string(&validation->translations), *end = at + validation->translations.size;
  struct text_line line = cut_line(&at, end);
  for (size_t i = 0; i < sample; i++) line = cut_line(&at, end);
  return line;
}

static bool score_translations(struct validation *validation, struct validation_scores *scores, struct error *error) {
  struct bleu_options bleu_options = {0};
  struct chrf_options chrf_options = {0};
  struct chrf_statistics chrf = {0};
  const char *at = buffer_string(&validation->translations), *end = at + validation->translations.size;
  for (size_t i = 0; i < validation->corpus->count; i++) {
    struct text_line line = cut_line(&at, end), wanted = validation_target(validation, i);
    struct metric_text hypothesis = {line.text, line.size}, reference = {wanted.text, wanted.size};
    if (!bleu_add(&scores->bleu_statistics, &bleu_options, hypothesis, &reference, 1, error)) return false;
    if (!chrf_add(&chrf, &chrf_options, hypothesis, &reference, 1, error)) return false;
  }
  scores->bleu = bleu_score(&scores->bleu_statistics, &bleu_options).score;
  scores->chrf = chrf_score(&chrf, &chrf_options);
  scores->translated = true;
  return true;
}

bool validation_run(struct validation *validation, struct context *context, const struct model *model,
                    struct validation_scores *scores, struct error *error) {
  struct loss sum = {0};
  *scores = (struct validation_scores){0};
  if (!measure_loss(validation, context, model, &sum)) return false;
  double count = sum.count ? (double)sum.count : 1;
  scores->loss = sum.plain_sum / count;
  scores->perplexity = exp(scores->loss);
  scores->accuracy = (double)sum.correct / count;
  if (!validation->translator.translate) return true;
  buffer_clear(&validation->translations);
  if (!validation->translator.translate(validation->translator.user, model, &validation->translations, error) ||
      !buffer_check(&validation->translations, error))
    return false;
  return score_translations(validation, scores, error);
}
