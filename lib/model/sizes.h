/* sizes.h -- sizes read off the shapes of tensors */
#ifndef CKPT_MODEL_SIZES_H
#define CKPT_MODEL_SIZES_H
#include "../checkpoint.h"
#include "arch.h"

enum { CKPT_MOST_ROWS = 128, CKPT_MOST_TERMS = 48 };

/* Terms of a table's shapes and what they were in every tensor seen so far; and how far the numbered layers go. */
typedef struct ckpt_sizes {
	struct {
		const char *text; /* within the table; length bytes */
		size_t length;
		uint64_t value;
	} terms[CKPT_MOST_TERMS];
	size_t count;
	uint64_t layers[CKPT_SYMBOLS]; /* highest index of {X} plus one */
	uint32_t when;                 /* conditions that the tensors show */
} ckpt_sizes;

/* Takes the sizes of a tensor that is thought to be of the row. False, and nothing taken, when they contradict. */
bool ckpt_sizes_take(ckpt_sizes *sizes, const ckpt_arch_row *row, const uint32_t index[2], const ckpt_tensor *t);
/* The value of a term, when it was seen or follows from one ("P" from "P+2"); 0 otherwise. */
uint64_t ckpt_sizes_get(const ckpt_sizes *sizes, const char *term);
/* Do terms with operators equal what their symbols say, and symbols that mean the same the same? */
bool ckpt_sizes_agree(const ckpt_sizes *sizes, const ckpt_arch *arch);
#endif
