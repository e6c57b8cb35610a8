/* test_compare.c -- distances between tensors against naive loops, over dtypes, sizes and threads; and who pairs with whom */
#include "unit.h"

#include "../../lib/cast.h"
#include "../../lib/checkpoint.h"
#include "../../lib/pair.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint32_t state = 1;

static double next(void)
{
	state = state * 1664525u + 1013904223u;
	return ((double)(state >> 8) / (1 << 24) - 0.5) * 2;
}

/* Adds count values of a dtype under the name. */
static void add(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, const double *values, size_t count)
{
	size_t bytes = count * ckpt_dtype_bits(dtype) / 8;
	uint64_t shape[] = {count};
	char *raw = malloc(bytes + 1);
	if (dtype == CKPT_F64)
		memcpy(raw, values, bytes);
	else
		ckpt_cast(CKPT_F64, dtype, values, raw, count);
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, name, dtype, 1, shape, raw, bytes, NULL));
	free(raw);
}

static ckpt_difference compare(ckpt_dtype x, ckpt_dtype y, const double *a, const double *b, size_t count, double atol, double rtol)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	ckpt_difference d = {0}, again;
	ckpt_error err = {0};
	add(cp, "a", x, a, count);
	add(cp, "b", y, b, count);
	const ckpt_tensor *s = ckpt_checkpoint_tensor_find(cp, "a"), *t = ckpt_checkpoint_tensor_find(cp, "b");
	if (!ckpt_tensor_compare(s, t, atol, rtol, &(ckpt_work){.threads = 1}, &d, &err)) CU_FAIL("cannot be compared");
	for (int threads = 2; threads <= 3; threads++) {
		CU_ASSERT(ckpt_tensor_compare(s, t, atol, rtol, &(ckpt_work){.threads = threads}, &again, NULL));
		CU_ASSERT(memcmp(&d, &again, sizeof d) == 0);
	}
	ckpt_checkpoint_free(cp);
	return d;
}

static void figures_equal_naive_loops(void)
{
	static const size_t counts[] = {1, 15, 16, 17, 1023, 1025, 65535, 65537, 200000};
	for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
		size_t n = counts[c], different = 0, worst = 0;
		double *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b), most = 0, rel = 0, sum = 0, dot = 0, aa = 0, bb = 0;
		for (size_t i = 0; i < n; i++) {
			a[i] = next();
			b[i] = i % 7 == 3 ? a[i] + 1e-3 * next() : a[i];
			double d = fabs(a[i] - b[i]);
			different += d > 1e-4 + 1e-4 * fabs(b[i]);
			if (d > most) worst = i;
			most = fmax(most, d);
			rel = d > 0 ? fmax(rel, d / fmax(fabs(a[i]), fabs(b[i]))) : rel;
			sum += d * d, dot += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
		}
		ckpt_difference d = compare(CKPT_F64, CKPT_F64, a, b, n, 1e-4, 1e-4);
		CU_ASSERT_EQUAL(d.elements, n);
		CU_ASSERT_EQUAL(d.different, different);
		CU_ASSERT_EQUAL(d.max_abs, most);
		CU_ASSERT_EQUAL(d.worst, worst);
		CU_ASSERT_DOUBLE_EQUAL(d.max_rel, rel, 1e-15);
		CU_ASSERT_DOUBLE_EQUAL(d.rms, sqrt(sum / (double)n), 1e-12);
		CU_ASSERT_DOUBLE_EQUAL(d.cosine, dot / sqrt(aa * bb), 1e-12);
		free(a);
		free(b);
	}
}

static void what_is_equal_is_equal(void)
{
	double a[] = {0, -0.0, 1, NAN, INFINITY, -INFINITY}, b[] = {-0.0, 0, 1, NAN, INFINITY, -INFINITY};
	ckpt_difference d = compare(CKPT_F32, CKPT_F32, a, b, 6, 0, 0);
	CU_ASSERT(d.different == 0 && d.max_abs == 0 && d.max_rel == 0 && d.rms == 0 && d.cosine == 1 && d.max_ulps == 0);
	d = compare(CKPT_F32, CKPT_F32, a, b, 0, 0, 0);
	CU_ASSERT(d.elements == 0 && d.different == 0 && d.cosine == 1 && d.rms == 0);
	double zeros[4] = {0}, ones[4] = {1, 1, 1, 1}, minus[4] = {-1, -1, -1, -1};
	CU_ASSERT_EQUAL(compare(CKPT_F64, CKPT_F64, zeros, zeros, 4, 0, 0).cosine, 1);
	CU_ASSERT_EQUAL(compare(CKPT_F64, CKPT_F64, zeros, ones, 4, 0, 0).cosine, 0);
	CU_ASSERT_EQUAL(compare(CKPT_F64, CKPT_F64, minus, ones, 4, 0, 0).cosine, -1);
	CU_ASSERT_EQUAL(compare(CKPT_BF16, CKPT_F32, ones, ones, 4, 0, 0).different, 0);
	CU_ASSERT_EQUAL(compare(CKPT_I32, CKPT_F16, ones, ones, 4, 0, 0).different, 0);
}

static void extremes_are_infinitely_far(void)
{
	const double a[][2] = {{1, NAN}, {1, INFINITY}, {1, -INFINITY}, {DBL_MAX, 1}}, b[][2] = {{1, 2}, {1, 2}, {1, INFINITY}, {-DBL_MAX, 1}};
	for (size_t i = 0; i < 4; i++)
		for (int rtol = 0; rtol < 2; rtol++) { /* a tolerance in proportion to infinity forgives nothing */
			ckpt_difference d = compare(CKPT_F64, CKPT_F64, a[i], b[i], 2, 1, rtol);
			CU_ASSERT(d.different == 1 && isinf(d.max_abs) && isinf(d.rms));
			CU_ASSERT_EQUAL(d.worst, i == 3 ? 0 : 1);
		}
	ckpt_difference d = compare(CKPT_F64, CKPT_F64, b[0], a[0], 2, 0, 0);
	CU_ASSERT(d.different == 1 && isinf(d.max_rel));
}

static void ulps_count_representable_numbers(void)
{
	double a[] = {1, 1, -0.0, 0x1p-149}, b[] = {1 + 0x1p-23, 1 - 0x1p-24, 0x1p-149, -0x1p-149};
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_F32, a, b, 1, 0, 0).max_ulps, 1);
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_F32, a + 1, b + 1, 1, 0, 0).max_ulps, 1);
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_F32, a + 2, b + 2, 1, 0, 0).max_ulps, 1);
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_F32, a + 3, b + 3, 1, 0, 0).max_ulps, 2);
	CU_ASSERT_EQUAL(compare(CKPT_F64, CKPT_F64, a, b, 1, 0, 0).max_ulps, UINT64_C(1) << 29);
	double x[] = {3.14159265358979, 2.71828182845905}, y[2];
	for (size_t i = 0; i < 2; i++) { /* rounding alone is no distance */
		uint16_t h;
		ckpt_cast(CKPT_F64, CKPT_BF16, &x[i], &h, 1);
		ckpt_cast_to_f64(CKPT_BF16, &h, &y[i], 1);
	}
	ckpt_difference d = compare(CKPT_F32, CKPT_BF16, x, y, 2, 0, 0);
	CU_ASSERT(d.different == 2 && d.max_ulps == 0 && d.max_abs > 0);
	y[1] += 0x1p-6;
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_BF16, x, y, 2, 0, 0).max_ulps, 1);
	CU_ASSERT_EQUAL(compare(CKPT_F64, CKPT_F16, x, x, 2, 1, 0).max_ulps, 0);
	double nan[] = {NAN, 1}, one[] = {1, 1 + 0x1p-23};
	CU_ASSERT_EQUAL(compare(CKPT_F32, CKPT_F32, nan, one, 2, 0, 0).max_ulps, 1);
}

/* Integers that doubles cannot tell apart. */
static void large_integers_are_exact(void)
{
	int64_t a[] = {INT64_MAX, INT64_MIN, 1}, b[] = {INT64_MAX - 1, INT64_MAX, 1};
	uint64_t shape[] = {3};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	ckpt_difference d;
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "a", CKPT_I64, 1, shape, a, sizeof a, NULL));
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "b", CKPT_I64, 1, shape, b, sizeof b, NULL));
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "c", CKPT_U64, 1, shape, a, sizeof a, NULL));
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "d", CKPT_U64, 1, shape, b, sizeof b, NULL));
	const ckpt_tensor *t = cp->tensors;
	CU_ASSERT(ckpt_tensor_compare(&t[0], &t[1], 0, 0, NULL, &d, NULL));
	CU_ASSERT(d.different == 2 && d.max_abs == 0x1p64 && d.worst == 1);
	CU_ASSERT(ckpt_tensor_compare(&t[2], &t[3], 0, 0, NULL, &d, NULL));
	CU_ASSERT(d.different == 2 && d.max_abs == 1 && d.max_ulps == 1);
	ckpt_checkpoint_free(cp);
}

static void every_dtype_can_be_compared_with_itself(void)
{
	uint64_t shape[] = {8};
	uint8_t a[128], b[128];
	for (size_t i = 0; i < sizeof a; i++) a[i] = (uint8_t)(i * 37 + 11), b[i] = a[i];
	b[0] ^= 1;
	for (int dtype = 0; dtype < CKPT_DTYPE_COUNT; dtype++) {
		ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
		ckpt_difference d = {0};
		size_t bytes = ckpt_dtype_bits((ckpt_dtype)dtype);
		bool bits = dtype == CKPT_BOOL;
		if (bits) a[0] = 1, b[0] = 0;
		if (ckpt_checkpoint_add_bytes(cp, "a", (ckpt_dtype)dtype, 1, shape, a, bytes, NULL)) {
			CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "b", (ckpt_dtype)dtype, 1, shape, b, bytes, NULL));
			CU_ASSERT(ckpt_tensor_compare(&cp->tensors[0], &cp->tensors[0], 0, 0, NULL, &d, NULL) && d.different == 0);
			CU_ASSERT(ckpt_tensor_compare(&cp->tensors[0], &cp->tensors[1], 0, 0, NULL, &d, NULL) && d.different == 1 && d.worst == 0);
		}
		ckpt_checkpoint_free(cp);
		if (bits) a[0] = 11, b[0] = 10;
	}
}

static bool stop(void *user, uint64_t done, uint64_t total)
{
	CU_ASSERT(done <= total);
	return --*(int *)user > 0;
}

static void what_cannot_be_compared_is_refused(void)
{
	double a[] = {1, 2, 3};
	int calls = 1;
	ckpt_error err = {0};
	ckpt_difference d;
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	add(cp, "two", CKPT_F32, a, 2);
	add(cp, "three", CKPT_F32, a, 3);
	uint64_t shape[] = {2};
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "complex", CKPT_C64, 1, shape, a, 16, NULL));
	CU_ASSERT(ckpt_checkpoint_add_bytes(cp, "bits", CKPT_QUINT8, 1, shape, a, 2, NULL));
	const ckpt_tensor *t = cp->tensors;
	CU_ASSERT(!ckpt_tensor_compare(&t[0], &t[1], 0, 0, NULL, &d, &err) && strstr(err.text, "2 elements, 'three' has 3"));
	CU_ASSERT(!ckpt_tensor_compare(&t[0], &t[2], 0, 0, NULL, &d, &err) && err.code == CKPT_E_UNSUPPORTED);
	CU_ASSERT(!ckpt_tensor_compare(&t[0], &t[3], 0, 0, NULL, &d, &err) && strstr(err.text, "QUINT8"));
	CU_ASSERT(!ckpt_tensor_compare(&t[0], &t[0], 0, 0, &(ckpt_work){1, stop, &calls}, &d, &err) && err.code == CKPT_E_CANCELLED);
	ckpt_checkpoint_free(cp);
}

/* ---- pairs ---- */

static ckpt_checkpoint *named(const char *const *names, size_t count)
{
	double one = 1;
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	for (size_t i = 0; i < count; i++) add(cp, names[i], CKPT_F32, &one, 1);
	return cp;
}

/* How many pairs there are; each must end alike. */
static size_t pairs_of(const char *const *a, size_t n, const char *const *b, size_t m, ckpt_pairs *p)
{
	size_t count = 0;
	ckpt_checkpoint *x = named(a, n), *y = named(b, m);
	CU_ASSERT(ckpt_pairs_find(x, y, p, NULL));
	for (size_t i = 0; i < n; i++) {
		if (p->partner[i] == SIZE_MAX) continue;
		count++;
		CU_ASSERT_STRING_EQUAL(strrchr(a[i], '.'), strrchr(b[p->partner[i]], '.'));
		CU_ASSERT(p->paired[p->partner[i]]);
	}
	ckpt_checkpoint_free(x);
	ckpt_checkpoint_free(y);
	return count;
}

static void names_pair_under_prefixes(void)
{
	static const char *const plain[] = {"embeddings.w", "layer.0.x", "layer.1.y", "pooler.z"};
	static const char *const bert[] = {"bert.embeddings.w", "bert.layer.0.x", "bert.layer.1.y", "bert.pooler.z", "cls.bias"};
	static const char *const wrapped[] = {"module.bert.embeddings.w", "module.bert.layer.0.x", "module.bert.layer.1.y", "module.cls.bias"};
	static const char *const other[] = {"net.embeddings.w", "net.layer.0.x", "net.layer.1.y"};
	static const char *const coder[][2] = {{"shared.w", "encoder.x"}, {"shared.w", "decoder.x"}};
	ckpt_pairs p;
	CU_ASSERT(pairs_of(plain, 4, plain, 4, &p) == 4 && p.prefix_count == 0);
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(plain, 4, bert, 5, &p) == 4 && p.prefix_count == 1 && !p.paired[4]);
	CU_ASSERT(strcmp(p.prefixes[0].a, "") == 0 && strcmp(p.prefixes[0].b, "bert.") == 0 && p.prefixes[0].count == 4);
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(bert, 5, plain, 4, &p) == 4 && strcmp(p.prefixes[0].a, "bert.") == 0);
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(bert, 5, wrapped, 4, &p) == 4 && strcmp(p.prefixes[0].b, "module.") == 0 && p.partner[3] == SIZE_MAX);
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(bert, 4, other, 3, &p) == 3 && strcmp(p.prefixes[0].a, "bert.") == 0 && strcmp(p.prefixes[0].b, "net.") == 0);
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(coder[0], 2, coder[1], 2, &p) == 1); /* what is left of an encoder is no decoder */
	ckpt_pairs_free(&p);
	CU_ASSERT(pairs_of(plain, 0, bert, 5, &p) == 0 && p.prefix_count == 0);
	ckpt_pairs_free(&p);
}

static void aliases_follow_what_they_are_aliases_of(void)
{
	static const char *const names[] = {"wte.w", "head.w"};
	ckpt_checkpoint *a = named(names, 1), *b = named(names, 1);
	ckpt_pairs p;
	ckpt_source *source = ckpt_source_ref(a->tensors[0].source);
	CU_ASSERT(ckpt_checkpoint_add(a, "head.w", CKPT_F32, 1, a->tensors[0].shape, source, NULL, NULL));
	CU_ASSERT(ckpt_checkpoint_find_aliases(a, NULL));
	CU_ASSERT(ckpt_pairs_find(a, b, &p, NULL) && p.partner[1] == SIZE_MAX && p.dropped[1]);
	ckpt_pairs_free(&p);
	CU_ASSERT(ckpt_pairs_find(b, a, &p, NULL) && p.partner[0] == 0 && p.paired[1]);
	ckpt_pairs_free(&p);
	ckpt_checkpoint_free(a);
	ckpt_checkpoint_free(b);
}

static const unit_case cases[] = {
	{"figures_equal_naive_loops", figures_equal_naive_loops},
	{"what_is_equal_is_equal", what_is_equal_is_equal},
	{"extremes_are_infinitely_far", extremes_are_infinitely_far},
	{"ulps_count_representable_numbers", ulps_count_representable_numbers},
	{"large_integers_are_exact", large_integers_are_exact},
	{"every_dtype_can_be_compared_with_itself", every_dtype_can_be_compared_with_itself},
	{"what_cannot_be_compared_is_refused", what_cannot_be_compared_is_refused},
	{"names_pair_under_prefixes", names_pair_under_prefixes},
	{"aliases_follow_what_they_are_aliases_of", aliases_follow_what_they_are_aliases_of},
	{0},
};
const unit_suite unit_compare = {"compare", cases};
