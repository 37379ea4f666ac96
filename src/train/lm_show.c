#include "train/lm_show.h"

#include <stdlib.h>

#include "generate/session.h"

enum { SHOWN = 2, BEGINNING = 12, WRITTEN = 32 };  // texts; tokens of each
static const double TEMPERATURE = 0.8;

// The same places every time: a prompt, or the tokens from somewhere in a document on.
static struct generation_request beginning(const struct token_stream *stream, int index, size_t context) {
  size_t most = context > 2 * BEGINNING ? BEGINNING : context / 2;
  size_t document = token_stream_find(stream, (2 * (uint64_t)index + 1) * stream->count / (2 * SHOWN));
  uint64_t start = stream->documents[document].start, end = stream_document_end(stream, document),
           answer = stream->documents[document].answer;
  if (stream->pairs) return (struct generation_request){.prefix = stream->tokens + start, .prefix_count = (int)(answer - start)};
  if (end - start > 4 * most) start += (end - start) / (SHOWN + 1) * (uint64_t)(index + 1);
  size_t left = (size_t)(end - start);
  return (struct generation_request){
    .prefix = stream->tokens + start, .prefix_count = (int)(left < most ? left : most), .line = (uint64_t)index};
}

// Ids as text on one line.
static void write_text(const struct job *job, struct buffer *out, const int32_t *ids, int count, bool reversed) {
  size_t start = out->size;
  int32_t turned[BEGINNING + WRITTEN];
  if (reversed && count <= BEGINNING + WRITTEN) {
    for (int i = 0; i < count; i++) turned[i] = ids[count - 1 - i];
    ids = turned;
  }
  tokenizer_decode(job->tokenizer, ids, (size_t)count, true, out, job->error);
  for (size_t i = start; i < out->size; i++)
    if ((unsigned char)out->data[i] < ' ') out->data[i] = ' ';
}

static void say(const struct job *job, const struct generation_request *request, const struct generation *found, bool reversed) {
  struct buffer given = {0}, written = {0};
  write_text(job, &given, request->prefix, request->prefix_count, reversed);
  write_text(job, &written, found->hypotheses[0].ids, found->hypotheses[0].count, reversed);
  if (reversed) job_say(job, "  writes  %s | %s", buffer_string(&written), buffer_string(&given));
  else job_say(job, "  writes  %s | %s", buffer_string(&given), buffer_string(&written));
  buffer_free(&given);
  buffer_free(&written);
}

void lm_show(const struct job *job, const struct token_stream *stream, bool reversed) {
  const struct model *model = job->model;
  struct error error = {0};
  struct generation_options options;
  struct generation_request requests[SHOWN];
  struct generation *found[SHOWN] = {0};
  generation_options_default(&options, &model->arch);
  options.sampling = true;
  options.temperature = TEMPERATURE;
  options.seed = (uint64_t)job->options.seed;
  options.max_new_tokens = WRITTEN;
  for (int i = 0; i < SHOWN; i++) requests[i] = beginning(stream, i, (size_t)job->options.context);
  struct session *session = session_open(&model, 1, &options, &error);
  if (session && session_run(session, requests, SHOWN, found, &error))
    for (int i = 0; i < SHOWN; i++) say(job, &requests[i], found[i], reversed);
  if (error.code != ERROR_NONE) job_say(job, "  no sample of what the model writes: %s", error.message);
  for (int i = 0; i < SHOWN; i++) free(found[i]);
  session_close(session);
  generation_options_free(&options);
}
