// Goes on with a text and prints it as it is generated:  generate_text MODEL "Once upon a time"
//   cc generate_text.c $(pkg-config --cflags --libs qkv) -o generate_text
#include <stdio.h>

#include <qkv.h>

static bool print_piece(void *user, size_t prompt, size_t sample, const char *text) {
  (void)prompt;
  (void)sample;
  FILE *out = user;
  if (text) fputs(text, out);  // NULL: the text has ended
  fflush(out);
  return true;                 // false would end it here
}

static int generate(struct qkv_context *context, struct qkv_model *model, const char *prompt) {
  struct qkv_generate_options options = qkv_generate_options_default();
  options.temperature = 0.8;
  options.top_p = 0.95;
  options.seed = 1;
  options.max_new = 200;
  options.text = print_piece;
  options.user = stdout;
  struct qkv_generator *generator = qkv_generator_new(context, model, &options);
  fputs(prompt, stdout);
  struct qkv_generations *found = generator ? qkv_generate(context, generator, &(struct qkv_strings){&prompt, 1}) : NULL;
  if (found) {
    const struct qkv_generated *text = &found->items[0].items[0];
    printf("\n[%zu tokens, log-probability %.2f]\n", text->token_count, text->score);
  }
  qkv_generations_free(found);
  qkv_generator_free(generator);
  return found ? 0 : 1;
}

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "usage: %s MODEL TEXT\n", arguments[0]), 2;
  struct qkv_context *context = qkv_context_new();
  if (!context) return 1;
  struct qkv_model *model = qkv_model_open(context, arguments[1], NULL);
  int status = model ? generate(context, model, arguments[2]) : 1;
  if (status) fprintf(stderr, "%s\n", qkv_message(context));
  qkv_model_free(model);
  qkv_context_free(context);
  return status;
}
