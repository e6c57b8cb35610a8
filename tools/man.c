/* man.c -- manual pages in the man macros, made from the tables of the rows */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "../lib/limits.h"
#include "help.h"
#include "shared.h"

/* Text that is safe for roff wherever it stands in a line; `word` becomes bold. */
static void put(FILE *out, const char *text)
{
	bool bold = false;
	if (*text == '.' || *text == '\'') fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fR", out);
		} else if (*text == '\\') {
			fputs("\\e", out);
		} else if (*text == '-') {
			fputs("\\-", out);
		} else {
			fputc(*text, out);
		}
	}
}

static void put_line(FILE *out, const char *text)
{
	put(out, text);
	fputc('\n', out);
}

/* Line by line as it stands. */
static void put_verbatim(FILE *out, const char *text)
{
	fputs(".nf\n", out);
	while (*text) {
		char line[256];
		size_t length = strcspn(text, "\n"), shown = length < sizeof line ? length : sizeof line - 1;
		memcpy(line, text, shown);
		line[shown] = 0;
		put_line(out, line);
		text += length;
		if (*text) text++;
	}
	fputs(".fi\n", out);
}

static void put_title(FILE *out, const char *title)
{
	fputs(".SH ", out);
	for (; *title; title++) fputc(toupper((unsigned char)*title), out);
	fputc('\n', out);
}

static void put_paragraphs(FILE *out, const ckpt_paragraph *p)
{
	bool first = true;
	for (; p && p->text; p++, first = false) {
		if (p->title)
			put_title(out, p->title);
		else if (!first)
			fputs(".PP\n", out);
		if (p->text[0] == ' ')
			put_verbatim(out, p->text);
		else
			put_line(out, p->text);
	}
}

static void put_option(FILE *out, const ckpt_option *o)
{
	fputs(".TP\n", out);
	if (o->letter) fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
	fputs("\\fB\\-\\-", out);
	put(out, o->name);
	fputs("\\fR", out);
	if (o->value) {
		fputs("=\\fI", out);
		put(out, o->value);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	put(out, o->help);
	fputs(".\n", out);
}

static void put_options(FILE *out, const ckpt_tool *tool)
{
	ckpt_option_group groups[CKPT_GROUPS];
	size_t count = ckpt_tool_groups(tool, NULL, NULL, groups);
	put_title(out, "Options");
	for (size_t g = 0; g < count; g++)
		for (const ckpt_option *o = groups[g].options; o->name; o++)
			if (o->help) put_option(out, o);
}

static void put_examples(FILE *out, const ckpt_tool *tool)
{
	if (!tool->examples) return;
	put_title(out, "Examples");
	for (const ckpt_example *e = tool->examples; e->command; e++) {
		fputs(".TP\n\\fB", out);
		put(out, e->command);
		fputs("\\fR\n", out);
		put_line(out, e->says);
	}
}

static void put_exit_codes(FILE *out, const ckpt_tool *tool)
{
	ckpt_exit_code e;
	put_title(out, "Exit status");
	for (size_t i = 0; ckpt_exit_code_at(tool, i, &e); i++) {
		fprintf(out, ".TP\n%d\n", e.code);
		put_line(out, e.meaning);
	}
}

static void put_head(FILE *out, const char *page, const char *summary)
{
	fputs(".\\\" made by `ckpt help --man`; do not edit\n.TH ", out);
	for (const char *p = page; *p; p++) fputc(toupper((unsigned char)*p), out);
	fprintf(out, " 1 \"\" \"ckpt %s\" \"ckpt\"\n.nh\n.ad l\n.SH NAME\n", ckpt_version());
	put(out, page);
	fputs(" \\- ", out);
	put_line(out, summary);
}

void ckpt_man_tool(FILE *out, const ckpt_tool *tool)
{
	char page[64];
	snprintf(page, sizeof page, "ckpt-%s", tool->name);
	put_head(out, page, tool->summary);
	put_title(out, "Synopsis");
	for (size_t i = 0; tool->synopsis[i]; i++) {
		fputs(i ? ".br\n\\fBckpt " : "\\fBckpt ", out);
		put(out, tool->name);
		fputs("\\fR ", out);
		put_line(out, tool->synopsis[i]);
	}
	if (tool->description) {
		put_title(out, "Description");
		put_paragraphs(out, tool->description);
	}
	put_options(out, tool);
	put_examples(out, tool);
	put_exit_codes(out, tool);
	put_title(out, "See also");
	fputs("\\fBckpt\\fR(1)\n", out);
}

static void put_formats(FILE *out)
{
	ckpt_format_info f;
	put_title(out, "Formats");
	for (size_t i = 0; ckpt_format_at(i, &f); i++) {
		fprintf(out, ".TP\n\\fB");
		put(out, f.name);
		fprintf(out, "\\fR (%s)\n", f.reads && f.writes ? "read, write" : f.reads ? "read" : "write");
		put_line(out, f.summary);
	}
}

static void put_limits(FILE *out)
{
	const char *name, *meaning;
	uint64_t value;
	put_title(out, "Limits");
	put_line(out, "What a file may ask for is bounded, so that no file makes ckpt exhaust the machine. "
	              "`--limit NAME=VALUE` changes one for one run.");
	for (size_t i = 0; ckpt_limits_at(i, &name, &value, &meaning); i++) {
		fputs(".TP\n\\fB", out);
		put(out, name);
		fprintf(out, "\\fR (%" PRIu64 ")\n", value);
		put_line(out, meaning);
	}
}

void ckpt_man_overview(FILE *out)
{
	const ckpt_tool *tool;
	put_head(out, "ckpt", "read, inspect, convert and write model checkpoints");
	put_title(out, "Synopsis");
	fputs("\\fBckpt\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n", out);
	put_title(out, "Description");
	put_line(out, "A checkpoint is an ordered set of named tensors. ckpt opens the files in which they are kept by reading "
	              "headers alone, shows what they hold, and writes them in another format, at the speed of the disk and "
	              "in memory that does not grow with the model. A pickle is read by a machine that builds values and never "
	              "calls anything.");
	put_title(out, "Commands");
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) {
		fputs(".TP\n\\fBckpt\\-", out);
		put(out, tool->name);
		fputs("\\fR(1)\n", out);
		put_line(out, tool->summary);
	}
	put_formats(out);
	put_limits(out);
	put_exit_codes(out, NULL);
	put_title(out, "Environment");
	fputs(".TP\n\\fBNO_COLOR\\fR\nWhen set and not empty, no colours unless \\fB\\-\\-color=always\\fR.\n", out);
	fputs(".TP\n\\fBOMP_NUM_THREADS\\fR\nThreads to use when \\fB\\-\\-threads\\fR was not given.\n", out);
}
