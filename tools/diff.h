/* diff.h -- what ckpt diff found, and how it is shown */
#ifndef CKPT_TOOLS_DIFF_H
#define CKPT_TOOLS_DIFF_H
#include "../lib/pair.h"
#include "tool.h"

typedef enum ckpt_diff_kind {
	CKPT_DIFF_SAME,   /* within the tolerance */
	CKPT_DIFF_VALUES, /* beyond it */
	CKPT_DIFF_SHAPE,
	CKPT_DIFF_DTYPE,  /* dtypes that cannot be compared */
	CKPT_DIFF_ONLY_A,
	CKPT_DIFF_ONLY_B
} ckpt_diff_kind;

typedef struct ckpt_diff_row {
	ckpt_diff_kind kind;
	const ckpt_tensor *a, *b;
	ckpt_difference values; /* SAME and VALUES */
} ckpt_diff_row;

typedef struct ckpt_diff {
	const char *path_a, *path_b;
	ckpt_pairs pairs;
	ckpt_diff_row *rows; /* VALUES first, the furthest apart first; then the others */
	size_t count, kinds[CKPT_DIFF_ONLY_B + 1];
	ckpt_difference sum; /* of all that were compared */
	size_t top;          /* rows of VALUES to show; 0: all */
} ckpt_diff;

static inline bool ckpt_diff_equal(const ckpt_diff *d)
{
	return d->kinds[CKPT_DIFF_SAME] == d->count;
}
bool ckpt_diff_print_text(const ckpt_call *call, const ckpt_diff *d, ckpt_error *err);
bool ckpt_diff_print_json(const ckpt_diff *d, ckpt_error *err);
#endif
