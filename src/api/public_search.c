// The tree of a beam search: the search reports what it looks at, step by step, and this becomes nodes with their texts.
#include <stdlib.h>
#include <string.h>

#include "api/prompt.h"
#include "api/public_context.h"
#include "api/public_generation.h"
#include "api/public_picture.h"
#include "api/source_pieces.h"
#include "base/memory.h"
#include "draw/tree_picture.h"
#include "generate/session.h"
#include "inspect/inspected_text.h"

struct grower {
  struct error *error;
  struct qkv_search_node *nodes;
  size_t count, capacity;
  int64_t *numbers;          // of the search's nodes in this tree
  size_t number_capacity;
};

// What the search starts from.
struct beginning {
  struct source_pieces pieces;
  struct prompt prompt;
  struct generation_request request;
};

// ---- while it searches ----

static const char *fate_of(const struct search_choice *choice) {
  return choice->node < 0 ? "dropped" : choice->ending == ENDING_NONE ? "kept" : "finished";
}

static void grow(void *user, const struct generation_request *request, int step, const struct search_choice *choices, int count) {
  struct grower *grower = user;
  if (grower->error->code != ERROR_NONE) return;
  if (step == 1) grower->count = 0;  // a search that had to make room begins again
  if (!memory_grow(grower->error, &grower->nodes, &grower->capacity, grower->count + (size_t)count, sizeof *grower->nodes))
    return;
  for (int i = 0; i < count; i++) {
    const struct search_choice *choice = &choices[i];
    if (choice->node >= 0) {
      if (!memory_grow(grower->error, &grower->numbers, &grower->number_capacity, (size_t)choice->node + 1,
                       sizeof *grower->numbers))
        return;
      grower->numbers[choice->node] = (int64_t)grower->count;
    }
    int64_t parent = choice->parent < 0 ? -1 : grower->numbers[choice->parent];
    grower->nodes[grower->count++] = (struct qkv_search_node){
      .parent = parent, .step = step, .rank = i, .id = choice->id, .log_probability = choice->log_prob, .sum = choice->sum,
      .score = choice->score, .fate = fate_of(choice)};
  }
}

// ---- before ----

static bool begin_translation(struct beginning *beginning, const struct model *model, const struct tokenizer *tokenizer,
                              const char *text, struct error *error) {
  const struct arch *arch = &model->arch;
  struct source_line line;
  if (!source_pieces_add(&beginning->pieces, &line, tokenizer, text, 0,
                         arch->positions == POSITIONS_NONE ? 1 << 20 : arch->max_positions, false, error))
    return false;
  if (line.count == 0) return error_set(error, ERROR_USAGE, "the text is empty");
  if (line.cut)
    return error_set(error, ERROR_USAGE, "the text has %zu tokens more than the model takes (%d); give a shorter one", line.cut,
                     arch->max_positions);
  beginning->request = (struct generation_request){.source = beginning->pieces.items[0].ids,
                                                   .source_count = beginning->pieces.items[0].count};
  return true;
}

static bool begin_text(struct beginning *beginning, const struct qkv_model *model, const struct model *ready,
                       const struct tokenizer *tokenizer, const char *text, struct error *error) {
  struct prompt_reader reader;
  if (!public_continues_text(model, error)) return false;
  prompt_reader_open(&reader, model, tokenizer);
  bool fine = prompt_read(&beginning->prompt, &reader, text, error);
  prompt_reader_close(&reader);
  int most = generation_most_length(&ready->arch);
  if (fine && !beginning->prompt.count) fine = error_set(error, ERROR_USAGE, "the text is empty");
  if (fine && beginning->prompt.count >= most)
    fine = error_set(error, ERROR_USAGE, "the text has %d tokens and the model takes %d: nothing can follow; give a shorter one",
                     beginning->prompt.count, most);
  beginning->request = (struct generation_request){.prefix = beginning->prompt.ids, .prefix_count = beginning->prompt.count};
  return fine;
}

static bool set_options(struct generation_options *options, const struct qkv_model *model, int64_t beam, int64_t max_new,
                        struct error *error) {
  if (!public_generation_options(options, &model->checkpoint, error)) return false;
  options->beams = beam >= 0 && beam < INT32_MAX ? (int)beam : options->beams;
  if (options->beams < 1 || options->beams > MAX_BEAMS)
    return error_set(error, ERROR_USAGE, "beam is %d; wanted 1 to %d", options->beams, MAX_BEAMS);
  options->sampling = false;
  options->token_scores = true;
  options->nbest = 1;
  if (max_new > 0 && max_new < INT32_MAX) options->max_new_tokens = (int)max_new;
  return true;
}

// ---- after ----

// The nodes whose ids are the result's: of one hypothesis no two continuations have the same id.
static void mark_best(struct grower *grower, const struct hypothesis *found) {
  int64_t parent = -1;
  size_t at = 0;
  for (int t = 0; t < found->count; t++, at++) {
    while (at < grower->count &&
           (grower->nodes[at].step != t + 1 || grower->nodes[at].parent != parent || grower->nodes[at].id != found->ids[t]))
      at++;
    if (at == grower->count) return;
    grower->nodes[at].best = true;
    parent = (int64_t)at;
  }
}

static char *text_of(const int32_t *ids, size_t count, const struct tokenizer *tokenizer, struct error *error) {
  struct buffer text = {0};
  bool fine = tokenizer_decode(tokenizer, ids, count, true, &text, error) && buffer_check(&text, error);
  for (size_t i = 0; i < text.size; i++)
    if (text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == 0) text.data[i] = ' ';
  char *copy = fine ? memory_copy_text(error, buffer_string(&text)) : NULL;
  buffer_free(&text);
  return copy;
}

static bool name_nodes(struct grower *grower, const struct tokenizer *tokenizer) {
  size_t longest = 0;
  for (size_t i = 0; i < grower->count; i++)
    if ((size_t)grower->nodes[i].step > longest) longest = (size_t)grower->nodes[i].step;
  int32_t *ids = memory_new(grower->error, longest + 1, sizeof *ids);
  bool fine = ids != NULL;
  for (size_t i = 0; fine && i < grower->count; i++) {
    struct qkv_search_node *node = &grower->nodes[i];
    int64_t at = (int64_t)i;
    for (int64_t t = node->step; t-- > 0; at = grower->nodes[at].parent) ids[t] = grower->nodes[at].id;
    node->token = inspected_label(tokenizer, node->id, grower->error);
    node->text = node->token ? text_of(ids, (size_t)node->step, tokenizer, grower->error) : NULL;
    fine = node->text != NULL;
  }
  free(ids);
  return fine;
}

static struct generation *search(const struct model *model, const struct generation_options *options,
                                 const struct generation_request *request, struct error *error) {
  struct generation *found = NULL;
  struct session *session = session_open(&model, 1, options, error);
  if (session) session_run(session, request, 1, &found, error);
  session_close(session);
  return found;
}

// Fills the tree, which takes the grower's nodes.
static bool fill(struct qkv_search_tree *tree, struct grower *grower, const struct generation *found,
                 const struct tokenizer *tokenizer, struct error *error) {
  const struct hypothesis *best = &found->hypotheses[0];
  mark_best(grower, best);
  bool fine = name_nodes(grower, tokenizer);
  tree->nodes = grower->nodes;
  tree->count = grower->count;
  tree->text = fine ? text_of(best->ids, (size_t)best->count, tokenizer, error) : NULL;
  tree->score = best->score;
  return tree->text != NULL;
}

struct qkv_search_tree *qkv_search_tree(struct qkv_context *context, struct qkv_model *model, const char *text, int64_t beam,
                                        int64_t max_new) {
  struct error *error = public_begin(context);
  const struct model *ready = public_model_ready(model, error);
  const struct tokenizer *tokenizer = ready ? public_model_tokenizer(model, error) : NULL;
  struct qkv_search_tree *tree = tokenizer ? memory_new(error, 1, sizeof *tree) : NULL;
  if (!tree) return NULL;
  struct grower grower = {.error = error};
  struct generation_options options = {0};
  struct beginning beginning = {0};
  bool translates = ready->arch.family == FAMILY_ENCODER_DECODER;
  bool fine = (translates ? begin_translation(&beginning, ready, tokenizer, text, error)
                          : begin_text(&beginning, model, ready, tokenizer, text, error)) &&
              set_options(&options, model, beam, max_new, error);
  options.record = grow;
  options.record_user = &grower;
  struct generation *found = fine ? search(ready, &options, &beginning.request, error) : NULL;
  fine = found && error->code == ERROR_NONE && fill(tree, &grower, found, tokenizer, error);
  tree->beam = options.beams;
  if (!tree->nodes) free(grower.nodes);
  free(grower.numbers);
  free(found);
  generation_options_free(&options);
  source_pieces_free(&beginning.pieces);
  free(beginning.prompt.ids);
  if (fine) return tree;
  qkv_search_tree_free(tree);
  return NULL;
}

char *qkv_search_draw(struct qkv_context *context, const struct qkv_search_tree *tree, const char *format, size_t *size) {
  struct error *error = public_begin(context);
  enum picture_format wanted;
  struct buffer out = {0}, title = {0};
  struct tree_box *boxes = memory_new(error, tree->count + 1, sizeof *boxes);
  for (size_t i = 0; boxes && i < tree->count; i++) {
    const struct qkv_search_node *node = &tree->nodes[i];
    enum tree_fate fate = node->fate[0] == 'k' ? TREE_KEPT : node->fate[0] == 'f' ? TREE_FINISHED : TREE_DROPPED;
    boxes[i] = (struct tree_box){.column = (size_t)node->step - 1, .row = (size_t)node->rank, .parent = node->parent,
                                 .label = node->token, .value = node->sum, .fate = fate, .best = node->best};
  }
  buffer_format(&title, "%s (beam %d, score ", tree->text, (int)tree->beam);
  buffer_decimal(&title, tree->score, 3);
  buffer_char(&title, ')');
  const struct tree_picture picture = {.title = buffer_string(&title), .boxes = boxes, .count = tree->count};
  bool fine = boxes && buffer_check(&title, error) && public_picture_format(&wanted, format, error) &&
              tree_picture_draw(&out, wanted, &picture, error);
  free(boxes);
  buffer_free(&title);
  *size = out.size;
  if (fine) return out.data;
  buffer_free(&out);
  return NULL;
}

void qkv_search_tree_free(struct qkv_search_tree *tree) {
  if (!tree) return;
  for (size_t i = 0; i < tree->count; i++) {
    free((char *)tree->nodes[i].token);
    free((char *)tree->nodes[i].text);
  }
  free((struct qkv_search_node *)tree->nodes);
  free((char *)tree->text);
  free(tree);
}
