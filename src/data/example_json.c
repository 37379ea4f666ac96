// Examples as JSON: an object a line, {text, pair, label}, {tokens, tags}, {question, context, answers}, {question, choices,
// label}; and SQuAD's nested file, {data: [{paragraphs: [{context, qas: [{id, question, answers: [{text, answer_start}]}]}]}]}.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "data/examples.h"

struct place {
  struct examples *examples;
  const struct example_source *source;
  uint64_t number;   // of the line or question
  const char *name;  // "train.jsonl line 7", for messages
};

static struct error *error_of(const struct place *place) { return place->source->error; }

static const cJSON *find(const cJSON *object, const char *const *names) {
  for (; *names; names++) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, *names);
    if (item && !cJSON_IsNull(item)) return item;
  }
  return NULL;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

// Text of a string or number. False if it is there and neither of both, or if it is missing and wanted.
static bool get_text(const struct place *place, const cJSON *object, const char *const *names, bool wanted,
                     struct text_line *out) {
  const cJSON *item = find(object, names);
  struct buffer number = {0};
  if (!item) return !wanted || error_set(error_of(place), ERROR_FORMAT, "%s: \"%s\" is missing", place->name, names[0]);
  if (cJSON_IsBool(item))
    buffer_text(&number, cJSON_IsTrue(item) ? "true" : "false");
  else if (cJSON_IsNumber(item))
    json_write_number(&number, item->valuedouble);
  else if (!cJSON_IsString(item))
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"%s\" has to be a text or a number", place->name, names[0]);
  const char *text = cJSON_IsString(item) ? item->valuestring : buffer_string(&number);
  *out = example_text(place->examples, text, strlen(text), error_of(place));
  buffer_free(&number);
  return out->text != NULL;
}

static bool get_list(const struct place *place, const cJSON *object, const char *const *names, struct text_line **out,
                     size_t *count) {
  const cJSON *list = find(object, names), *item;
  if (!cJSON_IsArray(list))
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"%s\" has to be a list of texts", place->name, names[0]);
  *out = example_memory(place->examples, ((size_t)cJSON_GetArraySize(list) + 1) * sizeof **out, error_of(place));
  *count = 0;
  if (!*out) return false;
  cJSON_ArrayForEach(item, list) {
    if (!cJSON_IsString(item))
      return error_set(error_of(place), ERROR_FORMAT, "%s: \"%s\" has to be a list of texts", place->name, names[0]);
    (*out)[(*count)++] = example_text(place->examples, item->valuestring, strlen(item->valuestring), error_of(place));
  }
  return error_of(place)->code == ERROR_NONE;
}

static struct example *add(const struct place *place) {
  return example_add(place->examples, place_of(place->source->file, place->number), error_of(place));
}

static bool read_texts(const struct place *place, const cJSON *object) {
  struct example *example = add(place);
  return example && get_text(place, object, NAMES("text", "sentence", "sentence1", "premise"), true, &example->text) &&
         get_text(place, object, NAMES("pair", "sentence2", "hypothesis"), false, &example->pair) &&
         get_text(place, object, NAMES("label", "score"), place->source->options->labelled, &example->label);
}

static bool read_words(const struct place *place, const cJSON *object) {
  struct text_line *words, *tags = NULL;
  size_t count, tag_count = 0;
  bool tagged = find(object, NAMES("tags", "ner_tags")) != NULL;
  if (!get_list(place, object, NAMES("tokens", "words"), &words, &count)) return false;
  if (!tagged && place->source->options->labelled)
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"tags\" is missing", place->name);
  if (tagged && !get_list(place, object, NAMES("tags", "ner_tags"), &tags, &tag_count)) return false;
  if (tagged && tag_count != count)
    return error_set(error_of(place), ERROR_FORMAT, "%s: there are %zu tokens and %zu tags; wanted a tag for each token",
                     place->name, count, tag_count);
  return count == 0 ||
         example_add_words(place->examples, place_of(place->source->file, place->number), words, tags, count, error_of(place));
}

static bool read_choices(const struct place *place, const cJSON *object) {
  struct example *example = add(place);
  if (!example || !get_text(place, object, NAMES("question", "text"), true, &example->text) ||
      !get_list(place, object, NAMES("choices", "endings"), &example->parts, &example->part_count) ||
      !get_text(place, object, NAMES("label", "answer"), place->source->options->labelled, &example->label))
    return false;
  if (example->part_count < 2)
    return error_set(error_of(place), ERROR_FORMAT, "%s: there have to be at least two choices, and there are %zu", place->name,
                     example->part_count);
  if (!example->label.text) return true;
  char *end;
  long label = strtol(example->label.text, &end, 10);
  if (*end || end == example->label.text || label < 0 || (size_t)label >= example->part_count)
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"label\" is %s; wanted the number of a choice, 0 to %zu", place->name,
                     example->label.text, example->part_count - 1);
  return true;
}

// ---- questions ----

// Bytes of the first `characters` characters, or beyond the text's size if there are fewer.
static size_t bytes_of(struct text_line text, long long characters) {
  const char *at = text.text, *end = text.text + text.size;
  uint32_t character;
  for (; characters > 0 && at < end; characters--) at += utf8_decode(at, end, &character, NULL);
  return characters > 0 ? text.size + 1 : (size_t)(at - text.text);
}

static bool read_answer(const struct place *place, const cJSON *answer, struct example *example, bool *outside) {
  struct text_line text = {0};
  if (!get_text(place, answer, NAMES("text"), true, &text)) return false;
  const cJSON *start = cJSON_GetObjectItemCaseSensitive(answer, "answer_start");
  size_t at = 0;
  if (cJSON_IsNumber(start)) {
    at = start->valuedouble >= 0 && start->valuedouble <= (double)example->pair.size
           ? bytes_of(example->pair, (long long)start->valuedouble)
           : example->pair.size + 1;
    if (at + text.size > example->pair.size || memcmp(example->pair.text + at, text.text, text.size) != 0) *outside = true;
  } else {
    const char *found = strstr(example->pair.text, text.text);
    if (found)
      at = (size_t)(found - example->pair.text);
    else
      *outside = true;
  }
  example->parts[example->part_count] = text;
  example->starts[example->part_count++] = at;
  return true;
}

// `context` stands in the object itself, or around it.
static bool read_question(const struct place *place, const cJSON *object, struct text_line context) {
  const cJSON *answers = find(object, NAMES("answers")), *answer;
  struct example *example = add(place);
  if (!example || !get_text(place, object, NAMES("question"), true, &example->text) ||
      !get_text(place, object, NAMES("id"), false, &example->id))
    return false;
  example->pair = context;
  if (!context.text && !get_text(place, object, NAMES("context"), true, &example->pair)) return false;
  if (!answers && place->source->options->labelled)
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"answers\" is missing", place->name);
  if (answers && !cJSON_IsArray(answers))
    return error_set(error_of(place), ERROR_FORMAT, "%s: \"answers\" has to be a list", place->name);
  size_t count = (size_t)cJSON_GetArraySize(answers);
  example->impossible = answers && count == 0;
  example->label = (struct text_line){answers ? "" : NULL, 0};
  example->parts = example_memory(place->examples, (count + 1) * sizeof *example->parts, error_of(place));
  example->starts = example_memory(place->examples, (count + 1) * sizeof *example->starts, error_of(place));
  if (!example->parts || !example->starts) return false;
  bool outside = false;
  cJSON_ArrayForEach(answer, answers) if (!read_answer(place, answer, example, &outside)) return false;
  if (!outside || !place->source->options->placed) return true;
  place->examples->count--;
  place->examples->ledger.read++;
  return ledger_add(&place->examples->ledger, LEDGER_NO_ANSWER, place_of(place->source->file, place->number), error_of(place));
}

static bool read_object(const struct place *place, const cJSON *object) {
  if (!cJSON_IsObject(object)) return error_set(error_of(place), ERROR_FORMAT, "%s: wanted a JSON object", place->name);
  switch (place->source->options->shape) {
    case EXAMPLE_WORDS: return read_words(place, object);
    case EXAMPLE_QUESTION: return read_question(place, object, (struct text_line){NULL, 0});
    case EXAMPLE_CHOICE: return read_choices(place, object);
    default: return read_texts(place, object);
  }
}

static bool is_blank(struct text_line line) {
  for (size_t i = 0; i < line.size; i++)
    if (line.text[i] != ' ' && line.text[i] != '\t') return false;
  return true;
}

bool example_read_jsonl(struct examples *examples, const struct example_source *source) {
  const char *at = source->text, *end = at + source->size;
  struct text_line line;
  char name[4200];
  bool ok = true;
  for (uint64_t number = 1; ok && example_next_line(&at, end, &line); number++) {
    if (is_blank(line)) continue;
    snprintf(name, sizeof name, "%.4100s line %" PRIu64, source->path, number);
    cJSON *object = json_parse(line.text, line.size, name, source->error);
    ok = object && read_object(&(struct place){examples, source, number, name}, object);
    cJSON_Delete(object);
  }
  return ok;
}

static bool read_paragraph(struct place *place, const cJSON *paragraph, int article, int number) {
  char name[4200];
  const char *outer = place->name;
  snprintf(name, sizeof name, "%.4000s: data[%d].paragraphs[%d]", place->source->path, article, number);
  place->name = name;
  struct text_line context = {0};
  const cJSON *questions = find(paragraph, NAMES("qas")), *question;
  bool ok = get_text(place, paragraph, NAMES("context"), true, &context);
  if (ok && !cJSON_IsArray(questions)) ok = error_set(error_of(place), ERROR_FORMAT, "%s: \"qas\" has to be a list", name);
  int index = 0;
  cJSON_ArrayForEach(question, questions) {
    if (!ok) break;
    snprintf(name, sizeof name, "%.4000s: data[%d].paragraphs[%d].qas[%d]", place->source->path, article, number, index++);
    place->number++;
    ok = read_question(place, question, context);
  }
  place->name = outer;
  return ok;
}

bool example_read_squad(struct examples *examples, const struct example_source *source) {
  if (source->options->shape != EXAMPLE_QUESTION)
    return error_set(source->error, ERROR_USAGE,
                     "%s: a .json file is read as SQuAD's, which belongs to --task span; write an "
                     "object a line into a .jsonl file",
                     source->path);
  cJSON *root = json_parse(source->text, source->size, source->path, source->error);
  if (!root) return false;
  struct place place = {examples, source, 0, source->path};
  const cJSON *data = find(root, NAMES("data")), *article, *paragraph;
  bool ok = cJSON_IsArray(data) ||
            error_set(source->error, ERROR_FORMAT, "%s: \"data\" is missing; wanted a file in SQuAD's form", source->path);
  int article_number = 0;
  cJSON_ArrayForEach(article, data) {
    int number = 0;
    cJSON_ArrayForEach(paragraph, find(article, NAMES("paragraphs"))) if (ok) ok =
      read_paragraph(&place, paragraph, article_number, number++);
    article_number++;
  }
  cJSON_Delete(root);
  return ok;
}
