/* generation.h -- what the files of a model say about generating */
#ifndef CKPT_TOOLS_GENERATION_H
#define CKPT_TOOLS_GENERATION_H
#include "../lib/forward/generate.h"
#include "tool.h"

enum { CKPT_ENDS_MOST = 32 };

typedef struct ckpt_generation {
	ckpt_generate_options how; /* end points into ends */
	int64_t ends[CKPT_ENDS_MOST];
} ckpt_generation;

/* generation_config.json beside the model at path, or the config where there is none; the start of a decoder from the config also
 * where the file leaves it open. A remark names what it asks for and
 * greedy generation does not do. */
bool ckpt_generation_read(const ckpt_call *call, const char *path, const ckpt_model *model, ckpt_generation *out, ckpt_error *err);
#endif
