#include "train/training_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "draw/curves.h"

static bool cannot(const struct training_log *log, struct error *error) {
  return error_system(error, "%s: cannot write", log->path);
}

static bool add_point(struct points *points, double x, double y, struct error *error) {
  if (!memory_grow(error, &points->x, &points->x_capacity, points->count + 1, sizeof(double)) ||
      !memory_grow(error, &points->y, &points->y_capacity, points->count + 1, sizeof(double)))
    return false;
  points->x[points->count] = x;
  points->y[points->count++] = y;
  return true;
}

static int curve_count(const struct training_log *log) {
  int count = 0;
  while (log->curves && log->curves[count]) count++;
  return count;
}

static bool add_score(struct training_log *log, int curve, double step, double score, struct error *error) {
  return add_point(&log->scores[curve], step, log->curves[curve]->factor * score, error);
}

// Takes the points of the curves back from what an earlier run wrote.
static bool read_points(struct training_log *log, struct error *error) {
  char *line = NULL;
  size_t capacity = 0;
  ssize_t size;
  bool ok = true;
  FILE *file = fopen(log->path, "re");
  if (!file) return cannot(log, error);
  while (ok && (size = getline(&line, &capacity, file)) > 0) {
    cJSON *object = cJSON_ParseWithLength(line, (size_t)size);
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(object, "step");
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(object, "loss");
    const cJSON *valid = cJSON_GetObjectItemCaseSensitive(object, "valid_loss");
    if (cJSON_IsNumber(step) && cJSON_IsNumber(loss)) ok = add_point(&log->loss, step->valuedouble, loss->valuedouble, error);
    if (ok && cJSON_IsNumber(step) && cJSON_IsNumber(valid))
      ok = add_point(&log->valid_loss, step->valuedouble, valid->valuedouble, error);
    for (int i = 0; ok && cJSON_IsNumber(step) && i < curve_count(log); i++) {
      const cJSON *score = cJSON_GetObjectItemCaseSensitive(object, log->curves[i]->key);
      if (cJSON_IsNumber(score)) ok = add_score(log, i, step->valuedouble, score->valuedouble, error);
    }
    cJSON_Delete(object);
  }
  free(line);
  fclose(file);
  return ok;
}

bool training_log_open(struct training_log *log, const char *directory, const struct score_kind *const *curves, bool resumed,
                       uint64_t size, struct error *error) {
  *log = (struct training_log){.curves = curves, .descriptor = -1};
  file_join(log->path, directory, "log.jsonl");
  file_join(log->curves_path, directory, "curves.svg");
  log->descriptor = open(log->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  log->open = log->descriptor >= 0;
  struct stat status;
  if (!log->open || fstat(log->descriptor, &status) != 0) return cannot(log, error);
  if (resumed) log->size = (uint64_t)status.st_size < size ? (uint64_t)status.st_size : size;
  if (ftruncate(log->descriptor, (off_t)log->size) != 0) return cannot(log, error);
  return !resumed || read_points(log, error);
}

static void free_points(struct points *points) {
  free(points->x);
  free(points->y);
}

void training_log_close(struct training_log *log) {
  if (log->open) close(log->descriptor);
  buffer_free(&log->waiting);
  free_points(&log->loss);
  free_points(&log->valid_loss);
  for (int i = 0; i < CURVES_MOST; i++) free_points(&log->scores[i]);
  *log = (struct training_log){0};
}

// What could not be written yet because the disk is full waits; training_log_flush insists.
static bool write_waiting(struct training_log *log, struct error *error) {
  struct buffer *waiting = &log->waiting;
  size_t done = 0;
  bool ok = true;
  while (ok && done < waiting->size) {
    ssize_t got = pwrite(log->descriptor, waiting->data + done, waiting->size - done, (off_t)log->size);
    if (got < 0 && errno == EINTR) continue;
    ok = got >= 0 || cannot(log, error);
    if (!ok) break;
    done += (size_t)got;
    log->size += (uint64_t)got;
  }
  if (done) memmove(waiting->data, waiting->data + done, waiting->size - done);
  waiting->size -= done;
  return ok;
}

// Whoever looks on sees every line as it comes.
bool training_log_line(struct training_log *log, const char *json, struct error *error) {
  struct error failure = {0};
  buffer_text(&log->waiting, json);
  buffer_char(&log->waiting, '\n');
  if (!buffer_check(&log->waiting, error)) return false;
  if (write_waiting(log, &failure) || error_is_full(&failure)) return true;
  return error_set(error, failure.code, "%s", failure.message);
}

static void number(struct buffer *out, const char *key, double value) {
  buffer_format(out, ",\"%s\":", key);
  json_write_number(out, value);
}

static bool write_buffer(struct training_log *log, struct buffer *line, struct error *error) {
  bool ok = buffer_check(line, error) && training_log_line(log, buffer_string(line), error);
  buffer_free(line);
  return ok;
}

bool training_log_update(struct training_log *log, const struct log_update *update, struct error *error) {
  struct buffer line = {0};
  buffer_format(&line, "{\"step\":%" PRId64, update->step);
  number(&line, "epoch", update->epoch);
  number(&line, "loss", update->loss);
  number(&line, "learning_rate", update->learning_rate);
  number(&line, "norm", update->norm);
  buffer_format(&line, ",\"labels\":%" PRId64 ",\"tokens\":%" PRId64, update->labels, update->tokens);
  number(&line, "seconds", update->seconds);
  if (update->layers) {
    buffer_text(&line, ",\"layer_gradients\":");
    optimizer_write_layers(update->layers, &line);
  }
  buffer_char(&line, '}');
  return add_point(&log->loss, (double)update->step, update->loss, error) && write_buffer(log, &line, error);
}

bool training_log_validation(struct training_log *log, int64_t step, const struct scores *scores, bool best, double seconds,
                             struct error *error) {
  struct buffer line = {0};
  buffer_format(&line, "{\"step\":%" PRId64, step);
  scores_write_json(scores, false, &line);
  buffer_format(&line, ",\"best\":%s", best ? "true" : "false");
  number(&line, "seconds", seconds);
  buffer_char(&line, '}');
  bool ok = add_point(&log->valid_loss, (double)step, scores->loss, error);
  for (int i = 0; ok && i < scores->count; i++)
    for (int curve = 0; ok && curve < curve_count(log); curve++)
      if (scores->items[i].kind == log->curves[curve]) ok = add_score(log, curve, (double)step, scores->items[i].value, error);
  return write_buffer(log, &line, error) && ok;
}

static bool draw(const struct training_log *log, struct error *error) {
  struct curve curves[2 + CURVES_MOST] = {
    {"training loss", CURVE_LEFT, log->loss.x, log->loss.y, log->loss.count},
    {"validation loss", CURVE_LEFT, log->valid_loss.x, log->valid_loss.y, log->valid_loss.count},
  };
  struct curves all = {.x_name = "update", .left_name = "loss", .curves = curves, .count = 2};
  for (int i = 0; i < curve_count(log); i++) {
    const struct points *points = &log->scores[i];
    if (!points->count) continue;
    all.right_name = all.count == 2 ? log->curves[i]->name : NULL;  // several are told apart by the legend
    curves[all.count++] = (struct curve){log->curves[i]->name, CURVE_RIGHT, points->x, points->y, points->count};
  }
  struct buffer svg = {0};
  bool ok = curves_draw(&svg, PICTURE_SVG, &all, error) && file_write_all(log->curves_path, buffer_string(&svg), svg.size, error);
  buffer_free(&svg);
  return ok;
}

bool training_log_flush(struct training_log *log, uint64_t *size, struct error *error) {
  if (!write_waiting(log, error)) return false;
  if (fsync(log->descriptor) != 0 && errno != EINVAL) return cannot(log, error);
  if (size) *size = log->size;
  return draw(log, error);
}
