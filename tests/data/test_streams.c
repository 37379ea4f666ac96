// Documents cut from files, their tokens as a stream, and the samples made of it: what stands where, what is learnt, and that
// neither threads nor the size of pieces change it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/parallel.h"
#include "data/batch_plan.h"
#include "data/lm_batch.h"
#include "text_files.h"

enum { END = 0, LETTERS = 29 };

struct reading {
  struct document_reader reader;
  struct token_stream stream;
  struct tokenizer *tokenizer;
  struct error error;
};

static bool read_with(struct reading *reading, const char *path, struct document_options documents,
                      struct token_stream_options options) {
  *reading = (struct reading){.tokenizer = letters_tokenizer()};
  options.tokenizer = reading->tokenizer;
  options.vocabulary = LETTERS;
  options.directory = text_folder();
  if (!options.most) options.most = 100;
  return documents_open(&reading->reader, &path, 1, &reading->error) &&
         token_stream_read(&reading->stream, &reading->reader, &documents, &options, &reading->error);
}

static void done(struct reading *reading) {
  token_stream_close(&reading->stream);
  documents_close(&reading->reader);
  tokenizer_free(reading->tokenizer);
}

static void expect_documents(const char *text, const char *separator, const char *const *wanted) {
  struct error error = {0};
  struct document_reader reader;
  const char *path = text_file_of("documents", text);
  struct document_options options = {.separator = separator};
  struct document_piece piece;
  if (!documents_open(&reader, &path, 1, &error)) fail_msg("%s", error.message);
  documents_start(&reader, &options, NULL);
  size_t count = 0;
  for (; documents_next(&reader, &piece, &error); count++) {
    assert_true(piece.first);
    if (!wanted[count] || strlen(wanted[count]) != piece.size || memcmp(wanted[count], piece.text, piece.size) != 0)
      fail_msg("\"%s\": document %zu is \"%.*s\", wanted \"%s\"", text, count, (int)piece.size, piece.text,
               wanted[count] ? wanted[count] : "no more");
  }
  assert_int_equal(error.code, ERROR_NONE);
  if (wanted[count]) fail_msg("\"%s\": \"%s\" is missing", text, wanted[count]);
  documents_close(&reader);
}

#define DOCUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void documents_end_where_they_should(void **state) {
  expect_documents("a b\n\nc\n", NULL, DOCUMENTS("a b\n\nc\n"));
  expect_documents("\xEF\xBB\xBF" "a b\n\n \t\r\nc\n\n\n", "blank", DOCUMENTS("a b", "c"));
  expect_documents("\n\na\nb\n", "blank", DOCUMENTS("a\nb\n"));
  expect_documents("a\r\n---\r\nb---\n---\n", "---", DOCUMENTS("a", "b---"));
  expect_documents("a<|endoftext|>b\n<|endoftext|>\nc", NULL, DOCUMENTS("a", "b", "c"));
  expect_documents("<|endoftext|><|endoftext|>a<|endoftext|>", NULL, DOCUMENTS("a"));
  expect_documents("a\n\nb<|endoftext|>c", "blank", DOCUMENTS("a", "b", "c"));
}

static void held_out_text_is_the_end(void **state) {
  char *text = calloc(1, 20 * 100 + 1);
  for (int i = 0; i < 100; i++) sprintf(text + 20 * i, "line %02d of the file\n", i);
  const char *path = text_file_of("held", text);
  struct error error = {0};
  struct document_reader reader;
  size_t sizes[2] = {0};
  assert_true(documents_open(&reader, &path, 1, &error));
  for (int part = 0; part < 2; part++) {
    struct document_options options = {.part = part ? PART_HELD_OUT : PART_KEPT, .held_out = 0.1};
    struct document_piece piece;
    documents_start(&reader, &options, NULL);
    while (documents_next(&reader, &piece, &error)) {
      if (part) assert_memory_equal(piece.text, "line 9", 6);
      sizes[part] += piece.size;
    }
  }
  assert_int_equal(sizes[0] + sizes[1], strlen(text));
  assert_in_range(sizes[1], 150, 200);
  documents_close(&reader);
  free(text);
}

// Letters are a token each.
static void a_stream_holds_documents_behind_their_begin_token(void **state) {
  struct reading reading, reversed;
  const char *path = text_file_of("stream", "a b c\n\nd e\n\nf");
  struct token_stream_options options = {.begin_id = END, .end_id = END};
  struct document_options blank = {.separator = "blank"};
  if (!read_with(&reading, path, blank, options)) fail_msg("%s", reading.error.message);
  options.reversed = true;
  assert_true(read_with(&reversed, path, blank, options));
  const struct token_stream *stream = &reading.stream;
  assert_int_equal(stream->document_count, 3);
  assert_int_equal(stream->bytes, 5 + 3 + 1);
  assert_int_equal(place_line(stream->documents[2].place), 5);
  for (size_t d = 0; d < 3; d++) {
    uint64_t start = stream->documents[d].start, end = stream_document_end(stream, d);
    assert_int_equal(stream->tokens[start], END);
    assert_int_equal(token_stream_find(stream, end - 1), d);
    for (uint64_t i = start + 1; i < end; i++) assert_int_equal(stream->tokens[i], reversed.stream.tokens[start + end - i]);
  }
  done(&reading);
  done(&reversed);
}

static char *long_text(void) {
  enum { LINES = 30000 };
  char *text = malloc(LINES * 12 + 1), *at = text;
  for (int i = 0; i < LINES; i++)
    at += sprintf(at, "%c %c%s %c\n", 'a' + i % 26, 'a' + i / 7 % 26, i % 1000 == 0 ? "\n" : "", 'a' + i / 3 % 26);
  return text;
}

static void any_number_of_threads_reads_the_same(void **state) {
  char *text = long_text();
  const char *path = text_file_of("long", text);
  struct token_stream_options options = {.begin_id = END, .end_id = END};
  struct reading one, three;
  parallel_set_threads(1);
  assert_true(read_with(&one, path, (struct document_options){0}, options));
  parallel_set_threads(3);
  assert_true(read_with(&three, path, (struct document_options){0}, options));
  parallel_set_threads(0);
  assert_int_equal(one.stream.count, three.stream.count);
  assert_int_equal(one.stream.document_count, 1);
  assert_int_equal(one.stream.bytes, strlen(text));
  assert_memory_equal(one.stream.tokens, three.stream.tokens, one.stream.count * sizeof(int32_t));
  // The pieces of a long text together are the text.
  struct encoding encoding = {0};
  struct error error = {0};
  assert_true(tokenizer_encode(one.tokenizer, text, strlen(text), false, &encoding, &error));
  assert_int_equal(encoding.count, one.stream.count - 1);
  assert_memory_equal(encoding.ids, one.stream.tokens + 1, encoding.count * sizeof(int32_t));
  encoding_free(&encoding);
  done(&one);
  done(&three);
  free(text);
}

// Sequences without gaps, with positions from 0 on, and as many labels as was said before.
static void check_blocks(struct lm_samples *of, uint64_t epoch, int end_id, int *seen) {
  const struct token_stream *stream = of->stream;
  struct samples samples = lm_blocks(of);
  struct error error = {0};
  int64_t counted[TARGET_HEADS] = {0}, labels = 0;
  for (uint32_t s = 0; s < samples.count; s++) {
    const struct batch *batch = samples.fill(samples.user, epoch, &s, 1, &error);
    assert_non_null(batch);
    assert_int_equal(batch->target.rows, samples.rows(samples.user, epoch, s).target);
    samples.count_targets(samples.user, epoch, s, counted);
    labels += batch->label_count;
    int rows = 0;
    for (int q = 0; q < batch->target.span_count; q++) {
      const struct span *span = &batch->target.spans[q];
      assert_int_equal(span->q0, rows);
      assert_int_equal(span->qn, span->kn);
      for (int i = 0; i < span->qn; i++) {
        int row = rows + i;
        assert_int_equal(batch->target.positions[row], i);
        seen[batch->target.ids[row]]++;
        if (i + 1 < span->qn) assert_int_equal(batch->labels[row], batch->target.ids[row + 1]);
      }
      rows += span->qn;
    }
    assert_int_equal(rows, batch->target.rows);
  }
  assert_int_equal(counted[0], labels);
  assert_int_equal(labels, (int64_t)stream->count - (end_id < 0 ? (int64_t)stream->document_count : 0));
}

static void blocks_hold_every_token_once(void **state) {
  const char *path = text_file_of("blocks", "a b c d e f g\n\nh i\n\nj k l m n o p q r s t u v w x y z\n\na");
  for (int end = -1; end <= 0; end++) {
    struct reading reading;
    struct token_stream_options options = {.begin_id = END, .end_id = end};
    assert_true(read_with(&reading, path, (struct document_options){.separator = "blank"}, options));
    for (size_t context = 1; context < 40; context += 3)
      for (uint64_t epoch = 0; epoch < 3; epoch++) {
        struct lm_samples of = {.stream = &reading.stream, .context = context, .seed = 5};
        int seen[LETTERS] = {0};
        check_blocks(&of, epoch, end, seen);
        for (int letter = 3; letter < LETTERS - 1; letter++) assert_int_equal(seen[letter], 1);
        lm_samples_free(&of);
      }
    done(&reading);
  }
}

static void windows_count_every_token_once(void **state) {
  const char *path = text_file_of("windows", "a b c d e f g\n\nh i\n\nj k l m n o p q r s t u v w x y z\n\na");
  struct reading reading;
  assert_true(read_with(&reading, path, (struct document_options){.separator = "blank"},
                        (struct token_stream_options){.begin_id = END, .end_id = END}));
  for (size_t context = 1; context < 30; context += 2)
    for (size_t stride = 1; stride <= context; stride++)
      for (int cross = 0; cross < 2; cross++) {
        struct lm_samples of = {.stream = &reading.stream, .context = context, .cross = cross};
        struct samples samples;
        struct error error = {0};
        assert_true(lm_windows(&of, stride, &samples, &error));
        int64_t counted[TARGET_HEADS] = {0};
        for (size_t s = 0; s < samples.count; s++) {
          assert_true(of.runs[s].count <= context && of.runs[s].label_count <= of.runs[s].count);
          samples.count_targets(samples.user, 0, s, counted);
        }
        assert_int_equal(counted[0], reading.stream.count);
        lm_samples_free(&of);
      }
  done(&reading);
}

static void memory_that_runs_short_is_an_error(void **state) {
  const char *path = text_file_of("short", "a b c d e f g\n\nh i\n\nj k l");
  bool worked = false;
  for (long n = 0; n < 300 && !worked; n++) {
    struct reading reading = {.tokenizer = letters_tokenizer()};
    struct token_stream_options options = {.tokenizer = reading.tokenizer,
                                           .vocabulary = LETTERS,
                                           .begin_id = END,
                                           .end_id = END,
                                           .most = 9,
                                           .directory = text_folder()};
    struct lm_samples of = {.stream = &reading.stream, .context = 4};
    struct samples samples;
    memory_fail_after(n);
    worked = documents_open(&reading.reader, &path, 1, &reading.error) &&
             token_stream_read(&reading.stream, &reading.reader, &(struct document_options){.separator = "blank"}, &options,
                               &reading.error) &&
             lm_windows(&of, 2, &samples, &reading.error) &&
             samples.fill(samples.user, 0, (const uint32_t[]){0, 1}, 2, &reading.error);
    memory_fail_after(-1);
    if (!worked) assert_int_equal(reading.error.code, ERROR_MEMORY);
    lm_samples_free(&of);
    done(&reading);
  }
  assert_true(worked);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(documents_end_where_they_should),
    cmocka_unit_test(held_out_text_is_the_end),
    cmocka_unit_test(a_stream_holds_documents_behind_their_begin_token),
    cmocka_unit_test(any_number_of_threads_reads_the_same),
    cmocka_unit_test(blocks_hold_every_token_once),
    cmocka_unit_test(windows_count_every_token_once),
    cmocka_unit_test(memory_that_runs_short_is_an_error),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  text_folder_remove();
  return failed;
}
