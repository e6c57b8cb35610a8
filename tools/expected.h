/* expected.h -- outputs that a model should have: from a file of tensors, from JSON, or published */
#ifndef CKPT_TOOLS_EXPECTED_H
#define CKPT_TOOLS_EXPECTED_H
#include "ids.h"
#include "tool.h"

typedef struct ckpt_wanted {
	char *field, *slice;       /* slice NULL: all of it */
	bool argmax;               /* values are the places of the largest number of each row */
	bool shaped;               /* the shape is part of what is expected */
	bool only;                 /* an array that had no name */
	double *values;            /* of argmax */
	size_t count;
	const ckpt_tensor *tensor; /* otherwise */
} ckpt_wanted;

/* One pass. Inputs without ids: as the caller has them. */
typedef struct ckpt_expected_case {
	char *class_name; /* NULL: the model's own */
	double atol, rtol; /* below 0: not said */
	bool hidden;       /* hidden states are among what is expected */
	ckpt_inputs inputs;
	ckpt_wanted *wanted;
	size_t count, capacity;
	ckpt_checkpoint *holder; /* of the tensors */
} ckpt_expected_case;

typedef struct ckpt_expected {
	char *from; /* the file, or "the published values of NAME" */
	ckpt_expected_case *cases;
	size_t count;
} ckpt_expected;

/* what: a path, "published" (recognised by the name of the model: a part of its path, or `name` in its config), or
 * "published:NAME". */
bool ckpt_expected_read(const ckpt_call *call, const char *what, const char *path, const char *name, ckpt_expected *out,
                        ckpt_error *err);
void ckpt_expected_free(ckpt_expected *e);
#endif
