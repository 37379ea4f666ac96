// qkv tokenizer train: learns a vocabulary from text.
#include <string.h>

#include "cli/message.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_tokenizer_train_options train;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->train = qkv_tokenizer_train_options_default();
  arguments->train.vocab_size = 10000;
}

static const struct option options[] = {
    OPTION_CHOICE(
        train.type, "type", "bpe|bpe-words|bpe-blanks|wordpiece|unigram|word|char",
        "bpe: pieces of bytes, nothing is ever unknown; bpe-words: pieces of words that end in </w>; bpe-blanks: pieces of words "
        "that begin with U+2581; wordpiece: pieces of words as BERT's, inside a word with ##; unigram: "
        "the most probable pieces of words that begin with U+2581; word: what stands between blanks; char: characters"),
    OPTION_INTEGER(train.vocab_size, "vocab-size", "N", 2, 1 << 25, "how many tokens, special ones included"),
    OPTION_CHOICE(
        train.layout, "layout", "marian|pegasus|gpt2|bert",
        "special tokens: marian </s> 0, <unk> 1, <pad> last; pegasus <pad> 0, </s> 1, <unk> 2; gpt2 <|endoftext|> last; "
        "bert [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4",
        .unset = "bert for wordpiece, else marian"),
    OPTION_FLAG(train.lowercase, "lowercase", "put text in lower case, here and whenever the tokenizer is used"),
    OPTION_CHOICE(train.normalize, "normalize", "nfc|nfd|nfkc|nfkd", "bring text to this normal form of Unicode",
                  .unset = "text stays as it is"),
    OPTION_INTEGER(train.min_frequency, "min-frequency", "N", 0, NO_LIMIT, "leave out what is rarer than that",
                   .unset = "1 for word and char, else 2"),
    OPTION_INTEGER(train.max_length, "max-length", "N", 1, NO_LIMIT, "write N as model_max_length", .unset = "not written"),
    OPTION_INTEGER(train.max_words, "max-words", "N", 1000, NO_LIMIT,
                   "how many different words are kept while counting; the rarest are forgotten beyond", .unset = "8000000"),
};

static int run(struct call *call) {
  const struct arguments *arguments = call->arguments;
  struct qkv_context *context = call_context(call);
  struct qkv_strings files = {call->positional.items + 1, call->positional.count - 1};
  size_t size;
  int status = EXIT_DONE;
  if (qkv_tokenizer_train(context, call->positional.items[0], &files, &arguments->train, &size))
    message_note("%s: a vocabulary of %zu tokens from %zu file%s", call->positional.items[0], size, files.count,
                 files.count == 1 ? "" : "s");
  else status = call_failed(call, context);
  qkv_context_free(context);
  return status;
}

const struct verb verb_tokenizer_train = {
    .name = "tokenizer train",
    .usage = "OUT FILE...",
    .summary = "learns a vocabulary from text",
    .description =
        "Learns tokens from the lines of all FILEs together and writes OUT/tokenizer.json and OUT/tokenizer_config.json, which "
        "transformers opens, "
        "too. The result depends on text and options alone, not on the number of threads.",
    .example =
        "qkv tokenizer train vocab train.en train.de --vocab-size 10000\nqkv tokenizer train words train.en --type word "
        "--vocab-size 30000 --lowercase",
    .least = 2,
    .most = ANY_NUMBER,
    .common = COMMON_THREADS | COMMON_QUIET,
    .size = sizeof(struct arguments),
    .defaults = defaults,
    VERB_OPTIONS(options),
    .run = run,
};
