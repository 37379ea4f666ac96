#include "cpu/cpu.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(QKV_X86_KERNELS)
#include "cpu/bf16.h"
#endif
#include "cpu/reference.h"
#include "tensor/profile.h"

#if defined(QKV_X86_KERNELS)
void kernels_fill_avx2(struct kernels *kernels);
void kernels_fill_avx512(struct kernels *kernels);
#endif

enum level { LEVEL_REFERENCE, LEVEL_AVX2, LEVEL_AVX512, LEVEL_AMX, LEVEL_COUNT };

static const char *const level_names[LEVEL_COUNT] = {"reference", "avx2", "avx512", "amx"};

// AMX multiplies no f32: its level has the table of the one below for it. bf16_tables[level].name NULL: no bf16 at that level.
static struct kernels tables[LEVEL_COUNT], bf16_tables[LEVEL_COUNT];
static const char *amx_fault;  // why AMX is there but not used
static char processor_name[128];
static enum level best_level;
static pthread_once_t filled = PTHREAD_ONCE_INIT;

static enum level processor_level(void) {
#if defined(QKV_X86_KERNELS)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return LEVEL_REFERENCE;
  bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl");
  return wide ? LEVEL_AVX512 : LEVEL_AVX2;
#else
  return LEVEL_REFERENCE;
#endif
}

static void read_processor_name(void) {
  static const char key[] = "model name";
  snprintf(processor_name, sizeof processor_name, "unknown processor");
  FILE *file = fopen("/proc/cpuinfo", "re");
  char line[256];
  while (file && fgets(line, sizeof line, file)) {
    const char *value = strchr(line, ':');
    if (strncmp(line, key, sizeof key - 1) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " \t");
    snprintf(processor_name, sizeof processor_name, "%.*s", (int)strcspn(value, "\n"), value);
    break;
  }
  if (file) fclose(file);
}

#if defined(QKV_X86_KERNELS)
static void fill_bf16_tables(void) {
  struct kernels *table = &bf16_tables[LEVEL_AVX512];
  if (best_level < LEVEL_AVX512 || !__builtin_cpu_supports("avx512bf16")) return;
  *table = tables[LEVEL_AVX512];
  table->dtype = "bf16";
  table->product_type = table->cache_type = TYPE_BF16;
  table->packed_size = packed_size_bf16;
  table->pack = pack_bf16;
  table->linear = linear_avx512_bf16;
  table->linear_gradient = linear_gradient_avx512_bf16;
  table->linear_gradient_half = linear_gradient_half_avx512_bf16;
  if (!amx_granted()) return;
  struct kernels amx = *table;
  amx.name = "amx";
  amx.linear = linear_amx;
  amx.linear_gradient = linear_gradient_amx;
  amx.linear_gradient_half = linear_gradient_half_amx;
  enum agreement found = compare_products(&amx, table);
  if (found == PRODUCTS_DIFFER) amx_fault = "multiply wrongly";
  if (found == PRODUCTS_UNCHECKED) amx_fault = "could not be checked for lack of memory";
  if (amx_fault) return;
  bf16_tables[LEVEL_AMX] = amx;
  tables[LEVEL_AMX] = tables[LEVEL_AVX512];
  best_level = LEVEL_AMX;
}
#endif

// Each table starts as a copy of the one below it. What fills a table is itself made of the level's instructions, so it is not
// called on a processor that lacks them.
static void fill_tables(void) {
  read_processor_name();
  best_level = processor_level();
  kernels_fill_reference(&tables[LEVEL_REFERENCE]);
#if defined(QKV_X86_KERNELS)
  if (best_level < LEVEL_AVX2) return;
  tables[LEVEL_AVX2] = tables[LEVEL_REFERENCE];
  kernels_fill_avx2(&tables[LEVEL_AVX2]);
  if (best_level < LEVEL_AVX512) return;
  tables[LEVEL_AVX512] = tables[LEVEL_AVX2];
  kernels_fill_avx512(&tables[LEVEL_AVX512]);
  fill_bf16_tables();
#endif
}

const struct kernels *cpu_kernels_named(const char *name) {
  pthread_once(&filled, fill_tables);
  size_t length = strcspn(name, "-");
  for (int level = 0; level <= (int)best_level; level++) {
    if (strlen(level_names[level]) != length || strncmp(level_names[level], name, length) != 0) continue;
    if (strcmp(name + length, "-bf16") == 0) return bf16_tables[level].name ? &bf16_tables[level] : NULL;
    return name[length] ? NULL : &tables[level];
  }
  return NULL;
}

// The level that QKV_CPU allows, or LEVEL_COUNT after setting the error.
static enum level allowed_level(struct error *error) {
  const char *wanted = getenv("QKV_CPU");
  if (!wanted || !*wanted) return best_level;
  for (int level = 0; level < LEVEL_COUNT; level++)
    if (strcmp(level_names[level], wanted) == 0) return level < (int)best_level ? (enum level)level : best_level;
  error_set(error, ERROR_USAGE, "QKV_CPU is \"%.40s\"; it can be reference, avx2, avx512 or amx", wanted);
  return LEVEL_COUNT;
}

const struct kernels *cpu_kernels(enum precision precision, struct error *error) {
  pthread_once(&filled, fill_tables);
  enum level level = allowed_level(error);
  if (level == LEVEL_COUNT) return NULL;
  bool there = bf16_tables[level].name;
  if (there && precision != PRECISION_F32 && amx_fault)
    error_warn(error, "the AMX instructions of this processor %s and are not used: products run on the %s path", amx_fault,
               bf16_tables[level].name);
  if (there && precision != PRECISION_F32) return profile_wrap(&bf16_tables[level]);
  if (precision != PRECISION_BF16) return profile_wrap(&tables[level]);
  error_set(error, ERROR_UNSUPPORTED, "bf16 needs a processor with AVX512-BF16%s; --dtype f32 works everywhere",
            bf16_tables[LEVEL_AVX512].name ? ", and QKV_CPU forbids its use" : "");
  return NULL;
}

bool precision_read(enum precision *precision, const char *name, struct error *error) {
  static const struct { const char *name; enum precision precision; } names[] = {
    {"auto", PRECISION_AUTO}, {"f32", PRECISION_F32}, {"bf16", PRECISION_BF16}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(names[i].name, name) != 0) continue;
    *precision = names[i].precision;
    return true;
  }
  return error_set(error, ERROR_USAGE, "the dtype is \"%.40s\"; it can be auto, f32 or bf16", name);
}

const char *cpu_name(void) {
  pthread_once(&filled, fill_tables);
  return processor_name;
}
