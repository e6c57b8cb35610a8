/* lines.c -- texts of the command line, where - and @FILE stand for a text a line */
#include "lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/error.h"

static bool from_file(const char *path, ckpt_lines_take take, void *context, ckpt_error *err)
{
	FILE *f = path ? fopen(path, "r") : stdin;
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	bool good = true;
	if (!f) return ckpt_fail(err, CKPT_E_IO, "%s: cannot be read: %m", path);
	while (good && (n = getline(&line, &room, f)) >= 0) {
		size_t length = (size_t)n;
		if (length && line[length - 1] == '\n') length--;
		if (length && line[length - 1] == '\r') length--;
		line[length] = 0;
		good = take(context, line, length, err);
	}
	if (good && ferror(f)) good = ckpt_fail(err, CKPT_E_IO, "%s: cannot be read to its end", path ? path : "standard input");
	free(line);
	if (path) fclose(f);
	return good;
}

bool ckpt_lines_each(const char *argument, ckpt_lines_take take, void *context, ckpt_error *err)
{
	if (!strcmp(argument, "-")) return from_file(NULL, take, context, err);
	if (*argument == '@') return from_file(argument + 1, take, context, err);
	return take(context, argument, strlen(argument), err);
}
