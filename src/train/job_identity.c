// What the log begins with, and what a state of a training has to belong to.
#include <inttypes.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "data/parallel_text.h"
#include "train/task.h"

bool job_log_start(struct job *job) {
  struct buffer line = {0};
  cJSON *options = train_options_json(&job->options, job->error);
  char *printed = options ? cJSON_PrintUnformatted(options) : NULL;
  buffer_format(&line,
                "{\"event\":\"start\",\"version\":\"" QKV_VERSION
                "\",\"processor_path\":\"%s\",\"threads\":%d,\"parameters\":%zu,"
                "\"options\":%s}",
                job->kernels->name, parallel_threads(), model_parameters(job->model), printed ? printed : "null");
  buffer_text(&line, "\n{\"event\":\"ledger\",\"train\":");
  ledger_write_json(job->train.ledger, &line, job->train.paths);
  buffer_text(&line, ",\"valid\":");
  ledger_write_json(job->valid.ledger, &line, job->valid.paths);
  buffer_char(&line, '}');
  bool ok = printed && buffer_check(&line, job->error) &&
            training_log_line(&job->training.log, buffer_string(&line), job->error);
  free(printed);
  cJSON_Delete(options);
  buffer_free(&line);
  return ok;
}

void job_add_fingerprint(cJSON *identity, const char *name, size_t count, const char *unit, struct text_line first,
                         struct text_line second) {
  char text[60];
  snprintf(text, sizeof text, "%zu %s, %016" PRIx64, count, unit, text_fingerprint(text_fingerprint(0, first), second));
  cJSON_AddStringToObject(identity, name, text);
}

// What may change between the runs of one training without changing the result for the updates that both do.
static const char *const changeable[] = {"train",      "valid",           "max_time", "patience",
                                         "keep_every", "layer_gradients", "from",     "recompute"};

bool job_make_identity(struct job *job) {
  cJSON *identity = train_options_json(&job->options, job->error);
  if (!identity) return false;
  for (size_t i = 0; i < sizeof changeable / sizeof *changeable; i++)
    cJSON_DeleteItemFromObjectCaseSensitive(identity, changeable[i]);
  if (!schedule_needs_total(job->training.schedule.kind)) {
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "max_steps");
    cJSON_DeleteItemFromObjectCaseSensitive(identity, "epochs");
  }
  job->task->add_identity(job, identity);
  cJSON_AddStringToObject(identity, "processor_path", job->kernels->name);
  cJSON_AddStringToObject(identity, "products_in", job->kernels->dtype);
  cJSON_AddStringToObject(identity, "version", QKV_VERSION);
  char *printed = cJSON_PrintUnformatted(identity);
  if (printed) buffer_text(&job->identity, printed);
  else error_memory(job->error, 0);
  free(printed);
  cJSON_Delete(identity);
  return job->error->code == ERROR_NONE && buffer_check(&job->identity, job->error);
}
