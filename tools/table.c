/* table.c -- rows of cells in aligned columns, cut to the terminal's width */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/error.h"

#define GAP 2
#define FLUSH_AT 65536

typedef struct cell {
	size_t at; /* in text */
	uint32_t length, width;
} cell;

struct ckpt_table {
	const ckpt_column *columns;
	size_t column_count;
	cell *cells;
	size_t count, capacity;
	ckpt_buffer text;
	size_t *widths; /* natural, then as printed; 0: left out */
	bool failed;
};

ckpt_table *ckpt_table_new(const ckpt_column *columns, size_t count)
{
	ckpt_table *t = calloc(1, sizeof *t);
	size_t *widths = calloc(count, sizeof *widths);
	if (!t || !widths) {
		free(t);
		free(widths);
		return NULL;
	}
	t->columns = columns;
	t->column_count = count;
	t->widths = widths;
	return t;
}

void ckpt_table_free(ckpt_table *t)
{
	if (!t) return;
	ckpt_buffer_free(&t->text);
	free(t->cells);
	free(t->widths);
	free(t);
}

void ckpt_table_text(ckpt_table *t, const char *text)
{
	size_t at = t->text.length, column = t->count % t->column_count;
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 64;
		cell *cells = realloc(t->cells, capacity * sizeof *cells);
		if (!cells) {
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->capacity = capacity;
	}
	ckpt_text_append(&t->text, text, strlen(text));
	if (t->text.failed || t->text.length - at > UINT32_MAX) {
		t->failed = true;
		return;
	}
	cell c = {.at = at, .length = (uint32_t)(t->text.length - at)};
	c.width = c.length ? (uint32_t)ckpt_text_width(t->text.data + at, c.length) : 0;
	t->cells[t->count++] = c;
	if (c.width > t->widths[column]) t->widths[column] = c.width;
}

void ckpt_table_format(ckpt_table *t, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ckpt_table_text(t, text);
}

static size_t least_width(const ckpt_table *t, size_t i)
{
	size_t least = t->columns[i].least;
	return least && least < t->widths[i] ? least : t->widths[i];
}

/* Leaves out columns and shrinks others until a line fits. */
static void fit(ckpt_table *t, size_t width)
{
	size_t need;
	for (;;) {
		size_t lowest = SIZE_MAX;
		need = 0;
		for (size_t i = 0; i < t->column_count; i++) {
			if (!t->widths[i]) continue;
			need += least_width(t, i) + (need ? GAP : 0);
			if (t->columns[i].rank && (lowest == SIZE_MAX || t->columns[i].rank < t->columns[lowest].rank)) lowest = i;
		}
		if (need <= width || lowest == SIZE_MAX) break;
		t->widths[lowest] = 0;
	}
	size_t spare = need < width ? width - need : 0;
	for (size_t i = 0; i < t->column_count; i++) {
		size_t least = least_width(t, i), more = t->widths[i] - least;
		if (more > spare) more = spare;
		t->widths[i] = least + more;
		spare -= more;
	}
}

static void put_cell(const ckpt_table *t, ckpt_buffer *b, const ckpt_terminal *terminal, size_t column, ckpt_style style,
                     const char *text, size_t length, size_t width, bool last)
{
	size_t room = t->widths[column], pad = width < room ? room - width : 0;
	const char *code = style != CKPT_STYLE_PLAIN && length ? ckpt_style_code(terminal, style) : "";
	if (t->columns[column].right) ckpt_buffer_fill(b, ' ', pad);
	ckpt_buffer_str(b, code);
	if (width <= room)
		ckpt_buffer_add(b, text, length);
	else
		ckpt_text_fit(b, text, length, room, t->columns[column].middle);
	if (*code) ckpt_buffer_str(b, ckpt_style_code(terminal, CKPT_STYLE_PLAIN));
	if (!t->columns[column].right && !last) ckpt_buffer_fill(b, ' ', pad);
}

static void end_line(ckpt_buffer *b)
{
	while (b->length && b->data[b->length - 1] == ' ') b->data[--b->length] = 0;
	ckpt_buffer_char(b, '\n');
}

static void put_titles(const ckpt_table *t, ckpt_buffer *b, const ckpt_terminal *terminal, size_t last)
{
	bool first = true;
	for (size_t i = 0; i < t->column_count; i++) {
		const char *title = t->columns[i].title;
		if (!t->widths[i]) continue;
		if (!first) ckpt_buffer_fill(b, ' ', GAP);
		first = false;
		put_cell(t, b, terminal, i, CKPT_STYLE_BOLD, title, strlen(title), strlen(title), i == last);
	}
	end_line(b);
}

static void put_row(const ckpt_table *t, ckpt_buffer *b, const ckpt_terminal *terminal, const cell *row, size_t last)
{
	bool first = true;
	for (size_t i = 0; i < t->column_count; i++) {
		const cell *c = &row[i];
		if (!t->widths[i]) continue;
		if (!first) ckpt_buffer_fill(b, ' ', GAP);
		first = false;
		put_cell(t, b, terminal, i, t->columns[i].style, c->length ? t->text.data + c->at : "", c->length, c->width,
		         i == last);
	}
	end_line(b);
}

static void flush(ckpt_buffer *b, FILE *out, size_t at)
{
	if (b->failed || b->length < at || !b->length) return;
	fwrite(b->data, 1, b->length, out);
	b->length = 0;
}

static void say_left_out(const ckpt_table *t, const size_t *natural, ckpt_buffer *b, const ckpt_terminal *terminal)
{
	bool any = false;
	for (size_t i = 0; i < t->column_count; i++) {
		if (t->widths[i] || !natural[i]) continue;
		ckpt_buffer_str(b, any ? ", " : ckpt_style_code(terminal, CKPT_STYLE_DIM));
		if (!any) ckpt_buffer_str(b, "(the terminal has no room for: ");
		ckpt_buffer_str(b, t->columns[i].title);
		any = true;
	}
	if (!any) return;
	ckpt_buffer_str(b, ")");
	ckpt_buffer_str(b, ckpt_style_code(terminal, CKPT_STYLE_PLAIN));
	ckpt_buffer_char(b, '\n');
}

bool ckpt_table_print(ckpt_table *t, FILE *out, const ckpt_terminal *terminal, bool titled, ckpt_error *err)
{
	ckpt_buffer b = {0};
	size_t last = 0, *natural = calloc(t->column_count, sizeof *natural);
	bool ok = false;
	if (!natural || t->failed) {
		ckpt_fail_nomem(err);
		goto done;
	}
	for (size_t i = 0; i < t->column_count; i++) {
		size_t title = titled ? strlen(t->columns[i].title) : 0;
		if (t->widths[i] && t->widths[i] < title) t->widths[i] = title;
		natural[i] = t->widths[i];
	}
	if (terminal->width) fit(t, terminal->width);
	for (size_t i = 0; i < t->column_count; i++)
		if (t->widths[i]) last = i;
	if (titled && t->count) put_titles(t, &b, terminal, last);
	for (size_t i = 0; i + t->column_count <= t->count; i += t->column_count) {
		put_row(t, &b, terminal, t->cells + i, last);
		flush(&b, out, FLUSH_AT);
	}
	say_left_out(t, natural, &b, terminal);
	flush(&b, out, 0);
	ok = ckpt_buffer_ok(&b, err);
done:
	ckpt_buffer_free(&b);
	free(natural);
	return ok;
}
