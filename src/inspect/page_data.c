// The object has this form; numbers in places of arrays are numbers of arrays in the blob:
//
//   {"title", "model": {...}, "texts": ["..."], "words": {"5": "label"}, "stacks": [stack], "outputs": [token]}
//   stack: {"name", "causal", "heads", "kv_heads", "width", "sharing" (layers in a row with the same weights), "scale",
//           "tokens": [token], "detail", "detail_layers", "detail_heads": [place] (whose steps are given),
//           "states": [A] (after the embeddings and after each layer; of a page the first and the last), "layers": [layer],
//           "lens": [...], "positions": A, "relative": A (biases by distance), "neighbours": {"5": [[id, cosine]]},
//           of the detail tokens "word_rows", "position_rows", "segment_rows", "embedded", "embedding_projected", "logits": A}
//   layer: {"self": sublayer, "cross": sublayer, "feed_forward": sublayer}; of one whose steps are left out the "query", "key"
//   and
//           "score_vectors" of its attention alone
//   sublayer: rows of the detail tokens: {"before", "input", "output", "after", "result", "gain", "bias", "output_bias"}; of
//   norms
//           over rows also the statistics {"mean", "variance"}, one number a group; of attention {"query", "key", "value" (of all
//           tokens; with "rotated" after the rotation, and "unrotated" before it), "mixed", "weights" (of the detail heads),
//           "contributions" (of these, and where there are others a row of theirs), "asking" (queries before they became those of
//           cosine or general scores), "score_vectors" (of additive ones)}; of the feed-forward network {"up", of gated ones also
//           "halves": up and gate before they are multiplied}
#include "inspect/page_data.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "inspect/logit_lens.h"
#include "inspect/nearest_words.h"
#include "model/knob_names.h"

enum {
  SOME_NUMBERS = 1 << 20,     // from here on queries, keys, values and states are rounded to 24 bits,
  MANY_NUMBERS = 16 << 20,    // from here on to 16
  SMALL_MODEL = 1000000,      // parameters up to which the weights are given too
  POSITIONS_SHOWN = 64,
};

struct writer {
  struct buffer *out;
  struct page_blob *blob;
  struct error *error;
  const struct page_subject *subject;
  const struct page_detail *wanted;
  struct pass_record record;
  float *scratch;             // [widest row of a weight]
  struct word_list words;
  // the stack at hand
  const struct stack *stack;
  const char *name;
  const struct inspected_side *side;
  struct page_choice choice;  // whose steps are given
  enum page_number type;      // of queries, keys, values and states
  float *sum;                 // [tokens, hidden] the residual stream
  int sum_array;              // that holds its rows of the detail tokens; -1: none does
  const struct recorded *result;  // of the sublayer before, and the array of its rows: the next one's input
  int result_array;
  int layer;
};

// ---- small parts ----

static void key_array(struct writer *writer, const char *key, int array) { buffer_format(writer->out, ",\"%s\":%d", key, array); }

static void key_number(struct writer *writer, const char *key, double value) {
  buffer_format(writer->out, ",\"%s\":", key);
  json_write_number(writer->out, value);
}

static void text(struct writer *writer, const char *value) { json_write_text(writer->out, value, strlen(value)); }

static void key_text(struct writer *writer, const char *key, const char *value) {
  buffer_format(writer->out, ",\"%s\":", key);
  text(writer, value);
}

static const struct recorded *result(const struct writer *writer, const char *what) {
  char name[80];
  if (writer->layer < 0) snprintf(name, sizeof name, "%s.%s", writer->name, what);
  else snprintf(name, sizeof name, "%s.%d.%s", writer->name, writer->layer, what);
  return pass_record_find(&writer->record, name);
}

static void add_all_rows(struct writer *writer, const char *key, const struct recorded *item, int first, int columns) {
  if (item)
    key_array(writer, key,
              page_blob_add(writer->blob, item->values + first, (size_t)item->columns, NULL, item->rows, columns, writer->type));
}

// Returns the array's number.
static int add_detail_rows(struct writer *writer, const char *key, const float *values, int columns) {
  int array = page_blob_add(writer->blob, values, (size_t)columns, writer->choice.tokens.items, writer->choice.tokens.count,
                            columns, PAGE_F32);
  key_array(writer, key, array);
  return array;
}

static int add_detail(struct writer *writer, const char *key, const struct recorded *item) {
  return item ? add_detail_rows(writer, key, item->values, item->columns) : -1;
}

static void add_vector(struct writer *writer, const char *key, const struct weight *weight) {
  if (weight) key_array(writer, key, page_blob_add_weight(writer->blob, weight, 0, writer->scratch));
}

// ---- tokens ----

static void write_tokens(struct writer *writer, const struct inspected_side *side, const char *first, const char *second) {
  for (int i = 0; i < side->count; i++) {
    word_list_add(&writer->words, side->ids[i], writer->error);
    const char *source = side->sequences[i] == 1 ? second : first;
    const char *name = tokenizer_token(writer->subject->tokenizer, side->ids[i]);
    buffer_format(writer->out, "%s{\"id\":%d,\"type\":%d,\"sequence\":%d", i ? "," : "", side->ids[i], side->types[i],
                  side->sequences[i]);
    key_text(writer, "label", side->labels[i]);
    key_text(writer, "name", name ? name : "?");
    if (source && side->sequences[i] >= 0 && side->ends[i] > side->starts[i]) {
      buffer_format(writer->out, ",\"start\":%u,\"end\":%u", side->starts[i], side->ends[i]);
    }
    buffer_char(writer->out, '}');
  }
}

// ---- attention ----

// What each chosen head adds to the output, and in one more row what the others add together: a head's part of the mixed values
// times its columns of the output weight; without one, itself. [tokens * rows, hidden]
static void add_contributions(struct writer *writer, const struct recorded *mixed, const struct weight *output, int heads) {
  const struct page_chosen *tokens = &writer->choice.tokens, *chosen = &writer->choice.heads;
  int width = mixed->columns / heads, hidden = output ? output->rows : mixed->columns,
      rows = chosen->count + (chosen->count < heads);
  float *sums = memory_new(writer->error, (size_t)tokens->count * (size_t)rows * (size_t)hidden, sizeof *sums);
  if (!sums) return;
  for (int unit = 0; unit < hidden; unit++) {
    const float *weights = output ? weight_row(output, unit, writer->scratch) : NULL;
    for (int i = 0; i < tokens->count; i++)
      for (int head = 0, next = 0; head < heads; head++) {
        const float *values = mixed->values + (size_t)tokens->items[i] * (size_t)mixed->columns;
        double sum = 0;
        for (int c = head * width; c < (head + 1) * width; c++)
          sum += weights ? (double)values[c] * weights[c] : unit == c ? (double)values[c] : 0;
        int row = next < chosen->count && chosen->items[next] == head ? next++ : chosen->count;
        sums[((size_t)i * (size_t)rows + (size_t)row) * (size_t)hidden + (size_t)unit] += (float)sum;
      }
  }
  key_array(writer, "contributions",
            page_blob_add(writer->blob, sums, (size_t)hidden, NULL, tokens->count * rows, hidden, PAGE_F32));
  free(sums);
}

static void add_weights(struct writer *writer, bool cross) {
  const struct recorded *weights = pass_record_weights(&writer->record, cross ? "cross" : writer->name, writer->layer);
  if (!weights) return;
  const struct page_chosen *tokens = &writer->choice.tokens, *heads = &writer->choice.heads;
  size_t columns = (size_t)weights->columns;
  int rows = tokens->count * heads->count;
  float *kept = memory_new(writer->error, (size_t)rows * columns, sizeof *kept), *to = kept;
  if (!kept) return;
  for (int i = 0; i < tokens->count; i++)
    for (int h = 0; h < heads->count; h++, to += columns)
      memcpy(to, weights->values + ((size_t)heads->items[h] * (size_t)weights->rows + (size_t)tokens->items[i]) * columns,
             columns * sizeof *to);
  key_array(writer, "weights", page_blob_add(writer->blob, kept, columns, NULL, rows, weights->columns, PAGE_F32));
  free(kept);
}

// Queries and keys, from which the page computes the weights; of a layer whose steps are given also values, and how queries came
// about.
static void add_projections(struct writer *writer, bool cross, bool steps) {
  const struct stack_arch *shape = writer->stack->arch;
  int width = arch_head_width(&writer->subject->model->arch, shape), query = shape->heads * width, key = shape->kv_heads * width;
  const struct recorded *rotated = cross ? NULL : result(writer, "self.rotary");
  const struct recorded *asking = rotated ? rotated : result(writer, cross ? "cross.query" : "self.query_key_value");
  const struct recorded *unit = result(writer, cross ? "cross.query.unit" : "self.unit"), *queries = unit ? unit : asking;
  const struct recorded *keys = cross ? result(writer, unit ? "cross.key.unit" : "cross.key_value") : queries;
  const struct recorded *general = result(writer, cross ? "cross.attention.general" : "self.attention.general");
  const struct layer *layer = &writer->stack->layers[writer->layer];
  int before = cross ? 0 : query;
  add_all_rows(writer, "query", general ? general : queries, 0, query);
  add_all_rows(writer, "key", keys, before, key);
  if (writer->subject->model->arch.attention_score == SCORE_ADDITIVE)
    add_vector(writer, "score_vectors", cross ? layer->cross.score : layer->self.score);
  if (!steps) return;
  add_all_rows(writer, "value", keys, before + key, key);
  if (unit || general) add_detail(writer, "asking", asking);
  if (!rotated) return;
  buffer_text(writer->out, ",\"rotated\":true");
  add_detail(writer, "unrotated", result(writer, "self.query_key_value"));
}

// ---- norms ----

// Of each group of columns over all tokens: the mean of the values, or of their squared distances from `means`.
static void add_column_mean(struct writer *writer, const char *key, const float *rows, int columns, int groups, float *means,
                            bool variance) {
  int tokens = writer->side->count, width = columns / groups;
  float *found = memory_new(writer->error, (size_t)groups, sizeof *found);
  for (int group = 0; found && group < groups; group++) {
    double sum = 0;
    for (int i = 0; i < tokens; i++)
      for (int c = group * width; c < (group + 1) * width; c++) {
        double value = (double)rows[(size_t)i * (size_t)columns + (size_t)c] - (variance ? (double)means[group] : 0);
        sum += variance ? value * value : value;
      }
    found[group] = (float)(sum / ((double)tokens * width));
  }
  if (found) key_array(writer, key, page_blob_add(writer->blob, found, (size_t)groups, NULL, 1, groups, PAGE_F32));
  if (found && !variance) memcpy(means, found, (size_t)groups * sizeof *means);
  free(found);
}

// What a norm has besides the row: prefix "", "embedding_" or "first_". rows: what is normalised, of all tokens.
static void add_norm(struct writer *writer, const char *prefix, const struct norm_weights *norm, const float *rows, int columns) {
  const struct arch *arch = &writer->subject->model->arch;
  char key[32];
#define KEY(name) (snprintf(key, sizeof key, "%s%s", prefix, name), key)
  add_vector(writer, KEY("gain"), norm->gain);
  add_vector(writer, KEY("bias"), norm->bias);
  if (!arch_norm_spans_rows(arch)) return;
  if (norm->running.mean) {
    add_vector(writer, KEY("mean"), norm->running.mean);
    add_vector(writer, KEY("variance"), norm->running.variance);
    return;
  }
  int groups = arch->norm == NORM_GROUP ? arch->norm_groups : columns;
  float *means = memory_new(writer->error, (size_t)groups, sizeof *means);
  if (means) add_column_mean(writer, KEY("mean"), rows, columns, groups, means, false);
  if (means) add_column_mean(writer, KEY("variance"), rows, columns, groups, means, true);
  free(means);
#undef KEY
}

// ---- sublayers ----

struct sublayer {
  const char *name;                            // "self", "cross", "feed_forward"
  const struct recorded *input;                // what it reads
  const struct linear_weights *output;         // its last product
  const struct norm_weights *norm;             // that makes its result from the sum; NULL or without gain: none
};

// sum += output; the rows before and after are part of the step in numbers.
static void write_sum(struct writer *writer, const struct recorded *output) {
  bool residual = writer->subject->model->arch.residual;
  size_t cells = (size_t)output->rows * (size_t)output->columns;
  if (writer->sum_array >= 0) key_array(writer, "before", writer->sum_array);
  else add_detail_rows(writer, "before", writer->sum, output->columns);
  add_detail(writer, "output", output);
  for (size_t i = 0; i < cells; i++) writer->sum[i] = residual ? writer->sum[i] + output->values[i] : output->values[i];
  writer->sum_array = add_detail_rows(writer, "after", writer->sum, output->columns);
}

// Without an output weight, what attention gave is the output.
static const struct recorded *output_of(const struct writer *writer, const char *sublayer) {
  char name[40];
  bool attention = strcmp(sublayer, "feed_forward") != 0;
  if (attention && writer->subject->model->arch.attention_bare)
    return result(writer, strcmp(sublayer, "cross") == 0 ? "cross.attention" : "self.attention");
  snprintf(name, sizeof name, "%s.%s", sublayer, attention ? "output" : "down");
  return result(writer, name);
}

static void write_inside(struct writer *writer, const struct sublayer *sublayer) {
  bool cross = strcmp(sublayer->name, "cross") == 0;
  if (strcmp(sublayer->name, "feed_forward") == 0) {
    const struct recorded *gated = result(writer, "feed_forward.gate"), *up = result(writer, "feed_forward.up");
    if (gated) add_detail(writer, "halves", up);
    add_detail(writer, "up", gated ? gated : up);
    return;
  }
  const struct recorded *mixed = result(writer, cross ? "cross.attention" : "self.attention");
  add_projections(writer, cross, true);
  add_weights(writer, cross);
  add_detail(writer, "mixed", mixed);
  if (mixed) add_contributions(writer, mixed, sublayer->output->weight, writer->stack->arch->heads);
}

static void begin_sublayer(struct writer *writer, const char *name) {
  buffer_format(writer->out, "\"%s\":{\"hidden\":%d", name, writer->subject->model->arch.hidden);
}

// Returns what the next sublayer reads.
static const struct recorded *write_sublayer(struct writer *writer, const struct sublayer *sublayer) {
  const struct recorded *output = output_of(writer, sublayer->name), *normed = result(writer, sublayer->name);
  begin_sublayer(writer, sublayer->name);
  if (sublayer->input && sublayer->input == writer->result) key_array(writer, "input", writer->result_array);
  else add_detail(writer, "input", sublayer->input);
  write_inside(writer, sublayer);
  add_vector(writer, "output_bias", sublayer->output->bias);
  if (output) write_sum(writer, output);
  if (sublayer->norm && sublayer->norm->gain)
    add_norm(writer, "", sublayer->norm, writer->sum, writer->subject->model->arch.hidden);
  writer->result = normed;
  writer->result_array = add_detail(writer, "result", normed);
  buffer_char(writer->out, '}');
  bool post = writer->subject->model->arch.norm_place == NORM_POST;
  if (!post || !normed) return normed;
  writer->sum_array = writer->result_array;
  memcpy(writer->sum, normed->values, (size_t)normed->rows * (size_t)normed->columns * sizeof *writer->sum);
  return normed;
}

static void write_layer(struct writer *writer, const struct recorded **input) {
  const struct stack *stack = writer->stack;
  const struct layer *layer = &stack->layers[writer->layer];
  bool pre = writer->subject->model->arch.norm_place == NORM_PRE, cross = stack->cross;
  bool last = writer->layer + 1 == stack->arch->layers;
  const struct norm_weights *after_self = cross ? &layer->cross.norm : &layer->feed_forward_norm;
  const struct norm_weights *after_layer = last ? &stack->final_norm : &layer[1].self.norm;
  *input = write_sublayer(writer, &(struct sublayer){"self", *input, &layer->self.output, pre ? after_self : &layer->self.norm});
  buffer_char(writer->out, ',');
  if (cross) {
    *input = write_sublayer(
        writer, &(struct sublayer){"cross", *input, &layer->cross.output, pre ? &layer->feed_forward_norm : &layer->cross.norm});
    buffer_char(writer->out, ',');
  }
  *input = write_sublayer(
      writer, &(struct sublayer){"feed_forward", *input, &layer->down, pre ? after_layer : &layer->feed_forward_norm});
}

// Of a layer whose steps are left out the page has its attention; the residual stream goes on behind it.
static void write_attention_alone(struct writer *writer, const struct recorded **input) {
  char name[48];
  for (int cross = 0; cross <= (writer->stack->cross ? 1 : 0); cross++) {
    if (cross) buffer_char(writer->out, ',');
    begin_sublayer(writer, cross ? "cross" : "self");
    add_projections(writer, cross, false);
    buffer_char(writer->out, '}');
  }
  snprintf(name, sizeof name, "%s.hidden.%d", writer->name, writer->layer + 1);
  const struct recorded *hidden = pass_record_find(&writer->record, name);
  if (hidden) memcpy(writer->sum, hidden->values, (size_t)hidden->rows * (size_t)hidden->columns * sizeof *writer->sum);
  writer->sum_array = -1;
  writer->result = NULL;
  *input = result(writer, "feed_forward");
}

// ---- a stack ----

static void write_chosen(struct writer *writer, const char *key, const struct page_chosen *chosen) {
  buffer_format(writer->out, ",\"%s\":[", key);
  for (int i = 0; i < chosen->count; i++) buffer_format(writer->out, "%s%d", i ? "," : "", chosen->items[i]);
  buffer_char(writer->out, ']');
}

static struct page_extent extent_of(const struct writer *writer) {
  const struct stack_arch *shape = writer->stack->arch;
  const struct weight *head = writer->subject->model->head.vocabulary.weight;
  return (struct page_extent){.tokens = writer->side->count,
                              .layers = shape->layers,
                              .heads = shape->heads,
                              .feed_forward = shape->ffn,
                              .hidden = writer->subject->model->arch.hidden,
                              .vocabulary = head ? head->rows : 0};
}

// A page needs the first and the last alone.
static void write_states(struct writer *writer) {
  int layers = writer->stack->arch->layers;
  buffer_text(writer->out, ",\"states\":[");
  for (int i = 0; i <= layers; i++) {
    if (!writer->wanted->plain && i > 0 && i < layers) continue;
    char name[48];
    snprintf(name, sizeof name, "%s.hidden.%d", writer->name, i);
    const struct recorded *hidden = pass_record_find(&writer->record, name);
    if (hidden)
      buffer_format(writer->out, "%s%d", i ? "," : "",
                    page_blob_add(writer->blob, hidden->values, (size_t)hidden->columns, NULL, hidden->rows, hidden->columns,
                                  writer->type));
  }
  buffer_char(writer->out, ']');
}

static void write_layers(struct writer *writer) {
  const struct arch *arch = &writer->subject->model->arch;
  writer->layer = -1;
  const struct recorded *embedded = result(writer, "hidden.0"),
                        *input = arch->norm_place == NORM_PRE ? result(writer, "first_norm") : embedded;
  buffer_text(writer->out, ",\"layers\":[");
  if (embedded) {
    memcpy(writer->sum, embedded->values, (size_t)embedded->rows * (size_t)embedded->columns * sizeof *writer->sum);
    if (!input) input = embedded;
    for (writer->layer = 0; writer->layer < writer->stack->arch->layers; writer->layer++) {
      buffer_text(writer->out, writer->layer ? ",{" : "{");
      if (page_chosen_has(&writer->choice.layers, writer->layer)) write_layer(writer, &input);
      else write_attention_alone(writer, &input);
      buffer_char(writer->out, '}');
    }
  }
  buffer_char(writer->out, ']');
  writer->layer = -1;
}

// A table's rows of the detail tokens: of token i the row row_of(writer, i).
static void add_table_rows(struct writer *writer, const char *key, const struct weight *table,
                           int (*row_of)(const struct writer *writer, int token)) {
  const struct page_chosen *tokens = &writer->choice.tokens;
  if (!table || !tokens->count) return;
  size_t columns = (size_t)table->cols;
  float *rows = memory_new(writer->error, (size_t)tokens->count * columns, sizeof *rows);
  if (!rows) return;
  for (int i = 0; i < tokens->count; i++) {
    int row = row_of(writer, tokens->items[i]);
    if (row >= 0 && row < table->rows)
      memcpy(rows + (size_t)i * columns, weight_row(table, row, writer->scratch), columns * sizeof *rows);
  }
  key_array(writer, key, page_blob_add(writer->blob, rows, columns, NULL, tokens->count, table->cols, PAGE_F32));
  free(rows);
}

static int word_row(const struct writer *writer, int token) { return writer->side->ids[token]; }
static int position_row(const struct writer *writer, int token) { return token + writer->subject->model->arch.position_offset; }
static int segment_row(const struct writer *writer, int token) { return writer->side->types[token]; }

static void write_embeddings(struct writer *writer) {
  const struct arch *arch = &writer->subject->model->arch;
  const struct stack *stack = writer->stack;
  writer->layer = -1;
  add_table_rows(writer, "word_rows", stack->embedding, word_row);
  add_table_rows(writer, "position_rows", stack->positions, position_row);
  add_table_rows(writer, "segment_rows", stack->types, segment_row);
  const struct recorded *unnormed = result(writer, "embedding");
  if (unnormed && stack->embedding_norm.gain)
    add_norm(writer, "embedding_", &stack->embedding_norm, unnormed->values, unnormed->columns);
  if (stack->embedding_norm.gain) add_detail(writer, "embedding_result", result(writer, "embedding_norm"));
  add_detail(writer, "embedded", result(writer, "embedding"));
  add_detail(writer, "embedding_projected", result(writer, "embedding_projection"));
  if (writer->stack->positions)
    key_array(writer, "positions",
              page_blob_add_weight(writer->blob, writer->stack->positions, POSITIONS_SHOWN, writer->scratch));
  if (arch->norm_place == NORM_PRE && writer->stack->layers[0].self.norm.gain) {
    const struct recorded *embedded = result(writer, "hidden.0");
    if (embedded) add_norm(writer, "first_", &writer->stack->layers[0].self.norm, embedded->values, embedded->columns);
    add_detail(writer, "first_result", result(writer, "first_norm"));
  }
  const struct recorded *relative = result(writer, "relative");
  if (relative)
    key_array(writer, "relative",
              page_blob_add(writer->blob, relative->values, (size_t)relative->columns, NULL, relative->rows, relative->columns,
                            PAGE_F32));
  nearest_words_write(writer->out, &writer->words, writer->stack->embedding, writer->subject->model->kernels, writer->side->ids,
                      writer->side->count, writer->error);
}

static bool predicts(const struct writer *writer) {
  const struct model *model = writer->subject->model;
  return model->head.vocabulary.weight &&
         (model->arch.family == FAMILY_ENCODER ? writer->stack == &model->encoder : writer->stack == &model->decoder);
}

// What each layer would say, and the logits from which the page computes the last one's probabilities.
static bool write_predictions(struct writer *writer) {
  const struct page_chosen *tokens = &writer->choice.tokens;
  const struct model *model = writer->subject->model;
  int vocabulary = model->head.vocabulary.weight->rows;
  float *logits = memory_new(writer->error, (size_t)(tokens->count + 1) * (size_t)vocabulary, sizeof *logits);
  bool fine = logits && logit_lens_write(writer->out, &writer->words, model, &writer->record, writer->name, writer->side->count,
                                         writer->side->ids, tokens, logits, writer->error);
  if (fine)
    key_array(writer, "logits",
              page_blob_add(writer->blob, logits, (size_t)vocabulary, NULL, tokens->count, vocabulary, PAGE_F32));
  free(logits);
  return fine;
}

static bool write_stack(struct writer *writer, const struct stack *stack, const char *name, const struct inspected_side *side,
                        const char *first, const char *second) {
  const struct arch *arch = &writer->subject->model->arch;
  int width = arch_head_width(arch, stack->arch);
  writer->stack = stack;
  writer->name = name;
  writer->side = side;
  struct page_extent extent = extent_of(writer);
  bool fine = page_choice_make(&writer->choice, writer->wanted, &extent, writer->error);
  writer->sum = memory_new(writer->error, (size_t)side->count * (size_t)arch->hidden, sizeof *writer->sum);
  fine = fine && writer->sum;
  if (fine) {
    writer->sum_array = -1;
    writer->result = NULL;
    size_t numbers = (size_t)side->count * (size_t)stack->arch->layers * (size_t)arch->hidden * 4;
    writer->type = writer->wanted->plain || numbers < SOME_NUMBERS ? PAGE_F32 : numbers < MANY_NUMBERS ? PAGE_F24 : PAGE_F16;
    buffer_format(writer->out, "{\"name\":\"%s\",\"causal\":%s,\"heads\":%d,\"kv_heads\":%d,\"width\":%d", name,
                  stack->causal ? "true" : "false", stack->arch->heads, stack->arch->kv_heads, width);
    key_number(writer, "sharing", stack->arch->groups ? stack->arch->layers / stack->arch->groups : 1);
    key_number(writer, "scale", arch_attention_scale(arch, stack->arch));
    buffer_text(writer->out, ",\"tokens\":[");
    write_tokens(writer, side, first, second);
    buffer_char(writer->out, ']');
    write_chosen(writer, "detail", &writer->choice.tokens);
    write_chosen(writer, "detail_layers", &writer->choice.layers);
    write_chosen(writer, "detail_heads", &writer->choice.heads);
    write_embeddings(writer);
    write_states(writer);
    write_layers(writer);
    if (predicts(writer)) fine = write_predictions(writer);
    buffer_char(writer->out, '}');
  }
  page_choice_free(&writer->choice);
  free(writer->sum);
  return fine && writer->error->code == ERROR_NONE;
}

// ---- the whole ----

static void write_model(struct writer *writer) {
  static const char *const activations[] = {"none", "relu", "gelu", "gelu_tanh", "silu", "tanh"};
  const struct model *model = writer->subject->model;
  const struct arch *arch = &model->arch;
  buffer_text(writer->out, ",\"model\":{\"layout\":");
  text(writer, arch->layout);
  key_number(writer, "parameters", (double)model_parameters(model));
  key_number(writer, "hidden", arch->hidden);
  key_number(writer, "vocabulary", arch->family == FAMILY_ENCODER ? arch->source_vocab : arch->target_vocab);
  key_text(writer, "score", knob_find_name(score_names, arch->attention_score));
  buffer_format(writer->out, ",\"bare\":%s,\"window\":%d", arch->attention_bare ? "true" : "false", arch->attention_window);
  key_text(writer, "norm", knob_find_name(norm_names, arch->norm));
  key_text(writer, "place", knob_find_name(norm_place_names, arch->norm_place));
  key_text(writer, "activation", activations[arch->activation]);
  key_number(writer, "epsilon", arch->norm_epsilon);
  key_number(writer, "embedding_scale", arch->embedding_scale);
  buffer_format(writer->out, ",\"epsilon_outside\":%s,\"residual\":%s}", arch->norm_epsilon_outside ? "true" : "false",
                arch->residual ? "true" : "false");
}

// Small models come with their weights, so that the page computes products itself.
static void write_weights(struct writer *writer) {
  const struct model *model = writer->subject->model;
  if (model_parameters(model) > SMALL_MODEL) return;
  const char *comma = "";
  buffer_text(writer->out, ",\"weights\":{");
  for (int i = 0; i < model->weight_count; i++) {
    const struct weight *weight = &model->weights[i];
    buffer_text(writer->out, comma);
    text(writer, weight->name);
    buffer_format(writer->out, ":%d", page_blob_add_weight(writer->blob, weight, 0, writer->scratch));
    comma = ",";
  }
  buffer_char(writer->out, '}');
}

static bool write_all(struct writer *writer, const struct inspected_text *inspected) {
  const struct page_subject *subject = writer->subject;
  const struct model *model = subject->model;
  bool both = model->arch.family == FAMILY_ENCODER_DECODER;
  buffer_text(writer->out, "{\"title\":");
  text(writer, subject->title);
  write_model(writer);
  buffer_text(writer->out, ",\"texts\":[");
  text(writer, subject->first);
  if (subject->second) {
    buffer_char(writer->out, ',');
    text(writer, subject->second);
  }
  buffer_text(writer->out, "],\"stacks\":[");
  bool fine = true;
  if (inspected->source.count)
    fine = write_stack(writer, &model->encoder, "encoder", &inspected->source, subject->first, both ? NULL : subject->second);
  if (fine && inspected->inputs.count) {
    if (inspected->source.count) buffer_char(writer->out, ',');
    fine = write_stack(writer, &model->decoder, "decoder", &inspected->inputs, both ? subject->second : subject->first,
                                both ? NULL : subject->second);
  }
  buffer_text(writer->out, "],\"outputs\":[");
  if (fine) write_tokens(writer, &inspected->outputs, subject->second, NULL);
  buffer_char(writer->out, ']');
  write_weights(writer);
  word_list_write(writer->out, &writer->words, subject->tokenizer, writer->error);
  buffer_char(writer->out, '}');
  return fine && writer->error->code == ERROR_NONE && buffer_check(writer->out, writer->error) &&
         buffer_check(&writer->blob->bytes, writer->error) && buffer_check(&writer->blob->list, writer->error);
}

static int widest_row(const struct model *model) {
  int widest = 1;
  for (int i = 0; i < model->weight_count; i++)
    if (model->weights[i].cols > widest) widest = model->weights[i].cols;
  return widest;
}

// Of both stacks, whichever has more.
static struct page_extent largest_extent(const struct arch *arch, const struct inspected_text *text) {
  struct page_extent most = {0};
  const struct { int tokens; const struct stack_arch *stack; } sides[] = {{text->source.count, &arch->encoder},
                                                                          {text->inputs.count, &arch->decoder}};
  for (int i = 0; i < 2; i++) {
    if (!sides[i].tokens) continue;
    if (sides[i].tokens > most.tokens) most.tokens = sides[i].tokens;
    if (sides[i].stack->layers > most.layers) most.layers = sides[i].stack->layers;
    if (sides[i].stack->heads > most.heads) most.heads = sides[i].stack->heads;
  }
  return most;
}

bool page_data_write(struct buffer *out, struct page_blob *blob, const struct page_subject *subject,
                     const struct page_detail *detail, struct error *error) {
  struct writer writer = {.out = out, .blob = blob, .error = error, .subject = subject, .wanted = detail, .layer = -1};
  struct inspected_text inspected;
  if (!inspected_text_make(&inspected, &subject->model->arch, subject->tokenizer, subject->first, subject->second, error))
    return false;
  writer.scratch = memory_new(error, (size_t)widest_row(subject->model), sizeof *writer.scratch);
  struct pass_sides sides = inspected_text_sides(&inspected);
  struct page_extent most = largest_extent(&subject->model->arch, &inspected);
  bool fine = writer.scratch && page_detail_check(detail, &most, error) &&
              pass_record_run(&writer.record, subject->model, &sides, PASS_EVERYTHING, error) && write_all(&writer, &inspected);
  pass_record_free(&writer.record);
  word_list_free(&writer.words);
  free(writer.scratch);
  inspected_text_free(&inspected);
  return fine;
}
