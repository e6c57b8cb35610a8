/* fuzz.h -- the parsers under test, one row each; shared by libFuzzer's program and by the replay of the corpus */
#ifndef CKPT_FUZZ_H
#define CKPT_FUZZ_H
#include <stddef.h>
#include <stdint.h>

/* What a mutation may repair afterwards, so that it gets past the first check. */
typedef enum fuzz_shape { FUZZ_PLAIN, FUZZ_FILE /* safetensors or zip, when it looks like it */ } fuzz_shape;

typedef struct fuzz_target {
	const char *name;
	fuzz_shape shape;
	/* Aborts when something that must always hold does not. */
	void (*run)(const uint8_t *data, size_t length);
} fuzz_target;

extern const fuzz_target fuzz_targets[]; /* ends in {0} */
const fuzz_target *fuzz_find(const char *name);

/* Mutates in place and repairs: the length prefix of a safetensors file, CRC, sizes and offsets of a zip archive. */
size_t fuzz_mutate_file(uint8_t *data, size_t size, size_t max, unsigned seed,
                        size_t (*mutate)(uint8_t *, size_t, size_t));
#endif
