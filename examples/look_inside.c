// Shows what a translator does with a sentence: the tokens, the most probable first token of the translation, and which source
// token each token of a given translation looks at:
//   look_inside MODEL "source sentence" "target sentence"
//   cc look_inside.c $(pkg-config --cflags --libs qkv) -o look_inside
#include <stdio.h>

#include <qkv.h>

static int failed(const struct qkv_context *context) {
  fprintf(stderr, "%s\n", qkv_message(context));
  return 1;
}

static void print_tokens(const struct qkv_tokenizer *tokenizer, const struct qkv_encoding *encoding) {
  for (size_t i = 0; i < encoding->count; i++) printf("%s%s", i ? " | " : "", qkv_tokenizer_token(tokenizer, encoding->ids[i]));
  printf("\n");
}

// One pass by hand: ids in, logits [decoder tokens, vocabulary] out.
static int print_first_token(struct qkv_context *context, struct qkv_model *model, const struct qkv_tokenizer *tokenizer,
                             const struct qkv_encoding *source, int32_t start) {
  struct qkv_forward_options options = {
    .ids = source->ids, .id_count = source->count, .decoder_ids = &start, .decoder_id_count = 1};
  struct qkv_array *logits = qkv_forward(context, model, &options);
  if (!logits) return failed(context);
  size_t best = 0;
  for (size_t id = 1; id < logits->shape[1]; id++)
    if (logits->data[id] > logits->data[best]) best = id;
  printf("the most probable first token: %s (logit %.3f)\n", qkv_tokenizer_token(tokenizer, (int32_t)best), logits->data[best]);
  qkv_array_free(logits);
  return 0;
}

static int print_attention(struct qkv_context *context, struct qkv_model *model, const char *source, const char *target) {
  struct qkv_attention_record *record = qkv_attention_record(context, model, source, target);
  if (!record) return failed(context);
  struct qkv_attention_view view = {.kind = "cross", .layer = -1, .head = -1, .shades = "ascii"};
  const char *picture = qkv_attention_print(context, record, &view);
  int status = picture ? 0 : failed(context);
  if (picture) fputs(picture, stdout);
  qkv_attention_record_free(record);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: look_inside MODEL SOURCE TARGET\n"), 2;
  struct qkv_context *context = qkv_context_new();
  if (!context) return fprintf(stderr, "out of memory\n"), 1;
  struct qkv_model *model = qkv_model_open(context, argv[1], "f32");
  struct qkv_info *info = model ? qkv_model_info(context, model) : NULL;
  struct qkv_tokenizer *tokenizer = info ? qkv_tokenizer_open(context, argv[1]) : NULL;
  struct qkv_encoding *source = tokenizer ? qkv_encode(context, tokenizer, argv[2], NULL, NULL) : NULL;
  int status = source ? 0 : failed(context);
  if (source) {
    print_tokens(tokenizer, source);
    status = print_first_token(context, model, tokenizer, source, (int32_t)qkv_info_number(info, "id.decoder_start"));
  }
  if (status == 0) status = print_attention(context, model, argv[2], argv[3]);
  qkv_encoding_free(source);
  qkv_tokenizer_free(tokenizer);
  qkv_info_free(info);
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}
