/* rng.h -- counter-based random numbers: a value depends on seed, tensor name and element index, on nothing else
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC'11). The key of a
 * stream comes from SHA-256 over seed and name; the counter is the index of a block of elements. Equal on every host,
 * instruction set, thread count and read order. The mapping from counter to element is documented in rng.c.
 */
#ifndef CKPT_LIB_RNG_H
#define CKPT_LIB_RNG_H
#include "ckpt.h"
#include "source.h"

typedef struct ckpt_rng_key {
	uint32_t key[2];
	uint32_t counter_high[2]; /* upper half of the counter: separates streams beyond the key */
} ckpt_rng_key;

/* The raw generator, for the published test vectors. */
void ckpt_philox4x32_10(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
bool ckpt_rng_key_make(uint64_t seed, const char *name, ckpt_rng_key *out, ckpt_error *err);
/* Elements first .. first+count of a stream of N(mean, std) or U[low, high), as f32. */
void ckpt_rng_normal(const ckpt_rng_key *key, uint64_t first, size_t count, float mean, float std, float *out);
void ckpt_rng_uniform(const ckpt_rng_key *key, uint64_t first, size_t count, float low, float high, float *out);
/* Sources of f32 elements (wrap in a cast for another dtype). */
ckpt_source *ckpt_source_normal(const ckpt_rng_key *key, uint64_t elements, float mean, float std, ckpt_error *err);
ckpt_source *ckpt_source_uniform(const ckpt_rng_key *key, uint64_t elements, float low, float high, ckpt_error *err);
/* For tests, as ckpt_cast_force. */
bool ckpt_rng_force(const char *path);
#endif
