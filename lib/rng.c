/* rng.c -- counter-based random numbers: a value depends on seed, tensor name and element index, on nothing else
 *
 * 1. Key. SHA-256 over the bytes "ckpt rng 1", NUL, the seed (8 bytes, little-endian), the name without its NUL. The
 * first four little-endian 32-bit words of the digest are key[0], key[1], counter_high[0], counter_high[1].
 * 2. Words. Philox4x32-10 of the counter {low half of n, high half of n, counter_high[0], counter_high[1]} gives four
 *    words w0 .. w3.
 * 3. Elements. They come in blocks of 256. Element 256 b + 64 j + i (j < 4, i < 64) is made from the words of counter
 *    n = 64 b + i, so that 64 neighbours are 64 neighbouring counters.
 *    Uniform: u = (wj >> 8) / 2^24; the value is low + (high - low) u, never high itself.
 *    Normal (Box and Muller): j = 0, 1 use w0, w1 and j = 2, 3 use w2, w3. From the first word x = ((w >> 1) + 1/2) /
 * 2^31 and r = std sqrt(-2 log x), from the second t = w / 2^32; the value is mean + r cos(2 pi t) for even j and mean
 * + r sin(2 pi t) for odd j. All arithmetic is in f32, in the order written below, never contracted; log, sine and
 * cosine are the polynomials below. |value - mean| is at most 6.66 std.
 */
#include "rng.h"
#include "checked.h"
#include "error.h"
#include "hash.h"
#include "isa.h"
#include "narrow.h"
#include <math.h>
#include <string.h>

#if defined(CKPT_ISA_X86)
#include <immintrin.h>
#endif

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { LANES = 64, BLOCK = 4 * LANES, ROUNDS = 10 };

#define MULTIPLIER_0 0xD2511F53u
#define MULTIPLIER_1 0xCD9E8D57u
#define WEYL_0       0x9E3779B9u
#define WEYL_1       0xBB67AE85u

/* ---- philox ---- */

/* Words of the counters 64 b + i, i < LANES. */
typedef void philox_kernel(const ckpt_rng_key *key, uint64_t block, uint32_t words[4][LANES]);

void ckpt_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
	uint32_t a = counter[0], b = counter[1], c = counter[2], d = counter[3], k0 = key[0], k1 = key[1];
	for (int round = 0; round < ROUNDS; round++, k0 += WEYL_0, k1 += WEYL_1) {
		uint64_t p = (uint64_t)MULTIPLIER_0 * a, q = (uint64_t)MULTIPLIER_1 * c;
		a = (uint32_t)(q >> 32) ^ b ^ k0;
		b = (uint32_t)q;
		c = (uint32_t)(p >> 32) ^ d ^ k1;
		d = (uint32_t)p;
	}
	out[0] = a, out[1] = b, out[2] = c, out[3] = d;
}

static void philox_portable(const ckpt_rng_key *key, uint64_t block, uint32_t words[4][LANES])
{
	for (unsigned i = 0; i < LANES; i++) {
		uint64_t n = block * LANES + i;
		uint32_t counter[4] = {(uint32_t)n, (uint32_t)(n >> 32), key->counter_high[0], key->counter_high[1]},
		         w[4];
		ckpt_philox4x32_10(counter, key->key, w);
		for (int j = 0; j < 4; j++) words[j][i] = w[j];
	}
}

#if defined(CKPT_ISA_X86)
/* With vectors each word has a 64-bit lane to itself: the product needs no shuffle, and what is left in the upper half
 * of a lane is not looked at by the next multiplication. Round keys come from memory, already 64 bits wide. */
typedef struct round_keys {
	int64_t k0[ROUNDS], k1[ROUNDS], high[2];
} round_keys;

static round_keys expand_key(const ckpt_rng_key *key)
{
	round_keys keys = {.high = {key->counter_high[0], key->counter_high[1]}};
	uint32_t k0 = key->key[0], k1 = key->key[1];
	for (int round = 0; round < ROUNDS; round++, k0 += WEYL_0, k1 += WEYL_1) {
		keys.k0[round] = k0;
		keys.k1[round] = k1;
	}
	return keys;
}

CKPT_TARGET_AVX2 static inline void store_low_avx2(uint32_t *out, __m256i lanes)
{
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
	__m256i packed = _mm256_permutevar8x32_epi32(lanes, even);
	_mm_storeu_si128((__m128i *)(void *)out, _mm256_castsi256_si128(packed));
}

CKPT_TARGET_AVX2 static void philox_avx2(const ckpt_rng_key *key, uint64_t block, uint32_t words[4][LANES])
{
	const round_keys keys = expand_key(key);
	const __m256i m0 = _mm256_set1_epi64x(MULTIPLIER_0), m1 = _mm256_set1_epi64x(MULTIPLIER_1);
	__m256i n = _mm256_add_epi64(_mm256_set1_epi64x((int64_t)(block * LANES)), _mm256_setr_epi64x(0, 1, 2, 3));
	for (unsigned i = 0; i < LANES; i += 4, n = _mm256_add_epi64(n, _mm256_set1_epi64x(4))) {
		__m256i a = n, b = _mm256_srli_epi64(n, 32);
		__m256i c = _mm256_set1_epi64x(keys.high[0]), d = _mm256_set1_epi64x(keys.high[1]);
#pragma GCC unroll 10
		for (int round = 0; round < ROUNDS; round++) {
			__m256i p = _mm256_mul_epu32(m0, a), q = _mm256_mul_epu32(m1, c);
			__m256i x = _mm256_xor_si256(b, _mm256_set1_epi64x(keys.k0[round]));
			__m256i y = _mm256_xor_si256(d, _mm256_set1_epi64x(keys.k1[round]));
			a = _mm256_xor_si256(_mm256_srli_epi64(q, 32), x);
			b = q;
			c = _mm256_xor_si256(_mm256_srli_epi64(p, 32), y);
			d = p;
		}
		store_low_avx2(words[0] + i, a);
		store_low_avx2(words[1] + i, b);
		store_low_avx2(words[2] + i, c);
		store_low_avx2(words[3] + i, d);
	}
}

CKPT_TARGET_AVX512 static inline void store_low_avx512(uint32_t *out, __m512i lanes)
{
	_mm256_storeu_si256((__m256i *)(void *)out, _mm512_cvtepi64_epi32(lanes));
}

CKPT_TARGET_AVX512 static void philox_avx512(const ckpt_rng_key *key, uint64_t block, uint32_t words[4][LANES])
{
	const round_keys keys = expand_key(key);
	const __m512i m0 = _mm512_set1_epi64(MULTIPLIER_0), m1 = _mm512_set1_epi64(MULTIPLIER_1);
	const __m512i eight = _mm512_set1_epi64(8), first = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	__m512i n = _mm512_add_epi64(_mm512_set1_epi64((int64_t)(block * LANES)), first);
	for (unsigned i = 0; i < LANES; i += 8, n = _mm512_add_epi64(n, eight)) {
		__m512i a = n, b = _mm512_srli_epi64(n, 32);
		__m512i c = _mm512_set1_epi64(keys.high[0]), d = _mm512_set1_epi64(keys.high[1]);
#pragma GCC unroll 10
		for (int round = 0; round < ROUNDS; round++) {
			__m512i p = _mm512_mul_epu32(m0, a), q = _mm512_mul_epu32(m1, c);
			__m512i k0 = _mm512_set1_epi64(keys.k0[round]), k1 = _mm512_set1_epi64(keys.k1[round]);
			a = _mm512_ternarylogic_epi64(_mm512_srli_epi64(q, 32), b, k0, 0x96);
			b = q;
			c = _mm512_ternarylogic_epi64(_mm512_srli_epi64(p, 32), d, k1, 0x96);
			d = p;
		}
		store_low_avx512(words[0] + i, a);
		store_low_avx512(words[1] + i, b);
		store_low_avx512(words[2] + i, c);
		store_low_avx512(words[3] + i, d);
	}
}
#endif

static philox_kernel *const philox[CKPT_ISA_COUNT] = CKPT_ISA_ROW(philox);

/* ---- distributions ---- */

typedef struct distribution {
	bool uniform;
	float base, scale; /* mean and std; low and high - low */
	float top;         /* the largest value below high */
} distribution;

/* Turns the words of a block into its 256 elements. */
typedef void shape_kernel(const distribution *d, uint32_t words[4][LANES], float *out);

/* Natural logarithm of f / 2^31, 0 < f <= 2^31: f is 2^(e + 31) (1 + m) with m from sqrt(1/2) - 1 to sqrt(2) - 1, and
 * the polynomial that of Cephes' logf. */
CKPT_INLINE float log_fraction(float f)
{
	const uint32_t root_half = 0x3f3504f3, scale = 31u << 23;
	uint32_t u = ckpt_float_bits(f) - root_half - scale;
	float e = (float)((int32_t)u >> 23), m = ckpt_bits_float((u & 0x7fffff) + root_half) - 1.0f, z = m * m;
	float y = 7.0376836292e-2f;
	y = y * m - 1.1514610310e-1f;
	y = y * m + 1.1676998740e-1f;
	y = y * m - 1.2420140846e-1f;
	y = y * m + 1.4249322787e-1f;
	y = y * m - 1.6668057665e-1f;
	y = y * m + 2.0000714765e-1f;
	y = y * m - 2.4999993993e-1f;
	y = y * m + 3.3333331174e-1f;
	return m + ((y * m - 0.5f) * z + 0.693147182f * e);
}

/* Sine and cosine of w / 2^32 turns: the nearest quarter turn from the high bits, the rest by Cephes' polynomials. */
CKPT_INLINE void sine_cosine(uint32_t w, float *sine, float *cosine)
{
	uint32_t quarter = w + 0x20000000; /* in the two high bits */
	float x = (float)((int32_t)(w << 2) >> 2) * 1.46291807926715968e-9f, z = x * x;
	float s = x + x * z * (-1.6666654611e-1f + z * (8.3321608736e-3f - z * 1.9515295891e-4f));
	float c = (1.0f - 0.5f * z) +
	          z * z * (4.166664568298827e-2f + z * (-1.388731625493765e-3f + z * 2.443315711809948e-5f));
	uint32_t odd = quarter & 0x40000000, a = ckpt_float_bits(odd ? c : s), b = ckpt_float_bits(odd ? s : c);
	*sine = ckpt_bits_float(a ^ (quarter & 0x80000000));
	*cosine = ckpt_bits_float(b ^ ((quarter + 0x40000000) & 0x80000000));
}

CKPT_INLINE void normal_body(const distribution *d, uint32_t words[4][LANES], float *out)
{
	const float mean = d->base, std = d->scale;
	for (int half = 0; half < 2; half++) {
		const uint32_t *radius = words[2 * half], *angle = words[2 * half + 1];
		float *even = out + 2 * half * LANES, *odd = even + LANES;
#pragma omp simd
		for (int i = 0; i < LANES; i++) {
			float s, c, r = std * sqrtf(-2.0f * log_fraction((float)(int32_t)(radius[i] >> 1) + 0.5f));
			sine_cosine(angle[i], &s, &c);
			even[i] = mean + r * c;
			odd[i] = mean + r * s;
		}
	}
}

CKPT_INLINE void uniform_body(const distribution *d, uint32_t words[4][LANES], float *out)
{
	const float low = d->base, width = d->scale, top = d->top;
	const uint32_t *w = words[0];
#pragma omp simd
	for (int i = 0; i < BLOCK; i++) {
		float value = low + width * ((float)(int32_t)(w[i] >> 8) * 0x1p-24f);
		out[i] = value < top ? value : top;
	}
}

CKPT_PER_ISA(shape_kernel, normal, (const distribution *d, uint32_t words[4][LANES], float *out), (d, words, out))
CKPT_PER_ISA(shape_kernel, uniform, (const distribution *d, uint32_t words[4][LANES], float *out), (d, words, out))

/* ---- ranges of a stream ---- */

/* The path that a test asked for; without one the best. */
static struct {
	bool set;
	ckpt_isa isa;
} forced;

bool ckpt_rng_force(const char *path)
{
	ckpt_isa isa;
	if (!ckpt_isa_choose(path, &isa)) return false;
	forced.isa = isa;
	forced.set = path != NULL;
	return true;
}

static void generate(const ckpt_rng_key *key, const distribution *d, uint64_t first, size_t count, float *out)
{
	const ckpt_isa isa = forced.set ? forced.isa : ckpt_isa_best();
	shape_kernel *const shape = d->uniform ? uniform[isa] : normal[isa];
	uint32_t words[4][LANES];
	float whole[BLOCK];
	uint64_t block = first / BLOCK;
	for (size_t skip = first % BLOCK, n; count > 0; block++, skip = 0, out += n, count -= n) {
		n = count < BLOCK - skip ? count : BLOCK - skip;
		philox[isa](key, block, words);
		shape(d, words, n == BLOCK ? out : whole);
		if (n < BLOCK) memcpy(out, whole + skip, n * sizeof *out);
	}
}

static distribution normal_of(float mean, float std) { return (distribution){.base = mean, .scale = std}; }

static distribution uniform_of(float low, float high)
{
	return (distribution){.uniform = true, .base = low, .scale = high - low, .top = nextafterf(high, low)};
}

void ckpt_rng_normal(const ckpt_rng_key *key, uint64_t first, size_t count, float mean, float std, float *out)
{
	distribution d = normal_of(mean, std);
	generate(key, &d, first, count, out);
}

void ckpt_rng_uniform(const ckpt_rng_key *key, uint64_t first, size_t count, float low, float high, float *out)
{
	distribution d = uniform_of(low, high);
	generate(key, &d, first, count, out);
}

bool ckpt_rng_key_make(uint64_t seed, const char *name, ckpt_rng_key *out, ckpt_error *err)
{
	static const char domain[] = "ckpt rng 1"; /* hashed with its NUL */
	uint8_t seed_bytes[8], digest[32];
	ckpt_put64(seed_bytes, seed);
	ckpt_sha256 *h = ckpt_sha256_new(err);
	bool ok = h && ckpt_sha256_update(h, domain, sizeof domain, err) &&
	          ckpt_sha256_update(h, seed_bytes, sizeof seed_bytes, err) &&
	          ckpt_sha256_update(h, name, strlen(name), err) && ckpt_sha256_final(h, digest, err);
	ckpt_sha256_free(h);
	if (!ok) return false;
	for (int i = 0; i < 2; i++) {
		out->key[i] = ckpt_le32(digest + 4 * i);
		out->counter_high[i] = ckpt_le32(digest + 8 + 4 * i);
	}
	return true;
}

/* ---- sources ---- */

typedef struct random_source {
	ckpt_source base;
	ckpt_rng_key key;
	distribution distribution;
} random_source;

/* By way of a buffer that is cut at whole blocks: the range and the destination may be aligned in any way. */
static bool random_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	enum { PIECE = 4 * BLOCK };
	const random_source *r = (const random_source *)s;
	float piece[PIECE];
	uint8_t *to = destination;
	(void)err;
	while (length > 0) {
		uint64_t first = offset / sizeof(float);
		size_t count = PIECE - first % PIECE, skip = offset % sizeof(float);
		size_t n = count * sizeof(float) - skip;
		if (n > length) {
			n = length;
			count = (skip + n + sizeof(float) - 1) / sizeof(float);
		}
		generate(&r->key, &r->distribution, first, count, piece);
		memcpy(to, (const uint8_t *)piece + skip, n);
		to += n, offset += n, length -= n;
	}
	return true;
}

static const ckpt_source_ops random_ops = {"random", random_read, NULL, NULL};

static ckpt_source *random_source_new(const ckpt_rng_key *key, uint64_t elements, distribution d, ckpt_error *err)
{
	uint64_t bytes;
	if (!ckpt_mul_u64(elements, sizeof(float), &bytes)) {
		ckpt_fail(err, CKPT_E_USAGE, "%llu random elements of 4 bytes are more than 64 bits can count",
		          (unsigned long long)elements);
		return NULL;
	}
	random_source *r = ckpt_source_new(&random_ops, sizeof *r, bytes, err);
	if (!r) return NULL;
	r->key = *key;
	r->distribution = d;
	return &r->base;
}

ckpt_source *ckpt_source_normal(const ckpt_rng_key *key, uint64_t elements, float mean, float std, ckpt_error *err)
{
	return random_source_new(key, elements, normal_of(mean, std), err);
}

ckpt_source *ckpt_source_uniform(const ckpt_rng_key *key, uint64_t elements, float low, float high, ckpt_error *err)
{
	return random_source_new(key, elements, uniform_of(low, high), err);
}
