// Tokenizers equal those of Hugging Face: ids, types, offsets in characters and decoded texts of every code point, of random
// strings, of pairs and of real text, as CRC-32 per block in golden/NAME/expected.txt (see make_golden.py, whose generator
// of strings is repeated here). Code points listed in golden/unicode_differences.txt are replaced by "x".
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/utf8.h"
#include "text/tokenizer.h"

static const char *root;
static uint8_t *differs;  // by code point
static uint32_t crc_table[256];

static uint32_t crc32_add(uint32_t crc, const void *bytes, size_t size) {
  crc = ~crc;
  for (const unsigned char *p = bytes, *end = p + size; p < end; p++) crc = crc_table[(crc ^ *p) & 255] ^ crc >> 8;
  return ~crc;
}

static void fill_crc_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t c = i;
    for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ c >> 1 : c >> 1;
    crc_table[i] = c;
  }
}

static bool allowed(uint32_t c) { return !differs[c] && (c < 0xD800 || c > 0xDFFF); }

// Strings that both sides make -------------------------------------------------------------------------------------------

static uint64_t splitmix(uint64_t *state, uint64_t n) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (z ^ z >> 31) % n;
}

static const uint32_t ranges[][2] = {{0x20, 0x7E},     {0x20, 0x7E},       {0x61, 0x7A},       {0x61, 0x7A},     {0x61, 0x7A},
                                     {0x61, 0x7A},     {0x9, 0xD},         {0x20, 0x20},       {0x20, 0x20},     {0xA0, 0x17F},
                                     {0x300, 0x36F},   {0x370, 0x5FF},     {0x900, 0x97F},     {0x1100, 0x11FF}, {0x2000, 0x206F},
                                     {0x3040, 0x30FF}, {0x4E00, 0x9FFF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF}, {0xFB00, 0xFBFF},
                                     {0xFF00, 0xFFEF}, {0x1D400, 0x1D7FF}, {0x1F300, 0x1F6FF}, {0x1, 0x323AF}};
static const char *const snippets[] = {
    "<s>",    "</s>",   "<mask>",  "<unk>", " <mask> ",        "'s",      "'ll",     "'RE",           "▁",     "  ",
    "\n\n",   "\r\n",   "dog",     "house", " house ",         "red ",    "word",    "the ",          "größe", "the house",
    "ﬁre",    "<sep>",  " <sep> ", "[CLS]", "123456",          "1",       "e\u0301", "o\u0302\u0323", "İ",     "ẞ",
    "Σ",      "Ω",      "<0x41>",  "Ġ",     "<|end_of_text|>", " do not", "n't",     "ab-cd",         "a,b",   "kick",
    "\u200b", "\u00a0", "...",     "?!"};
enum { RANGES = sizeof ranges / sizeof *ranges, SNIPPETS = sizeof snippets / sizeof *snippets };

static void put_character(struct buffer *out, uint32_t c) {
  char bytes[4];
  buffer_append(out, bytes, (size_t)utf8_encode(bytes, c));
}

static void random_string(struct buffer *out, uint64_t *state) {
  buffer_clear(out);
  for (uint64_t n = splitmix(state, 30); n > 0; n--) {
    uint64_t which = splitmix(state, RANGES + 8);
    if (which >= RANGES) {
      buffer_text(out, snippets[splitmix(state, SNIPPETS)]);
      continue;
    }
    for (uint64_t k = 1 + splitmix(state, 4); k > 0; k--) {
      uint32_t c = ranges[which][0] + (uint32_t)splitmix(state, ranges[which][1] - ranges[which][0] + 1);
      put_character(out, allowed(c) ? c : 'x');
    }
  }
}

// One result as bytes ----------------------------------------------------------------------------------------------------

struct job {
  struct tokenizer *tokenizer;
  struct encoding encoding;
  struct buffer first, second, decoded;
  struct error error;
};

static int32_t characters_before(const char *text, size_t size, uint32_t offset) {
  return offset > size ? (int32_t)offset : (int32_t)utf8_length(text, offset);
}

static uint32_t add_number(uint32_t crc, int32_t number) { return crc32_add(crc, &number, 4); }

static uint32_t add_record(struct job *job, uint32_t crc, const char *first, size_t first_size, const char *second,
                           size_t second_size) {
  struct encoding *e = &job->encoding;
  bool ok = second ? tokenizer_encode_pair(job->tokenizer, first, first_size, second, second_size, true, e, &job->error)
                   : tokenizer_encode(job->tokenizer, first, first_size, true, e, &job->error);
  if (!ok) {
    if (!strstr(job->error.message, "truncation section")) fail_msg("%s", job->error.message);
    error_clear(&job->error);
    return add_number(crc, -1);
  }
  crc = add_number(crc, (int32_t)e->count);
  for (size_t i = 0; i < e->count; i++) {
    const char *text = e->sequences[i] == 1 ? second : first;
    size_t size = e->sequences[i] == 1 ? second_size : first_size;
    crc = add_number(add_number(crc, e->ids[i]), e->types[i]);
    crc = add_number(add_number(crc, characters_before(text, size, e->starts[i])), characters_before(text, size, e->ends[i]));
  }
  for (int shown = 0; shown < 2; shown++) {
    buffer_clear(&job->decoded);
    if (!tokenizer_decode(job->tokenizer, e->ids, e->count, !shown, &job->decoded, &job->error))
      fail_msg("%s", job->error.message);
    crc = crc32_add(crc, buffer_string(&job->decoded), job->decoded.size);
    crc = crc32_add(crc, "", 1);
  }
  return crc;
}

static uint32_t points_block(struct job *job, uint32_t start) {
  uint32_t crc = 0;
  for (uint32_t c = start; c < start + 256; c++) {
    if (c == 0 || !allowed(c)) continue;
    char text[6];
    int length = utf8_encode(text + 1, c);
    text[0] = 'a';
    text[length + 1] = 'b';
    crc = add_record(job, crc, text + 1, (size_t)length, NULL, 0);
    crc = add_record(job, crc, text, (size_t)length + 2, NULL, 0);
  }
  return crc;
}

static uint32_t random_block(struct job *job, uint64_t *state) {
  uint32_t crc = 0;
  for (int i = 0; i < 100; i++) {
    random_string(&job->first, state);
    crc = add_record(job, crc, buffer_string(&job->first), job->first.size, NULL, 0);
  }
  return crc;
}

static uint32_t pairs_block(struct job *job, uint64_t *state) {
  uint32_t crc = 0;
  for (int i = 0; i < 200; i++) {
    random_string(&job->first, state);
    random_string(&job->second, state);
    crc = add_record(job, crc, buffer_string(&job->first), job->first.size, buffer_string(&job->second), job->second.size);
  }
  return crc;
}

// Lines [start, start + 100) of a file of real text; false if the file is not there.
static bool text_block(struct job *job, const char *name, size_t first, uint32_t *crc) {
  char path[4096];
  struct file_map map;
  snprintf(path, sizeof path, "%s/../shared/data/%s", root, name);
  if (!file_exists(path)) return false;
  if (!file_map_open(&map, path, &job->error)) fail_msg("%s", job->error.message);
  *crc = 0;
  size_t line = 0;
  for (size_t at = 0; at <= map.size && line < first + 100; line++) {
    const char *stop = memchr(map.data + at, '\n', map.size - at);
    size_t size = stop ? (size_t)(stop - map.data) - at : map.size - at;
    if (line >= first) *crc = add_record(job, *crc, map.data + at, size, NULL, 0);
    at += size + 1;
  }
  file_map_close(&map);
  return true;
}

static void golden_path(char out[4096], const char *name, const char *file) {
  snprintf(out, 4096, "%s/tests/text/golden/%s/%s", root, name, file);
}

static void equals_hugging_face(void **state) {
  const char *name = *state;
  char path[4096], kind[200], start[20], line[300];
  struct job job = {0};
  size_t wrong = 0, blocks = 0, skipped = 0;
  uint64_t numbers = 20240607;
  golden_path(path, name, "");
  job.tokenizer = tokenizer_open(path, &job.error);
  if (!job.tokenizer) fail_msg("%s", job.error.message);
  golden_path(path, name, "expected.txt");
  FILE *expected = fopen(path, "r");
  assert_non_null(expected);
  for (unsigned wanted; fgets(line, sizeof line, expected); blocks++) {
    assert_int_equal(sscanf(line, "%199s %19s %x", kind, start, &wanted), 3);
    uint32_t crc;
    if (strcmp(kind, "points") == 0) crc = points_block(&job, (uint32_t)strtoul(start, NULL, 16));
    else if (strcmp(kind, "random") == 0) crc = random_block(&job, &numbers);
    else if (strcmp(kind, "pairs") == 0) crc = pairs_block(&job, &numbers);
    else if (!text_block(&job, kind, strtoul(start, NULL, 10), &crc)) {
      skipped++;
      continue;
    }
    if (crc != wanted && ++wrong <= 5) print_error("%s: %s %s differs\n", name, kind, start);
  }
  fclose(expected);
  assert_true(blocks > 900);
  if (skipped) print_message("%s: %zu blocks of real text skipped: no ../shared/data\n", name, skipped);
  assert_int_equal(wrong, 0);
  tokenizer_free(job.tokenizer);
  encoding_free(&job.encoding);
  buffer_free(&job.first);
  buffer_free(&job.second);
  buffer_free(&job.decoded);
}

static void read_differences(void) {
  char path[4096], line[4096];
  snprintf(path, sizeof path, "%s/tests/text/golden/unicode_differences.txt", root);
  FILE *file = fopen(path, "r");
  if (!file) return;
  while (fgets(line, sizeof line, file)) {
    unsigned start, end;
    if (sscanf(line, "%x-%x", &start, &end) != 2 || end > 0x10FFFF) continue;
    for (unsigned c = start; c <= end; c++) differs[c] = 1;
  }
  fclose(file);
}

int main(int argc, char **argv) {
  static const char *const names[] = {"gpt2",       "roberta", "llama3",     "o200k",  "llama2",     "metaspace",
                                      "openai_gpt", "word",    "continuing", "splits", "characters", "byte_normalizer",
                                      "bert", "bert_cased", "unigram", "unigram_bytes", "bert_vocab_txt", "roberta_merges",
                                      "spm_xlm_roberta", "spm_bytes"};
  if (argc > 1) cmocka_set_test_filter(argv[1]);
  struct CMUnitTest tests[sizeof names / sizeof *names];
  root = getenv("QKV_SOURCE_ROOT") ? getenv("QKV_SOURCE_ROOT") : ".";
  differs = calloc(0x110000, 1);
  fill_crc_table();
  read_differences();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    tests[i] = (struct CMUnitTest){names[i], equals_hugging_face, NULL, NULL, (void *)names[i]};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  free(differs);
  return failed;
}
