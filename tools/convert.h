/* convert.h -- the parts of `ckpt convert`: what gets lost on the way, and whether all else arrived */
#ifndef CKPT_TOOLS_CONVERT_H
#define CKPT_TOOLS_CONVERT_H
#include "../formats/format.h"
#include "tool.h"

typedef struct ckpt_conversion {
	const ckpt_call *call;
	const char *source, *target;
	const ckpt_checkpoint *cp; /* as it will be written */
	const ckpt_save_plan *plan;
	const ckpt_format *format; /* of the output */
	ckpt_alias_policy aliases;
} ckpt_conversion;

/* Says what else a training checkpoint holds when its part `root` alone is converted. */
bool ckpt_convert_left_behind(const ckpt_call *call, const ckpt_checkpoint *whole, const char *root, ckpt_error *err);
/* Says, one line each, what the source holds and the output will not: values, metadata, aliases. */
bool ckpt_convert_losses(const ckpt_conversion *c, ckpt_error *err);
/* Compares what was written, opened again, with the source: every tensor by its SHA-256. Prints the differences, if any.
 * *different: how many there are; fingerprint: that of the source's tensors. */
bool ckpt_convert_check(const ckpt_conversion *c, const ckpt_checkpoint *written, size_t *different, char fingerprint[65],
                        ckpt_error *err);
#endif
