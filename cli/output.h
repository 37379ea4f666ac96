// Where a verb's result goes: standard output or the file of -o. A file appears under its name only when it is complete.
//
// Nobody needs to check single writes: output_close reports the first one that failed (a full disk, a closed pipe).
// Long-running verbs look at output_failed now and then, to stop early.
#pragma once
#include <stdbool.h>
#include <stdio.h>

struct output {
  FILE *stream;
  const char *path;  // NULL: standard output
  char *temporary;   // NULL: written in place (standard output, devices, pipes)
};

// path NULL or "-": standard output. On failure says why and returns false.
bool output_open(struct output *output, const char *path);
bool output_failed(const struct output *output);
// On failure says why, removes the unfinished file, and returns false.
bool output_close(struct output *output);
// Gives the result up; an older file of that name stays.
void output_abandon(struct output *output);

// A JSON string with its quotes. Text from files and tokens of vocabularies is valid UTF-8 by then.
void output_json_text(FILE *out, const char *text);
