/* cast.h -- conversions between element types, on whole runs of elements
 *
 * Round to nearest, ties to even; NaN stays NaN (quiet, sign kept); overflow becomes Inf where the type has one
 * (F16, BF16, F32, F8_E5M2), the largest value of its sign in F8_E4M3, and NaN in the FNUZ types; subnormals are kept.
 * These are the results of torch 2.13's Tensor.to() (earlier ones made NaN of overflow in F8_E4M3), but for two things:
 * every pair rounds once, where torch takes F64 and integers to the narrow floats by way of F32, and a NaN in BF16 keeps
 * its sign and payload, where torch writes one of two codes. Chosen at run time among AVX-512, AVX2 and portable code,
 * all equal. The host must be little-endian.
 */
#ifndef CKPT_LIB_CAST_H
#define CKPT_LIB_CAST_H
#include "ckpt.h"
#include "isa.h"

/* Floats among each other (f64 f32 f16 bf16, four f8 types, F8_E8M0 read only), bool and integers to floats, and
 * floats and integers to bool or integers as C converts: integers keep their low bits, floats are cut towards zero, and
 * one that is out of range becomes the nearest integer in range, NaN becomes 0; bool is whether the value is not 0. */
bool ckpt_cast_supported(ckpt_dtype from, ckpt_dtype to);
/* count elements; source and destination do not overlap and need no alignment. Pair must be supported. */
void ckpt_cast(ckpt_dtype from, ckpt_dtype to, const void *source, void *destination, size_t count);
/* Everything that can be cast to F64, and the packed types F4, F6_E2M3, F6_E3M2 (OCP microscaling formats, low bits
 * first, source begins on a byte): for statistics and printing. */
bool ckpt_cast_decodable(ckpt_dtype from);
void ckpt_cast_to_f64(ckpt_dtype from, const void *source, double *destination, size_t count);

/* For tests: restrict the choice of code path ("portable", "avx2", "avx512", NULL = best). False when the CPU has
 * it not. Not thread-safe. */
bool ckpt_cast_force(const char *path);
/* The code path in use, for kernels that follow a cast. */
ckpt_isa ckpt_cast_isa(void);
#endif
