// What goes to standard error: notes, progress, warnings and errors. On a terminal the progress line is rewritten in
// place; elsewhere each is a plain line. Control characters, which may come from file names or texts, are shown as "?".
//
// State: whether notes are wanted and whether a progress line stands unfinished; one per process, as is standard error.
#pragma once
#include <stdbool.h>

void message_set_quiet(bool quiet);
bool message_is_terminal(void);

void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Replaces the last progress line on a terminal; elsewhere prints a line of its own, so call it at a decent interval.
void message_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
