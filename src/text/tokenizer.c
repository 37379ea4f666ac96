#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "text/bytes_alphabet.h"
#include "text/character.h"
#include "text/hash.h"
#include "text/tokenizer_parts.h"

// Longer texts would need offsets of more than 32 bits once they are normalized.
enum { TEXT_MAX = 1 << 30 };

// Input with invalid UTF-8 ---------------------------------------------------------------------------------------------

// Every invalid byte becomes U+FFFD; places[i] is where clean byte i was in the given text, with one more for the end.
static bool clean_text(struct encoding_scratch *scratch, struct buffer *clean, const char *text, size_t size, size_t *invalid,
                       struct error *error) {
  buffer_clear(clean);
  for (size_t i = 0; i < size;) {
    uint32_t c;
    char bytes[4];
    int valid, length = utf8_decode(text + i, text + size, &c, &valid), written = utf8_encode(bytes, c);
    *invalid += !valid;
    if (!memory_grow(error, &scratch->places, &scratch->place_capacity, clean->size + 5, sizeof *scratch->places)) return false;
    for (int k = 0; k < written; k++) scratch->places[clean->size + (size_t)k] = (uint32_t)i;
    buffer_append(clean, bytes, (size_t)written);
    i += (size_t)length;
    if (clean->failed) break;
    scratch->places[clean->size] = (uint32_t)i;
  }
  return buffer_check(clean, error);
}

static void restore_places(const struct encoding_scratch *scratch, const struct buffer *clean, struct encoded_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    struct encoded *token = &list->items[i];
    if (token->start <= clean->size) token->start = scratch->places[token->start];
    if (token->end <= clean->size) token->end = scratch->places[token->end];
  }
}

// One text -------------------------------------------------------------------------------------------------------------

static bool add_encoded(struct encoded_list *list, int32_t id, uint32_t start, uint32_t end, struct error *error) {
  if (list->count == list->capacity && !memory_grow(error, &list->items, &list->capacity, list->count + 1, sizeof *list->items))
    return false;
  list->items[list->count++] = (struct encoded){id, start, end};
  return true;
}

// A token's bytes in its word become bytes of the text. Outside the word (a mark that fell back to bytes) `tokenizers`
// leaves them as they are.
static bool place_token(struct encoded_list *out, const struct aligned_text *text, struct piece word, int32_t id, uint32_t start,
                        uint32_t end, struct error *error) {
  if (end > word.end - word.start || start >= end) return add_encoded(out, id, start, end, error);
  struct alignment place = working_original(text, word.start + start, word.start + end);
  return add_encoded(out, id, place.start, place.end, error);
}

static bool encode_word(const struct tokenizer *tokenizer, struct encoding_scratch *scratch, struct piece word,
                        struct encoded_list *out, struct error *error) {
  const struct aligned_text *text = working_current(&scratch->working);
  const char *bytes = text->data + word.start;
  size_t size = word.end - word.start;
  uint64_t hash = hash_bytes(bytes, size);
  const struct cached_word *known = word_cache_find(&tokenizer->cache, bytes, size, hash);
  if (known) {
    for (size_t i = 0; i < known->count; i++)
      if (!place_token(out, text, word, known->tokens[i].id, known->tokens[i].start, known->tokens[i].end, error)) return false;
    return true;
  }
  scratch->tokens.count = 0;
  if (!token_model_encode(&tokenizer->model, bytes, size, &scratch->model, &scratch->tokens, error)) return false;
  // The cache is the one part of a tokenizer that changes, and no result shows it.
  word_cache_add((struct word_cache *)&tokenizer->cache, bytes, size, hash, scratch->tokens.items, scratch->tokens.count);
  for (size_t i = 0; i < scratch->tokens.count; i++) {
    const struct token *token = &scratch->tokens.items[i];
    if (!place_token(out, text, word, token->id, token->start, token->end, error)) return false;
  }
  return true;
}

// Cuts added tokens out of the normalized text: they become pieces of their own.
static bool cut_normalized(const struct tokenizer *tokenizer, struct working_text *working, struct error *error) {
  const struct aligned_text *text = working_current(working);
  if (tokenizer->added.normalized.length_count == 0 || text->size == 0) return true;
  size_t from = 0, taken = 0;
  struct added_match match;
  while (added_tokens_next(&tokenizer->added, &tokenizer->added.normalized, text->data, text->size, &from, taken, &match)) {
    if (taken < match.start && !piece_add(&working->next_pieces, (uint32_t)taken, (uint32_t)match.start, -1, error)) return false;
    if (!piece_add(&working->next_pieces, (uint32_t)match.start, (uint32_t)match.end, match.token->id, error)) return false;
    taken = match.end;
  }
  if (taken < text->size && !piece_add(&working->next_pieces, (uint32_t)taken, (uint32_t)text->size, -1, error)) return false;
  working_take_pieces(working);
  return true;
}

// A stretch of text between added tokens; it begins at byte `base` of the text.
static bool encode_stretch(const struct tokenizer *tokenizer, struct encoding_scratch *scratch, const char *text, size_t size,
                           size_t base, struct encoded_list *out, struct error *error) {
  struct working_text *working = &scratch->working;
  if (!working_begin(working, text, size, (uint32_t)base, error) ||
      !normalizer_apply(&tokenizer->normalizer, working, &scratch->pattern, error) ||
      !cut_normalized(tokenizer, working, error) ||
      !pretokenizer_apply(&tokenizer->pretokenizer, working, &scratch->pattern, error))
    return false;
  for (size_t i = 0; i < working->pieces.count; i++) {
    struct piece piece = working->pieces.items[i];
    bool ok = piece.token < 0 ? encode_word(tokenizer, scratch, piece, out, error)
                              : place_token(out, working_current(working), piece, piece.token, 0, piece.end - piece.start, error);
    if (!ok) return false;
  }
  return true;
}

static bool encode_clean(const struct tokenizer *tokenizer, struct encoding_scratch *scratch, const char *text, size_t size,
                         struct encoded_list *out, struct error *error) {
  size_t from = 0, taken = 0;
  struct added_match match;
  out->count = 0;
  while (added_tokens_next(&tokenizer->added, &tokenizer->added.raw, text, size, &from, taken, &match)) {
    if (taken < match.start && !encode_stretch(tokenizer, scratch, text + taken, match.start - taken, taken, out, error))
      return false;
    if (!add_encoded(out, match.token->id, (uint32_t)match.start, (uint32_t)match.end, error)) return false;
    taken = match.end;
  }
  return taken == size || encode_stretch(tokenizer, scratch, text + taken, size - taken, taken, out, error);
}

// Trimming offsets -----------------------------------------------------------------------------------------------------

static bool is_blank_in_token(uint32_t c) { return c == 0x120 || character_is_space(c); }  // 0x120 spells the blank

static void count_blanks(const char *token, size_t size, size_t *leading, size_t *trailing) {
  *leading = *trailing = 0;
  bool at_start = true;
  for (size_t i = 0; i < size;) {
    uint32_t c;
    i += (size_t)utf8_decode(token + i, token + size, &c, NULL);
    if (is_blank_in_token(c)) {
      *leading += at_start;
      ++*trailing;
    } else {
      at_start = false;
      *trailing = 0;
    }
  }
}

static uint32_t forward(const char *text, uint32_t at, uint32_t end, size_t characters) {
  for (; characters > 0 && at < end; characters--) {
    at++;
    while (at < end && (text[at] & 0xC0) == 0x80) at++;
  }
  return at;
}

static uint32_t backward(const char *text, uint32_t start, uint32_t at, size_t characters) {
  uint32_t from = at;
  for (size_t n = 0; n < characters; n++) {
    if (at == 0) return from;  // fewer characters than that before it: left as it is
    at--;
    while (at > 0 && (text[at] & 0xC0) == 0x80) at--;
  }
  return at > start ? at : start;
}

static void trim_offsets(const struct tokenizer *tokenizer, const char *text, size_t text_size, struct encoded_list *list) {
  for (size_t i = 0; i < list->count; i++) {
    struct encoded *token = &list->items[i];
    size_t leading, trailing, size = 0;
    if (token->end > text_size || token->start > token->end) continue;
    const char *content = tokenizer_token(tokenizer, token->id);
    if (added_tokens_find(&tokenizer->added, token->id)) {  // an added token is the text that it took, blanks and all
      content = text + token->start;
      size = token->end - token->start;
    } else {
      size = strlen(content);
    }
    count_blanks(content, size, &leading, &trailing);
    bool first = i == 0 || token->start == 0;
    if (first && tokenizer->postprocessor.add_prefix_space && leading == 1) leading = 0;
    token->start = forward(text, token->start, token->end, leading);
    if (trailing) token->end = backward(text, token->start, token->end, trailing);
  }
}

// Truncation -----------------------------------------------------------------------------------------------------------

static void cut_to(struct encoded_list *list, size_t length, bool left, size_t *cut) {
  if (list->count <= length) return;
  *cut += list->count - length;
  if (left) memmove(list->items, list->items + (list->count - length), length * sizeof *list->items);
  list->count = length;
}

static bool truncate_one(struct encoded_list *list, size_t remove, bool left, size_t *cut, struct error *error) {
  if (list->count <= remove)
    return error_set(error, ERROR_FORMAT,
                     "the truncation section of tokenizer.json wants %zu tokens less from a text of %zu tokens", remove,
                     list->count);
  cut_to(list, list->count - remove, left, cut);
  return true;
}

static bool truncate_texts(const struct truncation *truncation, size_t max, struct encoded_list lists[2], bool pair, size_t *cut,
                           struct error *error) {
  size_t n1 = lists[0].count, n2 = pair ? lists[1].count : 0;
  if (max == 0) {
    cut_to(&lists[0], 0, truncation->left, cut);
    if (pair) cut_to(&lists[1], 0, truncation->left, cut);
    return true;
  }
  if (n1 + n2 <= max) return true;
  if (truncation->strategy == CUT_ONLY_FIRST) return truncate_one(&lists[0], n1 + n2 - max, truncation->left, cut, error);
  if (truncation->strategy == CUT_ONLY_SECOND) {
    if (!pair)
      return error_set(error, ERROR_FORMAT, "the truncation section of tokenizer.json cuts only second texts, and there is none");
    return truncate_one(&lists[1], n1 + n2 - max, truncation->left, cut, error);
  }
  if (!pair) {
    cut_to(&lists[0], max, truncation->left, cut);
    return true;
  }
  bool swap = n1 > n2;
  size_t shorter = swap ? n2 : n1, longer = shorter > max ? shorter : max - shorter > shorter ? max - shorter : shorter;
  if (shorter + longer > max) {
    shorter = max / 2;
    longer = shorter + max % 2;
  }
  cut_to(&lists[0], swap ? longer : shorter, truncation->left, cut);
  cut_to(&lists[1], swap ? shorter : longer, truncation->left, cut);
  return true;
}

// Putting the result together ------------------------------------------------------------------------------------------

static bool reserve(struct encoding *out, size_t count, struct error *error) {
  if (count <= out->capacity) return true;
  // The arrays grow together; each is resized from the same old capacity.
  size_t capacities[5] = {out->capacity, out->capacity, out->capacity, out->capacity, out->capacity};
  bool ok = memory_grow(error, &out->ids, &capacities[0], count, sizeof *out->ids) &&
            memory_grow(error, &out->types, &capacities[1], count, sizeof *out->types) &&
            memory_grow(error, &out->starts, &capacities[2], count, sizeof *out->starts) &&
            memory_grow(error, &out->ends, &capacities[3], count, sizeof *out->ends) &&
            memory_grow(error, &out->sequences, &capacities[4], count, sizeof *out->sequences);
  if (ok) out->capacity = capacities[0];
  return ok;
}

static bool add_special(struct encoding *out, int32_t id, int32_t type, struct error *error) {
  if (!reserve(out, out->count + 1, error)) return false;
  size_t i = out->count++;
  out->ids[i] = id;
  out->types[i] = type;
  out->starts[i] = out->ends[i] = 0;
  out->sequences[i] = -1;
  return true;
}

static bool add_sequence(struct encoding *out, const struct encoded_list *list, int sequence, int32_t type, struct error *error) {
  if (!reserve(out, out->count + list->count, error)) return false;
  for (size_t k = 0; k < list->count; k++) {
    size_t i = out->count++;
    out->ids[i] = list->items[k].id;
    out->types[i] = type;
    out->starts[i] = list->items[k].start;
    out->ends[i] = list->items[k].end;
    out->sequences[i] = (int8_t)sequence;
  }
  return true;
}

static bool assemble(const struct tokenizer *tokenizer, struct encoded_list lists[2], bool pair, bool add_special_tokens,
                     struct encoding *out, struct error *error) {
  const struct template *template = pair ? &tokenizer->postprocessor.pair : &tokenizer->postprocessor.single;
  if (!tokenizer->postprocessor.has_template)
    return add_sequence(out, &lists[0], 0, 0, error) && (!pair || add_sequence(out, &lists[1], 1, 1, error));
  for (size_t i = 0; i < template->count; i++) {
    const struct template_piece *piece = &template->items[i];
    if (piece->sequence < 0) {
      if (add_special_tokens && !add_special(out, piece->id, piece->type, error)) return false;
    } else if (!add_sequence(out, &lists[piece->sequence], piece->sequence, piece->type, error)) {
      return false;
    }
  }
  return true;
}

static bool prepare_scratch(struct encoding *out, struct error *error) {
  out->count = out->invalid = out->cut = 0;
  if (!out->scratch) out->scratch = memory_new(error, 1, sizeof *out->scratch);
  return out->scratch != NULL;
}

static bool encode_text(const struct tokenizer *tokenizer, const char *text, size_t size, int sequence, struct encoding *out,
                        struct error *error) {
  struct encoding_scratch *scratch = out->scratch;
  struct encoded_list *list = &scratch->texts[sequence];
  struct buffer *clean = &scratch->clean[sequence];
  if (size > TEXT_MAX)
    return error_set(error, ERROR_FORMAT, "a text of %zu bytes is too long to tokenize in one go (1 GB); split it", size);
  bool valid = utf8_invalid(text, size) == size;
  if (!valid && !clean_text(scratch, clean, text, size, &out->invalid, error)) return false;
  const char *used = valid ? text : clean->data;
  size_t used_size = valid ? size : clean->size;
  if (!encode_clean(tokenizer, scratch, used, used_size, list, error)) return false;
  if (tokenizer->postprocessor.trim_offsets) trim_offsets(tokenizer, used, used_size, list);
  if (!valid) restore_places(scratch, clean, list);
  return true;
}

static bool encode(const struct tokenizer *tokenizer, const char *text, size_t size, const char *second, size_t second_size,
                   bool pair, bool add_special_tokens, struct encoding *out, struct error *error) {
  if (error->code || !prepare_scratch(out, error) || !encode_text(tokenizer, text, size, 0, out, error)) return false;
  if (pair && !encode_text(tokenizer, second, second_size, 1, out, error)) return false;
  size_t max = tokenizer->truncation.max_length;
  if (max && !out->keep_all) {
    size_t added = add_special_tokens ? postprocessor_added(&tokenizer->postprocessor, pair) : 0;
    if (!truncate_texts(&tokenizer->truncation, max > added ? max - added : 0, out->scratch->texts, pair, &out->cut, error))
      return false;
  }
  return assemble(tokenizer, out->scratch->texts, pair, add_special_tokens, out, error);
}

bool tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t size, bool add_special_tokens,
                      struct encoding *out, struct error *error) {
  return encode(tokenizer, text, size, NULL, 0, false, add_special_tokens, out, error);
}

bool tokenizer_encode_pair(const struct tokenizer *tokenizer, const char *text, size_t size, const char *pair, size_t pair_size,
                           bool add_special_tokens, struct encoding *out, struct error *error) {
  return encode(tokenizer, text, size, pair, pair_size, true, add_special_tokens, out, error);
}

void encoding_free(struct encoding *encoding) {
  struct encoding_scratch *scratch = encoding->scratch;
  if (scratch) {
    working_free(&scratch->working);
    pattern_scratch_free(scratch->pattern);
    model_scratch_free(&scratch->model);
    free(scratch->tokens.items);
    free(scratch->places);
    for (int i = 0; i < 2; i++) {
      free(scratch->texts[i].items);
      buffer_free(&scratch->clean[i]);
    }
    free(scratch);
  }
  free(encoding->ids);
  free(encoding->types);
  free(encoding->starts);
  free(encoding->ends);
  free(encoding->sequences);
  *encoding = (struct encoding){0};
}

// Ids to text ----------------------------------------------------------------------------------------------------------

static const char *token_for_decoding(const struct tokenizer *tokenizer, int32_t id, size_t *size) {
  const struct added_token *added = added_tokens_find(&tokenizer->added, id);
  if (!added) return vocabulary_token(token_model_vocabulary(&tokenizer->model), id, size);
  const char *text = added->normalized ? added->normalized : added->content;
  *size = strlen(text);
  return text;
}

bool tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count, bool skip_special_tokens,
                      struct buffer *out, struct error *error) {
  if (error->code) return false;
  struct text_list tokens = {0};
  bool ok = true;
  for (size_t i = 0; ok && i < count; i++) {
    size_t size;
    const char *token = token_for_decoding(tokenizer, ids[i], &size);
    if (!token || (skip_special_tokens && vocabulary_find(&tokenizer->added.specials, token, size) >= 0)) continue;
    ok = text_list_add(&tokens, token, size, error);
  }
  if (ok && tokens.count) ok = decoder_apply(&tokenizer->decoder, &tokens, out, error);
  text_list_free(&tokens);
  return ok;
}

// Looking up -----------------------------------------------------------------------------------------------------------

size_t tokenizer_size(const struct tokenizer *tokenizer) { return tokenizer->size; }

const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id) {
  const struct added_token *added = added_tokens_find(&tokenizer->added, id);
  return added ? added->content : vocabulary_token(token_model_vocabulary(&tokenizer->model), id, NULL);
}

int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token) {
  int32_t id = vocabulary_find(&tokenizer->added.contents, token, strlen(token));
  return id >= 0 ? id : vocabulary_find(token_model_vocabulary(&tokenizer->model), token, strlen(token));
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id) {
  const struct added_token *added = added_tokens_find(&tokenizer->added, id);
  return added && added->special;
}

int32_t tokenizer_unknown(const struct tokenizer *tokenizer) {
  int32_t named = tokenizer->special_ids.unknown;
  return named >= 0 ? named : token_model_unknown(&tokenizer->model);
}

struct special_ids tokenizer_special_ids(const struct tokenizer *tokenizer) {
  return tokenizer->special_ids;
}

void tokenizer_free(struct tokenizer *tokenizer) {
  if (!tokenizer) return;
  normalizer_free(&tokenizer->normalizer);
  pretokenizer_free(&tokenizer->pretokenizer);
  token_model_free(&tokenizer->model);
  postprocessor_free(&tokenizer->postprocessor);
  decoder_free(&tokenizer->decoder);
  added_tokens_free(&tokenizer->added);
  word_cache_free(&tokenizer->cache);
  cJSON_Delete(tokenizer->json);
  cJSON_Delete(tokenizer->config);
  free(tokenizer);
}
