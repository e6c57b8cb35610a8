/* resize.c -- the rows that a table gets when it grows: each the mean of those that it had */
#include "resize.h"
#include "../dtype.h"
#include "../error.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct mean_rows {
	ckpt_source source;
	ckpt_source *doubles; /* the table as f64 */
	ckpt_dtype dtype;
	uint64_t rows, width;
	size_t row_bytes;
	pthread_mutex_t lock;
	uint8_t *row; /* one row of means as dtype; NULL until it is needed */
} mean_rows;

enum { BLOCK_BYTES = 1 << 18 };

/* Sums of the columns, a block of rows after the other. */
static bool sum_columns(const mean_rows *x, double *sums, ckpt_error *err)
{
	uint64_t each = BLOCK_BYTES / 8 / x->width ? BLOCK_BYTES / 8 / x->width : 1;
	double *block = malloc((size_t)(each * x->width) * sizeof *block);
	bool ok = block || ckpt_fail_nomem(err);
	for (uint64_t row = 0; ok && row < x->rows; row += each) {
		uint64_t n = x->rows - row < each ? x->rows - row : each;
		ok = ckpt_source_read(x->doubles, row * x->width * 8, (size_t)(n * x->width) * 8, block, err);
		for (uint64_t i = 0; ok && i < n; i++)
			for (uint64_t j = 0; j < x->width; j++) sums[j] += block[i * x->width + j];
	}
	free(block);
	return ok;
}

static bool compute(mean_rows *x, ckpt_error *err)
{
	bool ok = false;
	double *sums = calloc((size_t)x->width, sizeof *sums);
	uint8_t *row = malloc(x->row_bytes);
	ckpt_source *means = NULL, *cast = NULL;
	if (!sums || !row) {
		ckpt_fail_nomem(err);
		goto done;
	}
	if (!sum_columns(x, sums, err)) goto done;
	for (uint64_t j = 0; j < x->width; j++) sums[j] /= (double)x->rows;
	means = ckpt_source_heap(sums, (size_t)x->width * 8, err);
	cast = means ? ckpt_source_cast(means, CKPT_F64, x->dtype, err) : NULL;
	if (!cast || !ckpt_source_read(cast, 0, x->row_bytes, row, err)) goto done;
	x->row = row;
	row = NULL;
	ok = true;
done:
	ckpt_source_unref(means);
	ckpt_source_unref(cast);
	free(sums);
	free(row);
	return ok;
}

static bool mean_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	mean_rows *x = (mean_rows *)s;
	uint8_t *out = destination;
	pthread_mutex_lock(&x->lock);
	bool ok = x->row || compute(x, err);
	pthread_mutex_unlock(&x->lock);
	while (ok && length) {
		size_t at = (size_t)(offset % x->row_bytes), step = x->row_bytes - at < length ? x->row_bytes - at : length;
		memcpy(out, x->row + at, step);
		out += step;
		offset += step;
		length -= step;
	}
	return ok;
}

static void mean_drop(ckpt_source *s)
{
	mean_rows *x = (mean_rows *)s;
	ckpt_source_unref(x->doubles);
	pthread_mutex_destroy(&x->lock);
	free(x->row);
}

static const ckpt_source_ops mean_ops = {"mean rows", mean_read, NULL, mean_drop};

ckpt_source *ckpt_source_mean_rows(ckpt_source *table, ckpt_dtype dtype, uint64_t rows, uint64_t width, uint64_t count,
                                   ckpt_error *err)
{
	size_t row_bytes = (size_t)(width * ckpt_dtype_bits(dtype) / 8);
	ckpt_source *doubles = ckpt_source_cast(table, dtype, CKPT_F64, err);
	if (!doubles) return NULL;
	mean_rows *x = ckpt_source_new(&mean_ops, sizeof *x, count * row_bytes, err);
	if (!x) {
		ckpt_source_unref(doubles);
		return NULL;
	}
	x->doubles = doubles;
	x->dtype = dtype;
	x->rows = rows;
	x->width = width;
	x->row_bytes = row_bytes;
	pthread_mutex_init(&x->lock, NULL);
	return &x->source;
}
