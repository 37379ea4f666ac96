#include "generate/page_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tensor/number.h"

static struct key_store store_shape(const struct model *model, const struct kernels *kernels) {
  const struct stack_arch *stack = &model->arch.decoder;
  int width = arch_head_width(&model->arch, stack);
  return (struct key_store){.type = kernels->cache_type, .kv_heads = stack->kv_heads, .head_width = width,
                            .value_width = span_value_width(width)};
}

// Bytes of a page in one layer.
static size_t key_bytes(const struct key_store *store) {
  return (size_t)store->kv_heads * store->head_width * KEY_PAGE * number_size(store->type);
}

static size_t value_bytes(const struct key_store *store) {
  return (size_t)store->kv_heads * store->value_width * KEY_PAGE * number_size(store->type);
}

size_t page_cache_page_size(const struct model *const *models, int count, const struct kernels *kernels) {
  size_t bytes = 0;
  for (int m = 0; m < count; m++) {
    struct key_store store = store_shape(models[m], kernels);
    bytes += (key_bytes(&store) + value_bytes(&store)) * models[m]->arch.decoder.layers;
  }
  return bytes;
}

static bool pool_open(struct page_pool *pool, int limit, struct error *error) {
  pool->references = memory_new(error, limit, sizeof *pool->references);
  pool->free_pages = memory_new(error, limit, sizeof *pool->free_pages);
  pool->limit = limit;
  return pool->references && pool->free_pages;
}

static void pool_close(struct page_pool *pool) {
  free(pool->references);
  free(pool->free_pages);
}

static bool reserve_store(struct page_cache *cache, struct key_store *store, int pages, struct error *error) {
  store->pages = pages;
  store->keys = arena_low(&cache->arena, key_bytes(store) * pages, error);
  store->values = arena_low(&cache->arena, value_bytes(store) * pages, error);
  return store->keys && store->values;
}

bool page_cache_open(struct page_cache *cache, const struct model *const *models, int count, int self_pages, int cross_pages,
                     struct error *error) {
  *cache = (struct page_cache){.models = models, .model_count = count};
  cache->layers = memory_new(error, count, sizeof *cache->layers);
  bool fine = cache->layers && pool_open(&cache->self, self_pages, error) && pool_open(&cache->cross, cross_pages, error);
  size_t size = page_cache_page_size(models, count, models[0]->kernels) * ((size_t)self_pages + cross_pages) + ((size_t)1 << 20);
  if (size < (size_t)64 << 20) size = (size_t)64 << 20;
  fine = fine && arena_open(&cache->arena, size, error);
  for (int m = 0; m < count && fine; m++) {
    int layers = models[m]->arch.decoder.layers;
    fine = (cache->layers[m] = memory_new(error, layers, sizeof **cache->layers));
    for (int layer = 0; layer < layers && fine; layer++) {
      struct layer_cache *stores = &cache->layers[m][layer];
      stores->self = stores->cross = store_shape(models[m], models[m]->kernels);
      fine = reserve_store(cache, &stores->self, self_pages, error) && reserve_store(cache, &stores->cross, cross_pages, error);
    }
  }
  if (!fine) page_cache_close(cache);
  return fine;
}

void page_cache_close(struct page_cache *cache) {
  for (int m = 0; cache->layers && m < cache->model_count; m++) free(cache->layers[m]);
  free(cache->layers);
  pool_close(&cache->self);
  pool_close(&cache->cross);
  arena_close(&cache->arena);
  *cache = (struct page_cache){0};
}

static char *keys_of(const struct key_store *store, int32_t page) { return (char *)store->keys + page * key_bytes(store); }

static char *values_of(const struct key_store *store, int32_t page) { return (char *)store->values + page * value_bytes(store); }

static void clear_page(struct key_store *store, int32_t page) {
  memset(keys_of(store, page), 0, key_bytes(store));
  memset(values_of(store, page), 0, value_bytes(store));
}

static void copy_page(struct key_store *store, int32_t to, int32_t from) {
  memcpy(keys_of(store, to), keys_of(store, from), key_bytes(store));
  memcpy(values_of(store, to), values_of(store, from), value_bytes(store));
}

static struct key_store *store_of(struct page_cache *cache, const struct page_pool *pool, int model, int layer) {
  struct layer_cache *stores = &cache->layers[model][layer];
  return pool == &cache->self ? &stores->self : &stores->cross;
}

// used_before: the page holds somebody's old keys.
static int32_t take(struct page_pool *pool, bool *used_before) {
  *used_before = pool->free_count > 0;
  int32_t page = *used_before ? pool->free_pages[--pool->free_count] : pool->fresh++;
  pool->references[page] = 1;
  return page;
}

int32_t page_cache_take(struct page_cache *cache, struct page_pool *pool) {
  bool used_before;
  int32_t page = take(pool, &used_before);
  for (int m = 0; used_before && m < cache->model_count; m++)
    for (int layer = 0; layer < cache->models[m]->arch.decoder.layers; layer++) clear_page(store_of(cache, pool, m, layer), page);
  return page;
}

void page_pool_release(struct page_pool *pool, const int32_t *pages, int count) {
  for (int i = 0; i < count; i++)
    if (--pool->references[pages[i]] == 0) pool->free_pages[pool->free_count++] = pages[i];
}

void page_cache_own(struct page_cache *cache, int32_t *page) {
  if (cache->self.references[*page] == 1) return;
  bool used_before;
  int32_t copy = take(&cache->self, &used_before);
  for (int m = 0; m < cache->model_count; m++)
    for (int layer = 0; layer < cache->models[m]->arch.decoder.layers; layer++)
      copy_page(store_of(cache, &cache->self, m, layer), copy, *page);
  page_pool_release(&cache->self, page, 1);
  *page = copy;
}
