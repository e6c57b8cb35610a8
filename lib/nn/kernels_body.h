/* kernels_body.h -- bodies of the single-precision kernels; included by one .c file for each instruction set
 *
 * Before: KERNELS (name of the table), TARGET (attribute of every function), VL (floats in a vector), MR (rows of a
 * register tile), MR_REST (rows of one for what is left: 8 or 4), DW and DX (rows of w and x in a register tile of dot products).
 */
#ifndef CKPT_NN_KERNELS_BODY_H
#define CKPT_NN_KERNELS_BODY_H
#include "kernels.h"

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

#define INNER TARGET static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(VL * 4), aligned(4), may_alias));
typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float vec4 __attribute__((vector_size(16), aligned(4), may_alias));

enum { PARTS = CKPT_NN_LANES / VL };

INNER vec load(const float *p)
{
	return *(const vec *)p;
}

INNER void store(float *p, vec v)
{
	*(vec *)p = v;
}

/* ---- tiles ---- */

/* One register tile over one chunk of k: c[R][V VL] += a outer b; a line from `next` on is fetched for each k, or the same line
 * again and again with step 0. Six rows of a are reached from one address. */
#define TILE_CHUNK(NAME, R, V)                                                                                         \
	INNER void NAME(size_t k, const float *a, size_t si, size_t sk, const float *b, size_t ldb, float *c,          \
	                const char *next, size_t step)                                                                 \
	{                                                                                                              \
		const float *far = a + (R > 6 ? 6 * si : 0);                                                           \
		vec x[R][V];                                                                                           \
		UNROLL for (int i = 0; i < R; i++)                                                                     \
		UNROLL for (int v = 0; v < V; v++) x[i][v] = (vec){0};                                                 \
		for (size_t n = 0; n < k; n++, a += sk, far += sk, b += ldb, next += step) {                           \
			vec w[V];                                                                                      \
			__builtin_prefetch(next, 0, 2);                                                                \
			UNROLL for (int v = 0; v < V; v++) w[v] = load(b + v * VL);                                    \
			UNROLL for (int i = 0; i < R; i++)                                                             \
			{                                                                                              \
				float f = i < 6 ? a[(size_t)i * si] : far[(size_t)(i - 6) * si];                       \
				UNROLL for (int v = 0; v < V; v++) x[i][v] += f * w[v];                                \
			}                                                                                              \
		}                                                                                                      \
		UNROLL for (int i = 0; i < R; i++)                                                                     \
		UNROLL for (int v = 0; v < V; v++)                                                                     \
		{                                                                                                      \
			float *at = c + i * CKPT_NN_NB + v * VL;                                                       \
			store(at, load(at) + x[i][v]);                                                                 \
		}                                                                                                      \
	}
/* One of four such tiles, by the rows. */
#define TILE_OF(NAME, V)                                                                                               \
	TILE_CHUNK(NAME##_most, MR, V)                                                                                 \
	TILE_CHUNK(NAME##_rest, MR_REST, V)                                                                            \
	TILE_CHUNK(NAME##_four, 4, V)                                                                                  \
	TILE_CHUNK(NAME##_one, 1, V)                                                                                   \
	INNER void NAME(size_t rows, size_t k, const float *a, size_t si, size_t sk, const float *b, size_t ldb,       \
	                float *c, const char *next, size_t step)                                                       \
	{                                                                                                              \
		if (rows == MR)                                                                                        \
			NAME##_most(k, a, si, sk, b, ldb, c, next, step);                                              \
		else if (rows == MR_REST)                                                                              \
			NAME##_rest(k, a, si, sk, b, ldb, c, next, step);                                              \
		else if (rows == 4)                                                                                    \
			NAME##_four(k, a, si, sk, b, ldb, c, next, step);                                              \
		else                                                                                                   \
			NAME##_one(k, a, si, sk, b, ldb, c, next, step);                                               \
	}
TILE_OF(tile_two, 2)
#if VL == 16
TILE_OF(tile_single, 1) /* half a tile */
#else
#define tile_single tile_two /* is never called */
#endif

/* The lines to fetch during a chunk of k. */
INNER size_t fetch_lines(const ckpt_nn_fetch *f, size_t k)
{
	return !f || !f->rows ? 0 : f->left < k ? f->left : k;
}

INNER void fetched(ckpt_nn_fetch *f, size_t lines)
{
	f->at += lines * CKPT_NN_LINE;
	f->left -= lines;
	if (f->left) return;
	f->rows--;
	f->at += f->gap;
	f->left = f->lines;
}

TARGET static void tile(size_t rows, size_t cols, size_t k, const float *a, size_t si, size_t sk, const float *b, size_t ldb,
                        float *c, ckpt_nn_fetch *fetch)
{
	for (size_t i = 0, taken; i < rows; i += taken) {
		size_t left = rows - i;
		taken = left % MR == 0 ? (size_t)MR : left % MR_REST == 0 ? (size_t)MR_REST : left % 4 == 0 ? 4 : 1;
		for (size_t j = 0; j < cols; j += 2 * VL)
			for (size_t k0 = 0; k0 < k; k0 += CKPT_NN_CHUNK) {
				size_t n = k - k0 < CKPT_NN_CHUNK ? k - k0 : CKPT_NN_CHUNK, lines = fetch_lines(fetch, n);
				const float *x = a + i * si + k0 * sk, *v = b + k0 * ldb + j;
				const char *next = lines ? fetch->at : (const char *)x;
				float *to = c + i * CKPT_NN_NB + j;
				if (cols - j < 2 * VL)
					tile_single(taken, n, x, si, sk, v, ldb, to, next, lines ? CKPT_NN_LINE : 0);
				else
					tile_two(taken, n, x, si, sk, v, ldb, to, next, lines ? CKPT_NN_LINE : 0);
				if (lines) fetched(fetch, lines);
			}
	}
}

/* ---- dot products ---- */

typedef double wide __attribute__((vector_size(VL * 4), aligned(8), may_alias));

/* sums[q][r][LANES] += x row q times w row r, for Q rows of x and R rows of w; V holds N elements of type T. */
#define DOT_TILE(NAME, T, V, N, LANES, Q, R)                                                                           \
	INNER void NAME(size_t k, const T *x, size_t ldx, const T *const *w, const char *const *far, T *sums)                          \
	{                                                                                                              \
		V s[Q][R][PARTS];                                                                                      \
		UNROLL for (int q = 0; q < Q; q++)                                                                     \
		UNROLL for (int r = 0; r < R; r++)                                                                     \
		UNROLL for (int p = 0; p < PARTS; p++)                                                                 \
			s[q][r][p] = *(const V *)(sums + (q * CKPT_NN_DOTS + r) * LANES + p * N);                      \
		for (size_t n = 0; n < k; n += LANES)                                                                  \
			UNROLL for (int p = 0; p < PARTS; p++)                                                         \
			{                                                                                              \
				V v[R];                                                                                \
				UNROLL for (int r = 0; r < R; r++)                                                     \
				{                                                                                      \
					v[r] = *(const V *)(w[r] + n + p * N);                                         \
					if (p == 0) __builtin_prefetch(far[r] + n * sizeof(T), 0, 2);                  \
				}                                                                                      \
				UNROLL for (int q = 0; q < Q; q++)                                                     \
				{                                                                                      \
					V u = *(const V *)(x + (size_t)q * ldx + n + p * N);                           \
					UNROLL for (int r = 0; r < R; r++) s[q][r][p] += u * v[r];                     \
				}                                                                                      \
			}                                                                                              \
		UNROLL for (int q = 0; q < Q; q++)                                                                     \
		UNROLL for (int r = 0; r < R; r++)                                                                     \
		UNROLL for (int p = 0; p < PARTS; p++)                                                                 \
			*(V *)(sums + (q * CKPT_NN_DOTS + r) * LANES + p * N) = s[q][r][p];                            \
	}
DOT_TILE(dot_tile, float, vec, VL, CKPT_NN_LANES, DX, DW)
DOT_TILE(dot_row, float, vec, VL, CKPT_NN_LANES, 1, DW)
DOT_TILE(dot_tile_wide, double, wide, (VL / 2), CKPT_NN_WIDE_LANES, DX, DW)
DOT_TILE(dot_row_wide, double, wide, (VL / 2), CKPT_NN_WIDE_LANES, 1, DW)

TARGET static void dots(size_t m, size_t k, const float *x, size_t ldx, const float *const *w, const char *next,
                        size_t apart, float *sums)
{
	size_t tiles = m / DX + m % DX;
	for (size_t r = 0; r < CKPT_NN_DOTS; r += DW) {
		size_t q = 0, step = CKPT_NN_DOTS * CKPT_NN_LANES;
		float *to = sums + r * CKPT_NN_LANES;
		for (size_t i = 0; q < m; i++) {
			const char *far[DW];
			for (size_t j = 0; j < DW; j++) /* the register tiles share the work of fetching */
				far[j] = next && i == j * tiles / DW ? next + (r + j) * apart : (const char *)w[r + j];
			if (q + DX <= m) {
				dot_tile(k, x + q * ldx, ldx, w + r, far, to + q * step);
				q += DX;
			} else {
				dot_row(k, x + q * ldx, ldx, w + r, far, to + q * step);
				q++;
			}
		}
	}
}

TARGET static void dots_wide(size_t m, size_t k, const double *x, size_t ldx, const double *const *w, double *sums)
{
	for (size_t r = 0; r < CKPT_NN_DOTS; r += DW) {
		size_t q = 0, step = CKPT_NN_DOTS * CKPT_NN_WIDE_LANES;
		double *to = sums + r * CKPT_NN_WIDE_LANES;
		const char *far[DW]; /* nothing is fetched */
		for (size_t j = 0; j < DW; j++) far[j] = (const char *)w[r + j];
		for (; q + DX <= m; q += DX) dot_tile_wide(k, x + q * ldx, ldx, w + r, far, to + q * step);
		for (; q < m; q++) dot_row_wide(k, x + q * ldx, ldx, w + r, far, to + q * step);
	}
}

/* The 16 partial sums of four outputs become four sums: lanes i and i + 8 are added, then i + 4, i + 2, i + 1. */
INNER vec4 join_four(const float *sums)
{
	vec4 t[4];
	UNROLL for (int r = 0; r < 4; r++)
	{
		const float *s = sums + r * CKPT_NN_LANES;
		vec4 low = *(const vec4 *)s + *(const vec4 *)(s + 8), high = *(const vec4 *)(s + 4) + *(const vec4 *)(s + 12);
		t[r] = low + high;
	}
	vec4 a = __builtin_shufflevector(t[0], t[1], 0, 1, 4, 5) + __builtin_shufflevector(t[0], t[1], 2, 3, 6, 7);
	vec4 b = __builtin_shufflevector(t[2], t[3], 0, 1, 4, 5) + __builtin_shufflevector(t[2], t[3], 2, 3, 6, 7);
	return __builtin_shufflevector(a, b, 0, 2, 4, 6) + __builtin_shufflevector(a, b, 1, 3, 5, 7);
}

TARGET static void join(size_t m, const float *sums, float *out, size_t ldo)
{
	for (size_t q = 0; q < m; q++) *(vec4 *)(out + q * ldo) = join_four(sums + q * CKPT_NN_DOTS * CKPT_NN_LANES);
}

/* ---- outer products ---- */

/* The eight products of an output are added one after the other, then their sum to what was there. */
TARGET static void outer(size_t m, size_t panels, const float *x, const float *w, size_t ldw, float *sums)
{
	for (size_t j = 0; j < panels; j++, w += CKPT_NN_NB, sums += m * CKPT_NN_NB)
		for (size_t v = 0; v < CKPT_NN_NB; v += VL) {
			vec row[CKPT_NN_DEPTH];
			UNROLL for (size_t r = 0; r < CKPT_NN_DEPTH; r++) row[r] = load(w + r * ldw + v);
			for (size_t i = 0; i < m; i++) {
				const float *f = x + i * CKPT_NN_DEPTH;
				float *to = sums + i * CKPT_NN_NB + v;
				vec s = f[0] * row[0];
				UNROLL for (int r = 1; r < CKPT_NN_DEPTH; r++) s += f[r] * row[r];
				store(to, load(to) + s);
			}
		}
}

/* ---- packing ---- */

INNER void transpose4(const float *s, size_t ld, float *o, size_t ldo)
{
	vec4 a = *(const vec4 *)s, b = *(const vec4 *)(s + ld), c = *(const vec4 *)(s + 2 * ld), d = *(const vec4 *)(s + 3 * ld);
	vec4 t0 = __builtin_shufflevector(a, b, 0, 4, 1, 5), t1 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
	vec4 t2 = __builtin_shufflevector(a, b, 2, 6, 3, 7), t3 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
	*(vec4 *)o = __builtin_shufflevector(t0, t1, 0, 1, 4, 5);
	*(vec4 *)(o + ldo) = __builtin_shufflevector(t0, t1, 2, 3, 6, 7);
	*(vec4 *)(o + 2 * ldo) = __builtin_shufflevector(t2, t3, 0, 1, 4, 5);
	*(vec4 *)(o + 3 * ldo) = __builtin_shufflevector(t2, t3, 2, 3, 6, 7);
}

INNER void transpose8(const float *s, size_t ld, float *o, size_t ldo)
{
	vec8 r[8], t[8];
	UNROLL for (int i = 0; i < 8; i++) r[i] = *(const vec8 *)(s + (size_t)i * ld);
	UNROLL for (int i = 0; i < 8; i += 2)
	{
		t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
		t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
	}
	UNROLL for (int i = 0; i < 8; i += 4)
	{
		r[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
		r[i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
		r[i + 2] = __builtin_shufflevector(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
		r[i + 3] = __builtin_shufflevector(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
	}
	UNROLL for (int i = 0; i < 4; i++)
	{
		*(vec8 *)(o + (size_t)i * ldo) = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
		*(vec8 *)(o + (size_t)(i + 4) * ldo) = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
	}
}

TARGET static void pack(const float *rows, size_t ld, size_t b, size_t k, float *out, size_t ldo)
{
	for (size_t j = 0; j < b;) {
		const float *s = rows + j * ld;
		float *o = out + j;
		size_t step = b - j >= 8 ? 8 : 4, n = 0;
		if (step == 8)
			for (; n + 8 <= k; n += 8) transpose8(s + n, ld, o + n * ldo, ldo);
		else
			for (; n + 4 <= k; n += 4) transpose4(s + n, ld, o + n * ldo, ldo);
		for (; n < k; n++)
			for (size_t i = 0; i < step; i++) o[n * ldo + i] = s[i * ld + n];
		j += step;
	}
}

/* ---- widening ---- */

INNER float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

/* Exact for subnormals, infinities and NaN, in integer operations and one product, so that it vectorises. */
INNER float from_f16(uint16_t h)
{
	uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13, u;
	float f = from_bits(magnitude) * 0x1p112f;
	memcpy(&u, &f, sizeof u);
	u |= (magnitude >= 31u << 23 ? 0x7f800000u : 0) | (uint32_t)(h & 0x8000) << 16;
	return from_bits(u);
}

typedef uint16_t any16 __attribute__((aligned(1), may_alias));
typedef double any64 __attribute__((aligned(1), may_alias));

TARGET static void widen(ckpt_dtype dtype, const void *in, float *out, size_t count)
{
	const any16 *h = in;
	const any64 *d = in;
	if (dtype == CKPT_BF16)
		for (size_t i = 0; i < count; i++) out[i] = from_bits((uint32_t)h[i] << 16);
	else if (dtype == CKPT_F16)
		for (size_t i = 0; i < count; i++) out[i] = from_f16(h[i]);
	else if (dtype == CKPT_F64)
		for (size_t i = 0; i < count; i++) out[i] = (float)d[i];
	else
		memcpy(out, in, count * sizeof *out);
}

/* ---- functions of one variable, on vectors ---- */

typedef int32_t ivec __attribute__((vector_size(VL * 4), aligned(4), may_alias));

INNER vec splat(float x)
{
	return x - (vec){0};
}

INNER vec pick(ivec mask, vec yes, vec no)
{
	return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

/* The larger of two; b where either is NaN. */
INNER vec larger(vec a, vec b)
{
#if VL == 16
	return (vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif VL == 8
	return (vec)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
	return (vec)_mm_max_ps((__m128)a, (__m128)b);
#else
	return pick(a > b, a, b);
#endif
}

/* The smaller of two; b where either is NaN. */
INNER vec smaller(vec a, vec b)
{
#if VL == 16
	return (vec)_mm512_min_ps((__m512)a, (__m512)b);
#elif VL == 8
	return (vec)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
	return (vec)_mm_min_ps((__m128)a, (__m128)b);
#else
	return pick(a < b, a, b);
#endif
}

/* p 2^n, rounded once; n is whole, and the same as an integer. */
INNER vec times_power(vec p, vec n, ivec whole)
{
#if VL == 16
	(void)whole;
	return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
	ivec half = whole >> 1; /* in two steps, so that the result may be subnormal */
	(void)n;
	return p * (vec)((half + 127) << 23) * (vec)((whole - half + 127) << 23);
#endif
}

/* Below 1 ulp: 2^n e^r with |r| <= ln 2 / 2, e^r by a polynomial with relative error 3e-9. */
INNER vec exp_of(vec x)
{
	const vec magic = splat(12582912.0f); /* 1.5 * 2^23: adding it rounds to a whole number */
	x = larger(splat(-104.0f), smaller(splat(88.72284f), x)); /* NaN stays */
	vec t = x * 1.44269504f + magic, n = t - magic;
	vec r = x - n * 0.693145752f - n * 1.42860677e-6f;
	vec p = splat(1.38144672e-3f);
	p = p * r + 8.36878084e-3f;
	p = p * r + 4.16683927e-2f;
	p = p * r + 0.166665196f;
	p = p * r + 0.49999994f;
	p = p * r * r + r + 1.0f;
	return times_power(p, n, (ivec)t - (ivec)magic);
}

INNER vec sigmoid_of(vec x)
{
	return 1.0f / (1.0f + exp_of(-x));
}

/* x Phi(x) = max(x, 0) - |x| Q(|x|), where the upper tail Q(t) = exp(-t^2/2) R(t) and R is a polynomial in 1 / (1 + 0.35 t)
 * with relative error 4e-8: no cancellation on either side. */
INNER vec gelu_of(vec x)
{
	vec t = smaller(splat(14.0f), (vec)((ivec)x & 0x7fffffff));
	vec z = 1.0f / (1.0f + 0.35f * t);
	vec p = splat(-0.02915784f);
	p = p * z + 0.144030716f;
	p = p * z - 0.255838623f;
	p = p * z + 0.159319304f;
	p = p * z - 0.0232121129f;
	p = p * z + 0.105552412f;
	p = p * z + 0.119821308f;
	p = p * z + 0.139863513f;
	p = p * z + 0.139621307f;
	vec tail = t * (p * z) * exp_of(-0.5f * t * t);
	return larger(splat(0.0f), x) - tail;
}

INNER vec gelu_tanh_of(vec x, float root)
{
	return x * sigmoid_of(2.0f * root * (x + 0.044715f * x * x * x));
}

/* Nothing to gain from vectors: rare, or a few elements of a pooler. */
INNER float activate_one(ckpt_nn_activation act, float x)
{
	switch (act) {
	case CKPT_ACT_TANH:
		return tanhf(x);
	case CKPT_ACT_MISH:
		return x * tanhf(x > 20 ? x : log1pf(expf(x)));
	default:
		return x;
	}
}

INNER vec activate_vec(ckpt_nn_activation act, vec x)
{
	const vec zero = splat(0.0f);
	switch (act) {
	case CKPT_ACT_GELU:
		return gelu_of(x);
	case CKPT_ACT_GELU_TANH:
		return gelu_tanh_of(x, 0.79788456080286536f);
	case CKPT_ACT_GELU_FAST:
		return gelu_tanh_of(x, 0.7978845608f);
	case CKPT_ACT_GELU_10: {
		vec y = gelu_of(x);
		y = pick(y > splat(10.0f), splat(10.0f), y);
		return pick(y < splat(-10.0f), splat(-10.0f), y);
	}
	case CKPT_ACT_QUICK_GELU:
		return x * sigmoid_of(1.702f * x);
	case CKPT_ACT_SILU:
		return x * sigmoid_of(x);
	case CKPT_ACT_SIGMOID:
		return sigmoid_of(x);
	case CKPT_ACT_RELU:
		return pick(x < zero, zero, x);
	case CKPT_ACT_RELU2: {
		vec y = pick(x < zero, zero, x);
		return y * y;
	}
	case CKPT_ACT_RELU6:
		return pick(x < zero, zero, pick(x > splat(6.0f), splat(6.0f), x));
	case CKPT_ACT_LEAKY_RELU:
		return pick(x < zero, 0.01f * x, x);
	default: {
		float one[VL];
		store(one, x);
		for (int i = 0; i < VL; i++) one[i] = activate_one(act, one[i]);
		return load(one);
	}
	}
}

TARGET static void activate(ckpt_nn_activation act, const float *x, float *y, size_t count)
{
	size_t i = 0;
	for (; i + VL <= count; i += VL) store(y + i, activate_vec(act, load(x + i)));
	if (i == count) return;
	float rest[VL] = {0};
	memcpy(rest, x + i, (count - i) * sizeof *x);
	store(rest, activate_vec(act, load(rest)));
	memcpy(y + i, rest, (count - i) * sizeof *y);
}

/* ---- rows ---- */

/* A row of 32 finished sums. */
INNER void finish_row(const float *sums, const float *bias, ckpt_nn_activation act, const float *residual, float *y)
{
	for (int j = 0; j < CKPT_NN_NB; j += VL) {
		vec v = load(sums + j);
		if (bias) v += load(bias + j);
		if (act != CKPT_ACT_NONE) v = activate_vec(act, v);
		if (residual) v += load(residual + j);
		store(y + j, v);
	}
}

TARGET static void finish(const float *sums, size_t rows, size_t count, const float *bias, ckpt_nn_activation act,
                          const float *residual, float *y, size_t ld)
{
	for (size_t i = 0; i < rows; i++) {
		const float *more = residual ? residual + i * ld : NULL;
		if (count == CKPT_NN_NB) {
			finish_row(sums + i * CKPT_NN_NB, bias, act, more, y + i * ld);
			continue;
		}
		float out[CKPT_NN_NB], pad[CKPT_NN_NB] = {0};
		if (more) memcpy(pad, more, count * sizeof *pad);
		finish_row(sums + i * CKPT_NN_NB, bias, act, more ? pad : NULL, out);
		memcpy(y + i * ld, out, count * sizeof *y);
	}
}

TARGET static void finish_turned(float *sums, size_t rows, size_t count, const float *divisors, const float *bias,
                                 ckpt_nn_activation act, const float *residual, float *y, size_t ld)
{
	float turned[CKPT_NN_NB * CKPT_NN_GROUP];
	for (size_t i = 0; i < count; i++)
		for (int j = 0; j < CKPT_NN_NB; j += VL) {
			float *at = sums + i * CKPT_NN_NB + j;
			vec v = load(at);
			if (divisors) v /= load(divisors + j);
			if (bias) v += bias[i];
			if (act != CKPT_ACT_NONE) v = activate_vec(act, v);
			store(at, v);
		}
	pack(sums, CKPT_NN_NB, (count + 3) & ~(size_t)3, rows, turned, CKPT_NN_GROUP);
	for (size_t j = 0; j < rows; j++) {
		const float *t = turned + j * CKPT_NN_GROUP, *more = residual ? residual + j * ld : NULL;
		float *out = y + j * ld;
		size_t i = 0;
		for (; i + VL <= count; i += VL) {
			vec v = load(t + i);
			if (more) v += load(more + i);
			store(out + i, v);
		}
		for (; i < count; i++) out[i] = more ? t[i] + more[i] : t[i];
	}
}

TARGET static void scale_add(float *x, float scale, const float *bias, size_t count)
{
	size_t i = 0;
	for (; i + VL <= count; i += VL) {
		vec v = load(x + i) * scale;
		if (bias) v += load(bias + i);
		store(x + i, v);
	}
	for (; i < count; i++) x[i] = bias ? x[i] * scale + bias[i] : x[i] * scale;
}

/* Sixteen partial results become one, in a fixed order. */
INNER float join_sum(float *s)
{
	for (int half = CKPT_NN_LANES / 2; half > 0; half /= 2)
		for (int i = 0; i < half; i++) s[i] += s[i + half];
	return s[0];
}

TARGET static float exp_shift(float *x, size_t count)
{
	float most = x[0], sums[CKPT_NN_LANES] = {0};
	size_t i = 0;
	vec m = splat(most);
	for (; i + VL <= count; i += VL) {
		vec v = load(x + i);
		m = pick(v > m, v, m);
	}
	for (int j = 0; j < VL; j++) most = m[j] > most ? m[j] : most;
	for (; i < count; i++) most = x[i] > most ? x[i] : most;
	for (i = 0; i + CKPT_NN_LANES <= count; i += CKPT_NN_LANES)
		for (int p = 0; p < CKPT_NN_LANES; p += VL) {
			vec e = exp_of(load(x + i + p) - most);
			store(x + i + p, e);
			store(sums + p, load(sums + p) + e);
		}
	if (i < count) {
		float rest[CKPT_NN_LANES] = {0};
		memcpy(rest, x + i, (count - i) * sizeof *x);
		for (int p = 0; p < CKPT_NN_LANES; p += VL) store(rest + p, exp_of(load(rest + p) - most));
		for (size_t j = 0; j < count - i; j++) sums[j] += rest[j];
		memcpy(x + i, rest, (count - i) * sizeof *x);
	}
	return join_sum(sums);
}

/* The sums of 64 rows at a time are added to the total. */
TARGET static void exp_columns(float *x, size_t count, size_t cols, float scale, float *sums)
{
	for (size_t j = 0; j < CKPT_NN_NB; j += VL) {
		vec most = splat(-INFINITY), total = {0};
		if (j >= cols) {
			store(sums + j, splat(1.0f));
			continue;
		}
		for (size_t i = 0; i < count; i++) most = larger(load(x + i * CKPT_NN_NB + j), most);
		most *= scale;
		for (size_t i = 0; i < count;) {
			size_t end = count - i < CKPT_NN_CHUNK ? count : i + CKPT_NN_CHUNK;
			vec sum = {0};
			for (; i < end; i++) {
				vec e = exp_of(load(x + i * CKPT_NN_NB + j) * scale - most);
				store(x + i * CKPT_NN_NB + j, e);
				sum += e;
			}
			total += sum;
		}
		store(sums + j, total);
	}
}

/* Sum of (x - shift)^power over the row, power 1 or 2. */
INNER float row_sum(const float *x, size_t count, float shift, bool square)
{
	float sums[CKPT_NN_LANES] = {0};
	size_t i = 0;
	vec s[PARTS];
	for (int p = 0; p < PARTS; p++) s[p] = (vec){0};
	for (; i + CKPT_NN_LANES <= count; i += CKPT_NN_LANES)
		for (int p = 0; p < PARTS; p++) {
			vec v = load(x + i + p * VL) - shift;
			if (square) v = v * v;
			s[p] += v;
		}
	for (int p = 0; p < PARTS; p++) store(sums + p * VL, s[p]);
	for (size_t j = 0; i < count; i++, j++) {
		float v = x[i] - shift;
		sums[j] += square ? v * v : v;
	}
	return join_sum(sums);
}

TARGET static void norm(bool rms, const float *x, size_t count, const float *weight, const float *bias, float eps, float *y)
{
	float n = (float)count, mean = rms ? 0.0f : row_sum(x, count, 0.0f, false) / n;
	float scale = 1.0f / sqrtf(row_sum(x, count, mean, true) / n + eps);
	size_t i = 0;
	for (; i + VL <= count; i += VL) {
		vec v = (load(x + i) - mean) * scale;
		if (weight) v *= load(weight + i);
		if (bias) v += load(bias + i);
		store(y + i, v);
	}
	for (; i < count; i++) {
		float v = (x[i] - mean) * scale;
		if (weight) v *= weight[i];
		y[i] = bias ? v + bias[i] : v;
	}
}

const ckpt_nn_kernels KERNELS = {tile,  dots,   join,          outer,    dots_wide, pack,      widen,
                                 finish, finish_turned, activate, scale_add, exp_shift, exp_columns, norm};
#endif
