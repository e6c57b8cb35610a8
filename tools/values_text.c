/* values_text.c -- the value tree of a pickle as an indented listing */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/error.h"
#include "graph.h"
#include "number.h"
#include "terminal.h"
#include "values.h"

#define INLINE_WIDTH 72 /* what fits on one line beside its key */
#define INLINE_LEVEL 3
#define STRING_SHOWN 60

/* A container whose entries are being listed. */
typedef struct frame {
	const ckpt_value *body;
	size_t next, count, lines;
} frame;

/* A line that waits for its successor: entries 0, 1, 2, ... that read alike become one line {0..2}. */
typedef struct pending {
	bool waiting, index;
	size_t depth;
	int64_t first, last;
	ckpt_buffer text;
} pending;

typedef struct printer {
	ckpt_graph *graph;
	const ckpt_values_limits *limits;
	ckpt_buffer *out;
	frame *stack;
	size_t depth, capacity, lines;
	pending run;
} printer;

static void put_string(ckpt_buffer *b, const ckpt_value *v)
{
	size_t length, shown;
	const char *text = ckpt_value_text(v, &length);
	shown = length;
	if (length > STRING_SHOWN)
		for (shown = STRING_SHOWN; shown && ((unsigned char)text[shown] & 0xc0) == 0x80; shown--);
	ckpt_buffer_char(b, '"');
	ckpt_text_append(b, text, shown);
	ckpt_buffer_str(b, shown < length ? "\xe2\x80\xa6\"" : "\"");
	if (shown < length) ckpt_buffer_printf(b, " (%zu bytes)", length);
}

static void put_bytes(ckpt_buffer *b, const ckpt_value *v)
{
	size_t length;
	const unsigned char *bytes = (const unsigned char *)ckpt_value_text(v, &length);
	ckpt_buffer_printf(b, "%s(%zu)", ckpt_value_get_kind(v) == CKPT_VALUE_BYTES ? "bytes" : "bytearray", length);
	if (length && length <= 16) ckpt_buffer_char(b, ' ');
	for (size_t i = 0; i < length && length <= 16; i++) ckpt_buffer_printf(b, "%02x", bytes[i]);
}

static void put_scalar(ckpt_buffer *b, const ckpt_value *v)
{
	char number[CKPT_NUMBER_TEXT];
	size_t length;
	const char *text;
	switch (ckpt_value_get_kind(v)) {
	case CKPT_VALUE_BOOL:
		ckpt_buffer_str(b, ckpt_value_bool(v) ? "True" : "False");
		break;
	case CKPT_VALUE_INT:
		ckpt_buffer_printf(b, "%" PRId64, ckpt_value_int(v));
		break;
	case CKPT_VALUE_FLOAT:
		ckpt_buffer_str(b, ckpt_real_text(ckpt_value_float(v), number, sizeof number));
		break;
	case CKPT_VALUE_STRING:
		put_string(b, v);
		break;
	case CKPT_VALUE_BYTES:
	case CKPT_VALUE_BYTEARRAY:
		put_bytes(b, v);
		break;
	case CKPT_VALUE_BIGINT:
	case CKPT_VALUE_GLOBAL:
		text = ckpt_value_text(v, &length);
		ckpt_text_append(b, text, length < 200 ? length : 200);
		break;
	case CKPT_VALUE_STORAGE:
		ckpt_buffer_str(b, "storage");
		break;
	case CKPT_VALUE_PERSID:
		ckpt_buffer_str(b, "persistent id");
		break;
	default:
		ckpt_buffer_str(b, "None");
	}
}

/* The name of a container or object; Python 2 spelled what needs no module `__builtin__`. */
static void put_kind(ckpt_buffer *b, const ckpt_value *v)
{
	static const char *const modules[] = {"__builtin__.", "builtins."};
	const char *name = ckpt_value_kind_text(v);
	for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
		if (strncmp(name, modules[i], strlen(modules[i])) == 0) name += strlen(modules[i]);
	ckpt_text_append(b, name, strlen(name));
}

/* What opens and closes a container written on one line. */
static const char *brackets(const ckpt_value *v)
{
	if (ckpt_value_is_dict(v)) return "{}";
	switch (ckpt_value_get_kind(v)) {
	case CKPT_VALUE_LIST:
		return "[]";
	case CKPT_VALUE_SET:
	case CKPT_VALUE_FROZENSET:
		return "{}";
	default:
		return "()";
	}
}

/* Appends v as one short line; false, with rubbish appended, when it does not fit. Its depth is bounded. */
static bool put_inline(printer *p, ckpt_buffer *b, const ckpt_value *v, size_t limit, int level)
{
	size_t number, count;
	const ckpt_value *body;
	if (ckpt_value_get_kind(v) == CKPT_VALUE_TENSOR) {
		ckpt_buffer_str(b, "tensor");
		return b->length <= limit;
	}
	if (ckpt_value_is_scalar(v)) {
		put_scalar(b, v);
		return level == 0 || b->length <= limit;
	}
	number = ckpt_graph_number(p->graph, v);
	if (number && ckpt_graph_shown(p->graph, v)) {
		ckpt_buffer_printf(b, "*%zu", number);
		return true;
	}
	if (level == INLINE_LEVEL || (number && level)) return false;
	body = ckpt_graph_body(p->graph, v);
	count = ckpt_child_count(body);
	if (number) ckpt_buffer_printf(b, "&%zu ", number);
	if (ckpt_value_get_kind(v) == CKPT_VALUE_OBJECT && (body != v || !ckpt_value_is_dict(v))) put_kind(b, v);
	ckpt_buffer_char(b, brackets(body)[0]);
	for (size_t i = 0; i < count; i++) {
		ckpt_child c = ckpt_child_at(body, i);
		if (i) ckpt_buffer_str(b, ", ");
		if (c.role && strcmp(c.role, "state") == 0) return false;
		if (c.role) { /* the arguments of a call lie in a tuple of their own */
			for (size_t k = 0; k < ckpt_child_count(c.item); k++) {
				if (k) ckpt_buffer_str(b, ", ");
				if (!put_inline(p, b, ckpt_child_at(c.item, k).item, limit, level + 1)) return false;
			}
			continue;
		}
		if (c.key) {
			if (!ckpt_value_is_scalar(c.key)) return false;
			put_scalar(b, c.key);
			ckpt_buffer_str(b, ": ");
		}
		if (!put_inline(p, b, c.item, limit, level + 1)) return false;
		if (b->length > limit) return false;
	}
	ckpt_buffer_char(b, brackets(body)[1]);
	if (b->length > limit) return false;
	ckpt_graph_show(p->graph, v);
	return true;
}

/* A long list of scalars: its head and how many there are. */
static bool put_head(ckpt_buffer *b, const ckpt_value *v)
{
	size_t count = ckpt_child_count(v), from = b->length;
	ckpt_value_kind kind = ckpt_value_get_kind(v);
	if (kind != CKPT_VALUE_LIST && kind != CKPT_VALUE_TUPLE) return false;
	for (size_t i = 0; i < count; i++)
		if (!ckpt_value_is_scalar(ckpt_value_item(v, i))) return false;
	ckpt_buffer_char(b, brackets(v)[0]);
	for (size_t i = 0; i < count && b->length - from < INLINE_WIDTH - 30; i++) {
		put_scalar(b, ckpt_value_item(v, i));
		ckpt_buffer_str(b, ", ");
	}
	ckpt_buffer_printf(b, "\xe2\x80\xa6 %zu in all%c", count, brackets(v)[1]);
	return true;
}

/* "dict of 3", "OrderedDict of 12 tensors", "dict of 5, 2 of them tensors"; *rest: entries that are no tensors. */
static void put_summary(ckpt_buffer *b, const ckpt_value *v, const ckpt_value *body, size_t *rest)
{
	size_t count = ckpt_child_count(body), tensors = 0;
	for (size_t i = 0; i < count; i++)
		tensors += ckpt_value_get_kind(ckpt_child_at(body, i).item) == CKPT_VALUE_TENSOR;
	*rest = count - tensors;
	put_kind(b, v);
	if (tensors && tensors == count)
		ckpt_buffer_printf(b, " of %zu tensor%s", count, ckpt_plural(count));
	else if (tensors)
		ckpt_buffer_printf(b, " of %zu, %zu of them tensor%s", count, tensors, ckpt_plural(tensors));
	else
		ckpt_buffer_printf(b, " of %zu", count);
}

static void put_key(ckpt_buffer *b, const ckpt_child *c)
{
	if (c->role)
		ckpt_buffer_printf(b, "(%s)", c->role);
	else if (!c->key)
		ckpt_buffer_printf(b, "[%zu]", c->index);
	else if (ckpt_value_get_kind(c->key) == CKPT_VALUE_STRING) {
		size_t length;
		const char *text = ckpt_value_text(c->key, &length);
		if (length && length <= STRING_SHOWN)
			ckpt_text_append(b, text, length);
		else
			put_string(b, c->key);
	} else if (ckpt_value_is_scalar(c->key))
		put_scalar(b, c->key);
	else
		ckpt_buffer_str(b, ckpt_value_kind_text(c->key));
}

static void put_line(printer *p, size_t depth, const char *text, size_t length)
{
	frame *top = p->depth ? &p->stack[p->depth - 1] : NULL;
	if (p->lines == p->limits->lines) return;
	p->lines++;
	if (top) top->lines++;
	size_t indent = 2 * depth;
	ckpt_buffer_fill(p->out, ' ', indent);
	if (p->limits->width > indent + 8)
		ckpt_text_fit(p->out, text, length, p->limits->width - indent, false);
	else
		ckpt_buffer_add(p->out, text, length);
	ckpt_buffer_char(p->out, '\n');
	if (p->lines == p->limits->lines) ckpt_buffer_str(p->out, "  \xe2\x80\xa6 (--json shows all)\n");
}

static void flush_run(printer *p)
{
	pending *r = &p->run;
	ckpt_buffer line = {0};
	if (!r->waiting) return;
	if (r->first == r->last)
		ckpt_buffer_printf(&line, r->index ? "[%" PRId64 "]" : "%" PRId64, r->first);
	else
		ckpt_buffer_printf(&line, r->index ? "[%" PRId64 "..%" PRId64 "]" : "{%" PRId64 "..%" PRId64 "}", r->first, r->last);
	ckpt_buffer_str(&line, ": ");
	ckpt_buffer_add(&line, r->text.data, r->text.length);
	if (line.failed) p->out->failed = true;
	if (line.data) put_line(p, r->depth, line.data, line.length);
	ckpt_buffer_free(&line);
	r->waiting = false;
}

static bool number_of(const ckpt_child *c, int64_t *number)
{
	if (c->role) return false;
	if (!c->key) *number = (int64_t)c->index;
	if (c->key && ckpt_value_get_kind(c->key) == CKPT_VALUE_INT) *number = ckpt_value_int(c->key);
	return !c->key || ckpt_value_get_kind(c->key) == CKPT_VALUE_INT;
}

/* One entry on one line, which may wait to be folded with the next. */
static void put_entry(printer *p, const ckpt_child *c, const ckpt_buffer *text, bool fold)
{
	pending *r = &p->run;
	int64_t number = 0;
	if (fold && number_of(c, &number)) {
		bool same = r->waiting && r->depth == p->depth && r->index == !c->key && number > r->last &&
		            number - 1 == r->last && r->text.length == text->length &&
		            memcmp(r->text.data, text->data, text->length) == 0;
		if (same) {
			r->last = number;
			return;
		}
		flush_run(p);
		r->text.length = 0;
		ckpt_buffer_add(&r->text, text->data, text->length);
		r->first = r->last = number;
		r->index = !c->key;
		r->depth = p->depth;
		r->waiting = !r->text.failed;
		return;
	}
	ckpt_buffer line = {0};
	flush_run(p);
	put_key(&line, c);
	ckpt_buffer_str(&line, ": ");
	ckpt_buffer_add(&line, text->data, text->length);
	if (line.failed) p->out->failed = true;
	if (line.data) put_line(p, p->depth, line.data, line.length);
	ckpt_buffer_free(&line);
}

static bool push(printer *p, const ckpt_value *body)
{
	if (p->depth == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 16;
		frame *stack = realloc(p->stack, capacity * sizeof *stack);
		if (!stack) return false;
		p->stack = stack;
		p->capacity = capacity;
	}
	p->stack[p->depth++] = (frame){.body = body, .count = ckpt_child_count(body)};
	return true;
}

static bool put_child(printer *p, const ckpt_child *c)
{
	ckpt_buffer text = {0};
	const ckpt_value *v = c->item, *body = ckpt_graph_body(p->graph, v);
	size_t number = ckpt_graph_number(p->graph, v), rest = 0;
	bool ok = true, single = put_inline(p, &text, v, INLINE_WIDTH, 0);
	if (!single) {
		text.length = 0;
		if (number) ckpt_buffer_printf(&text, "&%zu ", number);
		ckpt_graph_show(p->graph, v);
		single = put_head(&text, v);
	}
	if (!single) {
		put_summary(&text, v, body, &rest);
		if (rest && p->depth >= p->limits->depth) {
			ckpt_buffer_printf(&text, " (nested deeper than %zu)", p->limits->depth);
			rest = 0;
		}
	}
	if (text.data) put_entry(p, c, &text, rest == 0);
	if (text.failed || (rest && !push(p, body))) ok = false;
	ckpt_buffer_free(&text);
	return ok;
}

static bool run(printer *p)
{
	while (p->depth && p->lines < p->limits->lines) {
		frame *top = &p->stack[p->depth - 1];
		if (top->next == top->count) {
			flush_run(p);
			p->depth--;
			continue;
		}
		if (top->lines >= p->limits->each) {
			char more[80];
			flush_run(p);
			snprintf(more, sizeof more, "\xe2\x80\xa6 %zu more (--json shows all)", top->count - top->next);
			put_line(p, p->depth, more, strlen(more));
			p->depth--;
			continue;
		}
		ckpt_child c = ckpt_child_at(top->body, top->next++);
		if (ckpt_value_get_kind(c.item) == CKPT_VALUE_TENSOR) continue;
		if (!put_child(p, &c)) return false;
	}
	flush_run(p);
	return true;
}

bool ckpt_values_text(const ckpt_value *root, const ckpt_values_limits *limits, ckpt_buffer *out, ckpt_error *err)
{
	printer p = {.limits = limits, .out = out};
	bool ok = false;
	p.graph = ckpt_graph_new(root, err);
	if (!p.graph) return false;
	ckpt_graph_show(p.graph, root);
	if (ckpt_child_count(root) == 0) {
		put_scalar(out, root);
		ckpt_buffer_char(out, '\n');
		ok = true;
	} else {
		ok = push(&p, ckpt_graph_body(p.graph, root)) && run(&p);
	}
	ok = ok && !out->failed;
	if (!ok) ckpt_fail_nomem(err);
	free(p.stack);
	ckpt_buffer_free(&p.run.text);
	ckpt_graph_free(p.graph);
	return ok;
}
