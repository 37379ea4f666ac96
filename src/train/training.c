#include "train/training.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/file.h"
#include "tensor/profile.h"
#include "train/state.h"

void training_say(const struct training *training, enum qkv_train_event event, const char *format, ...) {
  if (!training->listener || !training->listener->line) return;
  va_list arguments;
  va_start(arguments, format);
  char text[4096];
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  for (char *line = text, *end; *line; line = end) {
    end = line + strcspn(line, "\n");
    if (*end) *end++ = 0;
    training->listener->line(training->listener->user, event, line);
  }
}

static double seconds_spent(const struct training *training) {
  return training->position.seconds + (clock_seconds() - training->started);
}

// --- A schedule over a time

static double updates_in_time(const struct training *training) {
  return (double)training->position.step * training->options->max_time / fmax(seconds_spent(training), 1e-9);
}

// The clock decides the rates of such a training; but a plan is only made where a state is saved, which keeps it. So a run that
// goes on from a state begins with the rate that it would have taken.
static void plan_end(struct training *training) {
  struct training_position *position = &training->position;
  if (!training->timed || position->step < 1 || position->step < training->schedule.warmup) return;
  position->planned = (int64_t)fmin(updates_in_time(training), 1e15);
  if (position->planned <= position->step) position->planned = position->step + 1;
}

static double rate_of(const struct training *training, int64_t step) {
  struct schedule schedule = training->schedule;
  if (training->timed) schedule.total = training->position.planned ? training->position.planned : INT64_MAX;
  return schedule_rate(&schedule, step);
}

struct batch_plan_options training_plan_options(const struct qkv_train_options *options) {
  return (struct batch_plan_options){.seed = (uint64_t)options->seed, .batch_tokens = (size_t)options->batch_tokens,
                                     .batch_size = options->batch_size > 0 ? (size_t)options->batch_size : 0, .shuffled = true,
                                     .accumulate = (int)options->accumulate};
}

static bool make_plan(struct training *training) {
  const struct qkv_train_options *options = training->options;
  struct batch_plan_options plan = training_plan_options(options);
  return batch_plan_make(&training->plan, training->samples, &plan, training->position.epoch, training->error);
}

bool training_open(struct training *training, bool resumed) {
  const struct qkv_train_options *options = training->options;
  training->started = training->state_saved = clock_seconds();
  if (resumed && training->position.planned <= training->position.step + 1) plan_end(training);  // there is more time than before
  if (!make_plan(training)) return false;
  if (training->plan.update_count == 0)
    return error_set(training->error, ERROR_FORMAT, "there is nothing to learn from: no line of the training text was kept");
  if (!training->average.slots && options->average > 0 &&
      !average_open(&training->average, (int)options->average, strcmp(options->average_of, "best") == 0,
                    average_size(training->model), training->directory, training->error))
    return false;
  return training_log_open(&training->log, training->directory, training->curves, resumed, training->position.log_size,
                           training->error);
}

void training_close(struct training *training) {
  batch_plan_free(&training->plan);
  average_close(&training->average);
  training_log_close(&training->log);
}

// --- Updates

static void count_targets(const struct training *training, size_t first, size_t count, int64_t targets[TARGET_HEADS]) {
  const struct samples *samples = training->samples;
  for (size_t b = first; b < first + count; b++) {
    struct batch_list list = batch_plan_batch(&training->plan, b);
    for (size_t i = 0; i < list.count; i++) samples->count_targets(samples->user, training->plan.epoch, list.samples[i], targets);
  }
}

static bool run_update(struct training *training, struct update *update) {
  const struct qkv_train_options *options = training->options;
  const struct samples *samples = training->samples;
  struct training_position *position = &training->position;
  size_t first, count;
  int64_t targets[TARGET_HEADS] = {0};
  batch_plan_update(&training->plan, position->update, &first, &count);
  count_targets(training, first, count, targets);
  update_begin(update, training->context, training->model, position->step + 1, (uint64_t)options->seed,
               options->label_smoothing > 0 ? options->label_smoothing : 0, targets);
  for (int head = 0; head < TARGET_HEADS; head++) update->scales[head] *= training->weights[head];
  update->paths = samples->paths;
  for (size_t b = first; b < first + count; b++) {
    struct batch_list list = batch_plan_batch(&training->plan, b);
    const struct batch *batch = samples->fill(samples->user, training->plan.epoch, list.samples, list.count, training->error);
    if (!batch || !update_add(update, batch)) return false;
  }
  return update_end(update, &training->optimizer, rate_of(training, position->step + 1));
}

static void advance(struct training *training, const struct update *update) {
  struct training_position *position = &training->position;
  position->step++;
  position->update++;
  position->tokens += update->tokens;
}

static double smooth(double old, double now) { return old > 0 ? 0.95 * old + 0.05 * now : now; }

// Seconds to the end, or -1 if nobody knows.
static double seconds_left(const struct training *training) {
  const struct qkv_train_options *options = training->options;
  const struct training_position *position = &training->position;
  double updates = -1, left = -1;
  if (options->max_steps >= 0) updates = (double)(options->max_steps - position->step);
  if (options->epochs >= 0) {
    double of_epochs = (double)options->epochs - (double)position->epoch;
    of_epochs = of_epochs * (double)training->plan.update_count - (double)position->update;
    if (updates < 0 || of_epochs < updates) updates = of_epochs;
  }
  if (updates >= 0)
    left = updates * (training->update_seconds + training->validation_seconds / (double)options->valid_every);
  if (options->max_time >= 0) {
    double time = options->max_time - seconds_spent(training);
    if (left < 0 || time < left) left = time;
  }
  return left > 0 || left == -1 ? left : 0;
}

// Of tokens, and where the model learns both, of texts: the sum that a validation reports, too.
static double mean_loss(const struct training *training, const struct loss *loss) {
  return training->weights[0] * (loss->count ? loss->plain_sum / (double)loss->count : 0) +
         training->weights[1] * (loss->texts.count ? loss->texts.plain_sum / (double)loss->texts.count : 0);
}

static void show_progress(struct training *training, const struct update *update, double rate, double seconds) {
  double now = clock_seconds();
  if (now - training->progress_shown < 1) return;
  training->progress_shown = now;
  char left[32] = "", most[32] = "";
  double remaining = seconds_left(training);
  if (remaining >= 0) clock_text(left, remaining);
  if (training->options->max_steps >= 0) snprintf(most, sizeof most, "/%" PRId64, training->options->max_steps);
  double tokens = (double)(update->tokens);
  training_say(training, QKV_TRAIN_PROGRESS, "update %" PRId64 "%s, epoch %.2f: loss %.3f, learning rate %.2g, %.0f tokens/s%s%s",
               training->position.step, most,
               (double)training->position.epoch + (double)training->position.update / (double)training->plan.update_count,
               mean_loss(training, &update->loss), rate,
               tokens / (training->update_seconds > 0 ? training->update_seconds : seconds), left[0] ? ", at most " : "", left);
}

static bool note_update(struct training *training, const struct update *update, double seconds) {
  struct training_position *position = &training->position;
  double rate = rate_of(training, position->step);
  struct log_update line = {.step = position->step, .loss = mean_loss(training, &update->loss),
                            .epoch = (double)position->epoch + (double)position->update / (double)training->plan.update_count,
                            .learning_rate = rate, .norm = update->norm, .seconds = seconds_spent(training),
                            .labels = update->loss.count, .tokens = update->tokens,
                            .layers = training->options->layer_gradients > 0 ? training->model : NULL};
  training->update_seconds = smooth(training->update_seconds, seconds);
  show_progress(training, update, rate, seconds);
  return training_log_update(&training->log, &line, training->error);
}

// --- Validation

static double rank(const struct training *training, const struct scores *scores) {
  return scores_rank(scores, training->options->metric);
}

static bool measure(struct training *training, struct scores *scores) {
  double start = clock_seconds();
  // What the updates work in and what a validation works in take turns.
  arena_release(&training->context->arena);
  if (!training->validate(training->user, scores)) return false;
  if (!isfinite(scores->loss))
    return error_set(training->error, ERROR_NUMERIC,
                     "update %" PRId64 ": the validation loss is not finite; a lower --learning-rate usually helps",
                     training->position.step);
  training->validation_seconds = clock_seconds() - start;
  return true;
}

// --- Saving

static bool stop_asked(const struct training *training) {
  const struct qkv_train_listener *listener = training->listener;
  return listener && listener->stop && listener->stop(listener->user);
}

static bool leave_without_room(const struct training *training, enum error_code code, const char *why) {
  error_clear(training->error);
  return error_set(training->error, code,
                   "%.700s; what is saved is the state after update %" PRId64 ", from which `qkv train %s --resume` goes on", why,
                   training->saved_step, training->directory);
}

static bool wait_for_room(const struct training *training, double seconds) {
  static const struct timespec moment = {.tv_nsec = 50000000};
  for (double end = clock_seconds() + seconds; clock_seconds() < end;) {
    if (stop_asked(training))
      return leave_without_room(training, ERROR_INTERRUPTED, "interrupted while there was no room on the disk");
    nanosleep(&moment, NULL);
  }
  return true;
}

// A full disk ends neither the run nor the last state, which stays until the next one is complete: the training waits for room,
// at most an hour, and tries again.
static bool save(struct training *training, bool (*write)(struct training *training)) {
  static const double FIRST = 0.25, LONGEST = 10, ALTOGETHER = 3600;
  double started = clock_seconds(), pause = FIRST;
  while (!write(training)) {
    if (!error_is_full(training->error)) return false;
    struct error full = *training->error;
    if (clock_seconds() - started > ALTOGETHER) return leave_without_room(training, ERROR_FILE, full.message);
    if (pause == FIRST)
      training_say(training, QKV_TRAIN_NOTE,
                   "%s. The training waits for room, at most an hour; Ctrl-C leaves it where the state after update %" PRId64
                   " is saved",
                   full.message, training->saved_step);
    error_clear(training->error);
    if (!wait_for_room(training, pause)) return false;
    pause = 2 * pause < LONGEST ? 2 * pause : LONGEST;
  }
  if (pause > FIRST) training_say(training, QKV_TRAIN_NOTE, "there is room again; the training goes on");
  return true;
}

static bool write_model(struct training *training) { return training->save_model(training->user, training->directory); }

static bool write_log(struct training *training) { return training_log_flush(&training->log, NULL, training->error); }

static bool write_state(struct training *training) {
  if (!training_log_flush(&training->log, &training->position.log_size, training->error)) return false;
  plan_end(training);
  double start = clock_seconds();
  struct training_position kept = training->position;
  training->position.seconds = seconds_spent(training);
  bool ok = state_save(training);
  training->position.seconds = kept.seconds;
  training->state_saved = clock_seconds();
  training->state_cost = training->state_saved - start;
  if (ok) training->saved_step = training->position.step;
  return ok;
}

static bool write_copy(struct training *training) {
  char name[40], directory[4096];
  snprintf(name, sizeof name, "steps/%" PRId64, training->position.step);
  return training->save_model(training->user, file_join(directory, training->directory, name));
}

static bool keep_copy(struct training *training) {
  const struct qkv_train_options *options = training->options;
  return options->keep_every <= 0 || training->position.step % options->keep_every != 0 || save(training, write_copy);
}

// --- What validation brings

// Takes the scores into the position. Returns whether this is the best model so far. A falling loss also counts as progress:
// at the beginning BLEU stays near 0 for long.
static bool note_scores(struct training *training, const struct scores *scores) {
  struct training_position *position = &training->position;
  double score = rank(training, scores);
  bool lower = !position->has_best || scores->loss < position->best_loss;
  bool best = !position->has_best || score > position->best_score ||
              (score == position->best_score && scores->loss < position->score_loss);
  if (lower) position->best_loss = scores->loss;
  if (best) {
    training->best_scores = *scores;
    position->best_score = score;
    position->score_loss = scores->loss;
    position->best_step = position->step;
  }
  position->has_best = true;
  position->worse = best || lower ? 0 : position->worse + 1;
  position->validated = position->step;
  return best;
}

static bool validate(struct training *training) {
  struct training_position *position = &training->position;
  struct scores scores;
  if (!measure(training, &scores)) return false;
  average_keep(&training->average, training->model, position->step, rank(training, &scores));
  bool best = note_scores(training, &scores);
  if (best && !save(training, write_model)) return false;
  struct buffer text = {0};
  scores_write_text(&scores, false, &text);
  training_say(training, QKV_TRAIN_NOTE, "validation after update %" PRId64 ": %s%s", position->step, buffer_string(&text),
               best ? "; the best so far, saved" : "");
  buffer_free(&text);
  if (training->show_validation) training->show_validation(training->user);
  return training_log_validation(&training->log, position->step, &scores, best, seconds_spent(training), training->error);
}

// --- The end

// Tries the mean of the kept weights; it stays in the directory if it is better than the best of them.
static bool try_average(struct training *training) {
  struct average *average = &training->average;
  if (average->count < 2) return true;
  average_apply(average, training->model);
  struct scores scores;
  model_repack(training->model);
  if (!measure(training, &scores)) return false;
  double score = rank(training, &scores);
  bool better = score > training->position.best_score;
  struct buffer text = {0};
  scores_write_text(&scores, false, &text);
  training_say(training, QKV_TRAIN_NOTE, "the mean of %d checkpoints: %s; %s", average->count, buffer_string(&text),
               better ? "better than each, saved" : "not better than the best of them, which stays");
  buffer_clear(&text);
  buffer_format(&text, "{\"event\":\"average\",\"checkpoints\":%d", average->count);
  scores_write_json(&scores, true, &text);
  buffer_format(&text, ",\"best\":%s}", better ? "true" : "false");
  bool ok = buffer_check(&text, training->error) && training_log_line(&training->log, buffer_string(&text), training->error);
  buffer_free(&text);
  if (!ok || !better) return ok;
  training->averaged = true;
  training->averaged_count = average->count;
  training->best_scores = scores;
  return save(training, write_model);
}

static bool at_end(struct training *training) {
  const struct qkv_train_options *options = training->options;
  const struct training_position *position = &training->position;
  bool steps = options->max_steps >= 0 && position->step >= options->max_steps;
  bool epochs = options->epochs >= 0 && position->epoch >= (uint64_t)options->epochs;
  bool time = options->max_time >= 0 && seconds_spent(training) >= options->max_time;
  bool patience = options->patience > 0 && position->worse >= options->patience;
  training->end = steps ? END_STEPS : epochs ? END_EPOCHS : patience ? END_PATIENCE : END_TIME;
  return steps || epochs || time || patience;
}

static bool next_epoch(struct training *training) {
  if (training->position.update < training->plan.update_count) return true;
  training->position.epoch++;
  training->position.update = 0;
  return make_plan(training);
}

static bool step(struct training *training) {
  struct update update;
  double start = clock_seconds();
  profile_resume();
  bool ok = run_update(training, &update);
  profile_count("update");
  profile_pause();
  if (!ok) return false;
  advance(training, &update);
  return note_update(training, &update, clock_seconds() - start) && next_epoch(training);
}

// A state costs time to write: at most a twentieth of the run.
static bool state_is_due(const struct training *training) {
  return clock_seconds() - training->state_saved >= 20 * training->state_cost;
}

// The rise of the warm-up needs no end, what follows does. It is planned anew where the speed turns out to be another one, as it
// often is after the first updates, and where it comes before the time is over: no time is spent at the least rate.
static bool plan_is_due(struct training *training) {
  int64_t step = training->position.step, planned = training->position.planned;
  if (!training->timed || step < training->schedule.warmup || at_end(training)) return false;
  bool another = fabs(updates_in_time(training) - (double)planned) > 0.05 * (double)planned;
  return step >= planned || (another && state_is_due(training));
}

bool training_run(struct training *training) {
  profile_clear();  // a profile is one of the updates
  // From here on a run that is killed can be resumed.
  if (training->position.step == 0 && !save(training, write_state)) return false;
  while (!at_end(training)) {
    if (!step(training) || !keep_copy(training) || (plan_is_due(training) && !save(training, write_state))) return false;
    if (training->position.step % training->options->valid_every == 0) {
      if (!validate(training) || !save(training, write_log)) return false;
      if (state_is_due(training) && !save(training, write_state)) return false;
    }
    if (stop_asked(training)) {
      training->end = END_INTERRUPTED;
      return save(training, write_state);
    }
  }
  if (training->position.validated != training->position.step && !validate(training)) return false;
  return save(training, write_state) && try_average(training) && save(training, write_log);
}
