// qkv: train, run and look inside Transformers from C.
//
// In this order: contexts and errors, which everything needs; tokenizers; models and one pass through them; translation;
// generation; looking inside; scores; training; speed. Programs to begin with: translate_file.c, generate_text.c,
// train_translator.c, look_inside.c in examples/.
//
// Rules that hold everywhere:
// - A context belongs to one thread at a time; several threads use several contexts. Models and tokenizers never change
//   once opened and may be shared by any number of threads.
// - A thread that calls needs half a megabyte of stack for the library's own use: threads of musl and of some runtimes have less
//   unless they are made with more.
// - A function that can fail returns NULL or false; qkv_status and qkv_message of its context then say what went wrong,
//   until the next call with that context. Nothing is printed, and bad input never ends the process.
// - What a function named `..._open`, `..._new` or returning a result object gives belongs to the caller, who frees it with
//   the function named beside it. Strings and arrays inside an object live as long as the object. NULL may always be freed.
// - Text is UTF-8 and ends with a zero byte. Numbers have the unit that the comment names.
#ifndef QKV_H
#define QKV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef QKV_API
#define QKV_API __attribute__((visibility("default")))
#endif

// ---------------------------------------------------------------------------------------------------------------------
// Contexts and errors

// "0.1.0". The numbers are major.minor.patch; the major one is in the library's soname.
QKV_API const char *qkv_version(void);

enum qkv_status {
  QKV_OK = 0,
  QKV_USAGE,        // the call was wrong: an argument out of range, arguments that contradict each other
  QKV_FILE,         // a file could not be read or written
  QKV_FORMAT,       // a file's content is not what it should be
  QKV_UNSUPPORTED,  // well-formed, but something that qkv cannot do
  QKV_MEMORY,
  QKV_NUMERIC,      // a number became NaN or infinite
  QKV_INTERRUPTED,  // the caller asked for the end
};

struct qkv_context;

// NULL only when memory is short.
QKV_API struct qkv_context *qkv_context_new(void);
QKV_API void qkv_context_free(struct qkv_context *context);

// About the last call with this context. The message is "" after success; it lives until the next call.
QKV_API enum qkv_status qkv_status(const struct qkv_context *context);
QKV_API const char *qkv_message(const struct qkv_context *context);

// Called with each warning, on the thread that works. Without it warnings are only counted (qkv_warnings).
QKV_API void qkv_context_on_warning(struct qkv_context *context, void (*warning)(void *user, const char *message), void *user);
QKV_API size_t qkv_warnings(const struct qkv_context *context);

// How many threads the whole process's work is spread over; 0 takes every processor that the process may use. Results
// never depend on it. Not to be called while another thread is inside the library.
QKV_API void qkv_set_threads(int threads);
QKV_API int qkv_threads(void);

// A list of strings that somebody else owns.
struct qkv_strings {
  const char **items;
  size_t count;
};

// ---------------------------------------------------------------------------------------------------------------------
// Tokenizers

// Text to ids and back, as Hugging Face's tokenizers does it from the same files.
struct qkv_tokenizer;

// path: a model directory with tokenizer.json, or with older files: vocab.txt, vocab.json and merges.txt, or a SentencePiece
// model (spiece.model, sentencepiece.bpe.model, tokenizer.model); or a tokenizer.json or a NAME.model itself. Free with
// qkv_tokenizer_free.
QKV_API struct qkv_tokenizer *qkv_tokenizer_open(struct qkv_context *context, const char *path);
QKV_API void qkv_tokenizer_free(struct qkv_tokenizer *tokenizer);

QKV_API size_t qkv_tokenizer_size(const struct qkv_tokenizer *tokenizer);                    // the largest id + 1
QKV_API const char *qkv_tokenizer_token(const struct qkv_tokenizer *tokenizer, int32_t id);  // NULL: no such id
QKV_API int32_t qkv_tokenizer_id(const struct qkv_tokenizer *tokenizer, const char *token);  // -1: no such token

// All zero: one text, with the special tokens that the model wants around it, cut where tokenizer.json says so.
struct qkv_encode_options {
  const char *pair;            // the second text of a pair; NULL: there is none
  bool without_special_tokens;
  bool without_truncation;     // ignore the truncation section of tokenizer.json
};

struct qkv_encoding {
  const int32_t *ids, *type_ids;   // [count]
  const uint32_t *starts, *ends;   // [count] the token's characters in its text, from 0; both 0 for special tokens around it
  const int8_t *sequences;         // [count] 0: first text, 1: second text, -1: special token around it
  size_t count;
  size_t cut;                      // tokens that were cut off
  size_t invalid;                  // bytes that were not valid UTF-8, each read as U+FFFD
};

// options may be NULL. The result may be given back as `reuse` (else NULL), which saves making a new one; on failure it stays
// valid, without tokens. Free with qkv_encoding_free.
QKV_API struct qkv_encoding *qkv_encode(struct qkv_context *context, const struct qkv_tokenizer *tokenizer, const char *text,
                                        const struct qkv_encode_options *options, struct qkv_encoding *reuse);
QKV_API void qkv_encoding_free(struct qkv_encoding *encoding);

// The text of ids, a block of memory that the caller frees with free(). Ids that the vocabulary lacks give nothing.
QKV_API char *qkv_decode(struct qkv_context *context, const struct qkv_tokenizer *tokenizer, const int32_t *ids, size_t count,
                         bool with_special_tokens);

// Negative numbers and NULL: chosen by qkv. Start from qkv_tokenizer_train_options_default.
struct qkv_tokenizer_train_options {
  const char *type;        // "bpe" (byte-level), "bpe-words" (pieces end in </w>), "bpe-blanks" (words begin with U+2581),
                           // "wordpiece" (as BERT's: pieces inside a word begin with ##), "unigram" (the
                           // most probable pieces; words begin with U+2581), "word", "char"
  int64_t vocab_size;      // with special tokens
  int64_t min_frequency;   // pairs, words or characters that are rarer are not learnt
  bool lowercase;          // text is put in lower case first
  const char *normalize;   // "nfc", "nfd", "nfkc", "nfkd": Unicode's normal form; NULL: text stays as it is
  const char *layout;      // where the special tokens stand: "marian" (</s> 0, <unk> 1, <pad> last), "pegasus" (<pad> 0, </s> 1,
                           // <unk> 2), "gpt2" (<|endoftext|> last, nothing is put around texts), "bert" ([PAD] 0, [UNK] 1,
                           // [CLS] 2, [SEP] 3, [MASK] 4); NULL: bert for wordpiece, else marian
  int64_t max_length;      // written to tokenizer_config.json as model_max_length
  int64_t max_words;       // different words that are kept in memory while counting
};

QKV_API struct qkv_tokenizer_train_options qkv_tokenizer_train_options_default(void);

// Learns a vocabulary from files with one text per line ("-" is standard input) and writes tokenizer.json and
// tokenizer_config.json into the directory `out`, which is made and must not have a tokenizer.json yet. What is learnt depends
// on text and options alone. options may be NULL. *size, if not NULL, becomes the number of tokens.
QKV_API bool qkv_tokenizer_train(struct qkv_context *context, const char *out, const struct qkv_strings *files,
                                 const struct qkv_tokenizer_train_options *options, size_t *size);

// ---------------------------------------------------------------------------------------------------------------------
// Models

struct qkv_model;

// Opens a Hugging Face directory: config.json and model.safetensors (or its shards); the tokenizer is read when first needed.
// The files are mapped, so they must not be changed while the model is open. Free with qkv_model_free.
//
// dtype says in what products with weights are computed when the model runs: "bf16" (both factors rounded to bf16, sums in f32;
// the processor has to have instructions for it), "f32", or NULL and "auto": bf16 where it can be had. All else is f32.
QKV_API struct qkv_model *qkv_model_open(struct qkv_context *context, const char *directory, const char *dtype);
QKV_API void qkv_model_free(struct qkv_model *model);

// By which way the model runs on this machine: "bf16 on the avx512 path of AMD EPYC 9554 64-Core Processor".
QKV_API const char *qkv_model_path(const struct qkv_model *model);

// One thing about a model: "parameters", "encoder.heads", "layout".
struct qkv_fact {
  const char *name;
  const char *text;   // the value to show: "49,253,376", "marian"
  double number;      // the value if it is a number, 1 or 0 for "yes" and "no", NaN otherwise
};

struct qkv_tensor_fact {
  const char *name;   // in the file
  const char *type;   // "F32", "F16", "BF16", ...
  const int64_t *shape;
  int dimensions;
};

// What a model is, needs and costs, and, of a directory that `qkv train` made, what became of each line of its text: what `qkv
// info` prints.
struct qkv_info {
  const struct qkv_fact *facts;           // [fact_count]
  size_t fact_count;
  const struct qkv_tensor_fact *tensors;  // [tensor_count] of model.safetensors, sorted by name
  size_t tensor_count;
};

// Works without a tokenizer. Free with qkv_info_free; the model has to stay open until then.
QKV_API struct qkv_info *qkv_model_info(struct qkv_context *context, struct qkv_model *model);
// The number of a fact, NaN if there is no such fact or it is no number.
QKV_API double qkv_info_number(const struct qkv_info *info, const char *name);
QKV_API const char *qkv_info_text(const struct qkv_info *info, const char *name);  // its text; NULL: no such fact
QKV_API void qkv_info_free(struct qkv_info *info);

// Row-major numbers: [shape[0], shape[1]] or [shape[0], shape[1], shape[2]].
struct qkv_array {
  float *data;
  size_t shape[4];
  int dimensions;
};

QKV_API void qkv_array_free(struct qkv_array *array);

// One pass over one sequence, or over the choices of a multiple-choice model. All zero but ids (and decoder_ids) gives the
// logits: [tokens, vocabulary] of translators, language models and models for masked words or pre-training; [1, labels] for
// sequence classification (regression: [1, 1]), [1, 2] for next sentence, [tokens, labels] for token classification, [tokens, 2]
// (start, end) for question answering, [1, choices] for multiple choice. Nothing is normalised.
struct qkv_forward_options {
  const int32_t *ids;              // [id_count] the source, or the text of a model with one stack
  size_t id_count;
  const int32_t *decoder_ids;      // [decoder_id_count] with the start token; without them only the encoder runs
  size_t decoder_id_count;
  const int32_t *attention_mask;   // [id_count] ones, with zeros for hidden tokens at either end; NULL: all are seen
  const int32_t *type_ids;         // [id_count] the segment of each token; NULL: all 0
  const size_t *text_ends;         // [text_count] where each choice ends in ids; NULL: ids are one text
  size_t text_count;
  const char *want;                // "logits" or NULL; "hidden": [tokens, hidden];
                                   // "attention": [heads, tokens, tokens]; "cross-attention": [heads, decoder tokens, tokens];
                                   // "pooled": [texts, hidden], what the classifier reads; "nsp": [texts, 2], whether B follows A
                                   // (0) or not (1), also of models for pre-training
  const char *stack;               // "encoder", "decoder"; NULL: the decoder if it runs
  int64_t layer;                   // from 0, hidden 0 being the embeddings' output; -1: the last
  bool cached;                     // the decoder takes one token after the other, over stored keys, as generation does
};

// Free the result with qkv_array_free.
QKV_API struct qkv_array *qkv_forward(struct qkv_context *context, struct qkv_model *model,
                                      const struct qkv_forward_options *options);

// ---------------------------------------------------------------------------------------------------------------------
// Translation

// Negative numbers, NaN and NULL: as the model's generation_config.json says. Start from qkv_translate_options_default.
struct qkv_translate_options {
  int64_t beam;                // hypotheses that are kept; 1 is greedy search
  int64_t nbest;               // hypotheses that are returned, at most `beam`; negative: 1
  double length_penalty;       // sum of log-probabilities / length ^ length_penalty ranks hypotheses (beam search)
  int64_t max_length;          // tokens of a translation
  int64_t min_length;
  double repetition_penalty;   // above 1: tokens that stand in the translation already become less probable
  int64_t no_repeat_ngram;     // n-grams of this many tokens occur once; 0: off
  const char *prefix;          // how every translation begins
  const char *on_long;         // a line of more tokens than the model takes is: "split" or NULL, translated in pieces; "cut"
  bool scores;                 // fill qkv_hypothesis.score for greedy search too
  bool alignments;             // fill qkv_hypothesis.alignment
};

QKV_API struct qkv_translate_options qkv_translate_options_default(void);

struct qkv_hypothesis {
  const char *text;
  double score;  // beam search: the sum divided as length_penalty says; greedy: the sum. Of a split line: of its pieces, added
  const char *alignment;  // "0-0 1-2": source word - target word, counted from 0 over what blanks separate, by the largest weight
                          // of the cross-attention of the last but one layer (Garg et al., 2019); NULL unless asked for
};

struct qkv_translation {
  const struct qkv_hypothesis *hypotheses;  // [count] best first
  size_t count;                             // at least 1; an empty line gives one empty text
  size_t pieces;                            // more than 1: the line was split
  size_t cut;                               // source tokens that were cut off
  size_t invalid;                           // source bytes that were not valid UTF-8, each read as U+FFFD
  bool unfinished;                          // the best hypothesis stopped at max_length
};

struct qkv_translations {
  const struct qkv_translation *items;  // [count], in the order of the lines
  size_t count;
};

// Holds the work memory of translating, so that it is made once. Several models translate as one (the mean of their
// probabilities); they need the same vocabulary, and the first one's tokenizer and generation_config.json count. The models have
// to stay open. Used by one thread at a time. options may be NULL. Free with qkv_translator_free.
struct qkv_translator;
QKV_API struct qkv_translator *qkv_translator_new(struct qkv_context *context, struct qkv_model *const *models, size_t count,
                                                  const struct qkv_translate_options *options);
QKV_API void qkv_translator_free(struct qkv_translator *translator);

// Translates every line; many at once are faster than one by one, with the same result. Free with qkv_translations_free.
QKV_API struct qkv_translations *qkv_translate(struct qkv_context *context, struct qkv_translator *translator,
                                               const struct qkv_strings *lines);
QKV_API void qkv_translations_free(struct qkv_translations *translations);

// How probable a model finds a given translation: by the chain rule, log p(target | source) is the sum over the target's tokens
// of log p(token | source, tokens before it), natural logarithms, the end token among them.
struct qkv_token_probability {
  int32_t id;
  const char *token;
  float log_probability;
  double sum;  // of the tokens up to this one
};

struct qkv_probability {
  double log_probability;
  const struct qkv_token_probability *tokens;  // [count]
  size_t count;
  size_t cut;      // tokens of both sides that were cut off because the model takes no more
  size_t invalid;  // bytes of both sides that were not valid UTF-8, each read as U+FFFD
  size_t unknown;  // tokens of both sides that stand for what the vocabulary lacks
};

struct qkv_probabilities {
  const struct qkv_probability *items;  // [count], in the order of the pairs
  size_t count;
};

// sources and targets hold as many strings. Free with qkv_probabilities_free.
QKV_API struct qkv_probabilities *qkv_probability_of(struct qkv_context *context, struct qkv_model *model,
                                                     const struct qkv_strings *sources, const struct qkv_strings *targets);
QKV_API void qkv_probabilities_free(struct qkv_probabilities *probabilities);

// The same for texts and a language model: the sum over a text's tokens of log p(token | begin token, tokens before it). The end
// of a text is not counted. What a text's later tokens cannot see any more, because the model has no room for it, is left out of
// what stands before them; nothing is cut. A model without begin and end token gives a text's first token no probability, 0.
//
// By a model of masked words: the pseudo-log-likelihood (Salazar et al., 2020), the sum over the text's tokens of log p(token |
// all others), each masked in turn; a text that is too long is cut.
//
// backward, if not NULL, is a model with the same tokenizer that reads texts from their end (--direction right-to-left): each
// token then has the sum of both directions, log p(token | tokens before it) + log p(token | tokens behind it) (Peters et al.,
// 2018, section 3.1).
QKV_API struct qkv_probabilities *qkv_probability_of_texts(struct qkv_context *context, struct qkv_model *model,
                                                           struct qkv_model *backward, const struct qkv_strings *texts);

// How well a language model predicts files, as text of which the model sees a window. Numbers below 0 and NULL: see behind.
struct qkv_text_evaluation_options {
  int64_t context;                 // tokens in the window; else as many as the model has positions, at most 1,024
  int64_t stride;                  // tokens by which it moves on; else the context: no token is seen twice
  const char *document_separator;  // "blank", or the text of a line; NULL: a file is one document
  bool cross_documents;            // the window sees documents before
  bool no_header;                  // of tables of prompts and answers: the first line is data
};

struct qkv_text_evaluation {
  double loss;                     // mean of -log p(token), natural logarithms; of a document's end token, too
  double perplexity;               // exp(loss)
  double bits_per_byte;            // of the text
  double accuracy;                 // share of tokens that were the most probable ones
  int64_t tokens, bytes, documents;
  int64_t context, stride;         // those that were used
  int64_t unknown, invalid;        // places that hold what the vocabulary lacks; bytes that are not UTF-8
  int64_t cut;                     // pairs that were longer than the window and were cut to it
};

QKV_API struct qkv_text_evaluation_options qkv_text_evaluation_options_default(void);
// Files are those of `qkv train --task lm`: plain text, or .jsonl and .tsv, of whose pairs of prompt and answer the answers
// count. A pair has a window of its own; stride, cross_documents and document_separator, which say how text is cut, are refused
// there.
QKV_API bool qkv_evaluate_text(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *files,
                               const struct qkv_text_evaluation_options *options, struct qkv_text_evaluation *evaluation);

// ---------------------------------------------------------------------------------------------------------------------
// Generation

// How texts go on, by a model with a decoder only. Negative numbers, NaN and NULL: as the model's generation_config.json says,
// and otherwise as the comment says. Start from qkv_generate_options_default.
//
// The most probable token follows (greedy search) unless tokens are drawn or beams are kept. Tokens are drawn when temperature,
// top_k, top_p, min_p or more than one sample is asked for, or when the model says so (do_sample).
struct qkv_generate_options {
  int64_t max_new;             // tokens; else 256
  int64_t min_new;             // the end token is impossible before; else 0
  double temperature;          // logits are divided by it before a token is drawn; 0: nothing is drawn; else 1
  int64_t top_k;               // only the most probable k are drawn from (Fan et al., 2018); 0, else: all; but 50, as in
                               // transformers, where only the model's do_sample says to draw
  double top_p;                // only the fewest with this sum of probabilities (Holtzman et al., 2020); above 0, at most 1;
                               // else 1
  double min_p;                // only those at least so many times as probable as the best (Nguyen et al., 2024); else 0
  double repetition_penalty;   // above 1: tokens that stand there already become less probable (Keskar et al., 2019); else 1
  int64_t no_repeat_ngram;     // n-grams of this many tokens occur once; 0, else: off
  int64_t beam;                // hypotheses that a beam search keeps; else 1
  double length_penalty;       // of a beam search: the sum of log-probabilities is divided by length ^ length_penalty
  int64_t samples;             // texts for each prompt: that many are drawn, or the best of a beam search; else 1
  int64_t seed;                // of the random numbers; else 0
  bool ignore_end;             // end tokens are tokens like others
  struct qkv_strings stop;     // a text ends before any of these; at most 200 bytes each
  const char *on_full;         // when the model's positions are used up the text "stop"s, or NULL; or "slide"s: it goes on after
                               // its latter half
  int64_t alternatives;        // the most probable tokens of each step that are given, at most 16; else 0
  // Called with each piece of text as it is generated, whole characters, not in a beam search; and with NULL when the text has
  // ended; not for a refused prompt. false ends the text. prompt and sample count from 0. Never by two threads at once; no other
  // function of this library may be called with the same context from it. NULL: not called.
  bool (*text)(void *user, size_t prompt, size_t sample, const char *text);
  void *user;
};

QKV_API struct qkv_generate_options qkv_generate_options_default(void);

enum qkv_ending {
  QKV_ENDED,          // by an end token
  QKV_ENDED_STOP,     // before one of the stop strings
  QKV_ENDED_LENGTH,   // max_new, or generation_config.json's max_length
  QKV_ENDED_FULL,     // the model's positions were used up
  QKV_ENDED_CALLER,   // options.text returned false
  QKV_ENDED_STUCK,    // the rules left no token possible
  QKV_REFUSED_EMPTY,  // the prompt has no tokens, and the model names none to begin with (bos_token_id): nothing was generated
  QKV_REFUSED_LONG,   // the prompt alone has more tokens than the model takes: nothing was generated
};

struct qkv_alternative {
  int32_t id;
  const char *text;
  double probability;
};

struct qkv_generated_token {
  int32_t id;
  const char *text;                             // what the id alone stands for; special tokens by their name
  double probability;                           // as it was drawn: after temperature, filters and rules
  const struct qkv_alternative *alternatives;   // [alternative_count] the best of this step, by the same probabilities
  size_t alternative_count;
};

struct qkv_generated {
  const char *text;                          // what follows the prompt, without it; "" where the model has no tokenizer
  const struct qkv_generated_token *tokens;  // [token_count] with the end token
  size_t token_count;
  double score;                              // sum of log-probabilities; of a beam search divided as length_penalty says
  enum qkv_ending ending;
  size_t lost;                               // tokens of the beginning that were out of sight at the end, by sliding
};

struct qkv_generation {
  const struct qkv_generated *items;  // [count] samples in their order; of a beam search best first
  size_t count;
  size_t prompt_tokens;
  size_t invalid;                     // bytes of the prompt that were not valid UTF-8, each read as U+FFFD
};

struct qkv_generations {
  const struct qkv_generation *items;  // [count], in the order of the prompts
  size_t count;
};

// Holds the work memory of generating. The model has to stay open. Used by one thread at a time. options may be NULL; its strings
// are copied. Free with qkv_generator_free.
struct qkv_generator;
QKV_API struct qkv_generator *qkv_generator_new(struct qkv_context *context, struct qkv_model *model,
                                                const struct qkv_generate_options *options);
QKV_API void qkv_generator_free(struct qkv_generator *generator);

// Continues every prompt; many at once are faster than one by one. The random numbers depend on the seed, on how many prompts
// this generator got before, on the sample and the position alone: the texts are the same whatever is generated together, with
// however many threads. Free with qkv_generations_free.
QKV_API struct qkv_generations *qkv_generate(struct qkv_context *context, struct qkv_generator *generator,
                                             const struct qkv_strings *prompts);
// The same for prompts that are ids already; needs no tokenizer.
struct qkv_ids {
  const int32_t *items;
  size_t count;
};
QKV_API struct qkv_generations *qkv_generate_ids(struct qkv_context *context, struct qkv_generator *generator,
                                                 const struct qkv_ids *prompts, size_t count);
QKV_API void qkv_generations_free(struct qkv_generations *generations);

// Which words fit.
struct qkv_fill_options {
  int64_t top;                    // the most probable tokens that are given; negative: 10, or none if there are candidates
  struct qkv_strings candidates;  // texts to score instead
};

struct qkv_guess {
  const char *text;
  int32_t id;              // -1: a candidate of several tokens
  double log_probability;  // natural; of several tokens the sum (chain rule)
};

struct qkv_place {
  const struct qkv_guess *guesses;  // [count] most probable first; of equal ones the lower id, the earlier candidate
  size_t count;
};

// Of one text.
struct qkv_filling {
  const struct qkv_place *places;  // [count] the text's masks, or its end; nothing (count 0) where the text was refused
  size_t count;
  size_t cut;                      // tokens of the text's beginning that were passed over, because the model takes no more
  size_t invalid;                  // bytes that were not valid UTF-8, each read as U+FFFD
};

struct qkv_fillings {
  const struct qkv_filling *items;  // [count], in the order of the texts
  size_t count;
};

// By a model of masked words: what may stand at each mask of a text ("[MASK]", or what the tokenizer calls it); a candidate is
// one token then. By a model with a decoder only: what may follow each text. A candidate is set behind the text with a blank
// between them unless either has one there. options may be NULL. Free with qkv_fillings_free.
QKV_API struct qkv_fillings *qkv_fill(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                      const struct qkv_fill_options *options);
QKV_API void qkv_fillings_free(struct qkv_fillings *fillings);

// ---------------------------------------------------------------------------------------------------------------------
// Embeddings

// Negative numbers and NULL: as the model's modules.json, 1_Pooling/config.json and sentence_bert_config.json say. Start from
// qkv_embed_options_default.
struct qkv_embed_options {
  const char *pooling;   // of a text's hidden states: "mean", "cls" (the first token's), "max", "mean-sqrt", "last"
  int64_t layer;         // whose hidden states, 0 being the embeddings' output
  int64_t normalize;     // 1: to length 1, 0: not
  int64_t max_length;    // tokens of a text, special ones included; the rest is cut off
};

QKV_API struct qkv_embed_options qkv_embed_options_default(void);

struct qkv_embeddings {
  struct qkv_array vectors;  // [texts, width]; of a word [texts, layers + 1, width]
  const size_t *cut;         // [texts] tokens that were cut off
  const size_t *invalid;     // [texts] bytes that were not valid UTF-8, each read as U+FFFD
};

// A vector for each text, in their order (Reimers and Gurevych, 2019, section 3). What one text gives does not depend on the
// others. options may be NULL. Free the result with qkv_embeddings_free.
QKV_API struct qkv_embeddings *qkv_embed(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                         const struct qkv_embed_options *options);
// The mean of the hidden states of a word's tokens, after every layer, where it first stands in each text.
QKV_API struct qkv_embeddings *qkv_embed_word(struct qkv_context *context, struct qkv_model *model,
                                              const struct qkv_strings *texts, const char *word);
QKV_API void qkv_embeddings_free(struct qkv_embeddings *embeddings);

// ---------------------------------------------------------------------------------------------------------------------
// Predictions of models with a head for labels (Devlin et al., 2019, section 4)

// Negative numbers, NaN, NULL and false: the default that the comment names. Start from qkv_predict_options_default.
struct qkv_predict_options {
  const char *input;        // the file's format: "text", "tsv", "jsonl", "json" (SQuAD's), "conll"; else by its ending
  const char *columns;      // of a table: "label,text,pair" in its order, "-" for one to skip; else from its header
  bool no_header;           // the first line of a table is data
  int64_t max_length;       // tokens of a sequence; else as many as the model takes, 384 for answers
  int64_t stride;           // tokens between the beginnings of two windows over a context; else 128
  int64_t longest_answer;   // tokens; else 30
  double no_answer; // there is no answer unless its logits exceed those of "no answer" by this much; else there always is one
};

QKV_API struct qkv_predict_options qkv_predict_options_default(void);

struct qkv_predicted_word {
  const char *word, *tag;
  float probability;
};

struct qkv_prediction {
  const char *label;                       // the class, the answer ("": there is none) or the choice; "" for numbers and words
  double value;                            // its probability; of regression: the number
  int number;                              // of the class or choice, from 0
  const float *probabilities;              // [probability_count] of all classes, or of all choices
  size_t probability_count;
  const struct qkv_predicted_word *words;  // [word_count] of tagging; of replaced tokens: each token, "original" or "replaced"
  size_t word_count;
  const char *id;                          // of the question, or NULL
  size_t start;                            // of the answer in the context, in characters
  double margin;                           // the answer's logits minus those of "no answer"
};

struct qkv_predictions {
  const struct qkv_prediction *items;      // [count] in the order of the examples
  size_t count;
  const char *kind;                        // "classify", "regress", "tag", "span", "choice", "next-sentence", "replaced"
  const char *const *labels;               // [label_count] names of the classes
  size_t label_count;
  size_t cut, first_cut;                   // examples that were longer than the model takes, and the first one's line
  size_t invalid, first_invalid;           // examples with bytes that are no UTF-8, read as U+FFFD, and the first one's line
};

// What the model's head says about texts, or pairs of texts (pairs NULL or empty: single texts). For tagging the words of a text
// are separated by blanks; of questions the context is the second text. options may be NULL. Free with qkv_predictions_free.
QKV_API struct qkv_predictions *qkv_predict(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                            const struct qkv_strings *pairs, const struct qkv_predict_options *options);
// The same for a file of examples ("-" is standard input); labels in it are not looked at.
QKV_API struct qkv_predictions *qkv_predict_file(struct qkv_context *context, struct qkv_model *model, const char *path,
                                                 const struct qkv_predict_options *options);
QKV_API void qkv_predictions_free(struct qkv_predictions *predictions);

enum { QKV_TASK_SCORES = 12 };

struct qkv_task_scores {
  struct {
    const char *name;                      // "accuracy", "f1", "matthews", "pearson", "exact", ...
    double value;                          // shares from 0 to 100
  } items[QKV_TASK_SCORES];
  size_t count;
  size_t examples, cut;
  const char *details;                     // tables for people, several lines: precision and recall of each label, confusions
};

// How good a model's predictions are for a file of examples with labels: accuracy, F1 and Matthews' correlation of classes;
// Pearson's and Spearman's of numbers; F1 of entities as conlleval counts; exact match and F1 of answers as SQuAD's script
// counts. options may be NULL. Free with qkv_task_scores_free.
QKV_API struct qkv_task_scores *qkv_score_predictions(struct qkv_context *context, struct qkv_model *model, const char *path,
                                                      const struct qkv_predict_options *options);
QKV_API void qkv_task_scores_free(struct qkv_task_scores *scores);
// The kind of labels that the model's head gives, as in qkv_predictions.kind; NULL: it gives none.
QKV_API const char *qkv_model_labels_kind(const struct qkv_model *model);

// ---------------------------------------------------------------------------------------------------------------------
// Looking inside

// All attention weights of one pass over a text: of an encoder-decoder over `source` and `target` (its translation, say from
// qkv_translate), of an encoder over one text or a pair (target may be NULL), of a decoder over one text (target is NULL). Free
// with qkv_attention_record_free; the model has to stay open until then.
struct qkv_attention_record;

QKV_API struct qkv_attention_record *qkv_attention_record(struct qkv_context *context, struct qkv_model *model,
                                                          const char *source, const char *target);
QKV_API void qkv_attention_record_free(struct qkv_attention_record *record);

struct qkv_attention_view {
  const char *kind;    // "encoder", "decoder", "cross"; NULL: cross of an encoder-decoder, else the only one
  int64_t layer;       // from 0; -1: the one that aligns words best (cross), or the last
  int64_t head;        // from 0; -1: the mean of all heads
  const char *shades;  // "ascii", "blocks" or NULL, "256", "true" (24-bit colours)
  int64_t width;       // columns of the terminal; 0: 80
};

// A matrix for a terminal, a line for each query token and a column for each key token, several lines of text. It belongs to
// the record and lives until the next call with it.
QKV_API const char *qkv_attention_print(struct qkv_context *context, struct qkv_attention_record *record,
                                        const struct qkv_attention_view *view);
// The same as a picture of *size bytes, in the format "svg" (text, for light and dark pages), "png" or "pdf"; shades and width
// are not read. PNG and PDF need a library built with cairo, else this fails and says so; their labels run from left to right
// only.
QKV_API const char *qkv_attention_draw(struct qkv_context *context, struct qkv_attention_record *record,
                                       const struct qkv_attention_view *view, const char *format, size_t *size);

// What each attention head does, measured over texts (Clark et al., 2019, section 3).
struct qkv_head {
  const char *kind;        // "encoder", "decoder", "cross"
  int64_t layer, head;     // from 0
  const char *pattern;     // where most of its weight goes: "previous token"; "mixed" if nothing stands out
  double measures[10];     // in the order of qkv_heads.names; NaN where a measure has no meaning (cross-attention)
  double loss_change; // what a predicted token costs more (nats) without this head (Michel et al., 2019); NaN if not asked for
};

struct qkv_heads {
  const char *const *names;      // [10] shares of the weight: "itself", "previous", "next", "first", "last", "separator",
                                 // "punctuation", "same word"; then "distance" (tokens) and "entropy" (bits)
  const struct qkv_head *items;  // [count]
  size_t count;
  double loss;                   // a token's mean loss with all heads; NaN if not asked for
  size_t texts, skipped;         // skipped: empty, or longer than the model takes
  size_t first_skipped;          // its number, from 0
};

// texts; for an encoder-decoder also as many `seconds`, their translations, else NULL or the second texts of pairs. ablate: runs
// the texts once more without each head. Free with qkv_heads_free.
QKV_API struct qkv_heads *qkv_heads_over(struct qkv_context *context, struct qkv_model *model, const struct qkv_strings *texts,
                                         const struct qkv_strings *seconds, bool ablate);
QKV_API void qkv_heads_free(struct qkv_heads *heads);

// Which head finds which syntactic relation best (Clark et al., 2019, section 4.2).
struct qkv_relation {
  const char *relation;        // "nsubj"
  int64_t count;               // how many there are
  bool to_head;                // the dependent looks most at its head; false: the head at its dependent
  int64_t layer, head;
  double accuracy, baseline;   // 0 to 1; baseline: of the best fixed distance, which is
  int64_t distance;            // place of the head minus place of the dependent, in words
};

struct qkv_relations {
  const struct qkv_relation *items;  // [count], two for each relation, the most frequent first
  size_t count;
  size_t sentences, skipped;         // skipped: longer than the model takes
};

// path: a treebank as CoNLL-U. Looks at an encoder's self-attention, a decoder's where there is no encoder. Free with
// qkv_relations_free.
QKV_API struct qkv_relations *qkv_relations_of(struct qkv_context *context, struct qkv_model *model, const char *path);
QKV_API void qkv_relations_free(struct qkv_relations *relations);

// What a beam search looked at on its way to a translation, or to what follows a text.
struct qkv_search_node {
  int64_t parent;          // its number in the tree; -1: the beginning
  int64_t step;            // from 1
  int64_t rank;            // among all that this step looked at, by sum; 0 is the best
  int32_t id;
  const char *token;       // its text without the blanks around it, or its name where it has no text
  const char *text;        // of the whole hypothesis up to here
  double log_probability;  // of the token, natural logarithm
  double sum;              // of the tokens up to here
  double score;            // sum / tokens ^ length_penalty, by which finished hypotheses are ranked
  const char *fate;        // "kept" into the next step, "finished", "dropped"
  bool best;               // it lies on the way to the result
};

struct qkv_search_tree {
  const struct qkv_search_node *nodes;  // [count], step by step, each step by rank
  size_t count;
  int64_t beam;
  const char *text;        // the result
  double score;
};

// Of a translator: what qkv_translate with the same beam finds for `text`; of a decoder: what follows `text`. beam and max_new
// (tokens of the result): negative for what the model's files say. A beam of 1 is greedy search: the tree is a path. Free with
// qkv_search_tree_free.
QKV_API struct qkv_search_tree *qkv_search_tree(struct qkv_context *context, struct qkv_model *model, const char *text,
                                                int64_t beam, int64_t max_new);
QKV_API void qkv_search_tree_free(struct qkv_search_tree *tree);
// As a picture of *size bytes, in a format as for qkv_attention_draw; the caller frees it with free().
QKV_API char *qkv_search_draw(struct qkv_context *context, const struct qkv_search_tree *tree, const char *format, size_t *size);

// Places, counted from 0.
struct qkv_places {
  const int64_t *items;
  size_t count;
};

struct qkv_page_options {
  const char *format;    // "html" or NULL: a page for a browser; "json": its numbers alone, arrays in base64
  const char *language;  // of the page's labels: "en" or NULL, "es", "pt"
  const char *kind;      // the attention that the page opens at: "encoder", "decoder", "cross"; NULL: cross where there is one
  int64_t layer, head;   // and its layer and head, from 0; head -1: the mean of all
  struct qkv_places tokens;  // whose steps are given in numbers, by their place in each stack's input; none: all if they are
                             // few, else the last
  struct qkv_places layers;  // in which layers; none: all, and of a text of more than 128 tokens the one that the page opens at
  struct qkv_places heads;   // of which heads; none: all
  const struct qkv_heads *statistics;    // of the first model's heads, shown as a table; NULL: there are none
  const struct qkv_search_tree *search;  // the way to the second text, or on from the first; NULL: there is none
};

// One file without any link to another that shows what a model does with a text: tokens, attention of all layers and heads, one
// token's way in numbers with each formula, what the model would say after each layer (the logit lens), positions, nearest words.
// Texts as for qkv_attention_record. Several models (say OUT/steps/* of one training) are moments between which the page moves;
// they need one family. The page checks its own arithmetic against the model's: open models for it with dtype "f32". A token,
// layer or head that isn't there is refused. options may be NULL. The result is a block of memory that the caller frees with
// free().
QKV_API char *qkv_inspection_page(struct qkv_context *context, struct qkv_model *const *models, size_t count, const char *text,
                                  const char *second, const struct qkv_page_options *options);

// Attention by hand: scaled dot-product attention (Vaswani et al., 2017, section 3.2) of vectors and matrices that the caller
// gives, with every intermediate. All matrices have two dimensions.
struct qkv_attend_input {
  const struct qkv_array *x;           // [tokens, width]: a row for each token that looks
  const struct qkv_array *other;       // [other tokens, width]: those that are looked at (cross-attention); NULL: x
  const struct qkv_array *wq, *wk;     // [width, heads * d]: queries are x wq, keys x wk
  const struct qkv_array *wv;          // [width, heads * e]: values
  const struct qkv_array *wo;          // [heads * e, any]: the output's projection; NULL: there is none
  int64_t heads;                       // 0: one
  bool causal;                         // a token does not see those behind it
  double scale;                        // what products are multiplied by; 0: 1 / sqrt(d)
};

struct qkv_attend_step {
  const char *name;     // "queries", "scores of head 0"
  const char *formula;  // "Q = X W_Q"
  bool of_tokens, over_tokens;  // rows are the tokens of x (of `other` for keys and values); columns are those looked at
  struct qkv_array array;
};

struct qkv_attend_steps {
  const struct qkv_attend_step *items;  // [count], in the order of computing; the last is the result
  size_t count;
};

// Computed in double precision. Free with qkv_attend_steps_free.
QKV_API struct qkv_attend_steps *qkv_attend(struct qkv_context *context, const struct qkv_attend_input *input);
QKV_API void qkv_attend_steps_free(struct qkv_attend_steps *steps);

// ---------------------------------------------------------------------------------------------------------------------
// Scores of translations against references, with the numbers and signatures of sacreBLEU 2.6

// All zero: every metric, as sacreBLEU computes it by default.
struct qkv_evaluation_options {
  // "bleu" (Papineni et al., 2002), "chrf" (Popovic, 2015), "chrf++" (Popovic, 2017); "all" or NULL: the three
  const char *metric;
  const char *tokenizer;  // of BLEU: "13a" or NULL, "none", "char"
  bool lowercase;         // both sides in lower case first
};

struct qkv_score {
  const char *name;       // "BLEU", "chrF2", "chrF2++"
  double value;           // 0 to 100
  const char *signature;  // "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
  const char *line;       // name, signature, value and what it is made of, as sacreBLEU prints them
};

struct qkv_evaluation {
  const struct qkv_score *scores;  // [count]
  size_t count;
  size_t lines;                    // how many hypotheses were compared
};

// Hypothesis i is compared with string i of each of the `sets` references, sets >= 1, which all have as many strings.
// options may be NULL. Free the result with qkv_evaluation_free.
QKV_API struct qkv_evaluation *qkv_evaluate(struct qkv_context *context, const struct qkv_strings *hypotheses,
                                            const struct qkv_strings *references, size_t sets,
                                            const struct qkv_evaluation_options *options);
// The same for files with one text per line ("-" is standard input).
QKV_API struct qkv_evaluation *qkv_evaluate_files(struct qkv_context *context, const char *hypotheses,
                                                  const struct qkv_strings *references,
                                                  const struct qkv_evaluation_options *options);
QKV_API void qkv_evaluation_free(struct qkv_evaluation *evaluation);

// ---------------------------------------------------------------------------------------------------------------------
// Training

// Numbers below 0 and NULL mean "chosen by qkv", which depends on how much text there is and is said in the first notes; start
// from qkv_train_options_default. Names and meaning are those of the options of `qkv train`.
struct qkv_train_options {
  // "translation", "lm" (language model), "mlm" (masked words and next sentences: Devlin et al., 2019), and labels of examples:
  // "classify", "regress", "tag", "span", "choice"
  const char *task;
  struct qkv_strings train, valid;   // files, of a translation source, target, source, target, ...; without valid a part of the
                                     // training text is held out
  const char *config;                // the training.json of an earlier run: what it says counts where nothing is said here
  const char *from;                  // a model directory to start from (fine-tuning); NULL: a new model
  int64_t resume;                    // 1: go on with an interrupted training in the directory
  int64_t resume_anyway;             // 1: also if options, text or processor path differ from those of its beginning

  // A new model
  // Translation: "marian": norm after each sublayer (Vaswani et al., 2017); "pegasus": before. Language models: "gpt2" (Radford
  // et al., 2019), "openai-gpt" (Radford et al., 2018), "llama" (Touvron et al., 2023). Masked words and labels: "bert"
  const char *family;
  const char *size;                  // "blackboard", "tiny", "small", "base", "large": a preset for the numbers that follow
  int64_t layers, hidden, heads, ffn;  // layers: of each stack
  int64_t encoder_layers, decoder_layers;
  int64_t kv_heads;                  // keys and values shared by groups of heads (Ainslie et al., 2023)
  const char *activation;            // "relu", "gelu", "gelu-tanh", "silu", "tanh"
  // "layer", "rms" (Zhang and Sennrich, 2019), "none"; for encoders, whose tokens see each other, also "batch" (Ioffe and
  // Szegedy, 2015), "instance" (Ulyanov et al., 2016), "group" (Wu and He, 2018)
  const char *norm;
  const char *norm_place;            // "post", "pre"; NULL: that of the family
  int64_t norm_groups;               // of group norm
  double norm_epsilon;
  const char *norm_epsilon_place;    // "inside" the root of the variance, or "outside"
  const char
    *positions; // "sinusoid" (sines, then cosines), "sinusoid-interleaved", "learned", "rotary" (Su et al., 2021), "none"
  // "scaled" and "dot" products (Vaswani et al., 2017), "cosine", "general" (Luong et al., 2015), "additive" (Bahdanau et al.,
  // 2015)
  const char *attention_score;
  double attention_scale;            // of the scores, the temperature's inverse
  const char *attention_weights;     // "on", "off": queries, keys and values are the input itself
  int64_t attention_window;          // a decoder's token sees so many, itself and those before it
  const char *residual;              // "on", "off"
  const char *gated;                 // "on", "off": gated feed-forward networks (Shazeer, 2020)
  const char *bias;                  // "on", "off": biases in attention and feed-forward networks
  const char *tokenizer;             // a directory whose tokenizer is taken; NULL: one is learnt
  const char *tokenizer_type;        // what is learnt for a language model: "bpe" (byte-level) or "char"
  int64_t vocab_size;                // of the tokenizer that is learnt
  int64_t lowercase;                 // 1: the tokenizer puts text in lower case

  // Updates
  double learning_rate;              // the highest
  double min_learning_rate;          // where the schedules "linear" and "cosine" end
  const char *schedule;              // "inverse-sqrt", "linear", "cosine", "constant"
  int64_t warmup_steps;
  int64_t batch_tokens;              // of the longer side, real tokens (nothing is padded)
  int64_t batch_size;                // at most so many samples in a batch
  int64_t accumulate;                // batches per update
  double beta1, beta2, adam_epsilon; // of AdamW (Loshchilov and Hutter, 2019)
  double dropout, attention_dropout, activation_dropout, label_smoothing, weight_decay, clip_norm;
  int64_t max_length;                // tokens of a side; what to do with a longer pair:
  const char *on_long;               // "drop" or "cut"
  // Language models
  int64_t context;                   // tokens that the model has in sight
  const char *document_separator;    // "blank" lines, or the text of the lines between documents; NULL: a file is one document
  const char *cross_documents;       // "on": attention crosses the end of a document in a block; "off"
  const char *direction;             // "left-to-right", or "right-to-left" for the other half of a pair (Peters et al., 2018)
  int64_t stride;                    // by how many tokens a window moves on: of validation, or over a question's context
  // Labels, and any fine-tuning
  double layer_decay;                // learning rate of a layer divided by that of the one above (Howard and Ruder, 2018)
  const char *freeze;                // "embeddings"; "3": these and the first 3 layers; "all": all but the head
  // The head reads hidden states of `from` as features (Devlin et al., 2019, section 5.3), through an LSTM; unless `freeze` says
  // otherwise the model below stays as it is, without dropout. "embeddings", "second-to-last", "last", "sum-last-4",
  // "concat-last-4", "sum-all" (sums and concatenation of layers' outputs); "weighted": gain * sum of softmax-weighted embeddings
  // and layers, learnt (Peters et al., 2018, equation 1). The model is saved as model_type "qkv". NULL: the head stands on the
  // model
  const char *features;
  int64_t lstm_layers; // of both directions each (Hochreiter and Schmidhuber, 1997; Graves and Schmidhuber, 2005); 0: none
  int64_t lstm_hidden;               // width of each direction
  const char *pooling;               // what a head for whole texts looks at: "first" or "last" token, "mean" of all; NULL: where
                       // modules.json of `from` says the mean that (Reimers and Gurevych, 2019), else the family's own
  const char *columns;               // of a table, in its order: "label,text,pair"; "-" for one to skip
  int64_t no_header;                 // 1: the first line of a table is data
  const char *input_form;            // of texts for a decoder (Radford et al., 2018, 3.3): "gpt1" (start, delimiter and extract
                                     // tokens), "gpt1-similarity" (pairs in both orders), "plain" (as the tokenizer has them)
  double lm_weight;                  // gpt1: of the language model's loss beside that of the labels (their equation 5)
  // Masked words
  const char *next_sentence; // "random" (half of the second texts are from elsewhere), "swapped" (Lan et al., 2020), "none"
  double mask_rate;                  // share of the tokens that are predicted
  const char *mask_split;            // "80-10-10": percent of these that become [MASK], any token, or stay
  int64_t whole_words;               // 1: the pieces of a word are predicted together
  int64_t short_length;              // tokens of a sequence in the first
  int64_t short_epochs;              // epochs
  int64_t split_sentences;           // 1: lines are running text, not a sentence each
  int64_t seed;
  const char *dtype;                 // of products with weights: "auto" (bf16 where the processor has it), "f32", "bf16"

  // When to look, when to stop
  int64_t epochs, max_steps;
  double max_time;                   // seconds
  int64_t valid_every;               // updates
  int64_t patience;                  // validations without a better score; 0: never stop early
  const char *metric;                // which checkpoint is best: "loss", "bleu", "chrf" (of greedy translations), "perplexity",
                                     // "accuracy", "f1", "matthews", "pearson", ...; by the task
  int64_t average;                   // how many checkpoints are averaged at the end, if that is better; 0: none
  const char *average_of;            // "best" or "last"
  int64_t keep_every;                // updates after which a copy of the model stays in OUT/steps/N; 0: never
  int64_t layer_gradients;           // 1: log.jsonl also has the norm of each layer's gradient

  // Memory
  int64_t memory;                    // bytes that the process may take: batches become smaller, and more of them make an update
  int64_t recompute;                 // 1: a layer keeps its input only and runs again in backward (Chen et al., 2016), same bits
};

QKV_API struct qkv_train_options qkv_train_options_default(void);

enum qkv_train_event { QKV_TRAIN_NOTE, QKV_TRAIN_PROGRESS };

struct qkv_train_listener {
  void *user;
  // A line for people: a note stays, a line of progress replaces the one before; it comes after every update, about once a
  // second.
  void (*line)(void *user, enum qkv_train_event event, const char *text);
  // Asked after every update; true ends the training, which saves its state first. May be NULL.
  bool (*stop)(void *user);
};

// A training that finds the disk full while it saves says so, waits for room, at most an hour, and asks `stop` meanwhile; the
// state that was saved before stays. A resumed training ends with the same bytes as one that was never interrupted.
//
// Trains a model into the directory `out`, which is made and is a model directory from then on: initial weights first, the best
// so far later. listener may be NULL.
QKV_API bool qkv_train(struct qkv_context *context, const char *out, const struct qkv_train_options *options,
                       const struct qkv_train_listener *listener);
// Writes the first batch that a training with these options would see, readable: tokens with ids, what is to be learnt, who
// sees whom. A block of memory that the caller frees with free(); NULL on failure. Nothing is trained and no directory is made.
QKV_API char *qkv_train_show_batch(struct qkv_context *context, const struct qkv_train_options *options);

// ---------------------------------------------------------------------------------------------------------------------
// Speed

// Where the time goes, from start to stop: how long each kernel and each operation took, forward and backward, at what rate,
// and which share that is of what this machine can do (the roofline of Williams, Waterman and Patterson, 2009: of floating-point
// operations or of bytes from memory, whichever takes longer at the machine's rates). In a training only updates count. There is
// one profile at a time in a process; it measures the models that are first used, and the trainings that begin, after its start.
QKV_API bool qkv_profile_start(struct qkv_context *context);
// The profile as readable tables, a block of memory that the caller frees with free(); NULL on failure. Measures the machine's
// bounds, which takes a second.
QKV_API char *qkv_profile_stop(struct qkv_context *context);

// One thing that was measured, with all threads (qkv_set_threads).
struct qkv_rate {
  const char *what;   // "product, 4096 x 512 x 512": rows x outputs x inputs; "memory, read"; "training, tokens of all sides"
  const char *path;   // by which kernels: "avx512 bf16"; "" where that says nothing
  double rate;
  const char *unit;   // of rate and bound: "GFLOP/s", "GB/s", "tokens/s"
  double bound;       // what the machine could do at most: products as fast as registers allow, or bytes as fast as memory gives
                      // them, whichever takes longer; of a model the products alone. 0: this is a bound itself, or there is none
};

struct qkv_bench {
  const struct qkv_rate *rates;  // [count]
  size_t count;
};

// Measures this machine by every path that its processor has, and, unless model is NULL, how fast the model learns and runs, on
// made-up text of 32 tokens a sentence. Takes less than a minute. Free with qkv_bench_free.
QKV_API struct qkv_bench *qkv_bench(struct qkv_context *context, struct qkv_model *model);
QKV_API void qkv_bench_free(struct qkv_bench *bench);

#ifdef __cplusplus
}
#endif
#endif
