/* lines.h -- texts of the command line, where - and @FILE stand for a text a line */
#ifndef CKPT_TOOLS_LINES_H
#define CKPT_TOOLS_LINES_H
#include "../lib/ckpt.h"

/* Takes one text, which ends in NUL behind its length. */
typedef bool (*ckpt_lines_take)(void *context, const char *text, size_t length, ckpt_error *err);

/* The text itself; or every line of a file or of standard input, without its LF or CR LF. Stops where take fails. */
bool ckpt_lines_each(const char *argument, ckpt_lines_take take, void *context, ckpt_error *err);
#endif
