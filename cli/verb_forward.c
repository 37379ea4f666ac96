// qkv forward: one pass of a model over ids, the numbers as they are.
#include <stdlib.h>
#include <string.h>

#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_strings ids, type_ids;
  const char *decoder_ids, *attention_mask, *want, *stack, *format, *dtype, *output;
  int64_t layer;
  bool cached;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->want = "logits";
  arguments->layer = -1;
  arguments->dtype = "f32";
}

static const struct option options[] = {
  OPTION_TEXTS(ids, "ids", "\"N N ...\"",
               "the tokens of the source, or of the text of a model with one stack; repeated for the choices of a multiple-choice model"),
  OPTION_TEXTS(type_ids, "type-ids", "\"0 0 1\"", "the segment of each token, as often as --ids", .unset = "all 0"),
  OPTION_TEXT(decoder_ids, "decoder-ids", "\"N N ...\"",
              "the tokens of the target, the start token first; without them only the encoder runs"),
  OPTION_TEXT(attention_mask, "attention-mask", "\"1 1 0\"",
              "1 for each token that is seen, with 0 for hidden ones at either end", .unset = "all are seen"),
  OPTION_CHOICE(want, "want", "logits|hidden|attention|cross-attention|pooled|nsp",
                "which numbers: logits of the model's head ([tokens, vocabulary], [tokens, labels], [1, labels], [tokens, 2] of spans, "
                "[1, choices]), hidden [tokens, hidden], attention [heads, tokens, tokens], pooled [texts, hidden], nsp [texts, 2]"),
  OPTION_INTEGER(layer, "layer", "L", 0, 1000, "of which layer; hidden 0 is the embeddings' output", .unset = "the last"),
  OPTION_CHOICE(stack, "stack", "encoder|decoder", "of which stack", .unset = "the decoder if it runs"),
  OPTION_FLAG(cached, "cached",
              "let the decoder take one token after the other, over stored keys, as in generation; the bits are the same"),
  OPTION_DTYPE(dtype),
  OPTION_CHOICE(format, "format", "text|npy", "a row a line, or NumPy's file format",
                .unset = "npy if FILE ends in .npy, else text"),
  OPTION_OUTPUT(output),
};

// Turns the text of an option into ids; NULL gives none. False after saying why not.
static bool parse(const struct call *call, const char *name, const char *text, int32_t **ids, size_t *count) {
  char problem[300];
  if (!text || numbers_parse_ids(text, ids, count, problem, sizeof problem)) return true;
  call_misused(call, "--%s %s", name, problem);
  return false;
}

// All texts' ids one after the other; ends (NULL: not wanted) [texts->count] receives where each ends.
static bool parse_texts(const struct call *call, const char *name, const struct qkv_strings *texts, int32_t **ids, size_t *count,
                        size_t *ends) {
  for (size_t i = 0; i < texts->count; i++) {
    int32_t *more = NULL;
    size_t n = 0;
    if (!parse(call, name, texts->items[i], &more, &n)) return false;
    int32_t *all = realloc(*ids, (*count + n + 1) * sizeof *all);
    if (all) {
      memcpy(all + *count, more, n * sizeof *all);
      *ids = all;
      *count += n;
    }
    free(more);
    if (!all) return call_misused(call, "--%s: no memory for %zu numbers", name, *count + n), false;
    if (ends) ends[i] = *count;
  }
  return true;
}

static bool wants_npy(const struct arguments *arguments) {
  if (arguments->format) return strcmp(arguments->format, "npy") == 0;
  size_t length = arguments->output ? strlen(arguments->output) : 0;
  return length > 4 && strcmp(arguments->output + length - 4, ".npy") == 0;
}

static int show(const struct arguments *arguments, const struct qkv_array *array) {
  struct output output;
  if (!output_open(&output, arguments->output)) return EXIT_FAILED;
  if (wants_npy(arguments)) numbers_write_npy(output.stream, array);
  else numbers_print(output.stream, array);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static int pass(struct call *call, const struct qkv_forward_options *forward) {
  struct qkv_context *context = call_context(call);
  const struct arguments *arguments = call->arguments;
  struct qkv_model *model = call_open_model(call, context, call->positional.items[0], arguments->dtype);
  struct qkv_array *array = model ? qkv_forward(context, model, forward) : NULL;
  int status = array ? show(arguments, array) : call_failed(call, context);
  qkv_array_free(array);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  if (!arguments->ids.count) return call_misused(call, "--ids is missing: the tokens, such as --ids \"5 6 7\"");
  if (strcmp(arguments->want, "logits") == 0 && (call_given(call, "layer") || call_given(call, "stack")))
    return call_misused(call, "--layer and --stack belong to --want hidden and attention; logits come from the last layer");
  int32_t *ids = NULL, *type_ids = NULL, *decoder_ids = NULL, *mask = NULL;
  size_t count = 0, type_count = 0, decoder_count = 0, mask_count = 0, texts = arguments->ids.count;
  size_t *ends = calloc(texts, sizeof *ends);
  int status = EXIT_MISUSED;
  if (ends && parse_texts(call, "ids", &arguments->ids, &ids, &count, ends) &&
      parse_texts(call, "type-ids", &arguments->type_ids, &type_ids, &type_count, NULL) &&
      parse(call, "decoder-ids", arguments->decoder_ids, &decoder_ids, &decoder_count) &&
      parse(call, "attention-mask", arguments->attention_mask, &mask, &mask_count)) {
    if (mask && mask_count != count)
      call_misused(call, "--attention-mask has %zu numbers and --ids has %zu; there must be one for each", mask_count, count);
    else if (type_ids && type_count != count)
      call_misused(call, "--type-ids has %zu numbers and --ids has %zu; there must be one for each", type_count, count);
    else
      status = pass(call, &(struct qkv_forward_options){.ids = ids,
                                                        .id_count = count,
                                                        .decoder_ids = decoder_ids,
                                                        .decoder_id_count = decoder_count,
                                                        .attention_mask = mask,
                                                        .type_ids = type_ids,
                                                        .text_ends = texts > 1 ? ends : NULL,
                                                        .text_count = texts,
                                                        .want = arguments->want,
                                                        .stack = arguments->stack,
                                                        .layer = arguments->layer,
                                                        .cached = arguments->cached});
  }
  free(ends);
  free(ids);
  free(type_ids);
  free(decoder_ids);
  free(mask);
  return status;
}

const struct verb verb_forward = {
  .name = "forward",
  .usage = "MODEL",
  .summary = "one pass over ids: logits, hidden states, attention as numbers",
  .description =
    "Runs MODEL once over token ids and writes the numbers of one place. Only config.json and model.safetensors are needed.",
  .example =
    "qkv forward out --ids \"5 6 7 0\" --decoder-ids \"9 4 3\" --want logits -o logits.npy\n"
    "qkv forward out --ids \"5 6 7 0\" --want attention --layer 0\n"
    "qkv forward bert --ids \"101 7592 102 2088 102\" --type-ids \"0 0 0 1 1\" --want nsp",
  .least = 1,
  .most = 1,
  .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
