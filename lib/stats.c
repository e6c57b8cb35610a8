/* stats.c -- minimum, maximum, mean, deviation and counts of a tensor's values, in one pass over its bytes
 *
 * The bytes are taken in chunks of one fixed size, several at once, and the results of the chunks are merged in the
 * order of the chunks; so they do not depend on the number of threads. Within a chunk, blocks of 1024 values become f64
 * and are summed in 16 lanes, whatever the width of the machine's vectors; so they do not depend on the machine either.
 * A block gives its mean and the sum of squared distances from it, and two such pairs are merged as Chan, Golub and
 * LeVeque do, which keeps the digits that a sum of squares would lose. Sums that leave the range of f64 become Inf, as
 * in torch.
 */
#include "cast.h"
#include "checkpoint.h"
#include "error.h"
#include "isa.h"
#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { LANES = 16, BLOCK = 1024, CHUNK_BYTES = 384 * 1024, WAVE = 1024 };

/* What is known about some values. */
typedef struct moments {
	uint64_t elements, zeros, nans, infs;
	double min, max;   /* Inf and -Inf while there is none */
	double mean, sum2; /* of the finite values: mean, sum of squared distances from it */
} moments;

static const moments nothing = {.min = INFINITY, .max = -INFINITY};

/* ---- a block ---- */

typedef struct lanes {
	double zeros[LANES], nans[LANES], infs[LANES], min[LANES], max[LANES], sum[LANES];
} lanes;

/* Counts, extremes and sum; count is a multiple of LANES. */
typedef void count_kernel(const double *values, size_t count, lanes *out);
/* Sum of squared distances of the finite values from mean, lane by lane. */
typedef void spread_kernel(const double *values, size_t count, double mean, double *out);

CKPT_INLINE void count_values_body(const double *values, size_t count, lanes *out)
{
	lanes l = *out;
	for (size_t i = 0; i < count; i += LANES) {
#pragma omp simd
		for (size_t k = 0; k < LANES; k++) {
			double x = values[i + k], size = fabs(x);
			l.zeros[k] += x == 0 ? 1.0 : 0.0;
			l.nans[k] += x != x ? 1.0 : 0.0;
			l.infs[k] += size > DBL_MAX ? 1.0 : 0.0;
			l.min[k] = x < l.min[k] ? x : l.min[k];
			l.max[k] = x > l.max[k] ? x : l.max[k];
			l.sum[k] += size <= DBL_MAX ? x : 0.0;
		}
	}
	*out = l;
}

CKPT_INLINE void spread_values_body(const double *values, size_t count, double mean, double *out)
{
	double sum2[LANES] = {0};
	for (size_t i = 0; i < count; i += LANES) {
#pragma omp simd
		for (size_t k = 0; k < LANES; k++) {
			double x = values[i + k], distance = fabs(x) <= DBL_MAX ? x - mean : 0.0;
			sum2[k] += distance * distance;
		}
	}
	for (size_t k = 0; k < LANES; k++) out[k] = sum2[k];
}

CKPT_PER_ISA(count_kernel, count_values, (const double *values, size_t count, lanes *out), (values, count, out))
CKPT_PER_ISA(spread_kernel, spread_values, (const double *values, size_t count, double mean, double *out),
             (values, count, mean, out))

static uint64_t finite_count(const moments *m) { return m->elements - m->nans - m->infs; }

static void merge(moments *a, const moments *b)
{
	double na = (double)finite_count(a), nb = (double)finite_count(b), n = na + nb, apart = b->mean - a->mean;
	if (na == 0) {
		a->mean = b->mean;
		a->sum2 = b->sum2;
	} else if (nb != 0) {
		a->mean += apart * (nb / n);
		a->sum2 += b->sum2 + apart * apart * (na * nb / n);
	}
	a->elements += b->elements, a->zeros += b->zeros, a->nans += b->nans, a->infs += b->infs;
	a->min = b->min < a->min ? b->min : a->min;
	a->max = b->max > a->max ? b->max : a->max;
}

/* values has room for BLOCK numbers, of which count are given. */
static moments block_moments(double *values, size_t count)
{
	const ckpt_isa isa = ckpt_cast_isa();
	size_t padded = (count + LANES - 1) / LANES * LANES;
	double sum2[LANES], sum = 0;
	moments m = nothing;
	lanes l = {0};
	for (size_t k = 0; k < LANES; k++) l.min[k] = m.min, l.max[k] = m.max;
	for (size_t i = count; i < padded; i++) values[i] = NAN;
	count_values[isa](values, padded, &l);
	for (size_t k = 0; k < LANES; k++) {
		m.zeros += (uint64_t)l.zeros[k], m.nans += (uint64_t)l.nans[k], m.infs += (uint64_t)l.infs[k];
		m.min = l.min[k] < m.min ? l.min[k] : m.min;
		m.max = l.max[k] > m.max ? l.max[k] : m.max;
		sum += l.sum[k];
	}
	m.elements = count;
	m.nans -= padded - count;
	if (finite_count(&m) == 0) return m;
	m.mean = sum / (double)finite_count(&m);
	spread_values[isa](values, padded, m.mean, sum2);
	for (size_t k = 0; k < LANES; k++) m.sum2 += sum2[k];
	return m;
}

/* ---- chunks ---- */

typedef struct stats_run {
	const ckpt_tensor *t;
	const ckpt_work *work;
	ckpt_dtype part; /* dtype of one number: of a complex one its half */
	int threads;
	uint8_t *buffers; /* buffer_bytes for each thread */
	size_t buffer_bytes;
	moments *results; /* of the chunks of a wave */
	uint64_t done;    /* bytes */
	bool stopped;     /* progress asked to stop */
	uint64_t failed;  /* the lowest chunk that could not be read, and why; UINT64_MAX: none */
	ckpt_error error;
} stats_run;

static moments values_moments(ckpt_dtype part, const uint8_t *bytes, size_t length)
{
	double values[BLOCK];
	moments all = nothing;
	size_t bits = ckpt_dtype_bits(part), count = length * 8 / bits;
	for (size_t at = 0, n; at < count; at += n) {
		n = count - at < BLOCK ? count - at : BLOCK;
		ckpt_cast_to_f64(part, bytes + at * bits / 8, values, n);
		moments block = block_moments(values, n);
		merge(&all, &block);
	}
	return all;
}

/* Whether it is of use to take this chunk. */
static bool wanted(stats_run *run, uint64_t chunk)
{
	bool go;
#pragma omp critical(ckpt_stats_run)
	go = !run->stopped && chunk < run->failed;
	return go;
}

/* Counts a chunk's bytes, or keeps its error when none of an earlier chunk is known. */
static void account(stats_run *run, uint64_t chunk, size_t length, const ckpt_error *error)
{
#pragma omp critical(ckpt_stats_run)
	{
		run->done += length;
		if (error && chunk < run->failed) {
			run->failed = chunk;
			run->error = *error;
		} else if (!error && !run->stopped && run->work && run->work->progress) {
			run->stopped = !run->work->progress(run->work->user, run->done, run->t->bytes);
		}
	}
}

static void run_chunk(stats_run *run, uint64_t chunk, moments *result)
{
	ckpt_error error = {0};
	uint8_t *buffer = run->buffers + (size_t)omp_get_thread_num() * run->buffer_bytes;
	uint64_t offset = chunk * CHUNK_BYTES, left = run->t->bytes - offset;
	size_t length = left < CHUNK_BYTES ? (size_t)left : CHUNK_BYTES;
	if (!wanted(run, chunk)) return;
	bool ok = ckpt_tensor_read(run->t, offset, length, buffer, &error);
	if (ok) *result = values_moments(run->part, buffer, length);
	account(run, chunk, length, ok ? NULL : &error);
}

/* Wave after wave of chunks; each wave's results are merged in order. */
static bool run_chunks(stats_run *run, uint64_t chunks, moments *total, ckpt_error *err)
{
	for (uint64_t first = 0; first < chunks; first += WAVE) {
		size_t count = chunks - first < WAVE ? (size_t)(chunks - first) : WAVE;
#pragma omp parallel for num_threads(run->threads) schedule(dynamic, 1) if (run->threads > 1)
		for (size_t i = 0; i < count; i++) run_chunk(run, first + i, &run->results[i]);
		if (run->stopped) return ckpt_fail(err, CKPT_E_CANCELLED, "stopped at tensor '%s'", run->t->name);
		if (run->failed != UINT64_MAX) {
			if (err) *err = run->error;
			return false;
		}
		for (size_t i = 0; i < count; i++) merge(total, &run->results[i]);
	}
	return true;
}

static ckpt_stats finish(const moments *m)
{
	double n = (double)finite_count(m);
	bool any = m->elements > m->nans;
	return (ckpt_stats){
	        .elements = m->elements,
	        .zeros = m->zeros,
	        .nans = m->nans,
	        .infs = m->infs,
	        .min = any ? m->min : NAN,
	        .max = any ? m->max : NAN,
	        .absmax = any ? fmax(fabs(m->min), fabs(m->max)) : NAN,
	        .mean = n > 0 ? m->mean : NAN,
	        .std = n > 1 ? sqrt(m->sum2 / (n - 1)) : NAN,
	};
}

static ckpt_dtype part_of(ckpt_dtype dtype)
{
	if (dtype == CKPT_C32) return CKPT_F16;
	if (dtype == CKPT_C64) return CKPT_F32;
	return dtype == CKPT_C128 ? CKPT_F64 : dtype;
}

bool ckpt_tensor_stats(const ckpt_tensor *t, const ckpt_work *work, ckpt_stats *out, ckpt_error *err)
{
	stats_run run = {.t = t, .work = work, .part = part_of(t->dtype), .failed = UINT64_MAX};
	const uint64_t chunks = t->bytes / CHUNK_BYTES + (t->bytes % CHUNK_BYTES != 0);
	moments total = nothing;
	if (!ckpt_cast_decodable(run.part))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s' has dtype %s, whose elements are not numbers",
		                 t->name, ckpt_dtype_name(t->dtype));
	run.threads = work && work->threads > 0 ? work->threads : omp_get_max_threads();
	if ((uint64_t)run.threads > chunks) run.threads = chunks ? (int)chunks : 1;
	run.buffer_bytes = chunks > 1 ? CHUNK_BYTES : (size_t)t->bytes + 1;
	run.buffers = malloc((size_t)run.threads * run.buffer_bytes);
	run.results = calloc(chunks < WAVE ? (size_t)chunks + 1 : WAVE, sizeof *run.results);
	bool ok = run.buffers && run.results;
	if (!ok) ckpt_fail_nomem(err);
	ok = ok && run_chunks(&run, chunks, &total, err);
	if (ok) *out = finish(&total);
	free(run.buffers);
	free(run.results);
	return ok;
}
