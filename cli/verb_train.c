// qkv train: from text to a model.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/message.h"
#include "cli/output.h"
#include "cli/verb.h"

struct arguments {
  struct qkv_train_options train;
  bool resume, resume_anyway, lowercase, no_header, whole_words, split_sentences, show_batch, layer_gradients, recompute;
};

static void defaults(void *memory) {
  struct arguments *arguments = memory;
  arguments->train = qkv_train_options_default();
}

// What an option is when it is not given: the field is then below 0, which tells the library to choose.
#define CHOSEN .unset = "chosen for the amount of text"

static const struct option options[] = {
    OPTION_GROUP("What to learn"),
    OPTION_CHOICE(train.task, "task", "translation|lm|mlm|classify|regress|tag|span|choice",
                  "what the model is for; lm: a language model; mlm: masked words and next sentences, as BERT; the others: labels of texts, numbers, tags of words, answers, choices"),
    OPTION_FILES(train.train, "train", "FILE",
                 "the text to learn from; translation: SOURCE TARGET..., line i of one being the translation of line i of the other; "
                 "lm: plain text, or .jsonl with \"text\", or pairs of \"prompt\" and \"answer\" in .jsonl or .tsv; labels: .tsv, .jsonl, "
                 "SQuAD's .json, or a word and its tag a line"),
    OPTION_FILES(train.valid, "valid", "FILE", "the text to validate with", .unset = "a part of the training text is held out"),
    OPTION_TEXT(train.columns, "columns", "NAMES", "of a table, in its order: label, text, pair, or - for one to skip, such as label,text",
                .unset = "from its header"),
    OPTION_FLAG(no_header, "no-header", "the first line of a table is data, not the names of its columns"),
    OPTION_FILE(train.from, "from", "MODEL", "start from this model directory (fine-tuning)"),
    OPTION_FLAG(resume, "resume", "go on with the training in OUT that was interrupted; it needs no other option"),
    OPTION_FLAG(resume_anyway, "resume-anyway", "go on even if options, text or processor path are not those of the beginning"),
    OPTION_FILE(train.config, "config", "FILE",
                "take the options of an earlier run from its training.json; those given here come first"),
    OPTION_FLAG(show_batch, "show-batch", "print the first batch instead of training: tokens, positions, what is to be learnt"),

    OPTION_GROUP("The model"),
    OPTION_CHOICE(train.family, "family", "marian|pegasus|gpt2|openai-gpt|llama|bert",
                  "translation: norm after each sublayer (marian, the Transformer of 2017), or before; lm: gpt2, openai-gpt or llama; labels: bert or one of these three",
                  .unset = "marian, gpt2, bert"),
    OPTION_CHOICE(train.size, "size", "blackboard|tiny|small|base|large", "a preset of layers, widths and heads; blackboard: vectors of 8 numbers, to look at", CHOSEN),
    OPTION_INTEGER(train.layers, "layers", "N", 1, 256, "layers, of encoder and decoder each", .unset = "those of the size"),
    OPTION_INTEGER(train.encoder_layers, "encoder-layers", "N", 1, 256, "layers of the encoder", .unset = "those of the size"),
    OPTION_INTEGER(train.decoder_layers, "decoder-layers", "N", 1, 256, "layers of the decoder", .unset = "those of the size"),
    OPTION_INTEGER(train.hidden, "hidden", "N", 1, 65536, "width of the hidden states", .unset = "that of the size"),
    OPTION_INTEGER(train.heads, "heads", "N", 1, 128, "attention heads", .unset = "those of the size"),
    OPTION_INTEGER(train.kv_heads, "kv-heads", "N", 1, 128, "heads of keys and values, each shared by a group of heads", .unset = "as many as heads"),
    OPTION_INTEGER(train.ffn, "ffn", "N", 1, 1048576, "width inside the feed-forward networks", .unset = "that of the size"),
    OPTION_CHOICE(train.activation, "activation", "relu|gelu|gelu-tanh|silu|tanh", "of the feed-forward networks",
                  .unset = "that of the family"),
    OPTION_CHOICE(train.norm, "norm", "layer|rms|batch|instance|group|none", "which norm; batch, instance and group see the tokens that follow: for encoders only",
                  .unset = "that of the family"),
    OPTION_CHOICE(train.norm_place, "norm-place", "post|pre", "behind each sublayer's residual connection, or before each sublayer",
                  .unset = "that of the family"),
    OPTION_INTEGER(train.norm_groups, "norm-groups", "N", 1, 65536, "of group norm: into how many groups the columns are parted", .unset = "32, or fewer of at least 2 columns"),
    OPTION_NUMBER(train.norm_epsilon, "norm-epsilon", "E", 0, 1, "what keeps a norm from dividing by 0", .unset = "1e-5; bert with layer or rms: 1e-12"),
    OPTION_CHOICE(train.norm_epsilon_place, "norm-epsilon-place", "inside|outside", "epsilon stands under the root of the variance, or is added to the root", .unset = "inside"),
    OPTION_CHOICE(train.positions, "positions", "sinusoid|sinusoid-interleaved|learned|rotary|none", "how tokens know their places",
                  .unset = "those of the family"),
    OPTION_CHOICE(train.attention_score, "attention-score", "scaled|dot|cosine|general|additive",
                  "how well a query fits a key: q.k / root of the head's width, q.k, the cosine of their angle, q^T W k, or v^T tanh(q + k)", .unset = "scaled"),
    OPTION_NUMBER(train.attention_scale, "attention-scale", "F", 1e-6, 1e6, "what scores are multiplied by before the softmax: 1 / temperature",
                  .unset = "1; of scaled: 1 / root of the head's width"),
    OPTION_CHOICE(train.attention_weights, "attention-weights", "on|off", "off: queries, keys and values are the input itself, parted among the heads", .unset = "on"),
    OPTION_INTEGER(train.attention_window, "attention-window", "N", 1, 1048576, "a decoder's token sees N tokens, itself and those before it", .unset = "all"),
    OPTION_CHOICE(train.residual, "residual", "on|off", "the connections around the sublayers", .unset = "on"),
    OPTION_CHOICE(train.gated, "gated", "on|off", "feed-forward networks whose inner layer is multiplied by another one's activation",
                  .unset = "on for llama"),
    OPTION_CHOICE(train.bias, "bias", "on|off", "biases in attention and feed-forward networks", .unset = "off for llama"),
    OPTION_FILE(train.tokenizer, "tokenizer", "DIRECTORY", "take this tokenizer instead of learning one"),
    OPTION_CHOICE(train.tokenizer_type, "tokenizer-type", "bpe|char", "what an lm learns: pieces of bytes, or characters", .unset = "bpe"),
    OPTION_INTEGER(train.vocab_size, "vocab-size", "N", 8, 10000000,
                   "tokens that the tokenizer may learn, of a translation shared by both languages", CHOSEN),
    OPTION_FLAG(lowercase, "lowercase", "the tokenizer puts all text in lower case"),

    OPTION_GROUP("The updates"),
    OPTION_NUMBER(train.learning_rate, "learning-rate", "RATE", 0, 100, "the highest learning rate",
                  .unset = "that of the size; fine-tuning for labels: 5e-5 at a width of 768, more for narrower models, less for "
                           "wider ones; with --features 1e-3"),
    OPTION_NUMBER(train.min_learning_rate, "min-learning-rate", "RATE", 0, 100, "where the schedules linear and cosine end",
                  .unset = "0; lm: a tenth of the highest"),
    OPTION_CHOICE(train.schedule, "schedule", "inverse-sqrt|linear|cosine|constant",
                  "how the learning rate falls after the warm-up: to the last update, or over --max-time", .unset = "inverse-sqrt; lm: cosine"),
    OPTION_INTEGER(train.warmup_steps, "warmup-steps", "N", 0, NO_LIMIT, "updates in which the learning rate rises",
                   .unset = "those of the size"),
    OPTION_INTEGER(train.batch_tokens, "batch-tokens", "N", 2, 268435456,
                   "tokens of the longer side in a batch; nothing is padded, so only real ones count", CHOSEN),
    OPTION_INTEGER(train.batch_size, "batch-size", "N", 1, 268435456, "at most so many samples in a batch: blocks of context, or pairs",
                   .unset = "as many as --batch-tokens allows"),
    OPTION_INTEGER(train.accumulate, "accumulate", "N", 1, 1048576, "batches whose gradients make one update", .unset = "1"),
    OPTION_NUMBER(train.dropout, "dropout", "P", 0, 0.99, "share of activations dropped on the residual path", CHOSEN),
    OPTION_NUMBER(train.attention_dropout, "attention-dropout", "P", 0, 0.99, "the same for attention weights", .unset = "0"),
    OPTION_NUMBER(train.activation_dropout, "activation-dropout", "P", 0, 0.99, "the same inside the feed-forward networks",
                  .unset = "0"),
    OPTION_NUMBER(train.label_smoothing, "label-smoothing", "P", 0, 0.99,
                  "share of the probability that is spread over the vocabulary", .unset = "0.1"),
    OPTION_NUMBER(train.weight_decay, "weight-decay", "RATE", 0, 1, "decay of matrices, times the learning rate", .unset = "0; lm: 0.1"),
    OPTION_NUMBER(train.beta1, "beta1", "BETA", 0, 0.9999999, "of AdamW: decay of the mean gradient", .unset = "0.9"),
    OPTION_NUMBER(train.beta2, "beta2", "BETA", 0, 0.9999999, "of AdamW: decay of its squares", .unset = "0.98; lm: 0.95"),
    OPTION_NUMBER(train.adam_epsilon, "adam-epsilon", "EPSILON", 0, 1, "of AdamW: added to the root of the squares",
                  .unset = "1e-9; lm: 1e-8"),
    OPTION_NUMBER(train.clip_norm, "clip-norm", "NORM", 0, 1e9, "gradients are scaled down to this norm; 0: never", .unset = "1"),
    OPTION_INTEGER(train.max_length, "max-length", "N", 2, 1048576, "tokens of a side that are learnt from", .unset = "256"),
    OPTION_CHOICE(train.on_long, "on-long", "drop|cut", "what becomes of longer pairs; they are counted and named",
                  .unset = "drop"),
    OPTION_INTEGER(train.context, "context", "N", 1, 1048576, "lm: tokens that the model has in sight; texts are packed into such blocks",
                   .unset = "that of the size"),
    OPTION_TEXT(train.document_separator, "document-separator", "blank|TEXT",
                "lm: documents end at blank lines, or at lines that are TEXT; <|endoftext|> always ends one", .unset = "a file is one"),
    OPTION_CHOICE(train.cross_documents, "cross-documents", "on|off", "lm: attention crosses the end of a document within a block",
                  .unset = "off"),
    OPTION_CHOICE(train.direction, "direction", "left-to-right|right-to-left",
                  "lm: right-to-left reads every document from its end, as the other half of `score --backward`", .unset = "left-to-right"),
    OPTION_INTEGER(train.stride, "stride", "N", 1, 1048576,
                   "lm: tokens by which the window of a context moves on in a validation; fewer see more before them, and take longer",
                   .unset = "the context"),
    OPTION_CHOICE(train.dtype, "dtype", "auto|f32|bf16",
                  "in which products with weights are computed; weights, sums and losses are always f32",
                  .unset = "auto: bf16 where the processor has it"),
    OPTION_INTEGER(train.seed, "seed", "N", 0, NO_LIMIT, "where the random numbers start", .unset = "1"),

    OPTION_GROUP("Masked words"),
    OPTION_CHOICE(train.next_sentence, "next-sentence", "random|swapped|none",
                  "what half of the second texts are: sentences from elsewhere, or the two texts in the other order", .unset = "random"),
    OPTION_NUMBER(train.mask_rate, "mask-rate", "P", 0, 1, "share of the tokens that are predicted", .unset = "0.15"),
    OPTION_TEXT(train.mask_split, "mask-split", "A-B-C", "percent of these that become [MASK], any token, or stay", .unset = "80-10-10"),
    OPTION_FLAG(whole_words, "whole-words", "the pieces of a word are predicted together"),
    OPTION_INTEGER(train.short_length, "short-length", "N", 8, 1048576, "tokens of a sequence in the first epochs", .unset = "as later"),
    OPTION_INTEGER(train.short_epochs, "short-epochs", "N", 0, NO_LIMIT, "how many epochs have short sequences"),
    OPTION_FLAG(split_sentences, "split-sentences", "the lines are running text, which is split at the ends of sentences"),

    OPTION_GROUP("Fine-tuning"),
    OPTION_NUMBER(train.layer_decay, "layer-decay", "FACTOR", 0.01, 1,
                  "the learning rate of each layer is that of the one above times FACTOR", .unset = "1"),
    OPTION_CHOICE(train.input_form, "input-form", "plain|gpt1|gpt1-similarity",
                  "labels by a decoder: what a text becomes. gpt1, as in the paper on GPT-1: start TEXT extract; start TEXT delimiter PAIR "
                  "extract; a choice: start QUESTION delimiter CHOICE extract, with learnt tokens, and the state of extract is classified. "
                  "gpt1-similarity: pairs in both orders, the two states added. plain: as the tokenizer has it, the last token's state, which "
                  "transformers opens",
                  .unset = "gpt1"),
    OPTION_NUMBER(train.lm_weight, "lm-weight", "WEIGHT", 0, 1000,
                  "gpt1: the loss is that of the labels plus WEIGHT times that of the next tokens", .unset = "0.5"),
    OPTION_TEXT(train.freeze, "freeze", "PART", "what stays as it is: embeddings; N: these and the N lowest layers; all: all but the head",
                .unset = "nothing; with --features all"),
    OPTION_CHOICE(train.features, "features", "embeddings|second-to-last|last|sum-last-4|concat-last-4|sum-all|weighted",
                  "labels: hidden states of --from, which stays as it is, as input of an LSTM that learns with the head; weighted: with learnt weights"),
    OPTION_INTEGER(train.lstm_layers, "lstm-layers", "N", 0, 8, "layers of that LSTM, each in both directions", .unset = "2"),
    OPTION_INTEGER(train.lstm_hidden, "lstm-hidden", "N", 1, 32768, "width of each direction", .unset = "768"),
    OPTION_CHOICE(train.pooling, "pooling", "first|last|mean",
                  "classify, regress, choice: what stands for a text, its first or last token or the mean of all",
                  .unset = "as modules.json of a model for sentence vectors says, else that of the family"),

    OPTION_GROUP("How long, and which model is best"),
    OPTION_INTEGER(train.max_steps, "max-steps", "N", 1, NO_LIMIT, "stop after N updates", CHOSEN),
    OPTION_INTEGER(train.epochs, "epochs", "N", 1, NO_LIMIT, "stop when all text was seen N times",
                   .unset = "labels: 3 or 4, of more than 50,000 examples 2, with --features 10"),
    OPTION_DURATION(train.max_time, "max-time", "TIME", 0, 1e9, "stop after this time, such as 90s, 20m or 1h30m"),
    OPTION_INTEGER(train.valid_every, "valid-every", "N", 1, NO_LIMIT, "validate after every N updates",
                   .unset = "about 32 times in all; lm: 10"),
    OPTION_INTEGER(train.patience, "patience", "N", 0, NO_LIMIT, "stop after N validations without a better score; 0: never",
                   .unset = "10; lm and labels: never"),
    OPTION_CHOICE(train.metric, "metric",
                  "bleu|chrf|loss|perplexity|bits-per-byte|accuracy|f1|macro-f1|matthews|pearson|spearman|precision|recall|exact|masked-accuracy|next-accuracy",
                  "the score by which a model is best",
                  .unset = "bleu, of greedy translations; lm: loss; labels: accuracy, pearson or f1"),
    OPTION_INTEGER(train.average, "average", "N", 0, 1000, "try the mean of N models at the end; it is kept if it is better",
                   .unset = "5; lm and mlm: 0"),
    OPTION_CHOICE(train.average_of, "average-of", "best|last", "which N models", .unset = "best"),
    OPTION_INTEGER(train.keep_every, "keep-every", "N", 0, NO_LIMIT,
                   "keep a copy of the model in OUT/steps/N after every N updates", .unset = "never"),
    OPTION_FLAG(layer_gradients, "layer-gradients", "log.jsonl also has the norm of each layer's gradient, before clipping, for every update"),

    OPTION_GROUP("Memory"),
    OPTION_SIZE(train.memory, "memory", "SIZE", 1 << 20, NO_LIMIT,
                "make the batches so small that all fits into SIZE, such as 4G, and take as many more of them for an update",
                .unset = "what the batches take"),
    OPTION_FLAG(recompute, "recompute",
                "let each layer keep its input only and run again when gradients are computed: less memory, a third more time, the same bits"),
};

static volatile sig_atomic_t interrupts;

// The first one lets the update end and saves; the second leaves at once.
static void on_interrupt(int number) {
  if (interrupts++) _exit(128 + number);
}

static bool stop(void *user) {
  (void)user;
  return interrupts > 0;
}

// Where nobody looks on, a line of progress comes once in a while only.
static void show_line(void *user, enum qkv_train_event event, const char *text) {
  static time_t last;
  time_t now = time(NULL);
  (void)user;
  if (event == QKV_TRAIN_NOTE) {
    message_note("%s", text);
  } else if (message_is_terminal() || now - last >= 15) {
    last = now;
    message_progress("%s", text);
  }
}

static int show_batch(const struct call *call, struct qkv_context *context, const struct qkv_train_options *train) {
  char *text = qkv_train_show_batch(context, train);
  if (!text) return call_failed(call, context);
  struct output output;
  bool done = output_open(&output, NULL);
  if (done) fputs(text, output.stream);
  done = done && output_close(&output);
  free(text);
  return done ? EXIT_DONE : EXIT_FAILED;
}

static int run_training(struct call *call, const struct qkv_train_options *train) {
  struct qkv_context *context = call_context(call);
  const struct arguments *arguments = call->arguments;
  int status = EXIT_DONE;
  if (arguments->show_batch) {
    status = show_batch(call, context, train);
  } else {
    signal(SIGINT, on_interrupt);
    signal(SIGTERM, on_interrupt);
    struct qkv_train_listener listener = {.line = show_line, .stop = stop};
    if (!qkv_train(context, call->positional.items[0], train, &listener)) status = call_failed(call, context);
  }
  qkv_context_free(context);
  return status;
}

static int run(struct call *call) {
  struct arguments *arguments = call->arguments;
  struct qkv_train_options *train = &arguments->train;
  if (call_contradicts(call, "layers", "encoder-layers", "the first sets both stacks") ||
      call_contradicts(call, "layers", "decoder-layers", "the first sets both stacks") ||
      call_contradicts(call, "resume", "from", "a resumed training has its beginning behind it") ||
      call_contradicts(call, "resume", "config", "a resumed training has its own training.json") ||
      call_contradicts(call, "show-batch", "resume", "the first batch was long ago") ||
      call_lacks(call, "resume-anyway", "resume"))
    return EXIT_MISUSED;
  if (!arguments->show_batch && !call->positional.count) return call_misused(call, "OUT is missing: the directory to make");
  if (arguments->lowercase) train->lowercase = 1;
  if (arguments->recompute) train->recompute = 1;
  if (arguments->layer_gradients) train->layer_gradients = 1;
  if (arguments->no_header) train->no_header = 1;
  if (arguments->whole_words) train->whole_words = 1;
  if (arguments->split_sentences) train->split_sentences = 1;
  train->resume = arguments->resume;
  train->resume_anyway = arguments->resume_anyway;
  return run_training(call, train);
}

const struct verb verb_train = {
    .name = "train",
    .usage = "OUT",
    .summary = "trains or fine-tunes a model",
    .description =
        "Learns a model from text and puts it into the directory OUT, in the format of Hugging Face. What is not said is chosen "
        "for the "
        "amount of text, and the first lines say what and why. OUT holds the best model so far at every moment, log.jsonl with "
        "every number, curves.svg, training.json with all options, and last/ with what --resume needs.\n"
        "The first Ctrl-C finishes the update, saves and leaves; the second leaves at once. However a run ends, --resume goes on from "
        "its last state and comes to the same bytes, where the clock has no part in it (--max-time). When the disk is full while something is saved, the training says so and waits for "
        "room, at most an hour; what is saved already stays as it is.\n"
        "Before the first update a table tells how much memory the training will take.",
    .example =
        "qkv train out --task translation --train train.en train.de --valid val.en val.de\n"
        "qkv train shakespeare --task lm --train input.txt --tokenizer-type char --max-steps 2000\n"
        "qkv train bert --task mlm --train docs.txt --valid valid.txt\n"
        "qkv train sst --task classify --from all-MiniLM-L6-v2 --train train.tsv --valid dev.tsv\n"
        "qkv train out2 --task translation --from out --train more.en more.de --max-time 20m\n"
        "qkv train out --resume",
    .least = 0,
    .most = 1,
    .common = COMMON_THREADS | COMMON_QUIET | COMMON_PROFILE,
    .size = sizeof(struct arguments),
    .defaults = defaults,
    VERB_OPTIONS(options),
    .run = run,
};
