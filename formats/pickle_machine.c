/* pickle_machine.c -- what the opcodes of the pickle machine work with: bytes, stack, marks, events, failures */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "pickle_inner.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS = 100000 }; /* that record mode passes over */

bool ckpt_pickle_fail_as(pickle_machine *m, ckpt_code code, const char *format, ...)
{
	char text[700];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	unsigned long long at = (unsigned long long)(m->options->base + m->at);
	if (!m->name) return ckpt_fail(m->err, code, "pickle '%s' at offset %llu: %s", m->options->record, at, text);
	return ckpt_fail(m->err, code, "pickle '%s': %s at offset %llu: %s", m->options->record, m->name, at, text);
}

bool ckpt_pickle_fail(pickle_machine *m, const char *format, ...)
{
	char text[700];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	return ckpt_pickle_fail_as(m, CKPT_E_FORMAT, "%s", text);
}

/* ---- bytes ---- */

bool ckpt_pickle_pass_over(pickle_machine *m)
{
	if (!m->options->record_event || m->faults == FAULTS) return false;
	if (m->faults++ == 0) m->first = *m->err;
	return true;
}

/* Python minds no bytes that run past the end of their frame. */
static bool leave_frame(pickle_machine *m, uint64_t n)
{
	ckpt_pickle_fail(m, "%llu bytes run past the end of the frame, %zu are left in it", (unsigned long long)n,
	                 m->frame_end - m->next);
	if (!ckpt_pickle_pass_over(m)) return false;
	m->frame_end = 0;
	return true;
}

static bool ensure(pickle_machine *m, size_t end)
{
	return end <= m->there || m->options->ensure(m->options->bytes_of, end, &m->there, m->err);
}

const uint8_t *ckpt_pickle_take(pickle_machine *m, uint64_t n)
{
	size_t left = m->length - m->next;
	if (n > left) {
		m->ran_out = true;
		ckpt_pickle_fail(m, "the stream is truncated: %llu bytes are wanted, %zu are left",
		                 (unsigned long long)n, left);
		return NULL;
	}
	if (m->frame_end && n > m->frame_end - m->next && !leave_frame(m, n)) return NULL;
	if (!ensure(m, m->next + (size_t)n)) return NULL;
	const uint8_t *p = m->data + m->next;
	m->next += (size_t)n;
	return p;
}

bool ckpt_pickle_line(pickle_machine *m, const char **line, size_t *length)
{
	const uint8_t *start = m->data + m->next;
	const uint8_t *end = NULL;
	for (size_t from = m->next; !end && from < m->length;) {
		if (!ensure(m, from + 1)) return false;
		size_t until = m->there < m->length ? m->there : m->length;
		end = memchr(m->data + from, '\n', until - from);
		from = until;
	}
	m->ran_out = !end;
	if (!end)
		return ckpt_pickle_fail(
			m, "the stream is truncated: its line of text has no newline in the %zu bytes left",
			m->length - m->next);
	*length = (size_t)(end - start);
	*line = (const char *)start;
	return ckpt_pickle_take(m, (uint64_t)*length + 1) != NULL;
}

/* ---- stack ---- */

/* An array of items of that size, doubled. */
static void *grown(void *array, size_t *capacity, size_t item)
{
	size_t more = *capacity ? *capacity * 2 : 64;
	void *p = reallocarray(array, more, item);
	if (p) *capacity = more;
	return p;
}

bool ckpt_pickle_push(pickle_machine *m, ckpt_value *v)
{
	if (!v) return false;
	if (m->depth == m->stack_size) {
		if (m->depth >= m->options->limits.pickle_values)
			return ckpt_fail_limit(m->err, "values on the stack of a pickle:", m->depth, "pickle-values",
			                       m->options->limits.pickle_values);
		ckpt_value **stack = grown(m->stack, &m->stack_size, sizeof *stack);
		if (!stack) return ckpt_fail_nomem(m->err);
		m->stack = stack;
	}
	m->stack[m->depth++] = v;
	return true;
}

size_t ckpt_pickle_fence(const pickle_machine *m)
{
	return m->mark_count ? m->marks[m->mark_count - 1] : 0;
}

ckpt_value *ckpt_pickle_top(pickle_machine *m)
{
	if (m->depth > ckpt_pickle_fence(m)) return m->stack[m->depth - 1];
	ckpt_pickle_fail(m, "stack underflow");
	return NULL;
}

ckpt_value *ckpt_pickle_pop(pickle_machine *m)
{
	ckpt_value *v = ckpt_pickle_top(m);
	if (v) m->depth--;
	return v;
}

bool ckpt_pickle_pop_mark(pickle_machine *m, ckpt_value ***items, size_t *count)
{
	if (!m->mark_count) return ckpt_pickle_fail(m, "stack underflow: there is no mark");
	size_t from = m->marks[--m->mark_count];
	*items = m->stack ? m->stack + from : NULL; /* there is no stack before the first push */
	*count = m->depth - from;
	m->depth = from;
	return true;
}

bool ckpt_pickle_mark(pickle_machine *m)
{
	if (m->mark_count == m->mark_size) {
		size_t *marks = grown(m->marks, &m->mark_size, sizeof *marks);
		if (!marks) return ckpt_fail_nomem(m->err);
		m->marks = marks;
	}
	m->marks[m->mark_count++] = m->depth;
	return true;
}

/* ---- events ---- */

bool ckpt_pickle_note_event(pickle_machine *m, pickle_event event)
{
	static const char *const refusals[] = {
		[CKPT_PICKLE_UNRESOLVED] = "the global to import is given by something that is no string",
		[CKPT_PICKLE_COMPUTED] = "it would call something that is no global, which is not allowed",
		[CKPT_PICKLE_EXTENSION] = "extension codes are not allowed: they stand for globals of another program",
		[CKPT_PICKLE_PERSISTENT] = "this persistent id is not allowed: torch has those of storages alone",
	};
	event.opcode = m->data[m->at];
	event.offset = m->options->base + m->at;
	if (m->options->record_event) {
		if (m->event_count == m->event_size) {
			pickle_event *events = grown(m->events, &m->event_size, sizeof *events);
			if (!events) return ckpt_fail_nomem(m->err);
			m->events = events;
		}
		m->events[m->event_count++] = event;
		return true;
	}
	if (event.kind != CKPT_PICKLE_GLOBAL && event.kind != CKPT_PICKLE_DROPPED)
		return ckpt_pickle_fail_as(m, CKPT_E_UNSUPPORTED, "%s", refusals[event.kind]);
	if (event.kind != CKPT_PICKLE_GLOBAL || event.class != CKPT_PICKLE_DANGEROUS) return true;
	const char *module = ckpt_value_global_module(event.global, NULL), *name = ckpt_value_global_name(event.global);
	if (ckpt_pickle_name_inert(module, name)) return true;
	return ckpt_pickle_fail_as(
		m, CKPT_E_UNSUPPORTED,
		"the global %.100s.%.100s is not allowed: it could run code or reach beyond the file", module, name);
}
