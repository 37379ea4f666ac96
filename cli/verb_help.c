// qkv help: the help itself, and the files that are made from the same tables.
#include <string.h>

#include "cli/help.h"
#include "cli/message.h"
#include "cli/output.h"

struct arguments {
  bool man, markdown;
  const char *completion;
};

static const struct option options[] = {
  OPTION_FLAG(man, "man", "print the manual page qkv(1)"),
  OPTION_FLAG(markdown, "markdown", "print docs/command.md"),
  OPTION_CHOICE(completion, "completion", "bash|zsh", "print the completions for a shell"),
};

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  const struct verb *verb = NULL;
  if (call_contradicts(call, "man", "markdown", "each prints a whole page") ||
      call_contradicts(call, "man", "completion", "each prints a whole file") ||
      call_contradicts(call, "markdown", "completion", "each prints a whole file"))
    return EXIT_MISUSED;
  if (call->positional.count) {
    size_t used = 0;
    verb = verb_find((char *const *)call->positional.items, call->positional.count, &used);
    if (!verb || used < call->positional.count) {
      const char *wrong = call->positional.items[verb ? used : 0], *near = verb ? NULL : verb_nearest(wrong);
      return call_misused(call, "no verb is called \"%s\"%s%s%s", wrong, near ? "; did you mean " : "", near ? near : "",
                          near ? "?" : "");
    }
  }

  struct output output;
  if (!output_open(&output, NULL)) return EXIT_FAILED;
  if (arguments->man) help_man(output.stream);
  else if (arguments->markdown) help_markdown(output.stream);
  else if (arguments->completion && strcmp(arguments->completion, "bash") == 0) help_bash(output.stream);
  else if (arguments->completion) help_zsh(output.stream);
  else if (verb) help_verb(output.stream, verb);
  else help_overview(output.stream);
  return output_close(&output) ? EXIT_DONE : EXIT_FAILED;
}

const struct verb verb_help = {
  .name = "help", .usage = "[VERB]", .summary = "explains a verb, or lists them all",
  .description = "Explains VERB, or lists all verbs.",
  .example = "qkv help translate\nqkv help --completion bash > ~/.local/share/bash-completion/completions/qkv",
  .most = 2, .size = sizeof(struct arguments), VERB_OPTIONS(options), .run = run,
};
