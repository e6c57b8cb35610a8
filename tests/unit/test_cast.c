/* test_cast.c -- every code of every narrow type, rounding against an exact reference, and all code paths alike */
#include "../../lib/cast.h"
#include "unit.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const paths[] = {"portable", "avx2", "avx512"};
enum { PATHS = sizeof paths / sizeof paths[0] };

/* The narrow floats as the standards give them. */
typedef struct narrow {
	ckpt_dtype dtype;
	unsigned bits, mantissa;
	int bias;
	unsigned top;   /* magnitude code of the largest finite value */
	bool infinite;  /* the next code is Inf */
	bool saturates; /* overflow becomes the largest value */
	bool fnuz;      /* no -0, 0x80 is NaN */
} narrow;

static const narrow narrows[] = {
        {CKPT_F16, 16, 10, 15, 0x7bff, true, false, false},    {CKPT_BF16, 16, 7, 127, 0x7f7f, true, false, false},
        {CKPT_F8_E5M2, 8, 2, 15, 0x7b, true, false, false},    {CKPT_F8_E4M3, 8, 3, 7, 0x7e, false, true, false},
        {CKPT_F8_E4M3FNUZ, 8, 3, 8, 0x7f, false, false, true}, {CKPT_F8_E5M2FNUZ, 8, 2, 16, 0x7f, false, false, true},
};
enum { NARROWS = sizeof narrows / sizeof narrows[0] };

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

/* The value of a magnitude code, with no regard for what the top exponent may mean. */
static double magnitude(const narrow *n, unsigned code)
{
	int exponent = (int)(code >> n->mantissa), fraction = (int)(code & ((1u << n->mantissa) - 1));
	if (exponent == 0) return ldexp(fraction, 1 - n->bias - (int)n->mantissa);
	return ldexp(fraction + (1 << n->mantissa), exponent - n->bias - (int)n->mantissa);
}

static double reference_decode(const narrow *n, unsigned code)
{
	unsigned sign = code >> (n->bits - 1), m = code & ((1u << (n->bits - 1)) - 1);
	if (n->fnuz && code == 0x80) return NAN;
	double value = magnitude(n, m);
	if (!n->fnuz && m > n->top) value = n->infinite && m == n->top + 1 ? INFINITY : NAN;
	return sign ? -value : value;
}

/* The code nearest to x, ties to the even code: by bisection over the codes. A double holds the midpoints exactly. */
static unsigned reference_encode(const narrow *n, double x)
{
	unsigned sign = signbit(x) ? 1u << (n->bits - 1) : 0, nan = n->fnuz ? 0x80 : ((1u << (n->bits - 1)) - 1) | sign;
	double a = fabs(x);
	if (isnan(x)) return nan;
	unsigned low = 0, high = n->top + 1; /* magnitude(low) <= a; high stands for everything larger */
	if (a >= magnitude(n, high)) low = high;
	while (high - low > 1) {
		unsigned middle = (low + high) / 2;
		if (magnitude(n, middle) <= a)
			low = middle;
		else
			high = middle;
	}
	if (low < high) {
		double half = (magnitude(n, low) + magnitude(n, high)) / 2;
		low += a > half || (a == half && low % 2 == 1);
	}
	if (low > n->top && n->saturates) return n->top | sign;
	if (low > n->top) return n->infinite ? (n->top + 1) | sign : nan;
	return n->fnuz && low == 0 ? 0 : low | sign;
}

static unsigned code_of(const void *bytes, unsigned bits, size_t i)
{
	uint16_t wide;
	if (bits == 8) return ((const uint8_t *)bytes)[i];
	memcpy(&wide, (const uint8_t *)bytes + 2 * i, 2);
	return wide;
}

/* The same code, or both NaN with the same sign (NaN payloads are looked at elsewhere). */
static bool same_code(const narrow *n, unsigned a, unsigned b)
{
	if (a == b) return true;
	if (n->fnuz || (a ^ b) >> (n->bits - 1)) return false;
	return isnan(reference_decode(n, a)) && isnan(reference_decode(n, b));
}

static bool same_value(double a, double b)
{
	if (isnan(a) || isnan(b)) return isnan(a) && isnan(b) && !signbit(a) == !signbit(b);
	return a == b && !signbit(a) == !signbit(b);
}

/* ---- decode: every code ---- */

static void check_decode(const narrow *n)
{
	unsigned count = 1u << n->bits;
	uint16_t *wide = malloc(count * sizeof *wide), *back = malloc(count * sizeof *back);
	float *f = malloc(count * sizeof *f);
	double *d = malloc(count * sizeof *d), *d2 = malloc(count * sizeof *d2);
	unsigned wrong = 0;
	for (unsigned i = 0; i < count; i++) {
		if (n->bits == 16)
			wide[i] = (uint16_t)i;
		else
			((uint8_t *)wide)[i] = (uint8_t)i;
	}
	ckpt_cast(n->dtype, CKPT_F32, wide, f, count);
	ckpt_cast(n->dtype, CKPT_F64, wide, d, count);
	ckpt_cast_to_f64(n->dtype, wide, d2, count);
	ckpt_cast(CKPT_F32, n->dtype, f, back, count);
	for (unsigned i = 0; i < count; i++) {
		double want = reference_decode(n, i);
		wrong += !same_value(f[i], want) || !same_value(d[i], want) || !same_value(d2[i], want);
		wrong += !same_code(n, code_of(back, n->bits, i), i);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	wrong = 0;
	ckpt_cast(CKPT_F64, n->dtype, d, back, count);
	for (unsigned i = 0; i < count; i++) wrong += !same_code(n, code_of(back, n->bits, i), i);
	CU_ASSERT_EQUAL(wrong, 0);
	free(wide), free(back), free(f), free(d), free(d2);
}

static void test_decode_all(void)
{
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		for (size_t i = 0; i < NARROWS; i++) check_decode(&narrows[i]);
	}
	ckpt_cast_force(NULL);
}

static void test_e8m0(void)
{
	uint8_t code[256];
	float f[256];
	double d[256];
	unsigned wrong = 0;
	for (int i = 0; i < 256; i++) code[i] = (uint8_t)i;
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		ckpt_cast(CKPT_F8_E8M0, CKPT_F32, code, f, 256);
		ckpt_cast(CKPT_F8_E8M0, CKPT_F64, code, d, 256);
		for (int i = 0; i < 255; i++) wrong += (double)f[i] != ldexp(1, i - 127) || d[i] != ldexp(1, i - 127);
		wrong += !isnan(f[255]) || !isnan(d[255]);
	}
	ckpt_cast_force(NULL);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_FALSE(ckpt_cast_supported(CKPT_F32, CKPT_F8_E8M0));
	CU_ASSERT_TRUE(ckpt_cast_supported(CKPT_F8_E8M0, CKPT_BF16));
}

/* ---- encode: against the reference ---- */

enum { MANY = 1 << 14 };

static float from_bits(uint32_t u)
{
	float f;
	memcpy(&f, &u, sizeof f);
	return f;
}

static unsigned encode_errors(const narrow *n, ckpt_dtype from, const void *values, const double *exact,
                              size_t count)
{
	static uint16_t out[MANY];
	unsigned wrong = 0;
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		ckpt_cast(from, n->dtype, values, out, count);
		for (size_t i = 0; i < count; i++)
			wrong += !same_code(n, code_of(out, n->bits, i), reference_encode(n, exact[i]));
	}
	ckpt_cast_force(NULL);
	return wrong;
}

static float f32_values[MANY];
static double f64_values[MANY];
static double exact_values[MANY];

static unsigned f32_errors(const narrow *n, size_t count)
{
	for (size_t i = 0; i < count; i++) exact_values[i] = f32_values[i];
	return encode_errors(n, CKPT_F32, f32_values, exact_values, count);
}

static unsigned f64_errors(const narrow *n, size_t count)
{
	for (size_t i = 0; i < count; i++) exact_values[i] = f64_values[i];
	return encode_errors(n, CKPT_F64, f64_values, exact_values, count);
}

/* Each code, each midpoint between codes, and their neighbours in f32 and in f64, with both signs. */
static unsigned boundary_errors(const narrow *n, bool wide)
{
	unsigned wrong = 0;
	size_t count = 0;
	for (unsigned code = 0; code <= n->top; code++) {
		double value = magnitude(n, code), half = (value + magnitude(n, code + 1)) / 2;
		const double around[2] = {value, half};
		for (int k = 0; k < 12; k++) {
			double x = around[k & 1];
			if (wide) x = k / 4 == 0 ? x : nextafter(x, k / 4 == 1 ? -1 : INFINITY);
			float f = (float)x;
			if (!wide) f = k / 4 == 0 ? f : nextafterf(f, k / 4 == 1 ? -1.0f : INFINITY);
			f32_values[count] = k & 2 ? -f : f;
			f64_values[count++] = k & 2 ? -x : x;
		}
		if (count + 12 <= MANY && code < n->top) continue;
		wrong += wide ? f64_errors(n, count) : f32_errors(n, count);
		count = 0;
	}
	return wrong;
}

static void test_encode_boundaries(void)
{
	for (size_t i = 0; i < NARROWS; i++) {
		CU_ASSERT_EQUAL(boundary_errors(&narrows[i], false), 0);
		CU_ASSERT_EQUAL(boundary_errors(&narrows[i], true), 0);
	}
}

/* Bit patterns all over the f32 range, then values within the range of the narrow type. */
static void test_encode_random(void)
{
	for (size_t i = 0; i < NARROWS; i++) {
		const narrow *n = &narrows[i];
		unsigned wrong = 0;
		for (int round = 0; round < 4; round++) {
			double top = magnitude(n, n->top + 1);
			for (size_t k = 0; k < MANY; k++) {
				uint64_t r = next_random();
				double d;
				memcpy(&d, &r, sizeof d);
				f32_values[k] = from_bits((uint32_t)r);
				f64_values[k] = d;
				if (round < 2) continue;
				d = ldexp((double)(r >> 11) * 0x1p-53 - 0.5, -(int)(r % 24)) * top;
				f32_values[k] = (float)d;
				f64_values[k] = d;
			}
			wrong += f32_errors(n, MANY) + f64_errors(n, MANY);
		}
		CU_ASSERT_EQUAL(wrong, 0);
	}
}

static void test_encode_specials(void)
{
	static const uint32_t bits[] = {0,          0x80000000, 1,          0x80000001, 0x007fffff,
	                                0x00800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
	                                0x7fc00000, 0xffc00000, 0x7f800001, 0xffbfffff, 0x7fffffff};
	enum { COUNT = sizeof bits / sizeof bits[0] };
	for (size_t i = 0; i < COUNT; i++) f32_values[i] = from_bits(bits[i]);
	for (size_t i = 0; i < NARROWS; i++) CU_ASSERT_EQUAL(f32_errors(&narrows[i], COUNT), 0);
	static const double wide[] = {0.0,      -0.0,   5e-324,         -5e-324,  1e-46,        DBL_MIN,   DBL_MAX,
	                              -DBL_MAX, 1e39,   -1e39,          FLT_MAX,  INFINITY,     -INFINITY, NAN,
	                              -NAN,     3.5e38, 0x1.ffffffp127, 0x1p-150, 0x1.0001p-134};
	memcpy(f64_values, wide, sizeof wide);
	for (size_t i = 0; i < NARROWS; i++) CU_ASSERT_EQUAL(f64_errors(&narrows[i], sizeof wide / sizeof wide[0]), 0);
}

/* Codes that the other cases take as equal: which NaN comes out. */
static void test_nan_codes(void)
{
	static const uint32_t in[4] = {0x7fc00000, 0xffc00000, 0x7f800001, 0xffd55555};
	static const uint16_t f16[4] = {0x7e00, 0xfe00, 0x7e00, 0xfeaa}, bf16[4] = {0x7fc0, 0xffc0, 0x7fc0, 0xffd5};
	static const uint8_t f8[4] = {0x7f, 0xff, 0x7f, 0xff}, fnuz[4] = {0x80, 0x80, 0x80, 0x80};
	uint16_t out[4];
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		ckpt_cast(CKPT_F32, CKPT_F16, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, f16, 8), 0);
		ckpt_cast(CKPT_F32, CKPT_BF16, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, bf16, 8), 0);
		ckpt_cast(CKPT_F32, CKPT_F8_E4M3, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, f8, 4), 0);
		ckpt_cast(CKPT_F32, CKPT_F8_E5M2, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, f8, 4), 0);
		ckpt_cast(CKPT_F32, CKPT_F8_E4M3FNUZ, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, fnuz, 4), 0);
		ckpt_cast(CKPT_F32, CKPT_F8_E5M2FNUZ, in, out, 4);
		CU_ASSERT_EQUAL(memcmp(out, fnuz, 4), 0);
	}
	ckpt_cast_force(NULL);
}

/* ---- one rounding, not two ---- */

static void test_single_rounding(void)
{
	/* Just above the middle of two bf16 (f16) values by less than f32 can show. */
	static const double d[4] = {1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-8 - 0x1p-40, 1 + 0x1p-11 + 0x1p-50,
	                            1 + 0x1p-11 - 0x1p-50};
	static const int64_t i[4] = {(1ll << 60) + (1ll << 52) + 1, -(1ll << 60) - (1ll << 52) - 1,
	                             (1ll << 60) + (1ll << 52), INT64_MIN};
	static const uint64_t u[2] = {UINT64_MAX, (1ull << 63) + (1ull << 55) + 1};
	uint16_t out[4];
	ckpt_cast(CKPT_F64, CKPT_BF16, d, out, 2);
	CU_ASSERT_EQUAL(out[0], 0x3f81);
	CU_ASSERT_EQUAL(out[1], 0x3f80);
	ckpt_cast(CKPT_F64, CKPT_F16, d + 2, out, 2);
	CU_ASSERT_EQUAL(out[0], 0x3c01);
	CU_ASSERT_EQUAL(out[1], 0x3c00);
	ckpt_cast(CKPT_I64, CKPT_BF16, i, out, 4);
	CU_ASSERT_EQUAL(out[0], 0x5d81);
	CU_ASSERT_EQUAL(out[1], 0xdd81);
	CU_ASSERT_EQUAL(out[2], 0x5d80);
	CU_ASSERT_EQUAL(out[3], 0xdf00);
	ckpt_cast(CKPT_U64, CKPT_BF16, u, out, 2);
	CU_ASSERT_EQUAL(out[0], 0x5f80);
	CU_ASSERT_EQUAL(out[1], 0x5f01);
}

static int64_t int_values[MANY];

/* A double that lies as the integer does to all values of narrow types and to their midpoints: the last of its 53 bits
 * keeps whether lower ones were cut off. */
static double rounded_to_odd(uint64_t magnitude, bool negative)
{
	int cut = 0;
	while (magnitude >> cut >= (uint64_t)1 << 53) cut++;
	uint64_t kept = magnitude >> cut;
	if (kept << cut != magnitude) kept |= 1;
	return ldexp(negative ? -(double)kept : (double)kept, cut);
}

/* Integers of every size, to f32 and f64 as the compiler converts them and to the narrow types as the reference does.
 */
static void test_integers_to_floats(void)
{
	unsigned wrong = 0;
	for (size_t k = 0; k < MANY; k++) {
		int_values[k] = (int64_t)(next_random() >> (k % 64));
		if (k % 3 == 0) int_values[k] = (int64_t)(((uint64_t)int_values[k] << (k % 50)) | 1);
		if (k & 64) int_values[k] = (int64_t)(0 - (uint64_t)int_values[k]);
		bool negative = int_values[k] < 0;
		exact_values[k] = rounded_to_odd(negative ? 0 - (uint64_t)int_values[k] : (uint64_t)int_values[k], negative);
	}
	ckpt_cast(CKPT_I64, CKPT_F32, int_values, f32_values, MANY);
	ckpt_cast(CKPT_I64, CKPT_F64, int_values, f64_values, MANY);
	for (size_t k = 0; k < MANY; k++)
		wrong += f32_values[k] != (float)int_values[k] || f64_values[k] != (double)int_values[k];
	ckpt_cast(CKPT_U64, CKPT_F32, int_values, f32_values, MANY);
	ckpt_cast(CKPT_U64, CKPT_F64, int_values, f64_values, MANY);
	for (size_t k = 0; k < MANY; k++)
		wrong += f32_values[k] != (float)(uint64_t)int_values[k] ||
		         f64_values[k] != (double)(uint64_t)int_values[k];
	CU_ASSERT_EQUAL(wrong, 0);
	for (size_t i = 0; i < NARROWS; i++)
		CU_ASSERT_EQUAL(encode_errors(&narrows[i], CKPT_I64, int_values, exact_values, MANY), 0);
	for (size_t k = 0; k < MANY; k++) exact_values[k] = rounded_to_odd((uint64_t)int_values[k], false);
	for (size_t i = 0; i < NARROWS; i++)
		CU_ASSERT_EQUAL(encode_errors(&narrows[i], CKPT_U64, int_values, exact_values, MANY), 0);
	for (size_t k = 0; k < MANY; k++) exact_values[k] = ((const int32_t *)int_values)[k];
	for (size_t i = 0; i < NARROWS; i++)
		CU_ASSERT_EQUAL(encode_errors(&narrows[i], CKPT_I32, int_values, exact_values, MANY), 0);
}

static void test_floats_to_integers(void)
{
	static const double in[12] = {0, -0.9, 1.9, -1.9, 127.5, 300, -300, 1e10, -1e10, 1e300, -INFINITY, NAN};
	static const int8_t i8[12] = {0, 0, 1, -1, 127, 127, -128, 127, -128, 127, -128, 0};
	static const uint8_t u8[12] = {0, 0, 1, 0, 127, 255, 0, 255, 0, 255, 0, 0},
	                     truth[12] = {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
	static const int16_t i16[12] = {0, 0, 1, -1, 127, 300, -300, 32767, -32768, 32767, -32768, 0};
	static const uint16_t u16[12] = {0, 0, 1, 0, 127, 300, 0, 65535, 0, 65535, 0, 0};
	static const int32_t i32[12] = {0, 0, 1, -1, 127, 300, -300, INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN, 0};
	static const uint32_t u32[12] = {0, 0, 1, 0, 127, 300, 0, UINT32_MAX, 0, UINT32_MAX, 0, 0};
	static const int64_t i64[12] = {0,         0,         1, -1, 127, 300, -300, 10000000000, -10000000000,
	                                INT64_MAX, INT64_MIN, 0};
	static const uint64_t u64[12] = {0, 0, 1, 0, 127, 300, 0, 10000000000, 0, UINT64_MAX, 0, 0};
	static const struct {
		ckpt_dtype to;
		const void *want;
		size_t bytes;
	} rows[] = {{CKPT_I8, i8, 1},   {CKPT_U8, u8, 1},   {CKPT_BOOL, truth, 1},
	            {CKPT_I16, i16, 2}, {CKPT_U16, u16, 2}, {CKPT_I32, i32, 4},
	            {CKPT_U32, u32, 4}, {CKPT_I64, i64, 8}, {CKPT_U64, u64, 8}};
	uint64_t out[12];
	for (size_t p = 0; p < PATHS; p++) {
		if (!ckpt_cast_force(paths[p])) continue;
		for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
			ckpt_cast(CKPT_F64, rows[r].to, in, out, 12);
			CU_ASSERT_EQUAL(memcmp(out, rows[r].want, 12 * rows[r].bytes), 0);
		}
	}
	ckpt_cast_force(NULL);
	static const double edge[4] = {0x1p63, 0x1.fffffffffffffp62, -0x1p63, 0x1p64};
	ckpt_cast(CKPT_F64, CKPT_I64, edge, out, 4);
	CU_ASSERT_EQUAL(out[0], INT64_MAX);
	CU_ASSERT_EQUAL(out[1], 0x7ffffffffffffc00);
	CU_ASSERT_EQUAL((int64_t)out[2], INT64_MIN);
	CU_ASSERT_EQUAL(out[3], INT64_MAX);
	ckpt_cast(CKPT_F64, CKPT_U64, edge, out, 4);
	CU_ASSERT_EQUAL(out[0], UINT64_C(1) << 63);
	CU_ASSERT_EQUAL(out[2], 0);
	CU_ASSERT_EQUAL(out[3], UINT64_MAX);
}

static void test_integers_to_integers(void)
{
	static const int64_t in[5] = {-1, 0x1234567890abcdef, 256, 0, INT64_MIN};
	static const uint8_t flags[4] = {0, 1, 2, 255};
	uint8_t u8[5], truth[5];
	int16_t i16[5];
	int32_t i32[5];
	int64_t i64[5];
	ckpt_cast(CKPT_I64, CKPT_U8, in, u8, 5);
	ckpt_cast(CKPT_I64, CKPT_I16, in, i16, 5);
	ckpt_cast(CKPT_I64, CKPT_BOOL, in, truth, 5);
	CU_ASSERT_EQUAL(memcmp(u8, (uint8_t[5]){255, 0xef, 0, 0, 0}, 5), 0);
	CU_ASSERT_EQUAL(memcmp(i16, (int16_t[5]){-1, (int16_t)0xcdef, 256, 0, 0}, 10), 0);
	CU_ASSERT_EQUAL(memcmp(truth, (uint8_t[5]){1, 1, 1, 0, 1}, 5), 0);
	ckpt_cast(CKPT_I16, CKPT_I32, i16, i32, 5);
	ckpt_cast(CKPT_I32, CKPT_I64, i32, i64, 5);
	CU_ASSERT_EQUAL(i64[0], -1);
	CU_ASSERT_EQUAL(i64[1], (int16_t)0xcdef);
	ckpt_cast(CKPT_U8, CKPT_I64, u8, i64, 5);
	CU_ASSERT_EQUAL(i64[0], 255);
	ckpt_cast(CKPT_BOOL, CKPT_I32, flags, i32, 4);
	CU_ASSERT_EQUAL(memcmp(i32, (int32_t[4]){0, 1, 1, 1}, 16), 0);
	float f[4];
	ckpt_cast(CKPT_BOOL, CKPT_F32, flags, f, 4);
	CU_ASSERT_EQUAL(memcmp(f, (float[4]){0, 1, 1, 1}, 16), 0);
}

/* ---- packed types ---- */

static void test_packed(void)
{
	static const double f4[16] = {0, .5, 1, 1.5, 2, 3, 4, 6, -0.0, -.5, -1, -1.5, -2, -3, -4, -6};
	static const uint8_t nibbles[8] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe};
	uint8_t six[48] = {0};
	double out[64];
	unsigned wrong = 0;
	ckpt_cast_to_f64(CKPT_F4, nibbles, out, 16);
	for (int i = 0; i < 16; i++) wrong += !same_value(out[i], f4[i]);
	for (unsigned i = 0; i < 64; i++)
		for (unsigned b = 0; b < 6; b++) six[(6 * i + b) / 8] |= (uint8_t)((i >> b & 1) << (6 * i + b) % 8);
	static const narrow e2m3 = {CKPT_F6_E2M3, 6, 3, 1, 31, false, false, false},
	                    e3m2 = {CKPT_F6_E3M2, 6, 2, 3, 31, false, false, false};
	ckpt_cast_to_f64(CKPT_F6_E2M3, six, out, 64);
	for (unsigned i = 0; i < 64; i++) wrong += !same_value(out[i], reference_decode(&e2m3, i));
	CU_ASSERT_EQUAL(out[31], 7.5);
	ckpt_cast_to_f64(CKPT_F6_E3M2, six, out, 64);
	for (unsigned i = 0; i < 64; i++) wrong += !same_value(out[i], reference_decode(&e3m2, i));
	CU_ASSERT_EQUAL(out[31], 28);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_TRUE(ckpt_cast_decodable(CKPT_F4) && ckpt_cast_decodable(CKPT_F32) && ckpt_cast_decodable(CKPT_BOOL));
	CU_ASSERT_FALSE(ckpt_cast_decodable(CKPT_C64) || ckpt_cast_decodable(CKPT_QINT8));
	CU_ASSERT_FALSE(ckpt_cast_supported(CKPT_F4, CKPT_F32) || ckpt_cast_supported(CKPT_F32, CKPT_C64));
	CU_ASSERT_FALSE(ckpt_cast_supported(CKPT_DTYPE_NONE, CKPT_F32) ||
	                ckpt_cast_supported(CKPT_F32, CKPT_DTYPE_NONE));
}

/* ---- paths ---- */

enum { RUN = 1100 };

/* Every pair, on random bytes at odd addresses and of many lengths: all paths write the same bytes and not one more. */
static unsigned pair_errors(ckpt_dtype from, ckpt_dtype to, const uint8_t *in)
{
	static const size_t counts[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 127, 1023, 1024, 1025, RUN};
	static uint8_t want[8 * RUN + 16], got[8 * RUN + 16];
	size_t out_bytes = ckpt_dtype_bits(to) / 8;
	unsigned wrong = 0;
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
		size_t shift = c % 8;
		memset(want, 0xa5, sizeof want);
		ckpt_cast_force("portable");
		ckpt_cast(from, to, in + shift, want + shift, counts[c]);
		for (size_t i = shift + counts[c] * out_bytes; i < sizeof want; i++) wrong += want[i] != 0xa5;
		for (size_t p = 1; p < PATHS; p++) {
			if (!ckpt_cast_force(paths[p])) continue;
			memset(got, 0xa5, sizeof got);
			ckpt_cast(from, to, in + shift, got + shift, counts[c]);
			wrong += memcmp(want, got, sizeof want) != 0;
		}
	}
	return wrong;
}

static void test_paths_agree(void)
{
	static uint8_t in[8 * RUN + 16];
	unsigned pairs = 0;
	for (size_t i = 0; i + 8 <= sizeof in; i += 8) {
		uint64_t r = next_random();
		memcpy(in + i, &r, 8);
	}
	for (int from = 0; from < CKPT_DTYPE_COUNT; from++)
		for (int to = 0; to < CKPT_DTYPE_COUNT; to++) {
			if (!ckpt_cast_supported((ckpt_dtype)from, (ckpt_dtype)to)) continue;
			pairs++;
			if (pair_errors((ckpt_dtype)from, (ckpt_dtype)to, in) == 0) continue;
			printf("# %s to %s\n", ckpt_dtype_name((ckpt_dtype)from), ckpt_dtype_name((ckpt_dtype)to));
			CU_FAIL("paths differ");
		}
	CU_ASSERT_EQUAL(pairs, 18 * 17 + 1);
	CU_ASSERT_TRUE(ckpt_cast_force(NULL));
	CU_ASSERT_FALSE(ckpt_cast_force("mmx"));
}

static const unit_case cases[] = {
        {"decode every code", test_decode_all},
        {"e8m0", test_e8m0},
        {"encode at boundaries", test_encode_boundaries},
        {"encode random values", test_encode_random},
        {"encode special values", test_encode_specials},
        {"NaN codes", test_nan_codes},
        {"one rounding", test_single_rounding},
        {"integers to floats", test_integers_to_floats},
        {"floats to integers", test_floats_to_integers},
        {"integers to integers", test_integers_to_integers},
        {"packed types", test_packed},
        {"paths agree", test_paths_agree},
        {0},
};
const unit_suite unit_cast = {"cast", cases};
