/* completion.c -- a completion script for bash, made from the tables of the rows */
#include <string.h>

#include "help.h"
#include "shared.h"

static void put_options(FILE *out, const ckpt_tool *tool)
{
	ckpt_option_group groups[CKPT_GROUPS];
	size_t count = ckpt_tool_groups(tool, NULL, NULL, groups);
	const char *space = "";
	for (size_t g = 0; g < count; g++)
		for (const ckpt_option *o = groups[g].options; o->name; o++) {
			if (!o->help) continue;
			fprintf(out, "%s--%s%s", space, o->name, o->kind == CKPT_OPTION_FLAG ? "" : "=");
			space = " ";
		}
}

/* The words of each choice, so that --aliases=<TAB> offers them. */
static void put_choices(FILE *out, const ckpt_tool *tool)
{
	ckpt_option_group groups[CKPT_GROUPS];
	size_t count = ckpt_tool_groups(tool, NULL, NULL, groups);
	for (size_t g = 0; g < count; g++)
		for (const ckpt_option *o = groups[g].options; o->name; o++) {
			if (o->kind != CKPT_OPTION_CHOICE || !o->help) continue;
			fprintf(out, "\t%s:--%s) words=\"", tool->name, o->name);
			for (const char *p = o->value; *p; p++) fputc(*p == '|' ? ' ' : *p, out);
			fputs("\" ;;\n", out);
		}
}

void ckpt_completion_bash(FILE *out)
{
	const ckpt_tool *tool;
	fputs("# bash completion for ckpt; made by `ckpt help --completion`\n"
	      "_ckpt()\n{\n"
	      "\tlocal cur prev words= command=${COMP_WORDS[1]}\n"
	      "\tcur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tif [ \"$cur\" = = ]; then cur=; elif [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	      "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"",
	      out);
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) fprintf(out, "%s%s", i ? " " : "", tool->name);
	fputs("\"\n\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	      "\tcase $command:$prev in\n",
	      out);
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) put_choices(out, tool);
	fputs("\tesac\n\tcase $words:$command:$cur in\n", out);
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) {
		fprintf(out, "\t:%s:-*) words=\"", tool->name);
		put_options(out, tool);
		fputs("\" ;;\n", out);
	}
	fputs("\tesac\n"
	      "\tif [ -n \"$words\" ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
	      "\t\tcase ${COMPREPLY[0]} in *=) compopt -o nospace ;; esac\n"
	      "\telse\n"
	      "\t\tcompopt -o default\n"
	      "\t\tCOMPREPLY=()\n"
	      "\tfi\n"
	      "}\n"
	      "complete -F _ckpt ckpt\n",
	      out);
}
