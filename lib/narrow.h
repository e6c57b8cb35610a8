/* narrow.h -- 16-bit and 8-bit floating-point codes to and from the bits of an f32
 *
 * A narrow format is a sign, some exponent bits and M mantissa bits with exponent bias BIAS. Where the exponents of f32
 * reach further, its subnormals are made by the FPU: adding a power of two whose last place is worth one subnormal step
 * rounds to nearest even and leaves the code in the low bits of the sum. Everything is free of branches, so that loops
 * over it become vector code, and exact: the current rounding mode must be the default one.
 */
#ifndef CKPT_LIB_NARROW_H
#define CKPT_LIB_NARROW_H
#include "isa.h"
#include <stdint.h>
#include <string.h>

CKPT_INLINE uint32_t ckpt_float_bits(float f)
{
	uint32_t u;
	memcpy(&u, &f, sizeof u);
	return u;
}

CKPT_INLINE float ckpt_bits_float(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* The magnitude bits `a` of an f32 rounded to M mantissa bits under `bias`; overflow runs on into larger codes. */
CKPT_INLINE int32_t ckpt_narrow_round(int32_t a, int M, int bias)
{
	const int shift = 23 - M;
	const int32_t magic = (127 + 24 - bias - M) << 23;
	int32_t sum = (int32_t)ckpt_float_bits(ckpt_bits_float((uint32_t)a) + ckpt_bits_float((uint32_t)magic));
	int32_t subnormal = sum - magic;
	int32_t odd = (a >> shift) & 1;
	int32_t normal = (a - ((127 - bias) << 23) + (1 << (shift - 1)) - 1 + odd) >> shift;
	return a < (128 - bias) << 23 ? subnormal : normal;
}

/* The magnitude code `m` of a narrow format as magnitude bits of an f32; the top exponent is an ordinary one here. */
CKPT_INLINE int32_t ckpt_narrow_expand(int32_t m, int M, int bias)
{
	const int32_t magic = (127 + 24 - bias - M) << 23;
	float value = ckpt_bits_float((uint32_t)(magic | m)) - ckpt_bits_float((uint32_t)magic);
	int32_t subnormal = (int32_t)ckpt_float_bits(value);
	int32_t normal = (m << (23 - M)) + ((127 - bias) << 23);
	return m < 1 << M ? subnormal : normal;
}

enum { CKPT_F32_INF = 0x7f800000, CKPT_F32_QUIET = 0x00400000 };

/* ---- from f32 bits: NaN stays a quiet NaN of the same sign, with as much of its payload as fits ---- */

CKPT_INLINE uint16_t ckpt_bf16_encode(uint32_t u)
{
	uint32_t rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
	return (uint16_t)((int32_t)(u & 0x7fffffff) > CKPT_F32_INF ? u >> 16 | 0x40 : rounded);
}

CKPT_INLINE uint16_t ckpt_f16_encode(uint32_t u)
{
	int32_t a = (int32_t)(u & 0x7fffffff), m = ckpt_narrow_round(a, 10, 15);
	m = m > 0x7c00 ? 0x7c00 : m;
	m = a >= CKPT_F32_INF ? 0x7c00 : m;
	m = a > CKPT_F32_INF ? 0x7e00 | (a >> 13 & 0x3ff) : m;
	return (uint16_t)((uint32_t)m | (u >> 16 & 0x8000));
}

/* One NaN of each sign: 0x7f. */
CKPT_INLINE uint8_t ckpt_e5m2_encode(uint32_t u)
{
	int32_t a = (int32_t)(u & 0x7fffffff), m = ckpt_narrow_round(a, 2, 15);
	m = m > 0x7c ? 0x7c : m;
	m = a >= CKPT_F32_INF ? 0x7c : m;
	m = a > CKPT_F32_INF ? 0x7f : m;
	return (uint8_t)((uint32_t)m | (u >> 24 & 0x80));
}

/* No infinity: what is rounded past 448, and infinity itself, becomes 448. */
CKPT_INLINE uint8_t ckpt_e4m3_encode(uint32_t u)
{
	int32_t a = (int32_t)(u & 0x7fffffff), m = ckpt_narrow_round(a, 3, 7);
	m = m > 0x7e ? 0x7e : m;
	m = a >= CKPT_F32_INF ? 0x7e : m;
	m = a > CKPT_F32_INF ? 0x7f : m;
	return (uint8_t)((uint32_t)m | (u >> 24 & 0x80));
}

/* FNUZ: no infinity, no negative zero; the code 0x80 is the only NaN. */
CKPT_INLINE uint8_t ckpt_fnuz_encode(uint32_t u, int M, int bias)
{
	int32_t a = (int32_t)(u & 0x7fffffff), m = ckpt_narrow_round(a, M, bias);
	int32_t sign = (int32_t)(u >> 24 & 0x80);
	int32_t code = m | (m == 0 ? 0 : sign);
	code = m > 0x7f ? 0x80 : code;
	return (uint8_t)(a >= CKPT_F32_INF ? 0x80 : code);
}

CKPT_INLINE uint8_t ckpt_e4m3fnuz_encode(uint32_t u) { return ckpt_fnuz_encode(u, 3, 8); }
CKPT_INLINE uint8_t ckpt_e5m2fnuz_encode(uint32_t u) { return ckpt_fnuz_encode(u, 2, 16); }

/* ---- to f32 bits: exact ---- */

/* A shift: a signalling NaN remains one. */
CKPT_INLINE uint32_t ckpt_bf16_decode(uint16_t h) { return (uint32_t)h << 16; }

CKPT_INLINE uint32_t ckpt_f16_decode(uint16_t h)
{
	int32_t m = h & 0x7fff, a = ckpt_narrow_expand(m, 10, 15);
	a = m >= 0x7c00 ? CKPT_F32_INF | m << 13 : a;
	a = m > 0x7c00 ? a | CKPT_F32_QUIET : a;
	return (uint32_t)a | (uint32_t)(h & 0x8000) << 16;
}

CKPT_INLINE uint32_t ckpt_e5m2_decode(uint8_t b) { return ckpt_f16_decode((uint16_t)(b << 8)); }

CKPT_INLINE uint32_t ckpt_e4m3_decode(uint8_t b)
{
	int32_t m = b & 0x7f, a = ckpt_narrow_expand(m, 3, 7);
	a = m == 0x7f ? CKPT_F32_INF | m << 20 : a;
	return (uint32_t)a | (uint32_t)(b & 0x80) << 24;
}

CKPT_INLINE uint32_t ckpt_fnuz_decode(uint8_t b, int M, int bias)
{
	int32_t m = b & 0x7f, a = ckpt_narrow_expand(m, M, bias);
	uint32_t code = (uint32_t)a | (uint32_t)(b & 0x80) << 24;
	return b == 0x80 ? CKPT_F32_INF | CKPT_F32_QUIET : code;
}

CKPT_INLINE uint32_t ckpt_e4m3fnuz_decode(uint8_t b) { return ckpt_fnuz_decode(b, 3, 8); }
CKPT_INLINE uint32_t ckpt_e5m2fnuz_decode(uint8_t b) { return ckpt_fnuz_decode(b, 2, 16); }

/* A power of two without sign: 2^(b - 127), 0xff is NaN. */
CKPT_INLINE uint32_t ckpt_e8m0_decode(uint8_t b)
{
	uint32_t a = b == 0 ? 0x00400000 : (uint32_t)b << 23;
	return b == 0xff ? CKPT_F32_INF | CKPT_F32_QUIET : a;
}
#endif
