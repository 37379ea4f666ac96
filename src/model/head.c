// The heads: what a model says about the last hidden states, and what it is told there while it learns.
//
// Rows that have no target don't reach the vocabulary: they are left out before the head's transform. Texts are one row each,
// from the pooler on.
#include <math.h>
#include <string.h>

#include "model/dropout_make.h"
#include "model/model.h"
#include "tensor/operations.h"
#include "tensor/tape.h"

enum { HEAD_SITES = 2 << 20 };  // behind the stacks' dropout sites
enum site { SITE_POOLER = HEAD_SITES, SITE_CLASSIFIER, SITE_ROWS };

static const struct batch_side *predicting_side(const struct model *model, const struct batch *batch) {
  return model->arch.family == FAMILY_ENCODER ? &batch->source : &batch->target;
}

static struct tensor *linear(struct context *context, const char *name, struct tensor *x, const struct linear_weights *weights,
                             enum activation activation) {
  return op_linear(context, name, x, weights->weight, weights->bias, activation, &(struct dropout){0});
}

struct tensor *model_hidden(struct context *context, const struct model *model, const struct batch *batch) {
  if (arch_has_features(&model->arch)) return model_features(context, model, predicting_side(model, batch));
  struct tensor *encoded = model->arch.family != FAMILY_DECODER ? model_encode(context, model, &batch->source) : NULL;
  if (!context_ok(context) || model->arch.family == FAMILY_ENCODER) return encoded;
  return model_decode(context, model, batch, encoded);
}

// ---- the vocabulary ----

// What is multiplied with the vocabulary's matrix.
static struct tensor *transform(struct context *context, const struct model *model, struct tensor *hidden) {
  const struct arch *arch = &model->arch;
  const struct head_weights *head = &model->head;
  if (!head->transform.weight) return hidden;
  struct tensor *x = linear(context, "head.transform", hidden, &head->transform, arch->head_activation);
  if (!head->transform_norm.gain) return x;
  struct norm kind = arch_norm(arch);  // layer norm where the stack's norm is one of sequences: these rows are none
  return op_residual_norm(context, "head.transform.norm", NULL, x, NULL, head->transform_norm.gain, head->transform_norm.bias,
                          &kind, &(struct dropout){0});
}

struct tensor *model_logits(struct context *context, const struct model *model, struct tensor *hidden, const int32_t *rows,
                            int count) {
  if (rows) hidden = op_gather(context, "head.rows", hidden, rows, count);
  return linear(context, "head", transform(context, model, hidden), &model->head.vocabulary, ACTIVATION_NONE);
}

// ---- texts ----

static const uint64_t *text_keys(struct context *context, const struct batch_side *side, const struct batch *batch) {
  if (!side->row_keys) return NULL;
  uint64_t *keys = context_node(context, (size_t)batch->text_count * sizeof *keys);
  for (int i = 0; keys && i < batch->text_count; i++) keys[i] = side->row_keys[batch->texts[i].row];
  return keys;
}

// Every text needs its second row: a state counted once beside states that are added up would not be compared fairly.
static struct tensor *add_second_rows(struct context *context, const struct batch *batch, struct tensor *hidden,
                                      struct tensor *pooled) {
  static const struct norm no_norm = {0};
  int32_t *rows = context_node(context, (size_t)batch->text_count * sizeof *rows);
  for (int i = 0; rows && i < batch->text_count; i++) {
    rows[i] = batch->texts[i].second;
    if (rows[i]) continue;
    error_set(context->error, ERROR_USAGE,
              "the model reads pairs in both orders, as qkv predict gives them; text %d of the batch has one order", i + 1);
    return NULL;
  }
  struct tensor *second = rows ? op_gather(context, "head.second_texts", hidden, rows, batch->text_count) : NULL;
  if (!second) return NULL;
  return op_residual_norm(context, "head.both_orders", NULL, pooled, second, NULL, NULL, &no_norm, &(struct dropout){0});
}

static struct tensor *drop_out(struct context *context, const char *name, struct tensor *x, float rate, enum site site,
                               const uint64_t *keys) {
  struct dropout dropout = dropout_make(context, rate, (uint32_t)site, keys);
  return op_dropout(context, name, x, &dropout);
}

static struct tensor *one_row(struct context *context, const struct batch *batch, struct tensor *hidden) {
  int32_t *rows = context_node(context, (size_t)batch->text_count * sizeof *rows);
  for (int i = 0; rows && i < batch->text_count; i++) rows[i] = batch->texts[i].row;
  return rows ? op_gather(context, "head.texts", hidden, rows, batch->text_count) : NULL;
}

static struct tensor *mean_rows(struct context *context, const struct batch *batch, struct tensor *hidden) {
  struct row_group *groups = context_node(context, (size_t)batch->text_count * sizeof *groups);
  for (int i = 0; groups && i < batch->text_count; i++)
    groups[i] = (struct row_group){batch->texts[i].first, batch->texts[i].count, {-1, -1}};
  return groups ? op_mean(context, "head.texts", hidden, groups, batch->text_count) : NULL;
}

struct tensor *model_pooled(struct context *context, const struct model *model, const struct batch *batch,
                            struct tensor *hidden) {
  const struct arch *arch = &model->arch;
  struct tensor *pooled = arch->pooling == POOLING_MEAN ? mean_rows(context, batch, hidden) : one_row(context, batch, hidden);
  if (arch->both_orders) pooled = add_second_rows(context, batch, hidden, pooled);
  if (!pooled || !model->head.pooler.weight) return pooled;
  if (arch->pooler_dropout)
    pooled = drop_out(context, "head.pooler.dropout", pooled, arch->head_dropout, SITE_POOLER,
                      text_keys(context, predicting_side(model, batch), batch));
  return linear(context, "head.pooler", pooled, &model->head.pooler, arch->pooler_activation);
}

// Next sentence is told from the pooled row as it is (Devlin et al. 2019); a new classifier has dropout before it.
static struct tensor *before_classifier(struct context *context, const struct model *model, const struct batch *batch,
                                        struct tensor *pooled) {
  const struct arch *arch = &model->arch;
  if (arch->head != HEAD_CLASSIFY && !arch_has_choices(arch)) return pooled;
  return drop_out(context, "head.dropout", pooled, arch->head_dropout, SITE_CLASSIFIER,
                  text_keys(context, predicting_side(model, batch), batch));
}

static struct tensor *classifier_logits(struct context *context, const struct model *model, struct tensor *x) {
  return linear(context, "head.classifier", x, &model->head.classifier, ACTIVATION_NONE);
}

// ---- inference ----

bool model_head_outputs(struct context *context, const struct model *model, const struct batch *batch, struct tensor *hidden,
                        const int32_t *rows, int count, struct head_outputs *out) {
  const struct arch *arch = &model->arch;
  *out = (struct head_outputs){0};
  if (!context_ok(context)) return false;
  if (arch_has_vocabulary(arch)) out->rows = model_logits(context, model, hidden, rows, count);
  if (arch->head == HEAD_TAG || arch->head == HEAD_SPAN) out->rows = classifier_logits(context, model, hidden);
  if (arch->head == HEAD_REPLACED) out->rows = classifier_logits(context, model, transform(context, model, hidden));
  if (batch->text_count && (arch_has_texts(arch) || arch->pooler)) out->pooled = model_pooled(context, model, batch, hidden);
  if (out->pooled && arch_has_texts(arch)) out->texts = classifier_logits(context, model, out->pooled);
  return context_ok(context);
}

// ---- losses ----

struct learning {
  struct context *context;
  const struct model *model;
  const struct batch *batch;
  struct tensor *hidden;
  float smoothing;
};

// Rows that have a label, if those are not all: NULL otherwise.
static int32_t *labelled_rows(struct context *context, const struct batch *batch, int rows) {
  if (batch->label_count == rows) return NULL;
  int32_t *found = context_node(context, (size_t)batch->label_count * sizeof *found);
  int count = 0;
  for (int row = 0; found && row < rows && count < batch->label_count; row++)
    if (batch->labels[row] >= 0) found[count++] = row;
  return found;
}

static void spread(float *losses, const float *found, const int32_t *rows, int count, int all) {
  memset(losses, 0, (size_t)all * sizeof *losses);
  for (int i = 0; i < count; i++) losses[rows[i]] = found[i];
}

// Of rows that all have labels.
static bool learn_labels(const struct learning *learning, struct tensor *x, const int32_t *labels, float scale,
                         struct head_loss *loss, float *losses) {
  const struct model *model = learning->model;
  bool tag = model->arch.head == HEAD_TAG;
  const struct linear_weights *weights = tag ? &model->head.classifier : &model->head.vocabulary;
  if (!tag) x = transform(learning->context, model, x);
  if (model->arch.head == HEAD_REPLACED)
    return op_binary_loss(learning->context, "head.loss", classifier_logits(learning->context, model, x), labels, scale, loss,
                          losses);
  return op_head_loss(learning->context, "head", x, weights->weight, weights->bias, labels, learning->smoothing, scale, loss,
                      losses);
}

// Rows with labels: of the vocabulary, tags, or whether they were replaced.
static bool learn_rows(const struct learning *learning, float scale, struct head_loss *loss, float *losses) {
  struct context *context = learning->context;
  const struct model *model = learning->model;
  const struct batch *batch = learning->batch;
  bool tag = model->arch.head == HEAD_TAG;
  struct tensor *x = learning->hidden;
  int all = x->rows;
  if (tag) x = drop_out(context, "head.dropout", x, model->arch.head_dropout, SITE_ROWS, predicting_side(model, batch)->row_keys);
  int32_t *rows = labelled_rows(context, batch, all);
  const int32_t *labels = batch->labels;
  float *found = losses;
  if (rows) {
    int32_t *kept = context_node(context, (size_t)batch->label_count * sizeof *kept);
    for (int i = 0; kept && i < batch->label_count; i++) kept[i] = batch->labels[rows[i]];
    labels = kept;
    x = op_gather(context, "head.rows", x, rows, batch->label_count);
    if (losses) found = context_node(context, (size_t)batch->label_count * sizeof *found);
  }
  if (!context_ok(context) || !learn_labels(learning, x, labels, scale, loss, found)) return false;
  if (rows && losses && !context->arena.measuring) spread(losses, found, rows, batch->label_count, all);
  return true;
}

static bool learn_classes(const struct learning *learning, struct tensor *pooled, float smoothing, float scale,
                          struct head_loss *loss, float *losses) {
  const struct batch *batch = learning->batch;
  const struct linear_weights *weights = &learning->model->head.classifier;
  int32_t *labels = context_node(learning->context, (size_t)batch->text_count * sizeof *labels);
  for (int i = 0; labels && i < batch->text_count; i++) labels[i] = batch->texts[i].label;
  return labels && op_head_loss(learning->context, "head.classifier", pooled, weights->weight, weights->bias, labels, smoothing,
                                scale, loss, losses);
}

static bool learn_values(const struct learning *learning, struct tensor *pooled, float scale, struct head_loss *loss,
                         float *losses) {
  const struct batch *batch = learning->batch;
  float *values = context_node(learning->context, (size_t)batch->text_count * sizeof *values);
  for (int i = 0; values && i < batch->text_count; i++) values[i] = batch->texts[i].value;
  struct tensor *numbers = classifier_logits(learning->context, learning->model, pooled);
  return values && op_squared_error(learning->context, "head.loss", numbers, values, scale, loss, losses);
}

static bool learn_spans(const struct learning *learning, float scale, struct head_loss *loss, float *losses) {
  const struct batch *batch = learning->batch;
  struct row_group *groups = context_node(learning->context, (size_t)batch->text_count * sizeof *groups);
  for (int i = 0; groups && i < batch->text_count; i++) {
    const struct batch_text *text = &batch->texts[i];
    groups[i] = (struct row_group){text->first, text->count, {text->start, text->start < 0 ? -1 : text->end}};
  }
  struct tensor *logits = classifier_logits(learning->context, learning->model, learning->hidden);
  return groups && op_group_loss(learning->context, "head.loss", logits, groups, batch->text_count, scale, loss, losses);
}

static bool learn_choices(const struct learning *learning, struct tensor *pooled, float scale, struct head_loss *loss,
                          float *losses) {
  struct context *context = learning->context;
  const struct batch *batch = learning->batch;
  int count = 0, texts = batch->text_count;
  struct row_group *groups = context_node(context, (size_t)texts * sizeof *groups);
  for (int i = 0; groups && i < texts; i++) {
    if (i == 0 || batch->texts[i].group != batch->texts[i - 1].group) groups[count++] = (struct row_group){i, 0, {-1, -1}};
    struct row_group *group = &groups[count - 1];
    if (batch->texts[i].label == 1) group->targets[0] = i - group->first;
    group->count++;
  }
  float *found = losses ? context_node(context, (size_t)texts * sizeof *found) : NULL;
  struct tensor *scores = classifier_logits(context, learning->model, pooled);
  if (!groups || !op_group_loss(context, "head.loss", scores, groups, count, scale, loss, found)) return false;
  if (!losses) return true;
  memset(losses, 0, (size_t)texts * sizeof *losses);
  for (int g = 0; g < count; g++) losses[groups[g].first] = found[g];
  return true;
}

static bool learn_texts(const struct learning *learning, float scale, struct head_loss *loss, float *losses) {
  const struct arch *arch = &learning->model->arch;
  if (arch->head == HEAD_SPAN) return learn_spans(learning, scale, loss, losses);
  struct tensor *pooled = model_pooled(learning->context, learning->model, learning->batch, learning->hidden);
  pooled = pooled ? before_classifier(learning->context, learning->model, learning->batch, pooled) : NULL;
  if (!pooled) return false;
  if (arch_has_choices(arch)) return learn_choices(learning, pooled, scale, loss, losses);
  if (arch->head == HEAD_CLASSIFY && arch->labels == 1) return learn_values(learning, pooled, scale, loss, losses);
  return learn_classes(learning, pooled, arch->head == HEAD_CLASSIFY ? learning->smoothing : 0, scale, loss, losses);
}

static bool check_targets(struct context *context, const struct model *model, const struct batch *batch, bool rows, bool texts) {
  if (!rows && !texts)
    return error_set(context->error, ERROR_USAGE,
                     "the model has no head that could learn; give it one (a task of qkv train does)");
  if ((rows && !batch->labels && batch->label_count) || (texts && !batch->texts && batch->text_count))
    return error_set(context->error, ERROR_USAGE, "the batch lacks what the model's head learns from: %s",
                     rows && !batch->labels ? "labels of its rows" : "its texts");
  return context_ok(context);
}

bool model_loss(struct context *context, const struct model *model, const struct batch *batch, float label_smoothing,
                struct loss_scale scale, struct loss *loss, float *losses) {
  const struct arch *arch = &model->arch;
  bool rows = arch_has_vocabulary(arch) || arch_has_row_labels(arch), texts = arch_has_texts(arch) || arch->head == HEAD_SPAN;
  if (!check_targets(context, model, batch, rows, texts)) return false;
  struct learning learning = {context, model, batch, model_hidden(context, model, batch), label_smoothing};
  if (!context_ok(context)) return false;
  struct head_loss of_rows = {0}, of_texts = {0};
  if (rows && losses && !batch->label_count && !context->arena.measuring)
    memset(losses, 0, (size_t)learning.hidden->rows * sizeof *losses);
  if (rows && batch->label_count && !learn_rows(&learning, scale.scale, &of_rows, losses)) return false;
  if (texts && batch->text_count && !learn_texts(&learning, rows ? scale.texts : scale.scale, &of_texts, rows ? NULL : losses))
    return false;
  if (context->recording) tape_backward(context);
  const struct head_loss *first = rows ? &of_rows : &of_texts;
  loss->sum += first->sum;
  loss->plain_sum += first->plain_sum;
  loss->count += first->count;
  loss->correct += first->correct;
  if (rows && texts) {
    loss->texts.sum += of_texts.sum;
    loss->texts.plain_sum += of_texts.plain_sum;
    loss->texts.count += of_texts.count;
    loss->texts.correct += of_texts.correct;
  }
  return context_ok(context);
}
