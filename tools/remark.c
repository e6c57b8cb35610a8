/* remark.c -- what a subcommand says beside its result */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

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
