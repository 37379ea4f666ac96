// qkv forward: one pass of a model over ids, the numbers as they are.
#include <stdlib.h>
#include <string.h>

#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  const char *ids, *decoder_ids, *attention_mask, *want, *stack, *format, *dtype, *output;
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
  OPTION_TEXT(ids, "ids", "\"N N ...\"", "the tokens of the source, or of the text of a model with one stack"),
  OPTION_TEXT(decoder_ids, "decoder-ids", "\"N N ...\"",
              "the tokens of the target, the start token first; without them only the encoder runs"),
  OPTION_TEXT(attention_mask, "attention-mask", "\"1 1 0\"",
              "1 for each token that is seen, with 0 for hidden ones at either end", .unset = "all are seen"),
  OPTION_CHOICE(want, "want", "logits|hidden|attention|cross-attention",
                "which numbers: logits [tokens, vocabulary], hidden [tokens, hidden], attention [heads, tokens, tokens]"),
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
  if (!arguments->ids) return call_misused(call, "--ids is missing: the tokens, such as --ids \"5 6 7\"");
  if (strcmp(arguments->want, "logits") == 0 && (call_given(call, "layer") || call_given(call, "stack")))
    return call_misused(call, "--layer and --stack belong to --want hidden and attention; logits come from the last layer");
  int32_t *ids = NULL, *decoder_ids = NULL, *mask = NULL;
  size_t count = 0, decoder_count = 0, mask_count = 0;
  int status = EXIT_MISUSED;
  if (parse(call, "ids", arguments->ids, &ids, &count) &&
      parse(call, "decoder-ids", arguments->decoder_ids, &decoder_ids, &decoder_count) &&
      parse(call, "attention-mask", arguments->attention_mask, &mask, &mask_count)) {
    if (mask && mask_count != count)
      call_misused(call, "--attention-mask has %zu numbers and --ids has %zu; there must be one for each", mask_count, count);
    else
      status = pass(call, &(struct qkv_forward_options){.ids = ids,
                                                        .id_count = count,
                                                        .decoder_ids = decoder_ids,
                                                        .decoder_id_count = decoder_count,
                                                        .attention_mask = mask,
                                                        .want = arguments->want,
                                                        .stack = arguments->stack,
                                                        .layer = arguments->layer,
                                                        .cached = arguments->cached});
  }
  free(ids);
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
    "qkv forward out --ids \"5 6 7 0\" --want attention --layer 0",
  .least = 1,
  .most = 1,
  .common = COMMON_THREADS | COMMON_PROFILE,
  .size = sizeof(struct arguments),
  .defaults = defaults,
  VERB_OPTIONS(options),
  .run = run,
};
