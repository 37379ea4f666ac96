// The cosine and sine of an angle of any size that positions reach, in double arithmetic with the operations written down, so
// that every instruction set gives the same bits.
//
// Cody and Waite: the angle less a multiple of pi/2, then polynomials (Taylor; below 1e-10 off within pi/4).
#pragma once
#include <math.h>

// *cosine = scale * cos(angle), *sine = scale * sin(angle)
static inline void turn_of(float *cosine, float *sine, float angle, float scale) {
  static const double quarter_high = 1.57079632679489655800, quarter_low = 6.12323399573676603587e-17;
  double x = angle, quarters = rint(x * 0.63661977236758134308);
  double r = x - quarters * quarter_high;
  r -= quarters * quarter_low;
  double z = r * r;
  double s = r + r * z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 - z * (1.0 / 39916800)))));
  double c = 1 - z * (0.5 - z * (1.0 / 24 - z * (1.0 / 720 - z * (1.0 / 40320 - z * (1.0 / 3628800)))));
  int quadrant = (int)((long long)quarters & 3);
  double sine_value = quadrant & 1 ? c : s, cosine_value = quadrant & 1 ? s : c;
  *sine = (float)(quadrant & 2 ? -sine_value : sine_value) * scale;
  *cosine = (float)((quadrant + 1) & 2 ? -cosine_value : cosine_value) * scale;
}
