#include "api/prompt.h"

#include <string.h>

#include "base/memory.h"

void prompt_reader_open(struct prompt_reader *reader, const struct qkv_model *model, const struct tokenizer *tokenizer) {
  const struct checkpoint *checkpoint = &model->checkpoint;
  *reader = (struct prompt_reader){.tokenizer = tokenizer, .generation = &checkpoint->generation};
  reader->start_id = checkpoint->generation.bos_id >= 0 ? checkpoint->generation.bos_id : checkpoint->arch.bos_id;
}

void prompt_reader_close(struct prompt_reader *reader) { encoding_free(&reader->encoding); }

static bool is_end(const struct prompt_reader *reader, int32_t id) {
  for (size_t i = 0; i < reader->generation->eos_count; i++)
    if (reader->generation->eos_ids[i] == id) return true;
  return false;
}

bool prompt_read(struct prompt *out, struct prompt_reader *reader, const char *text, struct error *error) {
  struct encoding *encoding = &reader->encoding;
  *out = (struct prompt){0};
  encoding->keep_all = true;
  if (!tokenizer_encode(reader->tokenizer, text, strlen(text), true, encoding, error)) return false;
  size_t count = encoding->count;
  while (count && encoding->sequences[count - 1] < 0 && is_end(reader, encoding->ids[count - 1])) count--;
  if (count > INT32_MAX / 2)
    return error_set(error, ERROR_USAGE, "a text has %zu tokens; at most %d can be taken", count, INT32_MAX / 2);
  out->ids = memory_new(error, count + 1, sizeof *out->ids);
  if (!out->ids) return false;
  if (count) memcpy(out->ids, encoding->ids, count * sizeof *out->ids);
  out->count = (int)count;
  out->invalid = encoding->invalid;
  if (count == 0 && reader->start_id >= 0) out->ids[out->count++] = reader->start_id;
  return true;
}
