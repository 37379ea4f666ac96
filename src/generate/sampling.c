#include "generate/sampling.h"

#include "base/random.h"

enum { SAMPLING = 0x5a3b1e };  // the purpose of the random key

enum { LANES = 8 };  // sums that run side by side, in a fixed order whatever the compiler does

static double sum_of_lanes(const double lanes[LANES]) {
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

// Of the values larger than `than`.
static double sum_larger(const float *values, int count, float than) {
  double lanes[LANES] = {0};
  int i = 0;
  for (; i + LANES <= count; i += LANES)
    for (int k = 0; k < LANES; k++) lanes[k] += values[i + k] > than ? (double)values[i + k] : 0.0;
  for (int k = 0; i < count; i++, k++) lanes[k] += values[i] > than ? (double)values[i] : 0.0;
  return sum_of_lanes(lanes);
}

static double sum_of(const float *values, int count) { return sum_larger(values, count, -1); }

static int count_larger(const float *values, int count, float than) {
  int larger = 0;
  for (int i = 0; i < count; i++) larger += values[i] > than;
  return larger;
}

static int count_equal(const float *values, int count, float to) {
  int equal = 0;
  for (int i = 0; i < count; i++) equal += values[i] == to;
  return equal;
}

// Those larger than `than`; out may be values.
static int keep_larger(float *out, const float *values, int count, float than) {
  int n = 0;
  for (int i = 0; i < count; i++) {  // without a branch, which could not be foreseen
    float value = values[i];
    out[n] = value;
    n += value > than;
  }
  return n;
}

static int keep_smaller(float *values, int count, float than) {
  int n = 0;
  for (int i = 0; i < count; i++) {
    float value = values[i];
    values[n] = value;
    n += value < than;
  }
  return n;
}

static float middle_of_three(float a, float b, float c) {
  float low = a < b ? a : b, high = a < b ? b : a;
  return c < low ? low : c > high ? high : c;
}

// The smallest of the fewest largest values that are `wanted` by number or, with by_sum, in sum; *above receives the number or
// sum of those larger than it. Of the values, which are lost, ever fewer are looked at: those on one side of one of them.
static float border(float *values, int count, bool by_sum, double wanted, double *above) {
  *above = 0;
  while (count > 1) {
    float pivot = middle_of_three(values[0], values[count / 2], values[count - 1]);
    double front = by_sum ? sum_larger(values, count, pivot) : count_larger(values, count, pivot);
    if (front > 0 && *above + front >= wanted) {
      count = keep_larger(values, values, count, pivot);
      continue;
    }
    double equal = count_equal(values, count, pivot) * (by_sum ? (double)pivot : 1);
    *above += front;
    if (*above + equal >= wanted) return pivot;
    int smaller = keep_smaller(values, count, pivot);
    if (smaller == 0) return pivot;
    *above += equal;
    count = smaller;
  }
  return values[0];
}

static void clear_smaller(float *values, int count, float than) {
  for (int i = 0; i < count; i++) values[i] = values[i] < than ? 0 : values[i];
}

static void keep_top_k(float *probabilities, int count, int k, float *scratch) {
  double above;
  int n = keep_larger(scratch, probabilities, count, 0);
  if (n > k) clear_smaller(probabilities, count, border(scratch, n, false, k, &above));
}

// Whoever is at most (1 - p) / count of the sum belongs to what is cut off: all of these together are no more than 1 - p.
static void keep_top_p(float *probabilities, int count, double p, float *scratch) {
  double sum = sum_of(probabilities, count), wanted = p * sum, above;
  int n = keep_larger(scratch, probabilities, count, (float)((sum - wanted) / count * (1 - 1e-6)));
  float least = border(scratch, n, true, wanted, &above);
  clear_smaller(probabilities, count, least);
  for (int i = 0; i < count; i++) {  // of equal ones at the border those that are needed
    if (probabilities[i] != least) continue;
    if (above < wanted) above += least;
    else probabilities[i] = 0;
  }
}

static void keep_min_p(float *probabilities, int count, double p) {
  float largest = 0;
  for (int i = 0; i < count; i++) largest = probabilities[i] > largest ? probabilities[i] : largest;
  clear_smaller(probabilities, count, (float)p * largest);
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
  enum { BLOCK = 256 };
  double wanted = uniform * sum_of(probabilities, count), sum = 0;
  for (int block = 0; block < count; block += BLOCK) {
    int size = count - block < BLOCK ? count - block : BLOCK;
    double behind = sum + sum_of(probabilities + block, size);
    for (int i = block; behind > wanted && i < block + size; i++) {
      sum += probabilities[i];
      if (sum > wanted && probabilities[i] > 0) return i;
    }
    sum = behind;
  }
  while (count > 1 && probabilities[count - 1] <= 0) count--;  // by rounding: the last one that is possible
  return count - 1;
}
