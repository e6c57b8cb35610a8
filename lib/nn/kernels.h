/* kernels.h -- the inner loops of single precision, compiled once for each instruction set
 *
 * lib/nn/kernels_body.h holds them in plain C with vector types; kernels_portable.c, kernels_avx2.c and
 * kernels_avx512.c compile it for their CPU. All give the same bits where the CPU has FMA: tiles and lanes have the
 * same shape everywhere, only the registers that hold them differ.
 */
#ifndef CKPT_NN_KERNELS_H
#define CKPT_NN_KERNELS_H
#include "nn.h"

enum {
	CKPT_NN_MB = 12,     /* rows of a tile */
	CKPT_NN_NB = 32,     /* columns of one */
	CKPT_NN_HALF = 16,   /* and of half of one */
	CKPT_NN_GROUP = 48,  /* rows of w, or outputs, at work together on many rows of x */
	CKPT_NN_DEPTH = 8,   /* rows of w (k, n) at work together on few rows of x */
	CKPT_NN_CHUNK = 96,  /* products summed in one chain before the chain is added to the total */
	CKPT_NN_LANES = 16,  /* partial sums of a dot product; lane i takes the elements i, i + 16, ... */
	CKPT_NN_WIDE_LANES = 8, /* the same in double precision */
	CKPT_NN_LINE = 64, /* bytes of a cache line */
	CKPT_NN_DOTS = 4     /* rows of w that a dot product takes at once */
};

/* Cache lines that are wanted soon: `left` from `at` on, then rows - 1 times `lines`, `gap` bytes behind. Whoever fetches
 * some moves on. */
typedef struct ckpt_nn_fetch {
	const char *at;
	size_t rows, lines, left, gap;
} ckpt_nn_fetch;

typedef struct ckpt_nn_kernels {
	/* c[i][j] += sum over k of a[i * si + k * sk] b[k * ldb + j] for i < rows <= 12 and j < cols, 16 or 32; the rows of c are
	 * 32 apart. One line of `fetch`, if any, is brought into the cache for each k. */
	void (*tile)(size_t rows, size_t cols, size_t k, const float *a, size_t si, size_t sk, const float *b, size_t ldb, float *c,
	             ckpt_nn_fetch *fetch);
	/* sums[m][4][16] += x[m][k] times the rows w[0..3]; k is a multiple of 16. Four rows of as many bytes from `next` on,
	 * `apart` bytes from one to the other, are brought into the cache meanwhile, unless it is NULL. */
	void (*dots)(size_t m, size_t k, const float *x, size_t ldx, const float *const *w, const char *next, size_t apart,
	             float *sums);
	/* out[m][4] from sums[m][4][16]: the partial sums are added in a fixed order. */
	void (*join)(size_t m, const float *sums, float *out, size_t ldo);
	/* sums[panel][i][32] += sum over 8 k of x[i][k] w[k * ldw + panel * 32 ..] for i < m. */
	void (*outer)(size_t m, size_t panels, const float *x, const float *w, size_t ldw, float *sums);
	/* dots in double precision, with 8 lanes. */
	void (*dots_wide)(size_t m, size_t k, const double *x, size_t ldx, const double *const *w, double *sums);
	/* out[k][b] = rows[j][k] for j < b (4 | b); rows lie ld apart. */
	void (*pack)(const float *rows, size_t ld, size_t b, size_t k, float *out, size_t ldo);
	/* count elements of F32, F16, BF16 or F64 as float. */
	void (*widen)(ckpt_dtype dtype, const void *in, float *out, size_t count);
	/* What happens to finished sums[rows][32], of which count columns are real: y = act(sums + bias) + residual. bias has
	 * 32 elements or is NULL; residual may be NULL; both y and residual have rows ld apart. */
	void (*finish)(const float *sums, size_t rows, size_t count, const float *bias, ckpt_nn_activation act,
	               const float *residual, float *y, size_t ld);
	/* The same for sums[count][32] with `rows` columns, where sums[i][j] is for y[j * ld + i], count is up to 48 and bias has
	 * count elements; unless divisors is NULL, column j is first divided by divisors[j]. The sums are used up. */
	void (*finish_turned)(float *sums, size_t rows, size_t count, const float *divisors, const float *bias,
	                      ckpt_nn_activation act, const float *residual, float *y, size_t ld);
	void (*activate)(ckpt_nn_activation act, const float *x, float *y, size_t count);
	/* x = scale * x + bias (bias may be NULL). */
	void (*scale_add)(float *x, float scale, const float *bias, size_t count);
	/* x = exp(x - max x) and the sum of that. */
	float (*exp_shift)(float *x, size_t count);
	/* For each column of x[count][32], `cols` (16 or 32) of them: x = exp(scale * x - the largest of these) and the sum
	 * of that; scale is positive. */
	void (*exp_columns)(float *x, size_t count, size_t cols, float scale, float *sums);
	/* One row: y = (x - mean) / sqrt(variance + eps) * weight + bias; rms: mean is taken as 0. weight, bias may be NULL. */
	void (*norm)(bool rms, const float *x, size_t count, const float *weight, const float *bias, float eps, float *y);
} ckpt_nn_kernels;

extern const ckpt_nn_kernels ckpt_nn_portable;
#if defined(__x86_64__)
extern const ckpt_nn_kernels ckpt_nn_avx2, ckpt_nn_avx512;
#endif
#endif
