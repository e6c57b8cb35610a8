/* help.h -- help, manual pages and completion, all made from the tables of the rows */
#ifndef CKPT_TOOLS_HELP_H
#define CKPT_TOOLS_HELP_H
#include <stdio.h>

#include "tool.h"

/* `ckpt help`, `ckpt help NAME`, `ckpt NAME --help`. */
void ckpt_help_overview(FILE *out, const ckpt_terminal *terminal);
void ckpt_help_tool(FILE *out, const ckpt_terminal *terminal, const ckpt_tool *tool);
void ckpt_help_formats(FILE *out, const ckpt_terminal *terminal);
void ckpt_help_limits(FILE *out, const ckpt_terminal *terminal);

/* Manual pages in the man macros: ckpt(1), ckpt-NAME(1). */
void ckpt_man_overview(FILE *out);
void ckpt_man_tool(FILE *out, const ckpt_tool *tool);

/* A completion script for bash. */
void ckpt_completion_bash(FILE *out);

/* The exit codes of every command; ends in {0, NULL}. */
extern const ckpt_exit_code ckpt_exit_codes[];
/* What the row says beyond them, or instead of them: code i in ascending order; false past the end. */
bool ckpt_exit_code_at(const ckpt_tool *tool, size_t i, ckpt_exit_code *out);
#endif
