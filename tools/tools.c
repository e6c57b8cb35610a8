/* tools.c -- the table of subcommands, and what rows share while they run */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub.h"
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

ckpt_checkpoint *ckpt_call_open_with(const ckpt_call *call, const char *path, const ckpt_open_options *options, ckpt_error *err)
{
	bool afar = call->models && call->models->looked && strcmp(path, call->models->looked) == 0;
	return afar ? ckpt_models_open(call->models, options, err) : ckpt_open(path, options, err);
}

ckpt_checkpoint *ckpt_call_open(const ckpt_call *call, const char *path, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_call_open_with(call, path, &call->open, err);
	if (!cp || !call->open.root || ckpt_checkpoint_value(cp)) return cp;
	ckpt_fail(err, CKPT_E_USAGE, "%s is no pickle with parts, so --root has no place", path);
	ckpt_checkpoint_free(cp);
	return NULL;
}

void ckpt_remark(const ckpt_call *call, const char *format, ...)
{
	ckpt_buffer b = {0};
	char *text = NULL;
	va_list args;
	if (call->quiet) return;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0) text = NULL;
	va_end(args);
	if (!text) return;
	ckpt_text_append(&b, text, strlen(text));
	if (b.data) fprintf(stderr, "ckpt: note: %s\n", b.data);
	ckpt_buffer_free(&b);
	free(text);
}
