#include "train/task.h"

#include <string.h>

extern const struct task translation_task, lm_task, classify_task, regress_task, tag_task, span_task, choice_task, mlm_task;

static const struct task *const tasks[] = {&translation_task, &lm_task,   &classify_task, &regress_task,
                                           &tag_task,         &span_task, &choice_task,   &mlm_task};

const struct task *task_at(size_t index) { return index < sizeof tasks / sizeof *tasks ? tasks[index] : NULL; }

const struct task *task_find(const char *name) {
  for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
    if (strcmp(tasks[i]->name, name) == 0) return tasks[i];
  return NULL;
}

bool task_lists(const char *words, const char *name) {
  size_t size = strlen(name);
  for (const char *found = words; size && (found = strstr(found, name)); found++)
    if (found > words && found[-1] == ' ' && found[size] == ' ') return true;
  return false;
}
