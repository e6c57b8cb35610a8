/* test_crc.c -- each code path of the CRC against zlib, and CRCs of parts joined */
#include "../../lib/crc.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char *const paths[] = {"zlib", "pclmul", "vpclmul"};
enum { PATHS = sizeof paths / sizeof paths[0], LONGEST = 1100, SIZE = 300000 };

static uint8_t data[SIZE + 64];

static void fill(void)
{
	uint64_t x = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < sizeof data; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		data[i] = (uint8_t)x;
	}
}

static void test_known(void)
{
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_crc32_force(paths[p])) continue;
		CU_ASSERT_EQUAL(ckpt_crc32(0, "123456789", 9), 0xcbf43926);
		CU_ASSERT_EQUAL(ckpt_crc32(0, NULL, 0), 0);
		CU_ASSERT_EQUAL(ckpt_crc32(0xcbf43926, "", 0), 0xcbf43926);
	}
	ckpt_crc32_force(NULL);
}

static void test_every_length(void)
{
	unsigned wrong = 0;
	fill();
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_crc32_force(paths[p])) continue;
		for (size_t n = 0; n <= LONGEST; n++) {
			const uint8_t *at = data + n * 7 % 64;
			uint32_t start = (uint32_t)n * 0x9e3779b9;
			wrong += ckpt_crc32(start, at, n) != crc32_z(start, at, n);
			wrong += ckpt_crc32(0, at, n) != crc32_z(0, at, n);
		}
		for (size_t n = SIZE - 40; n <= SIZE; n++)
			for (size_t shift = 0; shift < 3; shift++)
				wrong += ckpt_crc32(0, data + shift, n) != crc32_z(0, data + shift, n);
	}
	ckpt_crc32_force(NULL);
	CU_ASSERT_EQUAL(wrong, 0);
}

/* Continued over random pieces, and the pieces' own CRCs joined: both are the CRC of the whole. */
static void test_splits(void)
{
	unsigned wrong = 0;
	uint64_t x = 12345;
	fill();
	uint32_t whole = (uint32_t)crc32_z(0, data, SIZE);
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_crc32_force(paths[p])) continue;
		for (int round = 0; round < 20; round++) {
			uint32_t continued = 0, joined = 0;
			for (size_t at = 0, n; at < SIZE; at += n) {
				x = x * 6364136223846793005u + 1442695040888963407u;
				n = (x >> 33) % (round < 10 ? 2000 : 100000);
				if (n > SIZE - at) n = SIZE - at;
				continued = ckpt_crc32(continued, data + at, n);
				joined = ckpt_crc32_combine(joined, ckpt_crc32(0, data + at, n), n);
			}
			wrong += continued != whole || joined != whole;
		}
	}
	ckpt_crc32_force(NULL);
	CU_ASSERT_EQUAL(wrong, 0);
}

/* CRC of n zero bytes, by doubling. */
static uint32_t zeros(uint64_t n)
{
	uint32_t crc = 0, one = ckpt_crc32(0, "", 1);
	for (int bit = 63; bit >= 0; bit--) {
		crc = ckpt_crc32_combine(crc, crc, (n >> bit) >> 1);
		if (n >> bit & 1) crc = ckpt_crc32_combine(crc, one, 1);
	}
	return crc;
}

static void test_long_lengths(void)
{
	static const uint64_t lengths[] = {0,        1, 0xffffffff, UINT64_C(1) << 32, 5000000000, UINT64_C(1) << 47,
	                                   INT64_MAX};
	const uint32_t a = 0xcbf43926, b = 0x12345678;
	if (sizeof(z_off_t) == 8)
		for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
			CU_ASSERT_EQUAL(ckpt_crc32_combine(a, b, lengths[i]), crc32_combine(a, b, (z_off_t)lengths[i]));
	/* x^(2^32 - 1) is 1 modulo P, so this many bytes leave A where it was. */
	CU_ASSERT_EQUAL(ckpt_crc32_combine(a, b, 0xffffffff), a ^ b);
	CU_ASSERT_EQUAL(ckpt_crc32(0, memset(data, 0, 1000), 1000), zeros(1000));
	const uint64_t past = (UINT64_C(1) << 63) + 5;
	uint32_t stepwise = ckpt_crc32_combine(ckpt_crc32_combine(a, zeros(past - 5), past - 5), zeros(5), 5);
	CU_ASSERT_EQUAL(ckpt_crc32_combine(a, zeros(past), past), stepwise);
	stepwise = ckpt_crc32_combine(ckpt_crc32_combine(a, zeros(UINT64_MAX / 2), UINT64_MAX / 2), zeros(past - 5),
	                              past - 5);
	CU_ASSERT_EQUAL(ckpt_crc32_combine(a, zeros(UINT64_MAX), UINT64_MAX), stepwise);
}

static void test_force(void)
{
	CU_ASSERT_TRUE(ckpt_crc32_force("zlib"));
	CU_ASSERT_FALSE(ckpt_crc32_force("adler"));
	CU_ASSERT_TRUE(ckpt_crc32_force(NULL));
}

static const unit_case cases[] = {
        {"known values", test_known},   {"every length", test_every_length},
        {"splits", test_splits},        {"lengths past 4 GiB", test_long_lengths},
        {"choice of path", test_force}, {0},
};
const unit_suite unit_crc = {"crc", cases};
