// Pearson's and Spearman's correlation of two rows of numbers, with the numbers of SciPy. 0 when one of them is constant.
#pragma once
#include "base/error.h"

double correlation_pearson(const double *x, const double *y, size_t count);
// Pearson's of the ranks; equal numbers share the mean of their ranks. False when memory is short.
bool correlation_spearman(const double *x, const double *y, size_t count, double *result, struct error *error);
