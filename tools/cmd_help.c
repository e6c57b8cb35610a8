/* cmd_help.c -- ckpt help: the commands, one of them, or a topic */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "help.h"

struct help_options {
	bool man, completion, list, examples;
};

#define AT(field) offsetof(struct help_options, field)

static const ckpt_option options[] = {
	{"completion", 0, CKPT_OPTION_FLAG, AT(completion), NULL, "print a completion script for bash", 0, 0},
	/* For the build and its tests. */
	{"man", 0, CKPT_OPTION_FLAG, AT(man), NULL, NULL, 0, 0},
	{"list", 0, CKPT_OPTION_FLAG, AT(list), NULL, NULL, 0, 0},
	{"examples", 0, CKPT_OPTION_FLAG, AT(examples), NULL, NULL, 0, 0},
	{0},
};

static const char *const synopsis[] = {"[COMMAND|formats|limits] [OPTION]...", NULL};

static const ckpt_example shown[] = {
	{"ckpt help", "The commands."},
	{"ckpt help convert", "Everything about one of them."},
	{"ckpt help --completion > ~/.local/share/bash-completion/completions/ckpt", "Completion for bash."},
	{0},
};

static void list_commands(void)
{
	const ckpt_tool *tool;
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) puts(tool->name);
}

static void list_examples(void)
{
	const ckpt_tool *tool;
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++)
		for (const ckpt_example *e = tool->examples; e && e->command; e++) puts(e->command);
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const struct help_options *o = call->options;
	const char *topic = call->argument_count ? call->arguments[0] : NULL;
	const ckpt_tool *tool = topic ? ckpt_tool_find(topic) : NULL;
	if (o->completion) {
		ckpt_completion_bash(stdout);
	} else if (o->list) {
		list_commands();
	} else if (o->examples) {
		list_examples();
	} else if (!topic) {
		if (o->man)
			ckpt_man_overview(stdout);
		else
			ckpt_help_overview(stdout, &call->terminal);
	} else if (tool) {
		if (o->man)
			ckpt_man_tool(stdout, tool);
		else
			ckpt_help_tool(stdout, &call->terminal, tool);
	} else if (strcmp(topic, "formats") == 0) {
		ckpt_help_formats(stdout, &call->terminal);
	} else if (strcmp(topic, "limits") == 0) {
		ckpt_help_limits(stdout, &call->terminal);
	} else {
		const char *near = ckpt_tool_nearest(topic);
		ckpt_fail(err, CKPT_E_USAGE, near ? "no help on '%.80s', did you mean %s?" : "no help on '%.80s'", topic, near);
		return CKPT_EXIT_BY_ERROR;
	}
	return CKPT_EXIT_OK;
}

const ckpt_tool ckpt_tool_help = {
	.name = "help",
	.summary = "show help on a command or a topic",
	.synopsis = synopsis,
	.options = options,
	.options_size = sizeof(struct help_options),
	.arguments_max = 1,
	.examples = shown,
	.run = run,
};
