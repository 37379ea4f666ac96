// exp, log, tanh, erf and the activations on sixteen lanes: polynomials of our own, the same in every lane, in body and tail,
// and independent of the machine's libm. Errors are below 2 units in the last place where the result is a normal number.
#pragma once
#include "cpu/simd.h"
#include "tensor/kernels.h"

// Below -87.3 the result is 0; above 88.37 it stays at 2.4e38 instead of becoming infinite. exp(0) is exactly 1.
INLINE vec vec_exp(vec x) {
  lane_mask vanishes = vec_less(x, vec_set(-87.33654f));
  x = vec_max(vec_set(-87.33654f), vec_min(vec_set(88.37626f), x));
  vec n = vec_round(vec_mul(x, vec_set(1.44269504f)));
  vec r = vec_negative_fma(n, vec_set(0.693359375f), x);
  r = vec_negative_fma(n, vec_set(-2.12194440e-4f), r);
  vec p = vec_set(1.9875691500e-4f);
  p = vec_fma(p, r, vec_set(1.3981999507e-3f));
  p = vec_fma(p, r, vec_set(8.3334519073e-3f));
  p = vec_fma(p, r, vec_set(4.1665795894e-2f));
  p = vec_fma(p, r, vec_set(1.6666665459e-1f));
  p = vec_fma(p, r, vec_set(5.0000001201e-1f));
  p = vec_fma(p, vec_mul(r, r), r);
  p = vec_add(p, vec_set(1.0f));
  vec power = vec_bits(ivec_left(ivec_add(vec_to_int(n), ivec_set(127)), 23));
  return vec_select(vanishes, vec_zero(), vec_mul(p, power));
}

// For positive normal x; 0 gives -87.3 (the smallest normal's), which no sum of exponentials reaches.
INLINE vec vec_log(vec x) {
  x = vec_max(vec_set(1.17549435e-38f), x);
  ivec bits = ivec_bits(x);
  // x = m * 2^e with m in [sqrt(1/2), sqrt(2))
  ivec exponent = ivec_sub(ivec_right(ivec_add(bits, ivec_set(0x3F800000u - 0x3F3504F3u)), 23), ivec_set(127));
  vec e = vec_from_int(exponent);
  vec m = vec_bits(ivec_sub(bits, ivec_left(exponent, 23)));
  vec f = vec_sub(m, vec_set(1.0f)), z = vec_mul(f, f);
  vec p = vec_set(7.0376836292e-2f);
  p = vec_fma(p, f, vec_set(-1.1514610310e-1f));
  p = vec_fma(p, f, vec_set(1.1676998740e-1f));
  p = vec_fma(p, f, vec_set(-1.2420140846e-1f));
  p = vec_fma(p, f, vec_set(1.4249322787e-1f));
  p = vec_fma(p, f, vec_set(-1.6668057665e-1f));
  p = vec_fma(p, f, vec_set(2.0000714765e-1f));
  p = vec_fma(p, f, vec_set(-2.4999993993e-1f));
  p = vec_fma(p, f, vec_set(3.3333331174e-1f));
  vec y = vec_mul(vec_mul(p, f), z);
  y = vec_fma(e, vec_set(-2.12194440e-4f), y);
  y = vec_negative_fma(vec_set(0.5f), z, y);
  return vec_fma(e, vec_set(0.693359375f), vec_add(f, y));
}

INLINE float log_one(float x) { return vec_first(vec_log(vec_set(x))); }
INLINE float exp_one(float x) { return vec_first(vec_exp(vec_set(x))); }

INLINE vec vec_sign(vec x) { return vec_bits(ivec_and(ivec_bits(x), ivec_set(0x80000000u))); }
INLINE vec vec_absolute(vec x) { return vec_bits(ivec_and(ivec_bits(x), ivec_set(0x7FFFFFFFu))); }
INLINE vec vec_with_sign(vec magnitude, vec sign) { return vec_bits(ivec_or(ivec_bits(magnitude), ivec_bits(sign))); }

INLINE vec vec_tanh(vec x) {
  vec t = vec_absolute(x), z = vec_mul(x, x);
  vec p = vec_set(-5.70498872745e-3f);
  p = vec_fma(p, z, vec_set(2.06390887954e-2f));
  p = vec_fma(p, z, vec_set(-5.37397155531e-2f));
  p = vec_fma(p, z, vec_set(1.33314422036e-1f));
  p = vec_fma(p, z, vec_set(-3.33332819422e-1f));
  vec small = vec_fma(vec_mul(p, z), x, x);
  vec e = vec_exp(vec_add(t, t));
  vec large = vec_sub(vec_set(1.0f), vec_div(vec_set(2.0f), vec_add(e, vec_set(1.0f))));
  return vec_select(vec_less(t, vec_set(0.625f)), small, vec_with_sign(large, vec_sign(x)));
}

INLINE vec vec_erf(vec x) {
  vec t = vec_min(vec_set(4.0f), vec_absolute(x)), s = vec_mul(t, t);
  vec r = vec_fma(vec_set(-1.72853470e-5f), t, vec_set(3.83197126e-4f));
  vec u = vec_fma(vec_set(-3.88396438e-3f), t, vec_set(2.42546219e-2f));
  r = vec_fma(r, s, u);
  r = vec_fma(r, t, vec_set(-1.06777877e-1f));
  r = vec_fma(r, t, vec_set(-6.34846687e-1f));
  r = vec_fma(r, t, vec_set(-1.28717512e-1f));
  r = vec_fma(r, t, vec_sub(vec_zero(), t));
  vec large = vec_with_sign(vec_sub(vec_set(1.0f), vec_exp(r)), vec_sign(x));
  vec p = vec_set(-5.96761703e-4f);
  p = vec_fma(p, s, vec_set(4.99119423e-3f));
  p = vec_fma(p, s, vec_set(-2.67681349e-2f));
  p = vec_fma(p, s, vec_set(1.12819925e-1f));
  p = vec_fma(p, s, vec_set(-3.76125336e-1f));
  p = vec_fma(p, s, vec_set(1.28379166e-1f));
  vec small = vec_fma(p, x, x);
  return vec_select(vec_less(vec_set(0.927734375f), t), large, small);
}

INLINE vec vec_sigmoid(vec x) {
  return vec_div(vec_set(1.0f), vec_add(vec_set(1.0f), vec_exp(vec_sub(vec_zero(), x))));
}

// The tanh form of gelu: 0.5 x (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3), which is x sigmoid(2 u). Returns 2 u.
INLINE vec gelu_tanh_inner(vec x) {
  return vec_mul(vec_mul(vec_set(1.5957691216f), x), vec_fma(vec_mul(vec_set(0.044715f), x), x, vec_set(1.0f)));
}

INLINE vec vec_activation(vec x, enum activation activation) {
  vec half = vec_mul(vec_set(0.5f), x);
  switch (activation) {
    case ACTIVATION_NONE: return x;
    case ACTIVATION_RELU: return vec_max(vec_zero(), x);
    case ACTIVATION_GELU: return vec_fma(half, vec_erf(vec_mul(x, vec_set(0.7071067812f))), half);
    case ACTIVATION_GELU_TANH: return vec_mul(x, vec_sigmoid(gelu_tanh_inner(x)));
    case ACTIVATION_SILU: return vec_mul(x, vec_sigmoid(x));
    case ACTIVATION_TANH: return vec_tanh(x);
  }
  return x;
}

// The derivative at x.
INLINE vec vec_activation_slope(vec x, enum activation activation) {
  vec one = vec_set(1.0f), half = vec_set(0.5f);
  switch (activation) {
    case ACTIVATION_NONE: return one;
    case ACTIVATION_RELU: return vec_keep(vec_less(vec_zero(), x), one);
    case ACTIVATION_GELU: {
      vec density = vec_mul(vec_set(0.3989422804f), vec_exp(vec_mul(vec_mul(vec_set(-0.5f), x), x)));
      vec below = vec_fma(half, vec_erf(vec_mul(x, vec_set(0.7071067812f))), half);
      return vec_fma(x, density, below);
    }
    case ACTIVATION_GELU_TANH: {
      vec s = vec_sigmoid(gelu_tanh_inner(x));
      vec rise = vec_mul(vec_set(1.5957691216f), vec_fma(vec_mul(vec_set(3 * 0.044715f), x), x, one));
      return vec_mul(s, vec_fma(vec_mul(x, vec_sub(one, s)), rise, one));
    }
    case ACTIVATION_SILU: {
      vec s = vec_sigmoid(x);
      return vec_mul(s, vec_fma(x, vec_sub(one, s), one));
    }
    case ACTIVATION_TANH: {
      vec t = vec_tanh(x);
      return vec_negative_fma(t, t, one);
    }
  }
  return one;
}
