// The tape: what an operation leaves behind so that backward can undo it, newest first.
//
// Each operation's node starts with a struct node. Values lie at the low end of the context's arena in order of creation;
// when a node's backward is done, everything from it on is dead and the low end shrinks to where the node began. Gradients
// lie at the high end; the memory of a released one is used again (shapes repeat from layer to layer).
//
// Values that cost little beside the products around them (a norm's, an activation's) aren't kept for backward: once forward
// doesn't read them any more they are forgotten, and a backward that multiplies with them gets them made again, the same bits,
// from what their operation keeps. They lie among the gradients.
//
// The gradient rule: whoever adds to a tensor's gradient asks tensor_gradient for it; the first to ask gets fresh memory
// and has to set it, later ones have to add.
#pragma once
#include "tensor/context.h"

struct node {
  struct node *previous;
  void (*backward)(struct context *context, struct node *node);
  void (*remake)(struct context *context, struct node *node);  // of nodes that are some tensor's maker: sets its values
  const char *name;
  size_t low;  // the arena's low end before the operation
};

// Called by an operation before it takes memory for its values. NULL when nothing is to be recorded or the context failed.
void *tape_record(struct context *context, size_t size, void (*backward)(struct context *, struct node *), const char *name);
// Runs backward over the whole tape.
void tape_backward(struct context *context);

struct tensor *tensor_new(struct context *context, int rows, int cols);
// One that may be forgotten: `remake` of its node can make its values; NULL where only `half` will be asked for. node NULL
// (nothing is recorded): as tensor_new.
struct tensor *tensor_new_remade(struct context *context, int rows, int cols, struct node *node,
                                 void (*remake)(struct context *context, struct node *node));
// Nothing reads the values until tensor_values is asked for them: whoever will in backward has to be an op_linear. Does nothing
// where they can't be made again, nor while nothing is recorded: a layer that will run again reads its input as it is.
void tensor_forget(struct context *context, struct tensor *tensor);
// For backward: the values, made again if need be. Their own operation forgets them when its backward begins, being the last to
// run of those that read them. NULL when the context failed.
const float *tensor_values(struct context *context, struct tensor *tensor);
// A tensor's gradient, made if need be: *first says that it has to be set, not added to. NULL when the context failed.
float *tensor_gradient(struct context *context, struct tensor *tensor, bool *first);
// For operations that can only set: fresh memory to set, and tensor_gradient_add hands it over.
float *tensor_gradient_fresh(struct context *context, struct tensor *tensor);
void tensor_gradient_add(struct context *context, struct tensor *tensor, float *fresh);
void tensor_gradient_release(struct context *context, struct tensor *tensor);

// Reports a finished operation to the probe.
void context_report(struct context *context, const char *name, const struct tensor *tensor);
