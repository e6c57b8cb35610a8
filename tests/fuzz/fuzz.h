/* fuzz.h -- the parsers under test, one row each; shared by libFuzzer's program and by the replay of the corpus */
#ifndef CKPT_FUZZ_H
#define CKPT_FUZZ_H
#include <stddef.h>
#include <stdint.h>

/* What a mutation may repair afterwards, so that it gets past the first check. */
typedef enum fuzz_shape {
	FUZZ_PLAIN,
	FUZZ_FILE, /* safetensors, zip or tar, when it looks like one */
	FUZZ_PICKLE,
	FUZZ_NPY
} fuzz_shape;

typedef struct fuzz_target {
	const char *name;
	fuzz_shape shape;
	/* Aborts when something that must always hold does not. */
	void (*run)(const uint8_t *data, size_t length);
} fuzz_target;

extern const fuzz_target fuzz_targets[]; /* ends in {0} */
const fuzz_target *fuzz_find(const char *name);

typedef size_t (*fuzz_mutate)(uint8_t *data, size_t size, size_t max);
/* Each mutates in place, with `mutate` for bytes that have no shape, and gives the new size. */
/* Repairs the length prefix of a safetensors file, and CRC, sizes and offsets of a zip archive. */
size_t fuzz_mutate_file(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate);
/* Drops, doubles, moves, adds or changes whole opcodes. */
size_t fuzz_mutate_pickle(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate);
/* Repairs the length of the header. */
size_t fuzz_mutate_npy(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate);
/* Repairs size and checksum of the member that it changes; 0 when it is no tar. */
size_t fuzz_mutate_tar(uint8_t *data, size_t size, size_t max, unsigned seed, fuzz_mutate mutate);
#endif
