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
	CKPT_NN_MB = 12,     /* rows of x in a tile */
	CKPT_NN_NB = 32,     /* outputs in a tile */
	CKPT_NN_CHUNK = 64,  /* products summed in one chain before the chain is added to the total */
	CKPT_NN_LANES = 16,  /* partial sums of a dot product; lane i takes the elements i, i + 16, ... */
	CKPT_NN_WIDE_LANES = 8, /* the same in double precision */
	CKPT_NN_LINE = 64, /* bytes of a cache line */
	CKPT_NN_DOTS = 4     /* rows of w that a dot product takes at once */
};

/* Cache lines that are wanted soon; whoever fetches some moves on. */
typedef struct ckpt_nn_fetch {
	const char *at;
	size_t lines;
} ckpt_nn_fetch;

typedef struct ckpt_nn_kernels {
	/* c[rows][32] = sum over k of a[k][12] outer w[k * ldw + 0 .. 31] for 4, 8 or 12 rows. One line of `fetch`, if any, is
	 * brought into the cache for each k. */
	void (*tile)(size_t rows, size_t k, const float *a, const float *w, size_t ldw, float *c, ckpt_nn_fetch *fetch);
	/* sums[m][4][16] += x[m][k] times the rows w[0..3]; k is a multiple of 16. Four rows of as many bytes from `next` on,
	 * `apart` bytes from one to the other, are brought into the cache meanwhile, unless it is NULL. */
	void (*dots)(size_t m, size_t k, const float *x, size_t ldx, const float *const *w, const char *next, size_t apart,
	             float *sums);
	/* out[m][4] from sums[m][4][16]: the partial sums are added in a fixed order. */
	void (*join)(size_t m, const float *sums, float *out, size_t ldo);
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
	void (*activate)(ckpt_nn_activation act, const float *x, float *y, size_t count);
	/* x = scale * x + bias (bias may be NULL). */
	void (*scale_add)(float *x, float scale, const float *bias, size_t count);
	/* x = exp(x - max x) and the sum of that. */
	float (*exp_shift)(float *x, size_t count);
	/* One row: y = (x - mean) / sqrt(variance + eps) * weight + bias; rms: mean is taken as 0. weight, bias may be NULL. */
	void (*norm)(bool rms, const float *x, size_t count, const float *weight, const float *bias, float eps, float *y);
} ckpt_nn_kernels;

extern const ckpt_nn_kernels ckpt_nn_portable;
#if defined(__x86_64__)
extern const ckpt_nn_kernels ckpt_nn_avx2, ckpt_nn_avx512;
#endif
#endif
