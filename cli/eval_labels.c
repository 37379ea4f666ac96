#include "cli/eval_labels.h"

#include "cli/message.h"
#include "cli/output.h"

static void print_json(FILE *out, const struct qkv_task_scores *scores) {
  fprintf(out, "{\"examples\": %zu, \"cut\": %zu, \"scores\": {", scores->examples, scores->cut);
  for (size_t i = 0; i < scores->count; i++)
    fprintf(out, "%s\"%s\": %.17g", i ? ", " : "", scores->items[i].name, scores->items[i].value);
  fputs("}}\n", out);
}

static void print_text(FILE *out, const struct qkv_task_scores *scores) {
  fprintf(out, "examples\t%zu\n", scores->examples);
  for (size_t i = 0; i < scores->count; i++) fprintf(out, "%s\t%.4f\n", scores->items[i].name, scores->items[i].value);
  if (*scores->details) fprintf(out, "\n%s", scores->details);
}

int eval_labels(struct call *call, struct qkv_context *context, struct qkv_model *model, const char *file,
                const struct qkv_predict_options *options, bool json, const char *output_path) {
  struct qkv_task_scores *scores = qkv_score_predictions(context, model, file, options);
  if (!scores) return call_failed(call, context);
  struct output output;
  int status = EXIT_FAILED;
  if (output_open(&output, output_path)) {
    if (json)
      print_json(output.stream, scores);
    else
      print_text(output.stream, scores);
    if (output_close(&output)) status = EXIT_DONE;
  }
  if (scores->cut) message_warning("%zu example%s longer than the model takes", scores->cut, scores->cut == 1 ? " is" : "s are");
  qkv_task_scores_free(scores);
  return status;
}
