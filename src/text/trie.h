// The tokens of a vocabulary by their bytes, to find those that a text begins with.
//
// Nodes are numbered level by level, node 0 being the root, so that children are neighbours: those of node n are
// [first[n], first[n + 1]), in the order of the byte that leads to them. Since no node's child is the root, 0 stands for none.
// Tokens and texts are valid UTF-8: a token that is found ends where a character ends.
#pragma once
#include <string.h>

#include "text/vocabulary.h"

struct trie {
  uint32_t *first;       // [count + 1]
  unsigned char *bytes;  // [count] the byte that leads to a node
  int32_t *ids;          // [count] the token that ends at a node, or -1
  size_t count;
};

// Empty tokens are left out.
bool trie_build(struct trie *trie, const struct vocabulary *vocabulary, struct error *error);
void trie_free(struct trie *trie);

static inline uint32_t trie_child(const struct trie *trie, uint32_t node, char byte) {
  uint32_t first = trie->first[node], end = trie->first[node + 1];
  const unsigned char *children = trie->bytes + first, wanted = (unsigned char)byte;
  if (end - first < 8) {
    for (; first < end; first++)
      if (trie->bytes[first] == wanted) return first;
    return 0;
  }
  const unsigned char *found = memchr(children, wanted, end - first);
  return found ? (uint32_t)(found - trie->bytes) : 0;
}
