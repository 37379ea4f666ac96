// Cross-entropy down the columns of small logits: a group is some rows one after the other, and each column has one right row in
// it. Spans: a text's rows, two columns (start and end). Choices: the scores of one question's texts, one column.
#include <string.h>

#include "tensor/operations.h"
#include "tensor/tape.h"

struct group_node {
  struct node node;
  struct tensor *logits;
  float *turned;   // each group's columns one after the other as rows; after the loss: their gradients
  const struct row_group *groups;
  int count;
};

// rows [count, cols] <-> columns [cols, count]
static void turn(float *columns, const float *rows, int count, int cols) {
  for (int r = 0; r < count; r++)
    for (int c = 0; c < cols; c++) columns[(size_t)c * (size_t)count + (size_t)r] = rows[(size_t)r * (size_t)cols + (size_t)c];
}

static void turn_back(float *rows, const float *columns, int count, int cols) {
  for (int r = 0; r < count; r++)
    for (int c = 0; c < cols; c++) rows[(size_t)r * (size_t)cols + (size_t)c] = columns[(size_t)c * (size_t)count + (size_t)r];
}

static void backward(struct context *context, struct node *base) {
  struct group_node *node = (struct group_node *)base;
  struct tensor *logits = node->logits;
  float *fresh = logits->wanted ? tensor_gradient_fresh(context, logits) : NULL;
  if (!fresh) return;
  if (!context->arena.measuring) {
    size_t cols = (size_t)logits->cols;
    memset(fresh, 0, (size_t)logits->rows * cols * sizeof *fresh);
    const float *turned = node->turned;
    for (int g = 0; g < node->count; turned += (size_t)node->groups[g++].count * cols)
      turn_back(fresh + (size_t)node->groups[g].first * cols, turned, node->groups[g].count, logits->cols);
  }
  tensor_gradient_add(context, logits, fresh);
}

static void add_up(struct head_loss *loss, const float losses[], const int32_t best[], const struct row_group *group, int cols,
                   float *kept) {
  double sum = 0;
  bool right = true;
  for (int c = 0; c < cols; c++) {
    sum += losses[c];
    right &= best[c] == group->targets[c];
  }
  loss->sum += sum / cols;
  loss->plain_sum += sum / cols;
  loss->count++;
  loss->correct += right;
  if (kept) *kept = (float)(sum / cols);
}

bool op_group_loss(struct context *context, const char *name, struct tensor *logits, const struct row_group *groups, int count,
                   float scale, struct head_loss *loss, float *losses) {
  if (!logits) return false;
  struct group_node *node = scale != 0 ? tape_record(context, sizeof *node, backward, name) : NULL;
  int cols = logits->cols;
  size_t cells = 0;
  for (int g = 0; g < count; g++) cells += (size_t)groups[g].count * (size_t)cols;
  float *turned = context_memory(context, cells * sizeof *turned);
  if (!turned) return false;
  if (node) *node = (struct group_node){node->node, logits, turned, groups, count};
  if (context->arena.measuring) return true;
  for (int g = 0; g < count; turned += (size_t)groups[g++].count * (size_t)cols) {
    float found[GROUP_COLUMNS];
    int32_t best[GROUP_COLUMNS];
    turn(turned, logits->data + (size_t)groups[g].first * (size_t)cols, groups[g].count, cols);
    context->kernels->cross_entropy(found, NULL, best, turned, groups[g].count, groups[g].targets, cols, groups[g].count, 0,
                                    node ? scale / (float)cols : 0);
    if (groups[g].targets[0] >= 0) add_up(loss, found, best, &groups[g], cols, losses ? &losses[g] : NULL);
    else if (losses) losses[g] = 0;
  }
  return context_ok(context);
}
