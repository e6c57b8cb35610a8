/* cast.c -- conversions between element types, on whole runs of elements
 *
 * Kernels convert to and from three hubs: f32 (which holds every 16- and 8-bit float and integer exactly), f64, and the
 * 64 bits of an integer. A pair of types is a route of at most three kernels, run over pieces that stay in the L1
 * cache. A route rounds once: where f64 or a 64-bit integer goes to a narrow float, the steps before the last one round
 * to odd (drop the bits, and set the last bit if any of them was set), which loses nothing that the last rounding looks
 * at.
 */
#include "cast.h"
#include "isa.h"
#include "narrow.h"
#include <math.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "elements are read and written as the host's own numbers: the host must be little-endian"
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

typedef void kernel(const void *source, void *destination, size_t count);

/* Elements at any address. */
#define ANY(TYPE, NAME) typedef TYPE NAME __attribute__((aligned(1), may_alias))
ANY(uint8_t, any_u8);
ANY(int8_t, any_i8);
ANY(uint16_t, any_u16);
ANY(int16_t, any_i16);
ANY(uint32_t, any_u32);
ANY(int32_t, any_i32);
ANY(uint64_t, any_u64);
ANY(int64_t, any_i64);
ANY(float, any_f32);
ANY(double, any_f64);

/* ---- single elements ---- */

/* f64 to f32 bits, rounded to odd. */
CKPT_INLINE uint32_t odd_f32(double d)
{
	float f = (float)d;
	double back = (double)f;
	uint32_t u = ckpt_float_bits(f);
	u -= fabs(back) > fabs(d) ? 1u : 0u;
	return back != d ? u | 1u : u;
}

/* A 64-bit magnitude to f64, rounded to odd: 53 bits are left after 11 leave. */
CKPT_INLINE double odd_f64(uint64_t m)
{
	uint64_t cut = m >> 11 | ((m & 0x7ff) != 0 ? 1u : 0u);
	return m >> 53 ? (double)(int64_t)cut * 2048.0 : (double)(int64_t)(m & 0x1fffffffffffff);
}

CKPT_INLINE double odd_i64(int64_t x)
{
	double m = odd_f64(x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
	return x < 0 ? -m : m;
}

/* Towards zero; what does not fit becomes the nearest that does, NaN becomes 0. */
CKPT_INLINE double clamp(double x, double low, double high)
{
	x = x > low ? x : (x <= low ? low : 0.0);
	return x < high ? x : high;
}

CKPT_INLINE int64_t saturate_i64(double x)
{
	int64_t whole = (int64_t)clamp(x, -0x1p63, 0x1.fffffffffffffp62);
	return x >= 0x1p63 ? INT64_MAX : whole;
}

CKPT_INLINE uint64_t saturate_u64(double x)
{
	uint64_t whole = (uint64_t)clamp(x, 0, 0x1.fffffffffffffp63);
	return x >= 0x1p64 ? UINT64_MAX : whole;
}

/* ---- kernels ---- */

/* A kernel that makes each element of type TO from the element x of type FROM. */
#define KERNEL(NAME, FROM, TO, EXPRESSION)                                                                             \
	CKPT_INLINE void NAME##_body(const void *source, void *destination, size_t count)                              \
	{                                                                                                              \
		const FROM *s = source;                                                                                \
		TO *d = destination;                                                                                   \
		_Pragma("omp simd") for (size_t i = 0; i < count; i++)                                                 \
		{                                                                                                      \
			const FROM x = s[i];                                                                           \
			d[i] = (TO)(EXPRESSION);                                                                       \
		}                                                                                                      \
	}                                                                                                              \
	CKPT_PER_ISA(kernel, NAME, (const void *source, void *destination, size_t count), (source, destination, count))

KERNEL(bf16_f32, any_u16, any_u32, ckpt_bf16_decode(x))
KERNEL(f16_f32, any_u16, any_u32, ckpt_f16_decode(x))
KERNEL(e5m2_f32, any_u8, any_u32, ckpt_e5m2_decode(x))
KERNEL(e4m3_f32, any_u8, any_u32, ckpt_e4m3_decode(x))
KERNEL(e8m0_f32, any_u8, any_u32, ckpt_e8m0_decode(x))
KERNEL(e4m3fnuz_f32, any_u8, any_u32, ckpt_e4m3fnuz_decode(x))
KERNEL(e5m2fnuz_f32, any_u8, any_u32, ckpt_e5m2fnuz_decode(x))
KERNEL(bool_f32, any_u8, any_f32, x != 0)
KERNEL(u8_f32, any_u8, any_f32, x)
KERNEL(i8_f32, any_i8, any_f32, x)
KERNEL(u16_f32, any_u16, any_f32, x)
KERNEL(i16_f32, any_i16, any_f32, x)
KERNEL(u32_f32, any_u32, any_f32, x)
KERNEL(i32_f32, any_i32, any_f32, x)
KERNEL(u64_f32, any_u64, any_f32, x)
KERNEL(i64_f32, any_i64, any_f32, x)
KERNEL(f64_f32, any_f64, any_f32, x)
KERNEL(f64_f32_odd, any_f64, any_u32, odd_f32(x))

KERNEL(f32_bf16, any_u32, any_u16, ckpt_bf16_encode(x))
KERNEL(f32_f16, any_u32, any_u16, ckpt_f16_encode(x))
KERNEL(f32_e5m2, any_u32, any_u8, ckpt_e5m2_encode(x))
KERNEL(f32_e4m3, any_u32, any_u8, ckpt_e4m3_encode(x))
KERNEL(f32_e4m3fnuz, any_u32, any_u8, ckpt_e4m3fnuz_encode(x))
KERNEL(f32_e5m2fnuz, any_u32, any_u8, ckpt_e5m2fnuz_encode(x))

KERNEL(f32_f64, any_f32, any_f64, x)
KERNEL(u32_f64, any_u32, any_f64, x)
KERNEL(i32_f64, any_i32, any_f64, x)
KERNEL(u64_f64, any_u64, any_f64, x)
KERNEL(i64_f64, any_i64, any_f64, x)
KERNEL(u64_f64_odd, any_u64, any_f64, odd_f64(x))
KERNEL(i64_f64_odd, any_i64, any_f64, odd_i64(x))

KERNEL(f64_bool, any_f64, any_u8, x != 0)
KERNEL(f64_u8, any_f64, any_u8, (int32_t)clamp(x, 0, UINT8_MAX))
KERNEL(f64_i8, any_f64, any_i8, (int32_t)clamp(x, INT8_MIN, INT8_MAX))
KERNEL(f64_u16, any_f64, any_u16, (int32_t)clamp(x, 0, UINT16_MAX))
KERNEL(f64_i16, any_f64, any_i16, (int32_t)clamp(x, INT16_MIN, INT16_MAX))
KERNEL(f64_u32, any_f64, any_u32, (int64_t)clamp(x, 0, UINT32_MAX))
KERNEL(f64_i32, any_f64, any_i32, (int32_t)clamp(x, INT32_MIN, INT32_MAX))
KERNEL(f64_u64, any_f64, any_u64, saturate_u64(x))
KERNEL(f64_i64, any_f64, any_i64, saturate_i64(x))

KERNEL(bool_bits, any_u8, any_u64, x != 0)
KERNEL(u8_bits, any_u8, any_u64, x)
KERNEL(i8_bits, any_i8, any_i64, x)
KERNEL(u16_bits, any_u16, any_u64, x)
KERNEL(i16_bits, any_i16, any_i64, x)
KERNEL(u32_bits, any_u32, any_u64, x)
KERNEL(i32_bits, any_i32, any_i64, x)
KERNEL(bits_bool, any_u64, any_u8, x != 0)
KERNEL(bits_8, any_u64, any_u8, x)
KERNEL(bits_16, any_u64, any_u16, x)
KERNEL(bits_32, any_u64, any_u32, x)

/* ---- routes ---- */

typedef kernel *const *kernels; /* one for each instruction set */

/* Kernels between a type and the hubs; NULL where there is no need of one. */
typedef struct cast_type {
	kernels to_f32;    /* exact, unless wide is set: then it rounds to nearest */
	kernels to_f64;    /* of wide types: to nearest */
	kernels odd_f64;   /* of 64-bit integers: to odd */
	kernels to_bits;   /* of bool and integers below 64 bits */
	kernels from_f32;  /* of narrow floats */
	kernels from_f64;  /* of f32, bool and integers */
	kernels from_bits; /* of bool and integers below 64 bits */
	bool known, whole, wide;
} cast_type;

#define NARROW_FLOAT(NAME)                                                                                             \
	{                                                                                                              \
		.known = true, .to_f32 = NAME##_f32, .from_f32 = f32_##NAME                                            \
	}
#define SMALL_INT(NAME, BITS)                                                                                          \
	{                                                                                                              \
		.known = true, .whole = true, .to_f32 = NAME##_f32, .to_bits = NAME##_bits, .from_f64 = f64_##NAME,    \
		.from_bits = BITS                                                                                      \
	}
#define WORD_INT(NAME)                                                                                                 \
	{                                                                                                              \
		.known = true, .whole = true, .wide = true, .to_f32 = NAME##_f32, .to_f64 = NAME##_f64,                \
		.to_bits = NAME##_bits, .from_f64 = f64_##NAME, .from_bits = bits_32                                   \
	}
#define LONG_INT(NAME)                                                                                                 \
	{                                                                                                              \
		.known = true, .whole = true, .wide = true, .to_f32 = NAME##_f32, .to_f64 = NAME##_f64,                \
		.odd_f64 = NAME##_f64_odd, .from_f64 = f64_##NAME                                                      \
	}

static const cast_type types[CKPT_DTYPE_COUNT] = {
        [CKPT_F32] = {.known = true},
        [CKPT_F64] = {.known = true, .wide = true, .to_f32 = f64_f32},
        [CKPT_F16] = NARROW_FLOAT(f16),
        [CKPT_BF16] = NARROW_FLOAT(bf16),
        [CKPT_F8_E5M2] = NARROW_FLOAT(e5m2),
        [CKPT_F8_E4M3] = NARROW_FLOAT(e4m3),
        [CKPT_F8_E4M3FNUZ] = NARROW_FLOAT(e4m3fnuz),
        [CKPT_F8_E5M2FNUZ] = NARROW_FLOAT(e5m2fnuz),
        [CKPT_F8_E8M0] = {.known = true, .to_f32 = e8m0_f32},
        [CKPT_BOOL] = SMALL_INT(bool, bits_bool),
        [CKPT_U8] = SMALL_INT(u8, bits_8),
        [CKPT_I8] = SMALL_INT(i8, bits_8),
        [CKPT_U16] = SMALL_INT(u16, bits_16),
        [CKPT_I16] = SMALL_INT(i16, bits_16),
        [CKPT_U32] = WORD_INT(u32),
        [CKPT_I32] = WORD_INT(i32),
        [CKPT_U64] = LONG_INT(u64),
        [CKPT_I64] = LONG_INT(i64),
};

enum { ROUTE_STEPS = 3, PIECE = 1024 };

typedef struct cast_route {
	kernels step[ROUTE_STEPS];
	size_t steps;
} cast_route;

static void add_step(cast_route *route, kernels step)
{
	if (step) route->step[route->steps++] = step;
}

static cast_route route_to_float(ckpt_dtype from, ckpt_dtype to)
{
	const cast_type *f = &types[from];
	cast_route route = {0};
	if (f->wide && to == CKPT_F64) {
		add_step(&route, f->to_f64);
	} else if (f->wide && to != CKPT_F32) {
		add_step(&route, f->odd_f64 ? f->odd_f64 : f->to_f64);
		add_step(&route, f64_f32_odd);
		add_step(&route, types[to].from_f32);
	} else {
		add_step(&route, f->to_f32);
		add_step(&route, to == CKPT_F64 ? f32_f64 : types[to].from_f32);
	}
	return route;
}

static cast_route route_to_whole(ckpt_dtype from, ckpt_dtype to)
{
	cast_route route = {0};
	if (types[from].whole) {
		add_step(&route, types[from].to_bits);
		add_step(&route, types[to].from_bits);
	} else {
		if (from != CKPT_F64) add_step(&route, types[from].to_f32);
		if (from != CKPT_F64) add_step(&route, f32_f64);
		add_step(&route, types[to].from_f64);
	}
	return route;
}

/* No step at all means that the bytes stay as they are. */
static cast_route find_route(ckpt_dtype from, ckpt_dtype to)
{
	if (from == to) return (cast_route){0};
	return types[to].whole ? route_to_whole(from, to) : route_to_float(from, to);
}

bool ckpt_cast_supported(ckpt_dtype from, ckpt_dtype to)
{
	if (from >= CKPT_DTYPE_COUNT || to >= CKPT_DTYPE_COUNT || !types[from].known || !types[to].known) return false;
	return from == to || to != CKPT_F8_E8M0;
}

/* ---- running them ---- */

/* The path that a test asked for; without one the best. */
static struct {
	bool set;
	ckpt_isa isa;
} forced;

bool ckpt_cast_force(const char *path)
{
	ckpt_isa isa;
	if (!ckpt_isa_choose(path, &isa)) return false;
	forced.isa = isa;
	forced.set = path != NULL;
	return true;
}

ckpt_isa ckpt_cast_isa(void) { return forced.set ? forced.isa : ckpt_isa_best(); }

/* Two steps or three, piece by piece. */
static void run_route(const cast_route *route, ckpt_isa isa, const uint8_t *source, size_t in_bytes,
                      uint8_t *destination, size_t out_bytes, size_t count)
{
	uint64_t middle[ROUTE_STEPS - 1][PIECE]; /* f32, f64 or bits */
	for (size_t done = 0, n; done < count; done += n) {
		n = count - done < PIECE ? count - done : PIECE;
		const void *in = source + done * in_bytes;
		for (size_t i = 0; i + 1 < route->steps; i++) {
			route->step[i][isa](in, middle[i], n);
			in = middle[i];
		}
		route->step[route->steps - 1][isa](in, destination + done * out_bytes, n);
	}
}

void ckpt_cast(ckpt_dtype from, ckpt_dtype to, const void *source, void *destination, size_t count)
{
	const ckpt_isa isa = ckpt_cast_isa();
	const cast_route route = find_route(from, to);
	const size_t in_bytes = ckpt_dtype_bits(from) / 8, out_bytes = ckpt_dtype_bits(to) / 8;
	if (count == 0) return;
	if (route.steps == 0)
		memcpy(destination, source, count * in_bytes);
	else if (route.steps == 1)
		route.step[0][isa](source, destination, count);
	else
		run_route(&route, isa, source, in_bytes, destination, out_bytes, count);
}

/* ---- to f64 ---- */

/* The OCP microscaling formats: sign, exponent, M mantissa bits; no infinity and no NaN. */
static double packed_value(unsigned code, int bits, int M, int bias)
{
	int magnitude = (int)code & ((1 << (bits - 1)) - 1), exponent = magnitude >> M,
	    mantissa = magnitude & ((1 << M) - 1);
	if (exponent > 0) mantissa |= 1 << M;
	double value = ldexp(mantissa, (exponent > 0 ? exponent : 1) - bias - M);
	return code >> (bits - 1) ? -value : value;
}

/* Codes lie one after the other from the low bit of the first byte. */
static void unpack(const uint8_t *source, double *destination, size_t count, int bits, int M, int bias)
{
	double value[64];
	for (unsigned code = 0; code < 1u << bits; code++) value[code] = packed_value(code, bits, M, bias);
	unsigned held = 0, have = 0;
	for (size_t i = 0; i < count; i++) {
		if (have < (unsigned)bits) {
			held |= (unsigned)*source++ << have;
			have += 8;
		}
		destination[i] = value[held & ((1u << bits) - 1)];
		held >>= bits;
		have -= (unsigned)bits;
	}
}

bool ckpt_cast_decodable(ckpt_dtype from)
{
	return from == CKPT_F4 || from == CKPT_F6_E2M3 || from == CKPT_F6_E3M2 || ckpt_cast_supported(from, CKPT_F64);
}

void ckpt_cast_to_f64(ckpt_dtype from, const void *source, double *destination, size_t count)
{
	if (from == CKPT_F4)
		unpack(source, destination, count, 4, 1, 1);
	else if (from == CKPT_F6_E2M3)
		unpack(source, destination, count, 6, 3, 1);
	else if (from == CKPT_F6_E3M2)
		unpack(source, destination, count, 6, 2, 3);
	else
		ckpt_cast(from, CKPT_F64, source, destination, count);
}
