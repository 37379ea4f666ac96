// What a model's head says about examples, and how good that is: labels, numbers, tags of words, answers, choices.
//
// Methods: Devlin et al. (2019), section 4. An answer is the pair of rows in one window with the largest sum of start and end
// logits, the end not before the start; "no answer" is row 0 and wins by more than a margin (their section 4.3).
#pragma once
#include "data/features.h"
#include "model/model.h"
#include "train/scores.h"

struct predicted_word {
  int label;            // -1: the word gave no token, or was cut off
  float probability;
};

struct prediction {
  int label;            // the most probable class, or the number of the choice
  float probability;    // of that label, or of the answer's start times that of its end
  float value;          // regression
  float *probabilities; // [probability_count] of all classes, or of all choices
  int probability_count;
  struct predicted_word *words;  // [word_count] of the example's words, or of all its tokens: 1 replaced, 0 the original
  size_t word_count;
  size_t start, size;   // the answer: bytes of the context; size 0: there is none
  float margin;         // by how much the answer's logits exceed those of "no answer"
};

struct predictions {
  struct prediction *items;  // [count], as many as examples
  size_t count;
};

struct prediction_options {
  int longest_answer;   // rows
  double no_answer;     // an answer needs at least this margin; -INFINITY: there always is one
};

struct prediction_options prediction_defaults(void);

// What kind of examples a model's head speaks about. False with a message when its head is none of these.
bool prediction_shape(enum example_shape *shape, const struct arch *arch, const char *directory, struct error *error);

// The features are those of all examples, in order.
bool predictions_make(struct predictions *predictions, const struct features *features, const struct model *model,
                      const struct prediction_options *options, struct error *error);
// What is drawn beside the loss while a head of each kind learns; NULL behind the last.
extern const struct score_kind *const curves_of_classes[], *const curves_of_values[], *const curves_of_tags[],
  *const curves_of_answers[];
void predictions_free(struct predictions *predictions);

// Adds the scores that belong to the head. Examples without a label don't count. details (may be NULL): tables for people.
bool predictions_score(const struct predictions *predictions, const struct features *features, const struct label_names *labels,
                       struct scores *scores, struct buffer *details, struct error *error);
