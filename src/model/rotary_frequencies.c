// Frequencies as transformers computes them (modeling_rope_utils.py), in f32 and in its order, because at position 30,000 a
// difference in a frequency's last bit turns a pair by a visible angle.
//
//   linear   Chen et al. 2023: all positions closer together
//   dynamic  changes nothing up to max_positions; beyond, the base grows with the text's length. All of a text turns by one base,
//            so a text is computed whole: keys that were cached while it was shorter would be turned by other angles (as they are
//            in transformers, whose text then depends on how it was cached)
//   llama3   long wavelengths as in linear, short ones as they were, a ramp between (Llama 3.1)
//   yarn     Peng et al. 2023: the same idea, the ramp by dimension; cosines and sines grow a little
#include "model/rotary_frequencies.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

static void plain(float *frequencies, float base, int width) {
  for (int i = 0; i < width / 2; i++) {
    float power = (float)(2 * i) / (float)width;
    frequencies[i] = 1.0f / (float)pow((double)base, (double)power);
  }
}

static float dynamic_base(const struct arch *arch, int width, int length) {
  const struct rotary_arch *rotary = &arch->rotary;
  if (length <= arch->max_positions) return rotary->base;
  float stretch = rotary->factor * (float)length / (float)arch->max_positions - (rotary->factor - 1);
  return rotary->base * (float)pow((double)stretch, (double)width / (width - 2));
}

static void scale_llama3(float *frequencies, const struct rotary_arch *rotary, int half) {
  float positions = (float)rotary->original_positions, longest = positions / rotary->low, shortest = positions / rotary->high;
  for (int i = 0; i < half; i++) {
    float wavelength = (float)(2 * pi) / frequencies[i];
    if (wavelength < shortest) continue;
    float scaled = frequencies[i] / rotary->factor;
    if (wavelength > longest) {
      frequencies[i] = scaled;
      continue;
    }
    float smooth = (positions / wavelength - rotary->low) / (rotary->high - rotary->low);
    frequencies[i] = (1 - smooth) * frequencies[i] / rotary->factor + smooth * frequencies[i];
  }
}

// The dimension whose pair turns `rotations` times within the original length.
static double dimension_of(double rotations, const struct rotary_arch *rotary, int width) {
  return width * log(rotary->original_positions / (rotations * 2 * pi)) / (2 * log((double)rotary->base));
}

static void scale_yarn(float *frequencies, const struct rotary_arch *rotary, int width) {
  double first = dimension_of((double)rotary->high, rotary, width), last = dimension_of((double)rotary->low, rotary, width);
  if (rotary->truncated) first = floor(first), last = ceil(last);
  first = fmax(first, 0);
  last = fmin(last, width - 1);
  if (first == last) last += 0.001;
  for (int i = 0; i < width / 2; i++) {
    float power = (float)pow((double)rotary->base, (double)((float)(2 * i) / (float)width));
    float ramp = ((float)i - (float)first) / (float)(last - first), kept = 1 - (float)fmin(fmax((double)ramp, 0), 1);
    frequencies[i] = 1.0f / (rotary->factor * power) * (1 - kept) + 1.0f / power * kept;
  }
}

static double yarn_scale(double factor, double mscale) { return factor <= 1 ? 1 : 0.1 * mscale * log(factor) + 1; }

static double attention_factor(const struct rotary_arch *rotary) {
  double factor = (double)rotary->factor;
  if (rotary->attention_factor != 0) return (double)rotary->attention_factor;
  if (rotary->mscale != 0 && rotary->mscale_all != 0)
    return yarn_scale(factor, (double)rotary->mscale) / yarn_scale(factor, (double)rotary->mscale_all);
  return yarn_scale(factor, 1);
}

float rotary_frequencies(float *frequencies, const struct arch *arch, int width, int length) {
  const struct rotary_arch *rotary = &arch->rotary;
  plain(frequencies, rotary->base, width);
  switch (rotary->scaling) {
    case ROTARY_PLAIN: break;
    case ROTARY_DYNAMIC: plain(frequencies, dynamic_base(arch, width, length), width); break;
    case ROTARY_LINEAR:
      for (int i = 0; i < width / 2; i++) frequencies[i] /= rotary->factor;
      break;
    case ROTARY_LLAMA3: scale_llama3(frequencies, rotary, width / 2); break;
    case ROTARY_YARN: scale_yarn(frequencies, rotary, width); return (float)attention_factor(rotary);
  }
  return 1;
}
