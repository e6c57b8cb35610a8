/* test_rng.c -- the published vectors, the documented mapping, the distributions, and all code paths alike */
#include "../../lib/rng.h"
#include "unit.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const paths[] = {"portable", "avx2", "avx512"};
enum { PATHS = sizeof paths / sizeof paths[0] };

static const ckpt_rng_key key = {{0xcbf8a66b, 0xc26b7c6f}, {0x9bb45d97, 0x31740569}};

/* The vectors that the authors publish with Random123. */
static void test_known_answers(void)
{
	static const struct {
		uint32_t counter[4], key[2], want[4];
	} rows[] = {
	        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
	        {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
	        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
	         {0xa4093822, 0x299f31d0},
	         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t out[4];
		ckpt_philox4x32_10(rows[i].counter, rows[i].key, out);
		CU_ASSERT_EQUAL(memcmp(out, rows[i].want, sizeof out), 0);
	}
}

static void test_key(void)
{
	ckpt_rng_key a, b;
	/* SHA-256 of "ckpt rng 1", NUL, 42 as 8 bytes, the name. */
	CU_ASSERT_TRUE(ckpt_rng_key_make(42, "encoder.layer.0.weight", &a, NULL));
	CU_ASSERT_EQUAL(memcmp(&a, &key, sizeof a), 0);
	CU_ASSERT_TRUE(ckpt_rng_key_make(43, "encoder.layer.0.weight", &b, NULL));
	CU_ASSERT_NOT_EQUAL(memcmp(&a, &b, sizeof a), 0);
	CU_ASSERT_TRUE(ckpt_rng_key_make(42, "encoder.layer.1.weight", &b, NULL));
	CU_ASSERT_NOT_EQUAL(memcmp(&a, &b, sizeof a), 0);
	CU_ASSERT_TRUE(ckpt_rng_key_make(UINT64_MAX, "", &b, NULL));
}

/* ---- values ---- */

/* Element e as rng.c documents it, in double. */
static double reference(uint64_t e, bool uniform, double base, double scale)
{
	uint64_t n = 64 * (e / 256) + e % 64;
	unsigned j = (unsigned)(e % 256 / 64);
	uint32_t counter[4] = {(uint32_t)n, (uint32_t)(n >> 32), key.counter_high[0], key.counter_high[1]}, w[4];
	ckpt_philox4x32_10(counter, key.key, w);
	if (uniform) return base + scale * (w[j] >> 8) / 0x1p24;
	double x = ((w[j & 2] >> 1) + 0.5) / 0x1p31, angle = 2 * acos(-1) * w[(j & 2) + 1] / 0x1p32;
	double r = sqrt(-2 * log(x));
	return base + scale * r * (j & 1 ? sin(angle) : cos(angle));
}

enum { MANY = 1 << 16 };
static float values[MANY], others[MANY];

static void test_mapping(void)
{
	static const uint64_t starts[] = {0, 5000000000, (UINT64_C(1) << 62) - 77, UINT64_MAX - 4000};
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_rng_force(paths[p])) continue;
		for (size_t s = 0; s < sizeof starts / sizeof starts[0]; s++) {
			double worst = 0;
			ckpt_rng_normal(&key, starts[s], 2000, 1.0f, 2.0f, values);
			ckpt_rng_uniform(&key, starts[s], 2000, -1.0f, 3.0f, others);
			for (size_t i = 0; i < 2000; i++) {
				worst = fmax(worst, fabs(values[i] - reference(starts[s] + i, false, 1, 2)));
				worst = fmax(worst, fabs(others[i] - reference(starts[s] + i, true, -1, 4)));
			}
			CU_ASSERT(worst < 4e-6);
		}
	}
	ckpt_rng_force(NULL);
}

/* The first values of a stream never change: seeds are part of what a user keeps. */
static void test_golden(void)
{
	static const uint32_t normal[6] = {0x397f4012, 0x395a66f1, 0x3cd93178, 0x3d107712, 0xbc00115f, 0x3c2ba904},
	                      uniform[6] = {0x3e684230, 0xbdf71df0, 0xbe2880fc, 0xbea07f56, 0x3e8ce40a, 0xbecbe5a0};
	float out[6];
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_rng_force(paths[p])) continue;
		ckpt_rng_normal(&key, 60, 6, 0.0f, 0.02f, out);
		CU_ASSERT_EQUAL(memcmp(out, normal, sizeof out), 0);
		ckpt_rng_uniform(&key, 60, 6, -0.5f, 0.5f, out);
		CU_ASSERT_EQUAL(memcmp(out, uniform, sizeof out), 0);
	}
	ckpt_rng_force(NULL);
}

static void test_paths_agree(void)
{
	for (size_t p = 1; p < PATHS; p++) {
		if (!ckpt_rng_force(paths[p])) continue;
		for (uint64_t first = 0; first < 3000000000; first += 999999937) {
			ckpt_rng_force("portable");
			ckpt_rng_normal(&key, first, MANY, 0.1f, 0.02f, values);
			ckpt_rng_force(paths[p]);
			ckpt_rng_normal(&key, first, MANY, 0.1f, 0.02f, others);
			CU_ASSERT_EQUAL(memcmp(values, others, sizeof values), 0);
			ckpt_rng_force("portable");
			ckpt_rng_uniform(&key, first, MANY, -0.3f, 0.7f, values);
			ckpt_rng_force(paths[p]);
			ckpt_rng_uniform(&key, first, MANY, -0.3f, 0.7f, others);
			CU_ASSERT_EQUAL(memcmp(values, others, sizeof values), 0);
		}
	}
	CU_ASSERT_TRUE(ckpt_rng_force(NULL));
	CU_ASSERT_FALSE(ckpt_rng_force("neon"));
}

/* ---- access ---- */

static void test_any_range(void)
{
	unsigned wrong = 0;
	ckpt_rng_normal(&key, 1000, 5000, 0, 1, values);
	for (size_t first = 0; first < 600; first += 37)
		for (size_t count = 0; count < 1100; count += 61) {
			memset(others, 0xff, 2000 * sizeof *others);
			ckpt_rng_normal(&key, 1000 + first, count, 0, 1, others);
			wrong += memcmp(values + first, others, count * sizeof *others) != 0;
			wrong += isnan(others[count]) ? 0 : 1;
		}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void test_sources(void)
{
	static uint8_t bytes[40000];
	ckpt_error err = {0};
	ckpt_source *n = ckpt_source_normal(&key, UINT64_C(5000000000), 0.5f, 2, &err);
	ckpt_source *u = ckpt_source_uniform(&key, 10, 1, 2, &err);
	CU_ASSERT_FATAL(n != NULL && u != NULL);
	CU_ASSERT_EQUAL(n->length, UINT64_C(20000000000));
	unsigned wrong = 0;
	const uint64_t base = UINT64_C(4999990000);
	ckpt_rng_normal(&key, base, 10000, 0.5f, 2, values);
	for (size_t offset = 0; offset < 5000; offset += 333)
		for (size_t length = 0; length < 30000; length = length * 3 + 1) {
			bytes[1 + length] = 0xa5;
			wrong += !ckpt_source_read(n, 4 * base + offset, length, bytes + 1, &err);
			wrong +=
			        memcmp(bytes + 1, (uint8_t *)values + offset, length) != 0 || bytes[1 + length] != 0xa5;
		}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(ckpt_source_read(n, n->length - 3, 3, bytes, &err));
	CU_ASSERT_EQUAL(memcmp(bytes, (uint8_t *)(values + 10000) - 3, 3), 0);
	CU_ASSERT_FALSE(ckpt_source_read(n, n->length - 3, 4, bytes, &err));
	CU_ASSERT_TRUE(ckpt_source_read(u, 0, 40, bytes, &err));
	ckpt_rng_uniform(&key, 0, 10, 1, 2, others);
	CU_ASSERT_EQUAL(memcmp(bytes, others, 40), 0);
	ckpt_source_unref(n);
	ckpt_source_unref(u);
	CU_ASSERT_PTR_NULL(ckpt_source_normal(&key, UINT64_C(1) << 62, 0, 1, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_USAGE);
	n = ckpt_source_normal(&key, 0, 0, 1, &err);
	CU_ASSERT(n && n->length == 0);
	ckpt_source_unref(n);
}

/* ---- distributions ---- */

static void test_moments(void)
{
	double sum = 0, square = 0, cube = 0, fourth = 0, next = 0, pair = 0;
	const double n = 32.0 * MANY;
	for (uint64_t k = 0; k < 32; k++) {
		ckpt_rng_normal(&key, k * MANY, MANY, 0, 1, values);
		for (size_t i = 0; i < MANY; i++) {
			double x = values[i];
			sum += x, square += x * x, cube += x * x * x, fourth += x * x * x * x;
			if (i + 64 >= MANY) continue;
			next += x * values[i + 1], pair += x * values[i + 64];
		}
	}
	/* Five standard errors each. */
	CU_ASSERT(fabs(sum / n) < 5 / sqrt(n));
	CU_ASSERT(fabs(square / n - 1) < 5 * sqrt(2 / n));
	CU_ASSERT(fabs(cube / n) < 5 * sqrt(15 / n));
	CU_ASSERT(fabs(fourth / n - 3) < 5 * sqrt(96 / n));
	CU_ASSERT(fabs(next / n) < 5 / sqrt(n));
	CU_ASSERT(fabs(pair / n) < 5 / sqrt(n));
	ckpt_rng_normal(&key, 0, MANY, 3.0f, 0.25f, values);
	sum = square = 0;
	for (size_t i = 0; i < MANY; i++) sum += values[i], square += (values[i] - 3.0) * (values[i] - 3.0);
	CU_ASSERT(fabs(sum / MANY - 3) < 5 * 0.25 / sqrt(MANY));
	CU_ASSERT(fabs(sqrt(square / MANY) - 0.25) < 5 * 0.25 / sqrt(2 * MANY));
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov's distance times sqrt(n); above 1.95 once in a thousand. */
static double distance(double (*cumulative)(double))
{
	double worst = 0;
	qsort(values, MANY, sizeof *values, by_value);
	for (size_t i = 0; i < MANY; i++) {
		double f = cumulative(values[i]);
		worst = fmax(worst, fmax(fabs(f - (double)i / MANY), fabs(f - (double)(i + 1) / MANY)));
	}
	return worst * sqrt(MANY);
}

static double normal_cumulative(double x) { return 0.5 * erfc(-x / sqrt(2)); }
static double uniform_cumulative(double x) { return (x + 2) / 5; }

static void test_kolmogorov(void)
{
	ckpt_rng_normal(&key, 123456789, MANY, 0, 1, values);
	CU_ASSERT(distance(normal_cumulative) < 1.95);
	ckpt_rng_uniform(&key, 123456789, MANY, -2, 3, values);
	CU_ASSERT(values[0] >= -2);
	CU_ASSERT(distance(uniform_cumulative) < 1.95);
	CU_ASSERT(values[MANY - 1] < 3);
}

/* Rounding in low + width * u must not reach high. */
static void test_uniform_is_open(void)
{
	const float low = 16777215.0f, high = 16777216.0f;
	unsigned wrong = 0;
	ckpt_rng_uniform(&key, 0, MANY, low, high, values);
	for (size_t i = 0; i < MANY; i++) wrong += values[i] < low || values[i] >= high;
	CU_ASSERT_EQUAL(wrong, 0);
	ckpt_rng_uniform(&key, 0, 100, 0.5f, 0.5f, values);
	for (size_t i = 0; i < 100; i++) wrong += values[i] != 0.5f;
	ckpt_rng_normal(&key, 0, 100, 0.5f, 0, values);
	for (size_t i = 0; i < 100; i++) wrong += values[i] != 0.5f;
	CU_ASSERT_EQUAL(wrong, 0);
}

static const unit_case cases[] = {
        {"published vectors", test_known_answers},
        {"key", test_key},
        {"mapping", test_mapping},
        {"golden values", test_golden},
        {"paths agree", test_paths_agree},
        {"any range", test_any_range},
        {"sources", test_sources},
        {"moments", test_moments},
        {"Kolmogorov-Smirnov", test_kolmogorov},
        {"uniform is half open", test_uniform_is_open},
        {0},
};
const unit_suite unit_rng = {"rng", cases};
