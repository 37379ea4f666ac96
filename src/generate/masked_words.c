#include "generate/masked_words.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/parallel.h"

struct run {
  const struct model *model;
  const struct masked_place *places;
  size_t *starts;  // [sequences + 1] of each one's places
  size_t place_count;
  int32_t *rows;    // asked in the present batch
  size_t *numbers;  // of their places
  float *logits;
  int vocabulary;
  void (*take)(void *user, size_t place, float *log_probs);
  void *user;
};

static void finish_row(void *data, size_t index, int worker) {
  struct run *run = data;
  float *row = run->logits + index * (size_t)run->vocabulary, most = -INFINITY;
  double sum = 0;
  (void)worker;
  for (int i = 0; i < run->vocabulary; i++)
    if (row[i] > most) most = row[i];
  for (int i = 0; i < run->vocabulary; i++) sum += (double)expf(row[i] - most);
  float all = most + (float)log(sum);
  for (int i = 0; i < run->vocabulary; i++) row[i] -= all;
  run->take(run->user, run->numbers[index], row);
}

static bool take_batch(void *user, struct context *context, const struct batch *batch, struct tensor *hidden,
                       const uint32_t *sequences) {
  struct run *run = user;
  int count = 0;
  for (int i = 0; i < batch->text_count; i++)
    for (size_t p = run->starts[sequences[i]]; p < run->starts[sequences[i] + 1]; p++) {
      run->rows[count] = batch->texts[i].first + run->places[p].row;
      run->numbers[count++] = p;
    }
  struct head_outputs out = {0};
  if (!count) return true;
  if (!model_head_outputs(context, run->model, batch, hidden, run->rows, count, &out)) return false;
  run->logits = out.rows->data;
  run->vocabulary = out.rows->cols;
  parallel_for((size_t)count, finish_row, run);
  return true;
}

bool masked_words_run(const struct model *model, const struct pass_sequence *sequences, size_t count,
                      const struct masked_place *places, size_t place_count,
                      void (*take)(void *user, size_t place, float *log_probs), void *user, struct error *error) {
  struct run run = {.model = model, .places = places, .place_count = place_count, .take = take, .user = user};
  run.starts = memory_new(error, count + 2, sizeof *run.starts);
  run.rows = memory_new(error, place_count + 1, sizeof *run.rows);
  run.numbers = memory_new(error, place_count + 1, sizeof *run.numbers);
  bool ok = run.starts && run.rows && run.numbers;
  for (size_t p = 0; ok && p < place_count; p++) run.starts[places[p].sequence + 1]++;
  for (size_t i = 0; ok && i < count; i++) run.starts[i + 1] += run.starts[i];
  struct sequence_pass pass = {.model = model, .sequences = sequences, .count = count, .take = take_batch, .user = &run};
  ok = ok && sequence_pass_run(&pass, error);
  free(run.starts);
  free(run.rows);
  free(run.numbers);
  return ok;
}
