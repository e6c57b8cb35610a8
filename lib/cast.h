/* cast.h -- conversions between element types, on whole runs of elements
 *
 * Round to nearest, ties to even; NaN stays NaN (quiet, sign kept); overflow becomes Inf where the type has one
 * (F16, BF16, F32, F8_E5M2), else NaN (F8_E4M3 as OCP says without saturation, FNUZ types); subnormals are kept.
 * These are the results of torch's Tensor.to(). Chosen at run time among AVX-512, AVX2 and portable code, all equal.
 */
#ifndef CKPT_LIB_CAST_H
#define CKPT_LIB_CAST_H
#include "ckpt.h"

/* Floats among each other (f64 f32 f16 bf16, four f8 types, F8_E8M0 read only), bool and integers to floats, and
 * floats and integers to bool or integers as C converts (out of range and NaN saturate to a defined value). */
bool ckpt_cast_supported(ckpt_dtype from, ckpt_dtype to);
/* count elements; source and destination do not overlap and need no alignment. Pair must be supported. */
void ckpt_cast(ckpt_dtype from, ckpt_dtype to, const void *source, void *destination, size_t count);
/* Any supported type to double, and from double: the slow general road for statistics, printing and tests. */
void ckpt_cast_to_f64(ckpt_dtype from, const void *source, double *destination, size_t count);

/* For tests: restrict the choice of code path ("portable", "avx2", "avx512", NULL = best). False when the CPU has
 * it not. Not thread-safe. */
bool ckpt_cast_force(const char *path);
#endif
