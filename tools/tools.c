/* tools.c -- the table of subcommands */
#include <string.h>

#include "tool.h"

/* One line a subcommand, in the order in which `ckpt help` lists them. */
#define TOOLS(X)                                                                                                       \
	X(inspect)                                                                                                     \
	X(cat)                                                                                                         \
	X(convert)                                                                                                     \
	X(scan)                                                                                                        \
	X(pull)                                                                                                        \
	X(cache)                                                                                                       \
	X(config)                                                                                                      \
	X(init)                                                                                                        \
	X(reconfigure)                                                                                                 \
	X(forward)                                                                                                     \
	X(verify)                                                                                                      \
	X(diff)                                                                                                        \
	X(tokenize)                                                                                                    \
	X(detokenize)                                                                                                  \
	X(help)                                                                                                        \
	X(version)

#define DECLARE(name) extern const ckpt_tool ckpt_tool_##name;
TOOLS(DECLARE)
#define ROW(name) &ckpt_tool_##name,
static const ckpt_tool *const tools[] = {TOOLS(ROW)};

const ckpt_tool *ckpt_tool_at(size_t i)
{
	return i < sizeof tools / sizeof *tools ? tools[i] : NULL;
}

const ckpt_tool *ckpt_tool_find(const char *name)
{
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		if (strcmp(tools[i]->name, name) == 0) return tools[i];
	return NULL;
}

const char *ckpt_tool_nearest(const char *name)
{
	const char *near = NULL;
	size_t best = strlen(name) / 3 + 2;
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++) {
		size_t d = ckpt_edit_distance(name, tools[i]->name);
		if (d < best) {
			best = d;
			near = tools[i]->name;
		}
	}
	return near;
}
