// Named entities as the script conlleval of CoNLL-2000 to 2003 counts them: an entity is found if its type and both its ends are
// right. Tags are "O", "B-TYPE" and "I-TYPE"; an I- that continues nothing begins an entity.
//
// Statistics are added sentence by sentence.
#pragma once
#include <stdint.h>

#include "base/buffer.h"

struct entity_counts {
  char *type;
  uint64_t right, predicted, both;  // entities that there are, that were predicted, that were found
};

struct entity_statistics {
  struct entity_counts *types;      // in the order of their first appearance
  size_t count, capacity;
  struct entity_counts all;
  uint64_t words, same_tag;
};

struct entity_scores {
  double precision, recall, f1;     // 0 to 100
};

// Tags of the words of one sentence; every tag is followed by a zero byte.
bool entities_add(struct entity_statistics *statistics, const char *const *right, const char *const *predicted, size_t count,
                  struct error *error);
void entities_free(struct entity_statistics *statistics);
struct entity_scores entity_scores(const struct entity_counts *counts);
void entities_write(const struct entity_statistics *statistics, struct buffer *out);  // a line for each type
