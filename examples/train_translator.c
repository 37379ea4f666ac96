// Trains a translator from two files, line i of one the translation of line i of the other:
//   train_translator OUT SOURCE TARGET [UPDATES]
//   cc train_translator.c $(pkg-config --cflags --libs qkv) -o train_translator
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <qkv.h>

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
  (void)signal;
  interrupted = 1;
}

static void print_line(void *user, enum qkv_train_event event, const char *text) {
  (void)user;
  if (event == QKV_TRAIN_NOTE) printf("%s\n", text);
}

static bool is_interrupted(void *user) {
  (void)user;
  return interrupted;
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) return fprintf(stderr, "usage: train_translator OUT SOURCE TARGET [UPDATES]\n"), 2;
  struct qkv_context *context = qkv_context_new();
  if (!context) return fprintf(stderr, "out of memory\n"), 1;

  const char *files[] = {argv[2], argv[3]};
  struct qkv_train_options options = qkv_train_options_default();
  options.task = "translation";
  options.train = (struct qkv_strings){.items = files, .count = 2};
  options.size = "tiny";
  if (argc == 5) options.max_steps = atoll(argv[4]);

  // Ctrl-C ends the training after the update that runs; what is best so far stays in OUT.
  signal(SIGINT, interrupt);
  struct qkv_train_listener listener = {.line = print_line, .stop = is_interrupted};
  int status = 0;
  if (!qkv_train(context, argv[1], &options, &listener)) {
    fprintf(stderr, "%s\n", qkv_message(context));
    status = 1;
  }
  qkv_context_free(context);
  return status;
}
