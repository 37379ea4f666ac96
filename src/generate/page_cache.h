// Keys and values of everything that is being generated, in pages of KEY_PAGE positions that hypotheses share.
//
// Two pools of pages: `self` for what the decoder has produced, `cross` for encoded sources. A page number means the same
// slots in every decoder layer of every model of an ensemble. Hypotheses hold page numbers and references: forking one
// copies its list of numbers, and only its last, partly filled page (page_cache_own) when both go on.
//
// The stores are reserved as address space and become real memory when a page is first used; `fresh` is the number of
// pages that ever were. Slots that nothing was written to hold zeros (a page used again is cleared).
//
// Invariant: references[p] > 0 exactly for pages in use; free_pages holds those below `fresh` that are not.
#pragma once
#include "base/arena.h"
#include "model/model.h"

struct page_pool {
  int32_t *references, *free_pages;
  int free_count, fresh, limit;
};

struct page_cache {
  const struct model *const *models;
  int model_count;
  struct layer_cache **layers;  // [models][decoder layers]
  struct page_pool self, cross;
  struct arena arena;
};

static inline int pages_for(int positions) { return (positions + KEY_PAGE - 1) / KEY_PAGE; }
// Bytes of one self page in all layers of all models, which run on these kernels.
size_t page_cache_page_size(const struct model *const *models, int count, const struct kernels *kernels);

bool page_cache_open(struct page_cache *cache, const struct model *const *models, int count, int self_pages, int cross_pages,
                     struct error *error);
void page_cache_close(struct page_cache *cache);

static inline int page_pool_left(const struct page_pool *pool) { return pool->free_count + pool->limit - pool->fresh; }
// A page of cache->self or cache->cross with one reference. The caller made sure that one is left.
int32_t page_cache_take(struct page_cache *cache, struct page_pool *pool);
static inline void page_pool_share(struct page_pool *pool, const int32_t *pages, int count) {
  for (int i = 0; i < count; i++) pool->references[pages[i]]++;
}
void page_pool_release(struct page_pool *pool, const int32_t *pages, int count);
// Makes *page one that nobody else refers to, by copying it if need be.
void page_cache_own(struct page_cache *cache, int32_t *page);
