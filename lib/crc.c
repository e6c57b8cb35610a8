/* crc.c -- CRC-32 (ISO-HDLC, as zip and zlib) at memory speed
 *
 * A CRC is the message, as a polynomial over GF(2), modulo P = x^32 + x^26 + ... + 1; bits are reflected, so the lowest
 * bit of the first byte is the highest power. Long runs are folded (Gopal et al., "Fast CRC computation using
 * PCLMULQDQ"): an accumulator of 128 bits that lies n bits before the next data is its two halves times x^(n+64) and
 * x^n modulo P, which carry-less multiplication gives at once. Four accumulators hide the latency of the multiplier;
 * with 512-bit registers each of the four holds four accumulators. Short runs and tails go to zlib.
 */
#include "crc.h"
#include <string.h>
#include <zlib.h>

#if defined(__x86_64__)
#define CRC_X86 1
#include <immintrin.h>
#endif

typedef uint32_t crc_function(uint32_t crc, const uint8_t *data, size_t length);

static uint32_t crc_zlib(uint32_t crc, const uint8_t *data, size_t length)
{
	return (uint32_t)crc32_z(crc, data, length);
}

#if defined(CRC_X86)
#define TARGET_128 __attribute__((target("pclmul,sse4.1")))
#define TARGET_512 __attribute__((target("avx512f,avx512vl,vpclmulqdq,pclmul,sse4.1")))

/* x^(n+32) and x^(n-32) modulo P, reflected: the factors of the two halves for a distance of n bits. */
#define FOLD_BY_128  0x00ccaa009e, 0x01751997d0
#define FOLD_BY_512  0x01c6e41596, 0x0154442bd4
#define FOLD_BY_2048 0x01322d1430, 0x011542778a

TARGET_128 static inline __m128i load_128(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

TARGET_128 static inline __m128i fold_128(__m128i sum, __m128i data, __m128i factors)
{
	__m128i low = _mm_clmulepi64_si128(sum, factors, 0x00), high = _mm_clmulepi64_si128(sum, factors, 0x11);
	return _mm_xor_si128(_mm_xor_si128(low, high), data);
}

/* 128 bits to 32: to 96, to 64, then Barrett's reduction with floor(x^64 / P) and P. */
TARGET_128 static inline uint32_t reduce_128(__m128i x)
{
	const __m128i by_128 = _mm_set_epi64x(FOLD_BY_128), by_64 = _mm_set_epi64x(0, 0x0163cd6124);
	const __m128i barrett = _mm_set_epi64x(0x01f7011641, 0x01db710641), low_32 = _mm_setr_epi32(-1, 0, -1, 0);
	x = _mm_xor_si128(_mm_srli_si128(x, 8), _mm_clmulepi64_si128(x, by_128, 0x10));
	x = _mm_xor_si128(_mm_srli_si128(x, 4), _mm_clmulepi64_si128(_mm_and_si128(x, low_32), by_64, 0x00));
	__m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(x, low_32), barrett, 0x10);
	__m128i product = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_32), barrett, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, product), 1);
}

/* The accumulator and what is left, by 16 bytes and then by zlib. */
TARGET_128 static inline uint32_t finish_128(__m128i sum, const uint8_t *data, size_t length)
{
	const __m128i by_128 = _mm_set_epi64x(FOLD_BY_128);
	for (; length >= 16; data += 16, length -= 16) sum = fold_128(sum, load_128(data), by_128);
	uint32_t crc = ~reduce_128(sum);
	return length ? crc_zlib(crc, data, length) : crc;
}

TARGET_128 static uint32_t crc_pclmul(uint32_t crc, const uint8_t *data, size_t length)
{
	const __m128i by_128 = _mm_set_epi64x(FOLD_BY_128), by_512 = _mm_set_epi64x(FOLD_BY_512);
	if (length < 64) return crc_zlib(crc, data, length);
	__m128i a = _mm_xor_si128(load_128(data), _mm_cvtsi32_si128((int)~crc));
	__m128i b = load_128(data + 16), c = load_128(data + 32), d = load_128(data + 48);
	for (data += 64, length -= 64; length >= 64; data += 64, length -= 64) {
		a = fold_128(a, load_128(data), by_512);
		b = fold_128(b, load_128(data + 16), by_512);
		c = fold_128(c, load_128(data + 32), by_512);
		d = fold_128(d, load_128(data + 48), by_512);
	}
	a = fold_128(a, b, by_128);
	a = fold_128(a, c, by_128);
	a = fold_128(a, d, by_128);
	return finish_128(a, data, length);
}

TARGET_512 static inline __m512i fold_512(__m512i sum, __m512i data, __m512i factors)
{
	__m512i low = _mm512_clmulepi64_epi128(sum, factors, 0x00), high = _mm512_clmulepi64_epi128(sum, factors, 0x11);
	return _mm512_ternarylogic_epi64(low, high, data, 0x96); /* the exclusive or of three */
}

TARGET_512 static uint32_t crc_vpclmul(uint32_t crc, const uint8_t *data, size_t length)
{
	const __m512i by_512 = _mm512_broadcast_i32x4(_mm_set_epi64x(FOLD_BY_512));
	const __m512i by_2048 = _mm512_broadcast_i32x4(_mm_set_epi64x(FOLD_BY_2048));
	const __m128i by_128 = _mm_set_epi64x(FOLD_BY_128);
	if (length < 512) return crc_pclmul(crc, data, length);
	__m512i a = _mm512_xor_si512(_mm512_loadu_si512(data), _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
	__m512i b = _mm512_loadu_si512(data + 64);
	__m512i c = _mm512_loadu_si512(data + 128), d = _mm512_loadu_si512(data + 192);
	for (data += 256, length -= 256; length >= 256; data += 256, length -= 256) {
		a = fold_512(a, _mm512_loadu_si512(data), by_2048);
		b = fold_512(b, _mm512_loadu_si512(data + 64), by_2048);
		c = fold_512(c, _mm512_loadu_si512(data + 128), by_2048);
		d = fold_512(d, _mm512_loadu_si512(data + 192), by_2048);
	}
	a = fold_512(a, b, by_512);
	a = fold_512(a, c, by_512);
	a = fold_512(a, d, by_512);
	for (; length >= 64; data += 64, length -= 64) a = fold_512(a, _mm512_loadu_si512(data), by_512);
	__m128i sum = _mm512_extracti32x4_epi32(a, 0);
	sum = fold_128(sum, _mm512_extracti32x4_epi32(a, 1), by_128);
	sum = fold_128(sum, _mm512_extracti32x4_epi32(a, 2), by_128);
	sum = fold_128(sum, _mm512_extracti32x4_epi32(a, 3), by_128);
	return finish_128(sum, data, length);
}
#endif

/* ---- choice ---- */

typedef enum crc_path { CRC_VPCLMUL, CRC_PCLMUL, CRC_ZLIB, CRC_PATHS, CRC_BEST = CRC_PATHS } crc_path;

static bool available(crc_path path)
{
#if defined(CRC_X86)
	bool pclmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
	if (path == CRC_PCLMUL) return pclmul;
	if (path == CRC_VPCLMUL)
		return pclmul && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		       __builtin_cpu_supports("vpclmulqdq");
#endif
	return path == CRC_ZLIB;
}

static crc_path best(void)
{
	if (available(CRC_VPCLMUL)) return CRC_VPCLMUL;
	return available(CRC_PCLMUL) ? CRC_PCLMUL : CRC_ZLIB;
}

static crc_path forced = CRC_BEST;

bool ckpt_crc32_force(const char *path)
{
	static const char *const names[CRC_PATHS] = {"vpclmul", "pclmul", "zlib"};
	if (!path) forced = CRC_BEST;
	for (int i = 0; path && i < CRC_PATHS; i++) {
		if (strcmp(path, names[i]) != 0 || !available((crc_path)i)) continue;
		forced = (crc_path)i;
		return true;
	}
	return !path;
}

uint32_t ckpt_crc32(uint32_t crc, const void *data, size_t length)
{
	const crc_path path = forced == CRC_BEST ? best() : forced;
	if (length == 0) return crc;
#if defined(CRC_X86)
	if (path == CRC_VPCLMUL) return crc_vpclmul(crc, data, length);
	if (path == CRC_PCLMUL) return crc_pclmul(crc, data, length);
#endif
	(void)path;
	return crc_zlib(crc, data, length);
}

/* ---- joining ---- */

/* a times b modulo P; bit 31 is x^0. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;
	for (uint32_t bit = UINT32_C(1) << 31; bit; bit >>= 1) {
		if (a & bit) product ^= b;
		b = b & 1 ? b >> 1 ^ 0xedb88320 : b >> 1;
	}
	return product;
}

/* A's CRC times x^(8 * length_b), and B's. Since x^(2^32) is x modulo P, 32 powers x^(2^k) serve every length. */
uint32_t ckpt_crc32_combine(uint32_t a, uint32_t b, uint64_t length_b)
{
	static const uint32_t power[32] = {
	        0x40000000, 0x20000000, 0x08000000, 0x00800000, 0x00008000, 0xedb88320, 0xb1e6b092, 0xa06a2517,
	        0xed627dae, 0x88d14467, 0xd7bbfe6a, 0xec447f11, 0x8e7ea170, 0x6427800e, 0x4d47bae0, 0x09fe548f,
	        0x83852d0f, 0x30362f1a, 0x7b5a9cc3, 0x31fec169, 0x9fec022a, 0x6c8dedc4, 0x15d6874d, 0x5fde7a4e,
	        0xbad90e37, 0x2e4e5eef, 0x4eaba214, 0xa8a472c0, 0x429a969e, 0x148d302a, 0xc40ba6d0, 0xc4e22c3c};
	for (unsigned k = 3; length_b; k++, length_b >>= 1)
		if (length_b & 1) a = multiply(power[k % 32], a);
	return a ^ b;
}
