/* compare.c -- how far apart the values of two tensors are, in one pass over both
 *
 * As in stats.c both tensors are taken in chunks of one fixed size, several at once, whose results are merged in order; within
 * a chunk, blocks of 1024 numbers become f64 and are summed in 16 lanes. Nothing depends on threads or machine.
 */
#include "cast.h"
#include "checkpoint.h"
#include "dtype.h"
#include "error.h"
#include "isa.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { LANES = 16, BLOCK = 1024, CHUNK = 64 * BLOCK, WAVE = 1024 };

/* ---- a block of numbers ---- */

typedef struct lanes {
	double different[LANES], max_abs[LANES], max_rel[LANES], squares[LANES], dot[LANES], a[LANES], b[LANES];
} lanes;

/* d[i] is a[i] - b[i], exact for integers, 0 where both are the same NaN or infinity; count is a multiple of LANES. */
typedef void block_kernel(const double *a, const double *b, const double *d, size_t count, double atol, double rtol, lanes *out);

CKPT_INLINE void block_values_body(const double *a, const double *b, const double *d, size_t count, double atol, double rtol,
                                   lanes *out)
{
	lanes l = *out;
	for (size_t i = 0; i < count; i += LANES) {
#pragma omp simd
		for (size_t k = 0; k < LANES; k++) {
			double x = a[i + k], y = b[i + k], size = fabs(d[i + k]), ax = fabs(x), ay = fabs(y);
			double most = ax > ay ? ax : ay, rel = size > 0 ? size / most : 0.0;
			bool finite = ax <= DBL_MAX && ay <= DBL_MAX, far = !(size <= atol + rtol * ay) && size > 0;
			size = size <= DBL_MAX ? size : INFINITY; /* NaN too */
			l.different[k] += far || size > DBL_MAX ? 1.0 : 0.0;
			l.max_abs[k] = size > l.max_abs[k] ? size : l.max_abs[k];
			rel = size <= DBL_MAX ? rel : INFINITY;
			l.max_rel[k] = rel > l.max_rel[k] ? rel : l.max_rel[k];
			l.squares[k] += size * size;
			l.dot[k] += finite ? x * y : 0.0;
			l.a[k] += finite ? x * x : 0.0;
			l.b[k] += finite ? y * y : 0.0;
		}
	}
	*out = l;
}

CKPT_PER_ISA(block_kernel, block_values,
             (const double *a, const double *b, const double *d, size_t count, double atol, double rtol, lanes *out),
             (a, b, d, count, atol, rtol, out))

/* ---- the distance in representable numbers ---- */

/* Bits of a float as an integer that grows with it. */
static int64_t ordered(uint64_t bits, unsigned width)
{
	uint64_t sign = UINT64_C(1) << (width - 1), magnitude = bits & (sign - 1);
	return bits & sign ? -(int64_t)magnitude : (int64_t)magnitude;
}

static uint64_t bits_at(const uint8_t *p, size_t bytes)
{
	uint64_t bits = 0;
	memcpy(&bits, p, bytes);
	return bits;
}

static uint64_t float_ulps(ckpt_dtype dtype, const uint8_t *a, const uint8_t *b, size_t count)
{
	unsigned width = ckpt_dtype_bits(dtype);
	uint64_t most = 0;
	for (size_t i = 0; i < count; i++) {
		int64_t x = ordered(bits_at(a + i * width / 8, width / 8), width), y = ordered(bits_at(b + i * width / 8, width / 8), width);
		uint64_t distance = x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x;
		if (distance > most) most = distance;
	}
	return most;
}

/* What two floats are rounded to before their distance is counted; NONE: they are no floats of whole bytes. */
static ckpt_dtype coarser(ckpt_dtype a, ckpt_dtype b)
{
	unsigned x = ckpt_dtype_bits(a), y = ckpt_dtype_bits(b);
	bool floats = ckpt_dtype_get(a)->kind == CKPT_CLASS_FLOAT && ckpt_dtype_get(b)->kind == CKPT_CLASS_FLOAT;
	if (!floats || x < 8 || y < 8) return CKPT_DTYPE_NONE;
	ckpt_dtype narrow = x != y ? (x < y ? a : b) : a == CKPT_BF16 ? a : b;
	return ckpt_cast_supported(CKPT_F64, narrow) ? narrow : CKPT_DTYPE_NONE;
}

/* ---- chunks ---- */

typedef struct compare_run {
	const ckpt_tensor *a, *b;
	ckpt_dtype part_a, part_b, round_to;
	double atol, rtol;
	const ckpt_work *work;
	int threads;
	uint8_t *buffers; /* 2 * CHUNK * 8 bytes for each thread */
	ckpt_difference *results;
	uint64_t elements, done;
	bool stopped;
	uint64_t failed; /* the lowest chunk that could not be read, and why; UINT64_MAX: none */
	ckpt_error error;
} compare_run;

typedef struct numbers {
	double a[BLOCK], b[BLOCK], d[BLOCK];
} numbers;

/* 64-bit integers differ by what doubles cannot hold. */
static void exact_differences(ckpt_dtype dtype, const uint8_t *a, const uint8_t *b, size_t count, double *d)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t x = bits_at(a + 8 * i, 8), y = bits_at(b + 8 * i, 8);
		bool greater = dtype == CKPT_I64 ? (int64_t)x > (int64_t)y : x > y;
		d[i] = greater ? (double)(x - y) : -(double)(y - x);
	}
}

static void count_ulps(const compare_run *run, numbers *n, size_t count, ckpt_difference *out)
{
	uint64_t ulps = 0;
	uint8_t x[BLOCK * 8], y[BLOCK * 8];
	for (size_t i = 0; i < count; i++) /* NaN and infinity are no distance away from anything */
		if (!(fabs(n->d[i]) <= DBL_MAX) || n->a[i] != n->a[i]) n->a[i] = n->b[i] = 0;
	if (run->round_to != CKPT_DTYPE_NONE) {
		if (run->round_to == CKPT_F64) { /* a cast to itself is none */
			ulps = float_ulps(CKPT_F64, (const uint8_t *)n->a, (const uint8_t *)n->b, count);
		} else {
			ckpt_cast(CKPT_F64, run->round_to, n->a, x, count);
			ckpt_cast(CKPT_F64, run->round_to, n->b, y, count);
			ulps = float_ulps(run->round_to, x, y, count);
		}
	} else if (ckpt_dtype_get(run->part_a)->kind != CKPT_CLASS_FLOAT && ckpt_dtype_get(run->part_b)->kind != CKPT_CLASS_FLOAT) {
		for (size_t i = 0; i < count; i++) /* integers are their own units */
			ulps = fabs(n->d[i]) < 0x1p64 && (uint64_t)fabs(n->d[i]) > ulps ? (uint64_t)fabs(n->d[i]) : ulps;
	}
	if (ulps > out->max_ulps) out->max_ulps = ulps;
}

/* index: of the block's first number. */
static void compare_block(const compare_run *run, uint64_t index, const uint8_t *a, const uint8_t *b, size_t count,
                          ckpt_difference *out)
{
	numbers n;
	lanes l = {0};
	double most = out->max_abs;
	bool same_dtype = run->part_a == run->part_b, exact = same_dtype && (run->part_a == CKPT_I64 || run->part_a == CKPT_U64);
	ckpt_cast_to_f64(run->part_a, a, n.a, count);
	ckpt_cast_to_f64(run->part_b, b, n.b, count);
	for (size_t i = 0; i < count; i++) n.d[i] = n.a[i] == n.b[i] || (n.a[i] != n.a[i] && n.b[i] != n.b[i]) ? 0 : n.a[i] - n.b[i];
	if (exact) exact_differences(run->part_a, a, b, count, n.d);
	for (size_t i = count; i % LANES; i++) n.a[i] = n.b[i] = n.d[i] = 0;
	block_values[ckpt_cast_isa()](n.a, n.b, n.d, (count + LANES - 1) / LANES * LANES, run->atol, run->rtol, &l);
	for (size_t k = 0; k < LANES; k++) {
		out->different += (uint64_t)l.different[k];
		out->max_abs = fmax(out->max_abs, l.max_abs[k]);
		out->max_rel = fmax(out->max_rel, l.max_rel[k]);
		out->sum_squares += l.squares[k];
		out->dot += l.dot[k];
		out->square_a += l.a[k];
		out->square_b += l.b[k];
	}
	out->elements += count;
	if (!(out->max_abs > most) && most == 0) return; /* all are equal */
	for (size_t i = 0; out->max_abs > most && i < count; i++)
		if (!(fabs(n.d[i]) < out->max_abs)) {
			out->worst = index + i;
			break;
		}
	count_ulps(run, &n, count, out);
}

/* Whether it is of use to take this chunk. */
static bool wanted(compare_run *run, uint64_t chunk)
{
	bool go;
#pragma omp critical(ckpt_compare_run)
	go = !run->stopped && chunk < run->failed;
	return go;
}

static void account(compare_run *run, uint64_t chunk, size_t length, const ckpt_error *error)
{
#pragma omp critical(ckpt_compare_run)
	{
		run->done += length;
		if (error && chunk < run->failed) {
			run->failed = chunk;
			run->error = *error;
		} else if (!error && !run->stopped && run->work && run->work->progress) {
			run->stopped = !run->work->progress(run->work->user, run->done, run->a->bytes + run->b->bytes);
		}
	}
}

static bool read_part(const ckpt_tensor *t, ckpt_dtype part, uint64_t first, size_t count, uint8_t *to, size_t *length,
                      ckpt_error *err)
{
	unsigned bits = ckpt_dtype_bits(part);
	uint64_t offset = first / 8 * bits; /* chunks begin at a multiple of 8 */
	*length = (count * bits + 7) / 8;
	return ckpt_tensor_read(t, offset, *length, to, err) || ckpt_error_prefix(err, "tensor '%s'", t->name);
}

static void run_chunk(compare_run *run, uint64_t chunk, ckpt_difference *result)
{
	ckpt_error error = {0};
	uint8_t *a = run->buffers + (size_t)omp_get_thread_num() * 2 * CHUNK * 8, *b = a + CHUNK * 8;
	uint64_t first = chunk * CHUNK, left = run->elements - first;
	size_t count = left < CHUNK ? (size_t)left : CHUNK, length_a = 0, length_b = 0;
	if (!wanted(run, chunk)) return;
	bool ok = read_part(run->a, run->part_a, first, count, a, &length_a, &error) &&
	          read_part(run->b, run->part_b, first, count, b, &length_b, &error);
	*result = (ckpt_difference){0};
	for (size_t at = 0, n; ok && at < count; at += n) {
		n = count - at < BLOCK ? count - at : BLOCK;
		compare_block(run, first + at, a + at / 8 * ckpt_dtype_bits(run->part_a), b + at / 8 * ckpt_dtype_bits(run->part_b), n,
		              result);
	}
	account(run, chunk, length_a + length_b, ok ? NULL : &error);
}

static void finish(ckpt_difference *d)
{
	d->rms = d->elements ? sqrt(d->sum_squares / (double)d->elements) : 0;
	if (d->square_a == 0 || d->square_b == 0)
		d->cosine = d->square_a == d->square_b ? 1 : 0;
	else
		d->cosine = d->sum_squares == 0 ? 1 : d->dot / sqrt(d->square_a) / sqrt(d->square_b);
	if (d->cosine > 1) d->cosine = 1;
}

void ckpt_difference_add(ckpt_difference *sum, const ckpt_difference *one)
{
	if (one->max_abs > sum->max_abs) sum->worst = one->worst;
	sum->max_abs = fmax(sum->max_abs, one->max_abs);
	sum->max_rel = fmax(sum->max_rel, one->max_rel);
	sum->max_ulps = one->max_ulps > sum->max_ulps ? one->max_ulps : sum->max_ulps;
	sum->elements += one->elements;
	sum->different += one->different;
	sum->sum_squares += one->sum_squares;
	sum->dot += one->dot;
	sum->square_a += one->square_a;
	sum->square_b += one->square_b;
	finish(sum);
}

static bool run_chunks(compare_run *run, uint64_t chunks, ckpt_difference *total, ckpt_error *err)
{
	for (uint64_t first = 0; first < chunks; first += WAVE) {
		size_t count = chunks - first < WAVE ? (size_t)(chunks - first) : WAVE;
#pragma omp parallel for num_threads(run->threads) schedule(dynamic, 1) if (run->threads > 1)
		for (size_t i = 0; i < count; i++) run_chunk(run, first + i, &run->results[i]);
		if (run->stopped) return ckpt_fail(err, CKPT_E_CANCELLED, "stopped at tensor '%s'", run->a->name);
		if (run->failed != UINT64_MAX) {
			if (err) *err = run->error;
			return false;
		}
		for (size_t i = 0; i < count; i++) ckpt_difference_add(total, &run->results[i]);
	}
	return true;
}

/* dtype of one number: of a complex one its half, of what is no number its bytes. */
static ckpt_dtype part_of(ckpt_dtype dtype)
{
	if (dtype == CKPT_C32) return CKPT_F16;
	if (dtype == CKPT_C64) return CKPT_F32;
	if (dtype == CKPT_C128) return CKPT_F64;
	return ckpt_cast_decodable(dtype) ? dtype : CKPT_U8;
}

/* Both can be read as numbers, or are the same kind of bytes. */
static bool comparable(const ckpt_tensor *a, const ckpt_tensor *b, ckpt_error *err)
{
	bool opaque_a = part_of(a->dtype) == CKPT_U8 && a->dtype != CKPT_U8, opaque_b = part_of(b->dtype) == CKPT_U8 && b->dtype != CKPT_U8;
	if (a->elements != b->elements)
		return ckpt_fail(err, CKPT_E_USAGE, "tensor '%s' has %llu elements, '%s' has %llu", a->name, (unsigned long long)a->elements,
		                 b->name, (unsigned long long)b->elements);
	bool complex = (ckpt_dtype_get(a->dtype)->kind == CKPT_CLASS_COMPLEX) == (ckpt_dtype_get(b->dtype)->kind == CKPT_CLASS_COMPLEX);
	if (((opaque_a || opaque_b) && a->dtype != b->dtype) || !complex)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s' is %s, '%s' is %s: the two cannot be compared", a->name,
		                 ckpt_dtype_name(a->dtype), b->name, ckpt_dtype_name(b->dtype));
	return true;
}

bool ckpt_tensor_compare(const ckpt_tensor *a, const ckpt_tensor *b, double atol, double rtol, const ckpt_work *work,
                         ckpt_difference *out, ckpt_error *err)
{
	compare_run run = {.a = a, .b = b, .atol = atol, .rtol = rtol, .work = work, .failed = UINT64_MAX};
	ckpt_difference total = {0};
	if (!comparable(a, b, err)) return false;
	run.part_a = part_of(a->dtype);
	run.part_b = part_of(b->dtype);
	run.round_to = coarser(run.part_a, run.part_b);
	run.elements = a->bytes * 8 / ckpt_dtype_bits(run.part_a);
	if (run.part_a != CKPT_U8 && ckpt_dtype_get(a->dtype)->kind != CKPT_CLASS_COMPLEX) run.elements = a->elements;
	uint64_t chunks = (run.elements + CHUNK - 1) / CHUNK;
	run.threads = work && work->threads > 0 ? work->threads : omp_get_max_threads();
	if ((uint64_t)run.threads > chunks) run.threads = chunks ? (int)chunks : 1;
	run.buffers = malloc((size_t)run.threads * 2 * CHUNK * 8);
	run.results = calloc(chunks < WAVE ? (size_t)chunks + 1 : WAVE, sizeof *run.results);
	bool ok = (run.buffers && run.results) || ckpt_fail_nomem(err);
	ok = ok && run_chunks(&run, chunks, &total, err);
	finish(&total);
	if (ok) *out = total;
	free(run.buffers);
	free(run.results);
	return ok;
}
