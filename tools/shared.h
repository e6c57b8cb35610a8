/* shared.h -- the options that are the same in every command, and the groups that a command has in all */
#ifndef CKPT_TOOLS_SHARED_H
#define CKPT_TOOLS_SHARED_H
#include "tool.h"

typedef struct ckpt_shared {
	const char *format, *root;
	ckpt_list limits;
	uint64_t threads;
	int color; /* ckpt_color_mode */
	bool quiet, help;
} ckpt_shared;

enum { CKPT_GROUPS = 4 };

/* Fills groups with the row's own table (values: options) and the shared ones that it uses; returns how many. */
size_t ckpt_tool_groups(const ckpt_tool *tool, void *options, ckpt_shared *shared,
                        ckpt_option_group groups[CKPT_GROUPS]);
/* Turns what was parsed into the call's fields. */
bool ckpt_shared_apply(const ckpt_shared *shared, ckpt_call *call, ckpt_error *err);
#endif
