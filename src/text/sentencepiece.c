#include "text/sentencepiece.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

// A message on its way: fields are a number and a kind of value, in 7-bit groups, followed by the value.
struct message {
  const unsigned char *at, *end;
};

enum { WIRE_NUMBER = 0, WIRE_8_BYTES = 1, WIRE_BYTES = 2, WIRE_4_BYTES = 5 };

struct field {
  uint64_t number;
  int wire;
  uint64_t value;              // WIRE_NUMBER; the bits of WIRE_4_BYTES
  const unsigned char *bytes;  // WIRE_BYTES
  size_t size;
};

static bool read_number(struct message *message, uint64_t *value) {
  *value = 0;
  for (int shift = 0; shift < 64 && message->at < message->end; shift += 7) {
    unsigned char byte = *message->at++;
    *value |= (uint64_t)(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

static bool read_fixed(struct message *message, size_t bytes, uint64_t *value) {
  if ((size_t)(message->end - message->at) < bytes) return false;
  *value = 0;
  for (size_t i = 0; i < bytes; i++) *value |= (uint64_t)message->at[i] << 8 * i;
  message->at += bytes;
  return true;
}

// The next field; false when the bytes are no message.
static bool read_field(struct message *message, struct field *field) {
  uint64_t key, size;
  if (!read_number(message, &key)) return false;
  field->number = key >> 3;
  field->wire = (int)(key & 7);
  switch (field->wire) {
    case WIRE_NUMBER: return read_number(message, &field->value);
    case WIRE_8_BYTES: return read_fixed(message, 8, &field->value);
    case WIRE_4_BYTES: return read_fixed(message, 4, &field->value);
    case WIRE_BYTES:
      if (!read_number(message, &size) || size > (uint64_t)(message->end - message->at)) return false;
      field->bytes = message->at;
      field->size = (size_t)size;
      message->at += size;
      return true;
    default: return false;
  }
}

static struct message inside(const struct field *field) { return (struct message){field->bytes, field->bytes + field->size}; }

static bool is(const struct field *field, uint64_t number, int wire) { return field->number == number && field->wire == wire; }

static bool read_piece(struct sentencepiece_model *model, struct message message, struct error *error) {
  if (!memory_grow(error, &model->pieces, &model->capacity, model->count + 1, sizeof *model->pieces)) return false;
  struct sentencepiece *piece = &model->pieces[model->count];
  *piece = (struct sentencepiece){.text = "", .type = PIECE_NORMAL};
  while (message.at < message.end) {
    struct field field;
    if (!read_field(&message, &field)) return false;
    if (is(&field, 1, WIRE_BYTES)) {
      piece->text = (const char *)field.bytes;
      piece->size = field.size;
    } else if (is(&field, 2, WIRE_4_BYTES)) {
      uint32_t bits = (uint32_t)field.value;
      memcpy(&piece->score, &bits, 4);
    } else if (is(&field, 3, WIRE_NUMBER)) {
      piece->type = (int)field.value;
    }
  }
  model->count++;
  return true;
}

static bool read_trainer(struct sentencepiece_model *model, struct message message) {
  while (message.at < message.end) {
    struct field field;
    if (!read_field(&message, &field)) return false;
    if (is(&field, 3, WIRE_NUMBER)) model->kind = (int)field.value;
    if (is(&field, 35, WIRE_NUMBER)) model->byte_fallback = field.value != 0;
    if (is(&field, 40, WIRE_NUMBER)) model->unknown_id = (int64_t)field.value;
  }
  return true;
}

static bool read_normalizer(struct sentencepiece_model *model, struct message message) {
  while (message.at < message.end) {
    struct field field;
    if (!read_field(&message, &field)) return false;
    if (is(&field, 2, WIRE_BYTES)) {
      model->charsmap = (const char *)field.bytes;
      model->charsmap_size = field.size;
    }
    if (is(&field, 3, WIRE_NUMBER)) model->add_dummy_prefix = field.value != 0;
    if (is(&field, 4, WIRE_NUMBER)) model->remove_extra_whitespaces = field.value != 0;
  }
  return true;
}

static bool read_message(struct sentencepiece_model *model, struct message message, struct error *error) {
  while (message.at < message.end) {
    struct field field;
    if (!read_field(&message, &field)) return false;
    bool ok = true;
    if (is(&field, 1, WIRE_BYTES)) ok = read_piece(model, inside(&field), error);
    if (is(&field, 2, WIRE_BYTES)) ok = read_trainer(model, inside(&field));
    if (is(&field, 3, WIRE_BYTES)) ok = read_normalizer(model, inside(&field));
    if (!ok) return false;
  }
  return true;
}

static bool check(const struct sentencepiece_model *model, const char *name, struct error *error) {
  if (model->count == 0) return error_set(error, ERROR_FORMAT, "%s: there are no pieces in this SentencePiece model", name);
  if (model->kind != SENTENCEPIECE_UNIGRAM && model->kind != SENTENCEPIECE_BPE)
    return error_set(error, ERROR_UNSUPPORTED, "%s: a SentencePiece model of type %d; qkv knows 1 (unigram) and 2 (BPE)", name,
                     (int)model->kind);
  for (size_t i = 0; i < model->count; i++) {
    const struct sentencepiece *piece = &model->pieces[i];
    if (memchr(piece->text, 0, piece->size) || utf8_invalid(piece->text, piece->size) != piece->size)
      return error_set(error, ERROR_FORMAT, "%s: piece %zu is not valid UTF-8, or has a zero byte in it", name, i);
  }
  return true;
}

bool sentencepiece_read(struct sentencepiece_model *model, const char *bytes, size_t size, const char *name,
                        struct error *error) {
  *model =
      (struct sentencepiece_model){.kind = SENTENCEPIECE_UNIGRAM, .add_dummy_prefix = true, .remove_extra_whitespaces = true};
  struct message message = {(const unsigned char *)bytes, (const unsigned char *)bytes + size};
  bool ok = read_message(model, message, error) ||
            error_set(error, ERROR_FORMAT, "%s: this is not a SentencePiece model, or it is damaged", name);
  if (ok && check(model, name, error)) return true;
  sentencepiece_free(model);
  return false;
}

void sentencepiece_free(struct sentencepiece_model *model) {
  free(model->pieces);
  *model = (struct sentencepiece_model){0};
}
