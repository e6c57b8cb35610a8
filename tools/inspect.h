/* inspect.h -- what `ckpt inspect` has found out, and the ways to show it */
#ifndef CKPT_TOOLS_INSPECT_H
#define CKPT_TOOLS_INSPECT_H
#include "inspect_model.h"
#include "tool.h"

typedef struct ckpt_tally {
	uint64_t tensors, aliases; /* aliases are among the tensors, their elements and bytes are not counted again */
	uint64_t parameters, bytes;
} ckpt_tally;

typedef struct ckpt_inspection {
	const ckpt_call *call;
	const char *path;
	const ckpt_checkpoint *cp;
	ckpt_stats *stats;     /* one for each tensor, or NULL */
	char (*hashes)[65];    /* the same */
	char fingerprint[65];  /* with hashes */
	ckpt_tally all, by_dtype[CKPT_DTYPE_COUNT];
	ckpt_model_facts model;
	const char *tokenizer; /* "WordPiece"; NULL: there is none beside the checkpoint */
	uint64_t tokenizer_size;
	bool values;           /* the pickle holds more than tensors */
} ckpt_inspection;

bool ckpt_inspect_text(const ckpt_inspection *in, bool tree, ckpt_error *err);
bool ckpt_inspect_json(const ckpt_inspection *in, ckpt_error *err);
/* The tensors by the components of their names, layers that are alike folded into one. */
bool ckpt_inspect_tree(const ckpt_inspection *in, ckpt_error *err);
#endif
