// Completions for bash and zsh: verbs, then the verb's options, then what fits the option before the cursor.
#include <string.h>

#include "cli/help.h"

static bool wants_file(const struct option *option) {
  return option->kind == OPTION_KIND_FILE || option->kind == OPTION_KIND_FILES;
}
static bool wants_word(const struct option *option) {
  return option->kind == OPTION_KIND_CHOICE || option->kind == OPTION_KIND_SWITCH;
}

static void words(FILE *out, const char *text) {
  for (; *text; text++) fputc(*text == '|' ? ' ' : *text, out);
}

// The names that can follow the word `first`, or all first words if it is NULL; each once.
static void verb_words(FILE *out, const char *first) {
  for (size_t i = 0; i < verb_count; i++) {
    const char *name = verbs[i]->name;
    size_t length = strcspn(name, " ");
    if (first) {
      if (strlen(first) == length && memcmp(first, name, length) == 0 && name[length]) fprintf(out, "%s ", name + length + 1);
      continue;
    }
    bool seen = false;
    for (size_t j = 0; j < i; j++) seen |= strcspn(verbs[j]->name, " ") == length && memcmp(verbs[j]->name, name, length) == 0;
    if (!seen) fprintf(out, "%.*s ", (int)length, name);
  }
}

// Shell code that leaves in `verb` the verb's name and in `second` the words that may follow its first one.
static void bash_second_words(FILE *out) {
  fputs("  case \"${COMP_WORDS[1]}\" in\n", out);
  for (size_t i = 0; i < verb_count; i++) {
    const char *blank = strchr(verbs[i]->name, ' ');
    bool seen = !blank;
    for (size_t j = 0; blank && j < i; j++)
      seen |= strncmp(verbs[j]->name, verbs[i]->name, (size_t)(blank - verbs[i]->name) + 1) == 0;
    if (seen) continue;
    char first[100];
    snprintf(first, sizeof first, "%.*s", (int)(blank - verbs[i]->name), verbs[i]->name);
    fprintf(out, "    %s) second='", first);
    verb_words(out, first);
    fputs("' ;;\n", out);
  }
  fputs("  esac\n", out);
}

void help_bash(FILE *out) {
  fputs(
    "# bash completion for qkv, made by `qkv help --completion bash`\n"
    "_qkv() {\n"
    "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\" verb=\"${COMP_WORDS[1]}\" second=''\n"
    "  COMPREPLY=()\n"
    "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
    "    COMPREPLY=($(compgen -W '",
    out);
  verb_words(out, NULL);
  fputs("--help --version' -- \"$current\"))\n    return\n  fi\n", out);
  bash_second_words(out);
  fputs(
    "  if [ -n \"$second\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then\n"
    "    COMPREPLY=($(compgen -W \"$second\" -- \"$current\"))\n"
    "    [ ${#COMPREPLY[@]} -gt 0 ] && return\n"
    "  fi\n"
    "  case \" $second\" in *\" ${COMP_WORDS[2]} \"*) [ -n \"${COMP_WORDS[2]}\" ] && verb=\"$verb ${COMP_WORDS[2]}\" ;; esac\n"
    "  case \"$verb\" in\n",
    out);
  for (size_t i = 0; i < verb_count; i++) {
    const struct verb *verb = verbs[i];
    const struct option *option;
    fprintf(out, "    '%s')\n      case \"$previous\" in\n", verb->name);
    for (size_t k = 0; (option = verb_option(verb, k)); k++) {
      if (!option->name || !option_takes_value(option)) continue;
      fputs("        ", out);
      if (option->letter) fprintf(out, "-%c|", option->letter);
      fprintf(out, "--%s) ", option->name);
      if (wants_file(option)) {
        fputs("COMPREPLY=($(compgen -f -- \"$current\"))", out);
      } else if (wants_word(option)) {
        fputs("COMPREPLY=($(compgen -W '", out);
        words(out, option->value);
        fputs("' -- \"$current\"))", out);
      } else {
        fputs(":", out);  // a number or a text: nothing to offer
      }
      fputs("; return ;;\n", out);
    }
    if (strcmp(verb->name, "help") == 0) {
      fputs("        help) COMPREPLY=($(compgen -W '", out);
      verb_words(out, NULL);
      fputs("' -- \"$current\")); return ;;\n", out);
    }
    fputs("      esac\n      [ \"${current:0:1}\" = - ] && COMPREPLY=($(compgen -W '", out);
    for (size_t k = 0; (option = verb_option(verb, k)); k++)
      if (option->name) fprintf(out, "--%s ", option->name);
    fputs("' -- \"$current\")) && return ;;\n", out);
  }
  fputs("  esac\n  COMPREPLY=($(compgen -f -- \"$current\"))\n}\ncomplete -o filenames -F _qkv qkv\n", out);
}

// Inside '...' of an _arguments specification.
static void zsh_text(FILE *out, const char *text) {
  for (; *text; text++) {
    if (*text == '\'') fputs("'\\''", out);
    else if (strchr("[]:\\", *text)) fprintf(out, "\\%c", *text);
    else fputc(*text, out);
  }
}

static void zsh_option(FILE *out, const struct option *option, const char *dashes, const char *name) {
  fprintf(out, " \\\n        '%s%s%s%s[", option_is_list(option) ? "*" : "", dashes, name, option_takes_value(option) ? "=" : "");
  zsh_text(out, option->help);
  fputc(']', out);
  if (option_takes_value(option)) {
    fputc(':', out);
    zsh_text(out, wants_word(option) ? option->name : option->value);
    fputc(':', out);
    if (wants_file(option)) fputs("_files", out);
    if (wants_word(option)) {
      fputc('(', out);
      words(out, option->value);
      fputc(')', out);
    }
  }
  fputc('\'', out);
}

void help_zsh(FILE *out) {
  fputs("#compdef qkv\n# zsh completion for qkv, made by `qkv help --completion zsh`\n"
        "_qkv() {\n"
        "  local verb=\"${words[2]}\"\n"
        "  if (( CURRENT == 2 )); then\n"
        "    local -a verbs\n"
        "    verbs=(\n", out);
  for (size_t i = 0; i < verb_count; i++) {
    if (strchr(verbs[i]->name, ' ')) continue;
    fprintf(out, "      '%s:", verbs[i]->name);
    zsh_text(out, verbs[i]->summary);
    fputs("'\n", out);
  }
  fputs("    )\n    _describe verb verbs\n    compadd -- ", out);
  verb_words(out, NULL);
  fputs("--help --version\n    return\n  fi\n  case \"$verb ${words[3]}\" in\n", out);
  for (size_t i = 0; i < verb_count; i++)
    if (strchr(verbs[i]->name, ' ')) fprintf(out, "    '%s') verb='%s' ;;\n", verbs[i]->name, verbs[i]->name);
  fputs("  esac\n  case \"$verb\" in\n", out);
  for (size_t i = 0; i < verb_count; i++) {
    const struct option *option;
    fprintf(out, "    '%s')\n      _arguments", verbs[i]->name);
    for (size_t k = 0; (option = verb_option(verbs[i], k)); k++) {
      if (!option->name) continue;
      zsh_option(out, option, "--", option->name);
      char letter[2] = {option->letter};
      if (option->letter) zsh_option(out, option, "-", letter);
    }
    fputs(" \\\n        '*:file:_files' ;;\n", out);
  }
  fputs("  esac\n}\n_qkv \"$@\"\n", out);
}
