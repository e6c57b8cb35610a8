/* fuzz.c -- libFuzzer's entry: runs the target that the environment variable CKPT_FUZZ_TARGET names */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static const fuzz_target *chosen(void)
{
	static const fuzz_target *target;
	if (target) return target;
	const char *name = getenv("CKPT_FUZZ_TARGET");
	target = name ? fuzz_find(name) : NULL;
	if (target) return target;
	fprintf(stderr, "CKPT_FUZZ_TARGET names no target; there are:\n");
	for (const fuzz_target *t = fuzz_targets; t->name; t++) fprintf(stderr, "%s\n", t->name);
	exit(2);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	chosen();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t length)
{
	chosen()->run(data, length);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	switch (chosen()->shape) {
	case FUZZ_FILE: return fuzz_mutate_file(data, size, max, seed, LLVMFuzzerMutate);
	case FUZZ_PICKLE: return fuzz_mutate_pickle(data, size, max, seed, LLVMFuzzerMutate);
	case FUZZ_NPY: return fuzz_mutate_npy(data, size, max, seed, LLVMFuzzerMutate);
	case FUZZ_PLAIN: break;
	}
	return LLVMFuzzerMutate(data, size, max);
}
