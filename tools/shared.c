/* shared.c -- the options that are the same in every command, and the groups that a command has in all */
#include "shared.h"

#include <string.h>

#define AT(field) offsetof(ckpt_shared, field)

#define LIMIT \
	{"limit", 0, CKPT_OPTION_LIST, AT(limits), "NAME=VALUE", \
	 "change a limit on what a file may ask for (see `ckpt help limits`); may be repeated", 0, 0}

static const ckpt_option reading[] = {
	{"format", 0, CKPT_OPTION_TEXT, AT(format), "FORMAT", "take the input for this format instead of recognising it", 0, 0},
	{"root", 0, CKPT_OPTION_TEXT, AT(root), "KEY",
	 "use the tensors under this part of a training checkpoint (`model`, `state.ema`) and leave the part's name away", 0,
	 0},
	LIMIT,
	{0},
};

static const ckpt_option limiting[] = {LIMIT, {0}};

static const ckpt_option working[] = {
	{"threads", 0, CKPT_OPTION_COUNT, AT(threads), "N", "use N threads (by default one for each processor)", 1, 1024},
	{0},
};

static const ckpt_option general[] = {
	{"color", 0, CKPT_OPTION_CHOICE, AT(color), "auto|always|never",
	 "colours: on a terminal (unless `NO_COLOR` is set), always, never", 0, 0},
	{"quiet", 'q', CKPT_OPTION_FLAG, AT(quiet), NULL, "no progress, no remarks, no summary", 0, 0},
	{"help", 'h', CKPT_OPTION_FLAG, AT(help), NULL, "show this help", 0, 0},
	{0},
};

size_t ckpt_tool_groups(const ckpt_tool *tool, void *options, ckpt_shared *shared,
                        ckpt_option_group groups[CKPT_GROUPS])
{
	size_t n = 0;
	if (tool->options) groups[n++] = (ckpt_option_group){"Options", tool->options, options};
	if (tool->uses & CKPT_USES_READ) groups[n++] = (ckpt_option_group){"Reading", reading, shared};
	else if (tool->uses & CKPT_USES_LIMITS) groups[n++] = (ckpt_option_group){"Reading", limiting, shared};
	if (tool->uses & CKPT_USES_WORK) groups[n++] = (ckpt_option_group){"Working", working, shared};
	groups[n++] = (ckpt_option_group){"General", general, shared};
	return n;
}

static bool apply_limit(ckpt_limits *limits, const char *text, ckpt_error *err)
{
	char name[64];
	uint64_t value;
	size_t length = strcspn(text, "=");
	if (!text[length] || length >= sizeof name)
		return ckpt_fail(err, CKPT_E_USAGE, "--limit wants NAME=VALUE, not '%.80s'", text);
	memcpy(name, text, length);
	name[length] = 0;
	if (!ckpt_parse_size(text + length + 1, &value) || value == 0)
		return ckpt_fail(err, CKPT_E_USAGE, "--limit %s wants a number above 0, such as 1000 or 4GiB, not '%.80s'", name,
		                 text + length + 1);
	return ckpt_limits_set(limits, name, value, err);
}

bool ckpt_shared_apply(const ckpt_shared *shared, ckpt_call *call, ckpt_error *err)
{
	for (size_t i = 0; i < shared->limits.count; i++)
		if (!apply_limit(&call->open.limits, shared->limits.items[i], err)) return false;
	call->open.format = shared->format;
	call->open.root = shared->root;
	call->quiet = shared->quiet;
	call->threads = (int)shared->threads;
	call->terminal = ckpt_terminal_look((ckpt_color_mode)shared->color);
	return true;
}
