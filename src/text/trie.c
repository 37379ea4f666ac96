#include "text/trie.h"

#include <stdlib.h>

#include "base/memory.h"

// A token with its text. Sorted, the tokens below a node are neighbours.
struct entry {
  const char *text;
  size_t size;
  int32_t id;
};

// The entries below each node while the trie is built.
struct range {
  uint32_t low, high;
};

struct builder {
  struct trie *trie;
  struct entry *entries;
  struct range *ranges;  // [trie->count]
  size_t first_capacity, byte_capacity, id_capacity, range_capacity;
  struct error *error;
};

static int by_bytes(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  int order = memcmp(x->text, y->text, x->size < y->size ? x->size : y->size);
  if (order) return order;
  return x->size < y->size ? -1 : x->size > y->size;
}

static bool sort_entries(struct builder *builder, const struct vocabulary *vocabulary, size_t *count) {
  builder->entries = memory_new(builder->error, vocabulary->count, sizeof *builder->entries);
  if (!builder->entries) return false;
  for (size_t id = 0; id < vocabulary->size; id++) {
    size_t size;
    const char *text = vocabulary_token(vocabulary, (int32_t)id, &size);
    if (text && size) builder->entries[(*count)++] = (struct entry){text, size, (int32_t)id};
  }
  qsort(builder->entries, *count, sizeof *builder->entries, by_bytes);
  return true;
}

static bool add_node(struct builder *builder, unsigned char byte, struct range range) {
  struct trie *trie = builder->trie;
  size_t n = trie->count;
  if (n + 2 >= UINT32_MAX) return error_memory(builder->error, 0);
  if (!memory_grow(builder->error, &trie->first, &builder->first_capacity, n + 2, sizeof *trie->first) ||
      !memory_grow(builder->error, &trie->bytes, &builder->byte_capacity, n + 1, sizeof *trie->bytes) ||
      !memory_grow(builder->error, &trie->ids, &builder->id_capacity, n + 1, sizeof *trie->ids) ||
      !memory_grow(builder->error, &builder->ranges, &builder->range_capacity, n + 1, sizeof *builder->ranges))
    return false;
  trie->bytes[n] = byte;
  trie->ids[n] = -1;
  builder->ranges[n] = range;
  trie->count++;
  return true;
}

// Gives a node, which stands for the first `depth` bytes of its entries, its token and its children.
static bool expand(struct builder *builder, size_t node, size_t depth) {
  struct range range = builder->ranges[node];
  const struct entry *entries = builder->entries;
  if (range.low < range.high && entries[range.low].size == depth) builder->trie->ids[node] = entries[range.low++].id;
  builder->trie->first[node] = (uint32_t)builder->trie->count;
  while (range.low < range.high) {
    uint32_t end = range.low + 1;
    while (end < range.high && entries[end].text[depth] == entries[range.low].text[depth]) end++;
    if (!add_node(builder, (unsigned char)entries[range.low].text[depth], (struct range){range.low, end})) return false;
    range.low = end;
  }
  builder->trie->first[node + 1] = (uint32_t)builder->trie->count;
  return true;
}

bool trie_build(struct trie *trie, const struct vocabulary *vocabulary, struct error *error) {
  struct builder builder = {.trie = trie, .error = error};
  size_t count = 0;
  bool ok = sort_entries(&builder, vocabulary, &count) && add_node(&builder, 0, (struct range){0, (uint32_t)count});
  for (size_t node = 0, depth = 0, level_end = 1; ok && node < trie->count; node++) {
    if (node == level_end) {
      depth++;
      level_end = trie->count;
    }
    ok = expand(&builder, node, depth);
  }
  free(builder.entries);
  free(builder.ranges);
  if (!ok) trie_free(trie);
  return ok;
}

void trie_free(struct trie *trie) {
  free(trie->first);
  free(trie->bytes);
  free(trie->ids);
  *trie = (struct trie){0};
}
