/* forward.h -- what ckpt forward shows: outputs, names of labels, times */
#ifndef CKPT_TOOLS_FORWARD_H
#define CKPT_TOOLS_FORWARD_H
#include "speak.h"

enum { CKPT_FORWARD_PARTS_MOST = 16 };

/* Seconds of the passes that count, shortest first, and the parts of the one in the middle. */
typedef struct ckpt_forward_timing {
	double *seconds;
	size_t count;
	uint64_t tokens; /* of one pass */
	struct {
		const char *name;
		double seconds;
	} parts[CKPT_FORWARD_PARTS_MOST];
	size_t part_count;
} ckpt_forward_timing;

typedef struct ckpt_forward_result {
	const ckpt_model *model;
	const ckpt_checkpoint *outputs;
	bool f64, values;                  /* values: print them, not names and shapes alone */
	const ckpt_forward_timing *timing; /* NULL: not asked for */
	const ckpt_forward_input *in;
	const ckpt_said *said;
	const ckpt_terminal *terminal;
} ckpt_forward_result;

bool ckpt_forward_print_text(const ckpt_forward_result *r, ckpt_error *err);
bool ckpt_forward_print_json(const ckpt_forward_result *r, ckpt_error *err);
#endif
