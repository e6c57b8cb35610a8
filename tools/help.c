/* help.c -- what `ckpt help` and --help print, made from the tables of the rows */
#include "help.h"

#include <inttypes.h>
#include <string.h>

#include "../lib/limits.h"
#include "hub.h"
#include "number.h"
#include "shared.h"

const ckpt_exit_code ckpt_exit_codes[] = {
	{CKPT_EXIT_OK, "done"},
	{CKPT_EXIT_NEGATIVE, "the answer is no: different, dangerous, wrong"},
	{CKPT_EXIT_USAGE, "the command line makes no sense"},
	{CKPT_EXIT_FAILED, "it could not be done: bad input, I/O error, unsupported, limit exceeded"},
	{130, "stopped by SIGINT (128 + the number of the signal; SIGTERM: 143); nothing half done is left"},
	{0, NULL},
};

bool ckpt_exit_code_at(const ckpt_tool *tool, size_t i, ckpt_exit_code *out)
{
	/* Merges ascending lists, of which an earlier one wins over a later one of the same code. */
	const ckpt_exit_code *lists[] = {tool ? tool->exits : NULL, tool && tool->models ? ckpt_hub_exits : NULL, ckpt_exit_codes};
	enum { LISTS = sizeof lists / sizeof *lists };
	for (;; i--) {
		const ckpt_exit_code *first = NULL;
		for (size_t k = 0; k < LISTS; k++)
			if (lists[k] && lists[k]->meaning && (!first || lists[k]->code < first->code)) first = lists[k];
		if (!first) return false;
		*out = *first;
		for (size_t k = 0; k < LISTS; k++)
			if (lists[k] && lists[k]->meaning && lists[k]->code == out->code) lists[k]++;
		if (i == 0) return true;
	}
}

/* Where the next character goes. */
typedef struct writer {
	FILE *out;
	const ckpt_terminal *terminal;
	size_t width, indent, column;
} writer;

static writer writer_for(FILE *out, const ckpt_terminal *terminal)
{
	size_t width = terminal->width ? terminal->width : 80;
	return (writer){.out = out, .terminal = terminal, .width = width > 100 ? 100 : width < 40 ? 40 : width};
}

static void line_end(writer *w)
{
	fputc('\n', w->out);
	w->column = 0;
}

static void pad_to(writer *w, size_t column)
{
	for (; w->column < column; w->column++) fputc(' ', w->out);
}

/* A word of length bytes without its ticks: `word` becomes bold. */
static void put_word(writer *w, const char *word, size_t length, bool *bold)
{
	for (size_t i = 0; i < length; i++) {
		if (word[i] == '`') {
			*bold = !*bold;
			fputs(ckpt_style_code(w->terminal, *bold ? CKPT_STYLE_BOLD : CKPT_STYLE_PLAIN), w->out);
		} else {
			fputc(word[i], w->out);
			w->column++;
		}
	}
}

static size_t word_width(const char *word, size_t length)
{
	size_t width = length;
	for (size_t i = 0; i < length; i++) width -= word[i] == '`';
	return width;
}

/* Fills lines from w->column on, continuing at w->indent. */
static void put_wrapped(writer *w, const char *text)
{
	bool bold = false, first = true;
	while (*text) {
		size_t length = strcspn(text, " "), width = word_width(text, length);
		if (!first && w->column + 1 + width > w->width) {
			line_end(w);
		} else if (!first) {
			fputc(' ', w->out);
			w->column++;
		}
		pad_to(w, w->indent);
		put_word(w, text, length, &bold);
		first = false;
		text += length;
		text += strspn(text, " ");
	}
	line_end(w);
}

static void put_heading(writer *w, const char *title)
{
	fprintf(w->out, "\n%s%s%s\n", ckpt_style_code(w->terminal, CKPT_STYLE_BOLD), title,
	        ckpt_style_code(w->terminal, CKPT_STYLE_PLAIN));
}

/* "  term      text", the text in a column of its own; a long term gets a line of its own. */
static void put_item(writer *w, const char *term, size_t column, const char *text)
{
	pad_to(w, 2);
	fputs(term, w->out);
	w->column += strlen(term);
	if (w->column + 2 > column) line_end(w);
	w->indent = column;
	put_wrapped(w, text);
	w->indent = 0;
}

static void option_term(const ckpt_option *o, char *term, size_t size)
{
	char letter[8] = "    ";
	if (o->letter) snprintf(letter, sizeof letter, "-%c, ", o->letter);
	snprintf(term, size, "%s--%s%s%s", letter, o->name, o->value ? "=" : "", o->value ? o->value : "");
}

static void put_options(writer *w, const ckpt_tool *tool)
{
	ckpt_option_group groups[CKPT_GROUPS];
	size_t count = ckpt_tool_groups(tool, NULL, NULL, groups);
	char term[160];
	for (size_t g = 0; g < count; g++) {
		put_heading(w, groups[g].title);
		for (const ckpt_option *o = groups[g].options; o->name; o++) {
			if (!o->help) continue;
			option_term(o, term, sizeof term);
			put_item(w, term, 30, o->help);
		}
	}
}

static void put_paragraphs(writer *w, const ckpt_paragraph *p)
{
	for (; p && p->text; p++) {
		if (p->title)
			put_heading(w, p->title);
		else
			line_end(w);
		if (p->text[0] == ' ')
			fprintf(w->out, "%s\n", p->text);
		else
			put_wrapped(w, p->text);
	}
}

static void put_exit_codes(writer *w, const ckpt_tool *tool)
{
	ckpt_exit_code e;
	char term[16];
	put_heading(w, "Exit codes");
	for (size_t i = 0; ckpt_exit_code_at(tool, i, &e); i++) {
		snprintf(term, sizeof term, "%d", e.code);
		put_item(w, term, 7, e.meaning);
	}
}

void ckpt_help_tool(FILE *out, const ckpt_terminal *terminal, const ckpt_tool *tool)
{
	writer w = writer_for(out, terminal);
	fprintf(out, "ckpt %s - %s\n\n", tool->name, tool->summary);
	for (size_t i = 0; tool->synopsis[i]; i++)
		fprintf(out, "%s ckpt %s %s\n", i ? "      " : "Usage:", tool->name, tool->synopsis[i]);
	put_paragraphs(&w, tool->description);
	put_options(&w, tool);
	if (tool->examples) {
		put_heading(&w, "Examples");
		for (const ckpt_example *e = tool->examples; e->command; e++) {
			fprintf(out, "  %s\n", e->command);
			w.indent = 6;
			put_wrapped(&w, e->says);
			w.indent = 0;
		}
	}
	put_exit_codes(&w, tool);
}

void ckpt_help_overview(FILE *out, const ckpt_terminal *terminal)
{
	const ckpt_tool *tool;
	writer w = writer_for(out, terminal);
	fputs("ckpt - read, inspect, convert and write model checkpoints\n\n"
	      "Usage: ckpt COMMAND [OPTION]... [ARGUMENT]...\n",
	      out);
	put_heading(&w, "Commands");
	for (size_t i = 0; (tool = ckpt_tool_at(i)); i++) put_item(&w, tool->name, 16, tool->summary);
	put_heading(&w, "Help");
	put_item(&w, "ckpt COMMAND --help", 28, "everything about one command");
	put_item(&w, "ckpt help formats", 28, "the formats that are read and written");
	put_item(&w, "ckpt help limits", 28, "what a file may ask for, and how to change it");
	put_exit_codes(&w, NULL);
}

void ckpt_help_formats(FILE *out, const ckpt_terminal *terminal)
{
	ckpt_format_info f;
	writer w = writer_for(out, terminal);
	for (size_t i = 0; ckpt_format_at(i, &f); i++) {
		fprintf(out, "%-14s%-5s%-7s", f.name, f.reads ? "read" : "", f.writes ? "write" : "");
		w.column = w.indent = 26;
		put_wrapped(&w, f.summary);
	}
}

void ckpt_help_limits(FILE *out, const ckpt_terminal *terminal)
{
	writer w = writer_for(out, terminal);
	const char *name, *meaning;
	uint64_t value;
	put_wrapped(&w, "A file may not make ckpt use more than these. `--limit NAME=VALUE` changes one for one run.");
	line_end(&w);
	for (size_t i = 0; ckpt_limits_at(i, &name, &value, &meaning); i++) {
		char number[CKPT_NUMBER_TEXT];
		fprintf(out, "%-16s%16s  ", name, ckpt_count_text(value, number, sizeof number));
		w.column = w.indent = 34;
		put_wrapped(&w, meaning);
		w.indent = 0;
	}
}
