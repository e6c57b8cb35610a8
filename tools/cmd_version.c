/* cmd_version.c -- ckpt version: which ckpt this is */
#include <stdio.h>

#include "tool.h"

static int run(const ckpt_call *call, ckpt_error *err)
{
	(void)call;
	(void)err;
	printf("ckpt %s\n", ckpt_version());
	return CKPT_EXIT_OK;
}

static const char *const synopsis[] = {"[OPTION]...", NULL};

const ckpt_tool ckpt_tool_version = {
	.name = "version",
	.summary = "print the version",
	.synopsis = synopsis,
	.run = run,
};
