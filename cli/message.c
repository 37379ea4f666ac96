#include "cli/message.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static bool quiet, progress_stands;

void message_set_quiet(bool wanted) { quiet = wanted; }

bool message_is_terminal(void) { return isatty(STDERR_FILENO); }

static void print(const char *start, const char *format, va_list arguments, const char *end) {
  char text[4096];
  vsnprintf(text, sizeof text, format, arguments);
  for (char *c = text; *c; c++)
    if (((unsigned char)*c < ' ' && *c != '\n' && *c != '\t') || *c == 127) *c = '?';
  if (progress_stands) fputs("\r\033[K", stderr);
  progress_stands = false;
  fprintf(stderr, "%s%s%s", start, text, end);
  fflush(stderr);
}

void message_note(const char *format, ...) {
  if (quiet) return;
  va_list arguments;
  va_start(arguments, format);
  print("", format, arguments, "\n");
  va_end(arguments);
}

void message_warning(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print("qkv: warning: ", format, arguments, "\n");
  va_end(arguments);
}

void message_error(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  print("qkv: ", format, arguments, "\n");
  va_end(arguments);
}

void message_progress(const char *format, ...) {
  if (quiet) return;
  bool terminal = message_is_terminal();
  va_list arguments;
  va_start(arguments, format);
  print("", format, arguments, terminal ? "" : "\n");
  va_end(arguments);
  progress_stands = terminal;
}
