/* values.h -- what a pickle holds besides tensors, as text and as JSON
 *
 * A pickle is a graph: nodes are shared and may contain themselves. Each node is shown in full once; where it comes up
 * again a reference stands (*1 to &1 in text, {"$ref":1} to {"$id":1,...} in JSON). Nothing here recurses.
 */
#ifndef CKPT_TOOLS_VALUES_H
#define CKPT_TOOLS_VALUES_H
#include "../lib/buffer.h"
#include "../lib/ckpt.h"

typedef struct ckpt_values_limits {
	size_t depth; /* containers nested deeper are not opened */
	size_t lines; /* text: lines in all */
	size_t each;  /* text: lines of one container */
	size_t width; /* text: columns of a line; 0: any */
} ckpt_values_limits;

/* An indented tree. Tensors are counted, not shown; runs of like entries with numbers for keys are folded. */
bool ckpt_values_text(const ckpt_value *root, const ckpt_values_limits *limits, ckpt_buffer *out, ckpt_error *err);
/* One JSON value. cp: to name the tensors. */
bool ckpt_values_json(const ckpt_value *root, const ckpt_checkpoint *cp, size_t depth, ckpt_buffer *out, ckpt_error *err);
#endif
