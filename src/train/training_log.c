#include "train/training_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "draw/curves.h"

static bool cannot(const struct training_log *log, struct error *error) {
  return error_set(error, ERROR_FILE, "%s: cannot write: %s", log->path, strerror(errno));
}

static bool add_point(struct points *points, double x, double y, struct error *error) {
  if (!memory_grow(error, &points->x, &points->x_capacity, points->count + 1, sizeof(double)) ||
      !memory_grow(error, &points->y, &points->y_capacity, points->count + 1, sizeof(double)))
    return false;
  points->x[points->count] = x;
  points->y[points->count++] = y;
  return true;
}

static double shown(const struct training_log *log, double score) { return log->curve->factor * score; }

// Takes the points of the curves back from what an earlier run wrote.
static bool read_points(struct training_log *log, struct error *error) {
  char *line = NULL;
  size_t capacity = 0;
  ssize_t size;
  bool ok = true;
  rewind(log->file);
  while (ok && (size = getline(&line, &capacity, log->file)) > 0) {
    cJSON *object = cJSON_ParseWithLength(line, (size_t)size);
    const cJSON *step = cJSON_GetObjectItemCaseSensitive(object, "step");
    const cJSON *loss = cJSON_GetObjectItemCaseSensitive(object, "loss");
    const cJSON *valid = cJSON_GetObjectItemCaseSensitive(object, "valid_loss");
    const cJSON *score = log->curve ? cJSON_GetObjectItemCaseSensitive(object, log->curve->key) : NULL;
    if (cJSON_IsNumber(step) && cJSON_IsNumber(loss)) ok = add_point(&log->loss, step->valuedouble, loss->valuedouble, error);
    if (ok && cJSON_IsNumber(step) && cJSON_IsNumber(valid))
      ok = add_point(&log->valid_loss, step->valuedouble, valid->valuedouble, error);
    if (ok && cJSON_IsNumber(step) && cJSON_IsNumber(score))
      ok = add_point(&log->score, step->valuedouble, shown(log, score->valuedouble), error);
    cJSON_Delete(object);
  }
  free(line);
  fseek(log->file, 0, SEEK_END);
  return ok;
}

bool training_log_open(struct training_log *log, const char *directory, const struct score_kind *curve, bool resumed, uint64_t size,
                       struct error *error) {
  *log = (struct training_log){.curve = curve};
  file_join(log->path, directory, "log.jsonl");
  file_join(log->curves_path, directory, "curves.svg");
  if (resumed && truncate(log->path, (off_t)size) != 0 && errno != ENOENT) return cannot(log, error);
  log->file = fopen(log->path, resumed ? "a+e" : "w+e");
  if (!log->file) return cannot(log, error);
  setvbuf(log->file, NULL, _IOLBF, 1 << 14);  // whoever looks on sees every line as it comes
  return !resumed || read_points(log, error);
}

static void free_points(struct points *points) {
  free(points->x);
  free(points->y);
}

void training_log_close(struct training_log *log) {
  if (log->file) fclose(log->file);
  free_points(&log->loss);
  free_points(&log->valid_loss);
  free_points(&log->score);
  *log = (struct training_log){0};
}

bool training_log_line(struct training_log *log, const char *json, struct error *error) {
  return fprintf(log->file, "%s\n", json) > 0 || cannot(log, error);
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
    if (scores->items[i].kind == log->curve) ok = add_point(&log->score, (double)step, shown(log, scores->items[i].value), error);
  return write_buffer(log, &line, error) && ok;
}

static bool draw(const struct training_log *log, struct error *error) {
  const struct curve curves[] = {
    {"training loss", CURVE_LEFT, log->loss.x, log->loss.y, log->loss.count},
    {"validation loss", CURVE_LEFT, log->valid_loss.x, log->valid_loss.y, log->valid_loss.count},
    {log->curve ? log->curve->name : "", CURVE_RIGHT, log->score.x, log->score.y, log->score.count},
  };
  struct curves all = {.x_name = "update", .left_name = "loss per token", .right_name = log->score.count ? log->curve->name : NULL,
                       .curves = curves, .count = log->score.count ? 3 : 2};
  struct buffer svg = {0};
  bool ok = curves_draw(&svg, &all, error) && file_write_all(log->curves_path, buffer_string(&svg), svg.size, error);
  buffer_free(&svg);
  return ok;
}

bool training_log_flush(struct training_log *log, uint64_t *size, struct error *error) {
  if (fflush(log->file) != 0 || ferror(log->file)) return cannot(log, error);
  long position = ftell(log->file);
  if (position < 0) return cannot(log, error);
  if (size) *size = (uint64_t)position;
  return draw(log, error);
}
