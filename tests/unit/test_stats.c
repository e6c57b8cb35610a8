/* test_stats.c -- statistics of tensors of every dtype: exact counts, sound sums, the same for every thread count */
#include "../../lib/cast.h"
#include "../../lib/checkpoint.h"
#include "../../lib/error.h"
#include "../../lib/rng.h"
#include "unit.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const paths[] = {"portable", "avx2", "avx512"};
enum { PATHS = sizeof paths / sizeof paths[0] };

/* Statistics of one tensor made of these bytes. */
static ckpt_stats stats_of(ckpt_dtype dtype, uint64_t elements, const void *data, const ckpt_work *work)
{
	ckpt_stats s = {.mean = -12345};
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(&err);
	size_t bytes = (size_t)(elements * ckpt_dtype_bits(dtype) / 8);
	CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_add_bytes(cp, "x", dtype, 1, &elements, data, bytes, &err));
	CU_ASSERT_TRUE(ckpt_tensor_stats(ckpt_checkpoint_tensor_at(cp, 0), work, &s, &err));
	ckpt_checkpoint_free(cp);
	return s;
}

static bool close_to(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(1, fabs(b)); }

static void test_known(void)
{
	static const float data[4] = {4, 1, 3, 2};
	ckpt_stats s = stats_of(CKPT_F32, 4, data, NULL);
	CU_ASSERT(s.elements == 4 && s.zeros == 0 && s.nans == 0 && s.infs == 0);
	CU_ASSERT(s.min == 1 && s.max == 4 && s.absmax == 4 && s.mean == 2.5);
	CU_ASSERT(close_to(s.std, sqrt(5.0 / 3)));
}

static void test_specials(void)
{
	static const double data[9] = {0, -0.0, NAN, INFINITY, -3, 1, -NAN, 2, 0};
	ckpt_stats s = stats_of(CKPT_F64, 9, data, NULL);
	CU_ASSERT(s.elements == 9 && s.zeros == 3 && s.nans == 2 && s.infs == 1);
	CU_ASSERT(s.min == -3 && s.max == INFINITY && s.absmax == INFINITY && s.mean == 0);
	CU_ASSERT(close_to(s.std, sqrt(14.0 / 5)));
	s = stats_of(CKPT_F64, 3, data + 2, NULL);
	CU_ASSERT(s.mean == -3 && isnan(s.std) && s.min == -3 && s.max == INFINITY);
	s = stats_of(CKPT_F64, 1, data + 2, NULL);
	CU_ASSERT(s.elements == 1 && s.nans == 1 && isnan(s.min) && isnan(s.max) && isnan(s.absmax) && isnan(s.mean) &&
	          isnan(s.std));
	s = stats_of(CKPT_F64, 1, data + 3, NULL);
	CU_ASSERT(s.infs == 1 && s.min == INFINITY && isnan(s.mean) && isnan(s.std));
	s = stats_of(CKPT_F64, 0, data, NULL);
	CU_ASSERT(s.elements == 0 && isnan(s.min) && isnan(s.absmax) && isnan(s.mean) && isnan(s.std));
}

static void test_scalar(void)
{
	static const int32_t value = -5;
	ckpt_stats s = {0};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "x", CKPT_I32, 0, NULL, &value, 4, NULL));
	CU_ASSERT_TRUE(ckpt_tensor_stats(ckpt_checkpoint_tensor_at(cp, 0), NULL, &s, NULL));
	CU_ASSERT(s.elements == 1 && s.min == -5 && s.max == -5 && s.absmax == 5 && s.mean == -5 && isnan(s.std));
	ckpt_checkpoint_free(cp);
}

/* ---- dtypes ---- */

/* 0, 1, 2, 3 in every type that a cast can make. */
static void test_each_dtype(void)
{
	static const double values[4] = {3, 0, 1, 2};
	unsigned seen = 0;
	uint64_t out[4];
	for (int d = 0; d < CKPT_DTYPE_COUNT; d++) {
		ckpt_dtype dtype = (ckpt_dtype)d;
		if (!ckpt_cast_supported(CKPT_F64, dtype) || dtype == CKPT_BOOL) continue;
		ckpt_cast(CKPT_F64, dtype, values, out, 4);
		ckpt_stats s = stats_of(dtype, 4, out, NULL);
		CU_ASSERT(s.elements == 4 && s.zeros == 1 && s.min == 0 && s.max == 3 && s.mean == 1.5);
		CU_ASSERT(close_to(s.std, sqrt(5.0 / 3)));
		seen++;
	}
	CU_ASSERT_EQUAL(seen, 16);
}

static void test_other_dtypes(void)
{
	static const uint8_t flags[5] = {0, 1, 1, 0, 255}, powers[3] = {127, 129, 255};
	static const uint8_t nibbles[2] = {0x20, 0xf4};   /* 0, 1, 2, -6 */
	static const uint8_t six[3] = {0x08, 0x02, 0xfc}; /* e2m3 codes 8, 8, 0, 63: 1, 1, 0, -7.5 */
	ckpt_stats s = stats_of(CKPT_BOOL, 5, flags, NULL);
	CU_ASSERT(s.elements == 5 && s.zeros == 2 && s.max == 1 && close_to(s.mean, 0.6));
	s = stats_of(CKPT_F8_E8M0, 3, powers, NULL);
	CU_ASSERT(s.nans == 1 && s.min == 1 && s.max == 4 && s.mean == 2.5);
	s = stats_of(CKPT_F4, 4, nibbles, NULL);
	CU_ASSERT(s.elements == 4 && s.zeros == 1 && s.min == -6 && s.max == 2 && s.mean == -0.75);
	s = stats_of(CKPT_F6_E2M3, 4, six, NULL);
	CU_ASSERT(s.elements == 4 && s.zeros == 1 && s.min == -7.5 && s.max == 1 && s.mean == -1.375);
	s = stats_of(CKPT_F6_E3M2, 4, six, NULL);
	CU_ASSERT(s.elements == 4 && s.zeros == 1 && s.min == -28);
}

static void test_complex_by_parts(void)
{
	static const float c64[4] = {1, -2, 3, 0};
	static const double c128[2] = {1, -2};
	static const uint16_t c32[2] = {0x3c00, 0xc000};
	ckpt_stats s = stats_of(CKPT_C64, 2, c64, NULL);
	CU_ASSERT(s.elements == 4 && s.zeros == 1 && s.min == -2 && s.max == 3 && s.mean == 0.5);
	s = stats_of(CKPT_C128, 1, c128, NULL);
	CU_ASSERT(s.elements == 2 && s.min == -2 && s.max == 1 && s.mean == -0.5);
	s = stats_of(CKPT_C32, 1, c32, NULL);
	CU_ASSERT(s.elements == 2 && s.min == -2 && s.max == 1 && s.mean == -0.5);
}

static void test_opaque(void)
{
	static const ckpt_dtype opaque[] = {CKPT_QINT8, CKPT_QUINT8, CKPT_QINT32,  CKPT_QUINT4X2, CKPT_QUINT2X4,
	                                    CKPT_BITS8, CKPT_BITS16, CKPT_BITS1X8, CKPT_BITS2X4,  CKPT_BITS4X2};
	static const uint64_t shape = 1;
	for (size_t i = 0; i < sizeof opaque / sizeof opaque[0]; i++) {
		ckpt_stats s;
		ckpt_error err = {0};
		ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
		CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "q.w", opaque[i], 1, &shape, "abcd",
		                                         ckpt_dtype_bits(opaque[i]) / 8, NULL));
		CU_ASSERT_FALSE(ckpt_tensor_stats(ckpt_checkpoint_tensor_at(cp, 0), NULL, &s, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_UNSUPPORTED);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'q.w'"));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, ckpt_dtype_name(opaque[i])));
		ckpt_checkpoint_free(cp);
	}
}

/* ---- numbers ---- */

/* Far from zero, a sum of squares has no digits left for the deviation. */
static void test_sound(void)
{
	enum { N = 200000 };
	double *data = malloc(N * sizeof *data);
	for (size_t i = 0; i < N; i++) data[i] = 1e9 + (double)(i % 4);
	ckpt_stats s = stats_of(CKPT_F64, N, data, NULL);
	CU_ASSERT(fabs(s.mean - (1e9 + 1.5)) < 1e-6);
	CU_ASSERT(fabs(s.std - sqrt(1.25 * N / (N - 1))) < 1e-9);
	for (size_t i = 0; i < N; i++) data[i] = i < N / 2 ? 1e-3 : -1e-3;
	s = stats_of(CKPT_F64, N, data, NULL);
	CU_ASSERT(fabs(s.mean) < 1e-18);
	CU_ASSERT(fabs(s.std - 1e-3 * sqrt(N / (N - 1.0))) < 1e-15);
	for (size_t i = 0; i < N; i++) data[i] = DBL_MAX;
	s = stats_of(CKPT_F64, 1, data, NULL);
	CU_ASSERT(s.mean == DBL_MAX && s.max == DBL_MAX && s.infs == 0);
	s = stats_of(CKPT_F64, N, data, NULL);
	CU_ASSERT(s.max == DBL_MAX && s.infs == 0 && !isfinite(s.mean));
	free(data);
}

/* Every thread count and every code path: the same bits, and those of a plain sum in long double. */
static void test_same_for_all(void)
{
	enum { N = 700001 };
	float *data = malloc(N * sizeof *data);
	ckpt_rng_key key = {{1, 2}, {3, 4}};
	ckpt_rng_normal(&key, 0, N, 0.5f, 0.1f, data);
	for (size_t i = 0; i + 2 < N; i += 1000) data[i] = NAN, data[i + 1] = 0, data[i + 2] = -INFINITY;
	const ckpt_stats first = stats_of(CKPT_F32, N, data, &(ckpt_work){.threads = 1});
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		for (int threads = 0; threads < 5; threads++) {
			ckpt_stats s = stats_of(CKPT_F32, N, data, &(ckpt_work){.threads = threads});
			CU_ASSERT_EQUAL(memcmp(&s, &first, sizeof s), 0);
		}
	}
	ckpt_cast_force(NULL);
	long double sum = 0, sum2 = 0;
	uint64_t n = 0;
	for (size_t i = 0; i < N; i++)
		if (isfinite(data[i])) sum += data[i], n++;
	for (size_t i = 0; i < N; i++)
		if (isfinite(data[i])) sum2 += ((long double)data[i] - sum / n) * ((long double)data[i] - sum / n);
	CU_ASSERT(first.elements - first.nans - first.infs == n);
	CU_ASSERT(close_to(first.mean, (double)(sum / n)));
	CU_ASSERT(close_to(first.std, (double)sqrtl(sum2 / (n - 1))));
	free(data);
}

/* ---- failures ---- */

typedef struct bad_source {
	ckpt_source base;
	uint64_t good;
} bad_source;

static bool bad_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	if (offset + length > ((const bad_source *)s)->good)
		return ckpt_fail(err, CKPT_E_IO, "cannot read at %llu", (unsigned long long)offset);
	memset(destination, 0, length);
	return true;
}

static const ckpt_source_ops bad_ops = {"bad", bad_read, NULL, NULL};
enum { CHUNK = 384 * 1024 };

static bool stop_later(void *user, uint64_t done, uint64_t total)
{
	uint64_t *calls = user;
	return ++*calls < 3 && done <= total;
}

static bool to_the_end(void *user, uint64_t done, uint64_t total)
{
	uint64_t *last = user;
	bool rising = done > *last && done <= total;
	*last = done;
	return rising;
}

static void test_failures(void)
{
	const uint64_t length = 10 * CHUNK + 1;
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	bad_source *b = ckpt_source_new(&bad_ops, sizeof *b, length, NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_add(cp, "w", CKPT_U8, 1, &length, &b->base, NULL, NULL));
	const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, 0);
	for (int threads = 1; threads <= 3; threads++) {
		ckpt_stats s = {.mean = 77};
		ckpt_error err = {0};
		uint64_t calls = 0;
		ckpt_work work = {.threads = threads};
		b->good = 3 * CHUNK + 5;
		CU_ASSERT_FALSE(ckpt_tensor_stats(t, &work, &s, &err));
		CU_ASSERT_STRING_EQUAL(err.text, "tensor 'w': cannot read at 1179648");
		b->good = length;
		work.user = &calls;
		work.progress = stop_later;
		CU_ASSERT_FALSE(ckpt_tensor_stats(t, &work, &s, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
		CU_ASSERT_EQUAL(calls, 3);
		CU_ASSERT_EQUAL(s.mean, 77);
		calls = 0;
		work.progress = to_the_end;
		CU_ASSERT_TRUE(ckpt_tensor_stats(t, &work, &s, &err));
		CU_ASSERT_EQUAL(calls, length);
		CU_ASSERT(s.elements == length && s.zeros == length);
	}
	ckpt_checkpoint_free(cp);
}

static const unit_case cases[] = {
        {"known values", test_known},
        {"NaN, Inf, nothing", test_specials},
        {"0-dim", test_scalar},
        {"each dtype", test_each_dtype},
        {"bool, powers of two, packed", test_other_dtypes},
        {"complex by parts", test_complex_by_parts},
        {"opaque dtypes", test_opaque},
        {"digits are kept", test_sound},
        {"the same for all threads and paths", test_same_for_all},
        {"failures, progress, stopping", test_failures},
        {0},
};
const unit_suite unit_stats = {"stats", cases};
