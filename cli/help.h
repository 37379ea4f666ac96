// The help in all its forms, each made from the verb and option tables.
#pragma once
#include <stdio.h>

#include "cli/verb.h"

// `qkv VERB --help`; and `qkv help`, the list of verbs.
void help_verb(FILE *out, const struct verb *verb);
void help_overview(FILE *out);

void help_man(FILE *out);       // the page qkv(1)
void help_markdown(FILE *out);  // docs/command.md
void help_bash(FILE *out);      // completions
void help_zsh(FILE *out);

// The words of an option's help: what it does, then bounds and default in parentheses. The result lives in `out`.
const char *help_sentence(const struct call *empty, size_t index, char *out, size_t size);
// A call with every default set, for help_sentence; free it with call_free.
struct call help_defaults(const struct verb *verb);
