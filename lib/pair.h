/* pair.h -- which tensors of two checkpoints stand for each other */
#ifndef CKPT_LIB_PAIR_H
#define CKPT_LIB_PAIR_H
#include "checkpoint.h"

enum { CKPT_PAIR_PREFIXES = 4 };

/* Names that are equal are a pair. What is left is paired under prefixes: "bert." in front of names of one side, "module." in
 * front of the other's. A tensor that has no namesake and is an alias goes with the tensor that it is an alias of, when that
 * one has a partner. */
typedef struct ckpt_pairs {
	size_t *partner; /* of tensor i of a: its index in b, or SIZE_MAX */
	bool *paired;    /* tensor i of b has a partner, or is an alias of one that has */
	bool *dropped;   /* tensor i of a has no partner of its own, but is an alias of one that has */
	struct {
		char *a, *b; /* "" where that side has none */
		size_t count;
	} prefixes[CKPT_PAIR_PREFIXES]; /* as they were found */
	size_t prefix_count;
} ckpt_pairs;

bool ckpt_pairs_find(const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_pairs *out, ckpt_error *err);
void ckpt_pairs_free(ckpt_pairs *p);
#endif
