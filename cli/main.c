// qkv: finds the verb, reads its options, runs it. Nothing is prepared before the verb asks for it, so that --version and
// --help answer at once.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/help.h"
#include "cli/message.h"
#include "cli/output.h"

// A file opened later must not get the number of a standard stream that the caller closed. Opened for reading only, so
// that writing to a closed standard output is still an error.
static void occupy_standard_streams(void) {
  for (int i = 0; i < 3; i++)
    if (fcntl(i, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) _exit(EXIT_FAILED);
}

static int show(void (*print)(FILE *out, const struct verb *verb), const struct verb *verb) {
  struct output output;
  output_open(&output, NULL);
  print(output.stream, verb);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

static void print_version(FILE *out, const struct verb *verb) {
  (void)verb;
  fprintf(out, "qkv %s\n", qkv_version());
}

static void print_overview(FILE *out, const struct verb *verb) {
  (void)verb;
  help_overview(out);
}

static int unknown_verb(const char *name) {
  const char *near = verb_nearest(name);
  if (near) message_error("no verb is called \"%s\"; did you mean %s? (qkv help lists them)", name, near);
  else message_error("no verb is called \"%s\" (qkv help lists them)", name);
  return EXIT_MISUSED;
}

static int run_profiled(struct call *call) {
  struct qkv_context *context = call_context(call);
  qkv_profile_start(context);
  int status = call->verb->run(call);
  char *text = status == EXIT_MISUSED ? NULL : qkv_profile_stop(context);
  if (text) fprintf(stderr, "\n%s", text);
  free(text);
  qkv_context_free(context);
  return status;
}

static int run_verb(const struct verb *verb, int count, char **words) {
  struct call call = {.verb = verb};
  int status = call_parse(&call, count, words);
  if (status == EXIT_DONE && call.help) {
    status = show(help_verb, verb);
  } else if (status == EXIT_DONE) {
    message_set_quiet(call.quiet);
    if (call.threads) qkv_set_threads((int)call.threads);
    status = call.profile ? run_profiled(&call) : verb->run(&call);
  }
  call_free(&call);
  return status;
}

int main(int count, char **words) {
  occupy_standard_streams();
  if (count < 2) {
    help_overview(stderr);
    return EXIT_MISUSED;
  }
  if (strcmp(words[1], "--version") == 0) return show(print_version, NULL);
  if (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0) return show(print_overview, NULL);
  size_t used = 0;
  const struct verb *verb = verb_find(words + 1, (size_t)count - 1, &used);
  if (!verb) return unknown_verb(words[1]);
  return run_verb(verb, count - 1 - (int)used, words + 1 + used);
}
