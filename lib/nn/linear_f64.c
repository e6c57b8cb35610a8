/* linear_f64.c -- y = x W^T + b with everything in double precision: the yardstick
 *
 * Each thread takes 32 outputs; their part of W is widened to [32][256] doubles and met by 64 rows of x at a time in
 * dot products with eight partial sums, which are added in a fixed order at the end.
 */
#include "context.h"
#include "scalar.h"

#include "../cast.h"

#include <string.h>

enum { NB = CKPT_NN_NB, DOTS = CKPT_NN_DOTS, LANES = CKPT_NN_WIDE_LANES, ROWS = 64, CHUNK = 256 };

typedef struct wide_block {
	double w[NB][CHUNK];
	double end[ROWS][LANES]; /* x where fewer than eight k are left, padded with zeros */
	double sums[NB / DOTS][ROWS][DOTS][LANES];
} wide_block;

/* w[j][0 .. k) = the weights of output first + j, for j < have; zeros up to a multiple of eight. */
static void widen(const ckpt_nn_product *p, uint64_t first, size_t have, uint64_t k0, size_t k, wide_block *b)
{
	size_t item = ckpt_dtype_bits(p->w->dtype) / 8, padded = (k + LANES - 1) & ~(size_t)(LANES - 1);
	const char *data = p->w->data;
	if (!p->in_out) {
		for (size_t j = 0; j < have; j++)
			ckpt_cast_to_f64(p->w->dtype, data + ((first + j) * p->w->cols + k0) * item, b->w[j], k);
	} else {
		for (size_t i = 0; i < k; i++) {
			double row[NB];
			ckpt_cast_to_f64(p->w->dtype, data + ((k0 + i) * p->w->cols + first) * item, row, have);
			for (size_t j = 0; j < have; j++) b->w[j][i] = row[j];
		}
	}
	for (size_t j = 0; j < NB; j++) {
		size_t from = j < have ? k : 0;
		memset(b->w[j] + from, 0, (padded - from) * sizeof(double));
	}
}

static void multiply(const ckpt_nn *nn, const ckpt_nn_product *p, uint64_t row0, size_t rows, uint64_t k0, size_t k,
                     wide_block *b)
{
	const double *x = (const double *)p->x + row0 * p->k + k0;
	size_t whole = k & ~(size_t)(LANES - 1);
	if (whole < k) {
		memset(b->end, 0, sizeof b->end);
		for (size_t i = 0; i < rows; i++) memcpy(b->end[i], x + i * p->k + whole, (k - whole) * sizeof(double));
	}
	for (size_t g = 0; g < NB / DOTS; g++) {
		const double *w[DOTS], *ends[DOTS];
		for (size_t r = 0; r < DOTS; r++) {
			w[r] = b->w[g * DOTS + r];
			ends[r] = w[r] + whole;
		}
		nn->kernels->dots_wide(rows, whole, x, (size_t)p->k, w, b->sums[g][0][0]);
		if (whole < k) nn->kernels->dots_wide(rows, LANES, b->end[0], LANES, ends, b->sums[g][0][0]);
	}
}

static void finish(const ckpt_nn_product *p, uint64_t row, uint64_t first, size_t count, const wide_block *b, size_t i)
{
	double *y = (double *)p->y + row * p->n + first, bias[NB] = {0};
	const double *residual = p->residual ? (const double *)p->residual + row * p->n + first : NULL;
	if (p->bias && p->bias->data)
		ckpt_cast_to_f64(p->bias->dtype, (const char *)p->bias->data + first * (ckpt_dtype_bits(p->bias->dtype) / 8), bias,
		                 count);
	for (size_t j = 0; j < count; j++) {
		const double *s = b->sums[j / DOTS][i][j % DOTS];
		double sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
		double v = ckpt_nn_activate_f64(p->act, sum + bias[j]);
		y[j] = residual ? v + residual[j] : v;
	}
}

bool ckpt_nn_linear_f64(ckpt_nn *nn, const ckpt_nn_product *p, ckpt_error *err)
{
	uint64_t panels = (p->n + NB - 1) / NB, groups = (p->m + ROWS - 1) / ROWS;
	if (panels == 0 || groups == 0) return true;
	wide_block *blocks = ckpt_nn_reserve(&nn->own, (size_t)nn->threads * sizeof *blocks, err);
	if (!blocks) return false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(nn->threads)
	for (uint64_t task = 0; task < panels * groups; task++) {
		wide_block *b = blocks + ckpt_nn_thread();
		uint64_t first = task / groups * NB, row0 = task % groups * ROWS;
		size_t have = p->n - first < NB ? (size_t)(p->n - first) : NB;
		size_t rows = p->m - row0 < ROWS ? (size_t)(p->m - row0) : ROWS;
		memset(b->sums, 0, sizeof b->sums);
		for (uint64_t k0 = 0; k0 < p->k; k0 += CHUNK) {
			size_t k = p->k - k0 < CHUNK ? (size_t)(p->k - k0) : CHUNK;
			widen(p, first, have, k0, k, b);
			multiply(nn, p, row0, rows, k0, k, b);
		}
		for (size_t i = 0; i < rows; i++) finish(p, row0 + i, first, have, b, i);
	}
	return true;
}
