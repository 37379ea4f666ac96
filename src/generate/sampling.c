#include "generate/sampling.h"

#include "base/random.h"

enum { SAMPLING = 0x5a3b1e };  // the purpose of the random key

static double sum_of(const float *values, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) sum += values[i];
  return sum;
}

static float middle_of_three(float a, float b, float c) {
  float low = a < b ? a : b, high = a < b ? b : a;
  return c < low ? low : c > high ? high : c;
}

// The smallest of the fewest largest values that are `wanted` by number or, with by_sum, in sum; *above receives the number or
// sum of those larger than it. The values are put in another order. Parts of the array are left aside by comparing with a
// value from the middle, as in quicksort.
static float border(float *values, int count, bool by_sum, double wanted, double *above) {
  *above = 0;
  while (count > 1) {
    float pivot = middle_of_three(values[0], values[count / 2], values[count - 1]);
    int larger = 0, not_smaller;
    for (int i = 0; i < count; i++)
      if (values[i] > pivot) {
        float value = values[i];
        values[i] = values[larger];
        values[larger++] = value;
      }
    not_smaller = larger;
    for (int i = larger; i < count; i++)
      if (values[i] == pivot) {
        values[i] = values[not_smaller];
        values[not_smaller++] = pivot;
      }
    double front = by_sum ? sum_of(values, larger) : larger, equal = not_smaller - larger;
    if (*above + front >= wanted) {
      count = larger;
      continue;
    }
    *above += front;
    if (*above + (by_sum ? equal * pivot : equal) >= wanted || not_smaller == count) return pivot;
    *above += by_sum ? equal * pivot : equal;
    values += not_smaller;
    count -= not_smaller;
  }
  return values[0];
}

// Values at or below `least` can't be at the border.
static int gather(float *out, const float *values, int count, float least) {
  int n = 0;
  for (int i = 0; i < count; i++)
    if (values[i] > least) out[n++] = values[i];
  return n;
}

static void keep_top_k(float *probabilities, int count, int k, float *scratch) {
  double above;
  int n = gather(scratch, probabilities, count, 0);
  if (n <= k) return;
  float least = border(scratch, n, false, k, &above);
  for (int i = 0; i < count; i++)
    if (probabilities[i] < least) probabilities[i] = 0;
}

// Whoever is at most (1 - p) / count of the sum belongs to what is cut off: all of these together are no more than 1 - p.
static void keep_top_p(float *probabilities, int count, double p, float *scratch) {
  double sum = sum_of(probabilities, count), wanted = p * sum, above;
  int n = gather(scratch, probabilities, count, (float)((sum - wanted) / count * (1 - 1e-6)));
  float least = border(scratch, n, true, wanted, &above);
  for (int i = 0; i < count; i++) {
    if (probabilities[i] > least) continue;
    if (probabilities[i] == least && above < wanted) above += least;
    else probabilities[i] = 0;
  }
}

static void keep_min_p(float *probabilities, int count, double p) {
  float largest = 0;
  for (int i = 0; i < count; i++) largest = probabilities[i] > largest ? probabilities[i] : largest;
  float least = (float)p * largest;
  for (int i = 0; i < count; i++)
    if (probabilities[i] < least) probabilities[i] = 0;
}

void sampling_filter(float *probabilities, int count, const struct generation_options *options, float *scratch) {
  bool filtered = (options->top_k && options->top_k < count) || options->top_p < 1 || options->min_p > 0;
  if (!filtered) return;
  if (options->top_k && options->top_k < count) keep_top_k(probabilities, count, options->top_k, scratch);
  if (options->top_p < 1) keep_top_p(probabilities, count, options->top_p, scratch);
  if (options->min_p > 0) keep_min_p(probabilities, count, options->min_p);
  float factor = (float)(1 / sum_of(probabilities, count));
  for (int i = 0; i < count; i++) probabilities[i] *= factor;
}

double sampling_random(uint64_t seed, const struct draw *draw) {
  uint32_t block[4];
  uint64_t place = (uint64_t)(uint32_t)draw->sample << 32 | (uint32_t)draw->position;
  random_block(block, random_key(seed, SAMPLING), draw->line, place);
  return (double)(((uint64_t)block[0] << 32 | block[1]) >> 11) * 0x1p-53;
}

int32_t sampling_draw(const float *probabilities, int count, double uniform) {
  double wanted = uniform * sum_of(probabilities, count), sum = 0;
  int32_t last = 0;
  for (int i = 0; i < count; i++) {
    if (probabilities[i] <= 0) continue;
    sum += probabilities[i];
    last = i;
    if (sum > wanted) return i;
  }
  return last;
}
