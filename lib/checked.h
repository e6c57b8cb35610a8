/* checked.h -- arithmetic on numbers that came from a file */
#ifndef CKPT_LIB_CHECKED_H
#define CKPT_LIB_CHECKED_H
#include <stdbool.h>
#include <stdint.h>

/* False when the result does not fit; *out is then not written. */
static inline bool ckpt_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t sum;
	if (__builtin_add_overflow(a, b, &sum)) return false;
	*out = sum;
	return true;
}

static inline bool ckpt_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	uint64_t product;
	if (__builtin_mul_overflow(a, b, &product)) return false;
	*out = product;
	return true;
}

/* Product of a shape, folded from the left; a zero wins over a later overflow. */
static inline bool ckpt_shape_elements(uint64_t rank, const uint64_t *shape, uint64_t *out)
{
	uint64_t n = 1;
	for (uint64_t i = 0; i < rank; i++)
		if (!ckpt_mul_u64(n, shape[i], &n)) return false;
	*out = n;
	return true;
}

static inline uint16_t ckpt_le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t ckpt_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t ckpt_le64(const uint8_t *p) { return ckpt_le32(p) | (uint64_t)ckpt_le32(p + 4) << 32; }
static inline void ckpt_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}
static inline void ckpt_put32(uint8_t *p, uint32_t v)
{
	ckpt_put16(p, (uint16_t)v);
	ckpt_put16(p + 2, (uint16_t)(v >> 16));
}
static inline void ckpt_put64(uint8_t *p, uint64_t v)
{
	ckpt_put32(p, (uint32_t)v);
	ckpt_put32(p + 4, (uint32_t)(v >> 32));
}
#endif
