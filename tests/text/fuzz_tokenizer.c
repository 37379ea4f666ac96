// Hands arbitrary bytes to the reader of tokenizer.json and what it opens to arbitrary text. Nothing may crash, leak or read
// outside; what opens has to keep its promises.
//
// The input is a tokenizer.json, optionally followed by a zero byte and the text, or, beginning with a line end (which is the
// first byte of every such file), a SentencePiece model. With -fsanitize=fuzzer -DQKV_LIBFUZZER this
// is a libFuzzer target. Otherwise it is a test: it runs every file named on the command line, whole, cut off at many places,
// and with random bytes changed (the same ones each time).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool true_statement, const char *what) {
  if (true_statement) return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

static void use(const struct tokenizer *tokenizer, const char *text, size_t size) {
  struct encoding e = {0};
  struct buffer back = {0};
  struct error error = {0};
  if (tokenizer_encode(tokenizer, text, size, true, &e, &error)) {
    for (size_t i = 0; i < e.count; i++) {
      require(e.ids[i] >= 0 && (size_t)e.ids[i] < tokenizer_size(tokenizer), "an id is in the vocabulary");
      require(tokenizer_token(tokenizer, e.ids[i]) != NULL || e.sequences[i] < 0, "an id has a token");
      require(e.sequences[i] >= -1 && e.sequences[i] <= 0, "one text has one sequence");
    }
    if (!tokenizer_decode(tokenizer, e.ids, e.count, false, &back, &error)) require(error.message[0], "a failure has a message");
  } else {
    require(error.code != ERROR_NONE && error.message[0], "a failure has a message");
  }
  encoding_free(&e);
  buffer_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char sample[] = "The dog's house,  12 gr\xC3\xB6\xC3\x9F"
                               "e <mask>\xFF \xED\x95\x9C</s> e\xCC\x81 <s>\n\xEF\xAC\x81re";
  bool sentencepiece = size && data[0] == '\n';
  const char *bytes = size ? (const char *)data : "", *zero = size && !sentencepiece ? memchr(bytes, 0, size) : NULL;
  size_t json_size = zero ? (size_t)(zero - bytes) : size;
  struct error error = {0};
  struct tokenizer *tokenizer = tokenizer_parse(bytes, json_size, sentencepiece ? "t.model" : "t.json", &error);
  if (tokenizer) {
    use(tokenizer, sample, sizeof sample - 1);
    if (zero) use(tokenizer, zero + 1, size - json_size - 1);
  } else {
    require(error.code != ERROR_NONE && error.message[0], "a failure has a message");
  }
  tokenizer_free(tokenizer);
  return 0;
}

#ifndef QKV_LIBFUZZER
enum { CUTS = 300, CHANGES = 700 };

static void run_variants(const char *content, size_t size) {
  struct random_key key = random_key(1, 1);
  char *copy = malloc(size + 1);
  LLVMFuzzerTestOneInput((const uint8_t *)content, size);
  for (size_t i = 0; i < CUTS; i++) {
    size_t cut = size * i / CUTS;
    memcpy(copy, content, cut);
    LLVMFuzzerTestOneInput((const uint8_t *)copy, cut);
  }
  for (uint64_t i = 0, n = 0; i < CHANGES; i++) {
    memcpy(copy, content, size);
    for (uint64_t k = 0; k < 1 + i % 4; k++) {
      size_t at = random_below(key, n++, size);
      copy[at] = "0123456789\"{}[],:\\ antZ\xFF"[random_below(key, n++, 24)];
    }
    LLVMFuzzerTestOneInput((const uint8_t *)copy, size);
  }
  free(copy);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    struct buffer content = {0};
    struct error error = {0};
    if (!file_read(&content, argv[i], &error)) {
      fprintf(stderr, "%s\n", error.message);
      return 1;
    }
    run_variants(buffer_string(&content), content.size);
    buffer_free(&content);
  }
  return 0;
}
#endif
