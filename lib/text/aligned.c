/* aligned.c -- text under change that knows which bytes of the original it stands for */
#include "aligned.h"

#include <stdlib.h>
#include <string.h>

#include "../utf8.h"

void ckpt_aligned_free(ckpt_aligned *a)
{
	free(a->text);
	free(a->spans);
	*a = (ckpt_aligned){0};
}

void ckpt_aligned_begin(ckpt_aligned *a, size_t most)
{
	a->length = 0;
	a->most = most;
	a->fits = most && most < a->room ? most : a->room;
	a->failed = a->too_long = false;
}

static bool reserve(ckpt_aligned *a, size_t length)
{
	if (a->failed) return false;
	if (a->fits - a->length >= length) return true;
	if (a->most && length > a->most - a->length) {
		a->failed = a->too_long = true;
		return false;
	}
	size_t room = a->room ? a->room * 2 : 256;
	if (room < a->length + length) room = a->length + length;
	char *text = realloc(a->text, room);
	if (text) a->text = text;
	ckpt_span *spans = text ? realloc(a->spans, room * sizeof *spans) : NULL;
	if (spans) a->spans = spans;
	a->failed = !spans;
	if (!spans) return false;
	a->room = room;
	a->fits = a->most && a->most < room ? a->most : room;
	return true;
}

void ckpt_aligned_add(ckpt_aligned *a, const char *text, const ckpt_span *spans, size_t length)
{
	if (!length || !reserve(a, length)) return;
	memcpy(a->text + a->length, text, length);
	memcpy(a->spans + a->length, spans, length * sizeof *spans);
	a->length += length;
}

void ckpt_aligned_put(ckpt_aligned *a, const char *text, size_t length, ckpt_span span)
{
	if (!reserve(a, length)) return;
	for (size_t i = 0; i < length; i++) {
		a->text[a->length] = text[i];
		a->spans[a->length++] = span;
	}
}

void ckpt_aligned_code(ckpt_aligned *a, uint32_t code_point, ckpt_span span)
{
	char bytes[4];
	ckpt_aligned_put(a, bytes, ckpt_utf8_encode(code_point, bytes), span);
}

static size_t char_length(const char *text)
{
	unsigned char c = (unsigned char)*text;
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* The place `count` characters behind `at`, not beyond length. */
static size_t pass(const char *text, size_t length, size_t at, size_t count)
{
	for (; count && at < length; count--) at += char_length(text + at);
	return at;
}

void ckpt_aligned_original(ckpt_aligned *a, const char *text, size_t length)
{
	if (!length || !reserve(a, length)) return;
	memcpy(a->text + a->length, text, length);
	ckpt_span *spans = a->spans + a->length;
	for (size_t i = 0, n; i < length; i += n) {
		n = char_length(text + i);
		for (size_t k = 0; k < n; k++) spans[i + k] = ckpt_span_of(i, n);
	}
	a->length += length;
}

size_t ckpt_aligned_change(ckpt_aligned *a, const char *text, const ckpt_span *spans, size_t length,
                           const ckpt_changes *changes, size_t at)
{
	ckpt_span origin = ckpt_span_of(length ? ckpt_span_from(spans[0]) : 0, 0);
	if (changes->failed) a->failed = true;
	for (size_t i = 0; i < changes->count && !a->failed; i++) {
		const ckpt_change *c = changes->items + i;
		if (c->change > 0) {
			ckpt_aligned_code(a, c->code_point, at ? spans[at - 1] : origin);
			continue;
		}
		ckpt_aligned_code(a, c->code_point, at < length ? spans[at] : length ? spans[length - 1] : origin);
		at = pass(text, length, at, 1 + (size_t)-c->change);
	}
	return at;
}

void ckpt_changes_add(ckpt_changes *c, uint32_t code_point, int32_t change)
{
	if (c->count == c->room) {
		size_t room = c->room ? c->room * 2 : 256;
		ckpt_change *more = realloc(c->items, room * sizeof *more);
		if (!more) {
			c->failed = true;
			return;
		}
		c->items = more;
		c->room = room;
	}
	c->items[c->count++] = (ckpt_change){code_point, change};
}

void ckpt_changes_free(ckpt_changes *c)
{
	free(c->items);
	*c = (ckpt_changes){0};
}

void ckpt_pieces_free(ckpt_pieces *p)
{
	ckpt_aligned_free(&p->text);
	free(p->items);
	*p = (ckpt_pieces){0};
}

bool ckpt_pieces_add(ckpt_pieces *p, size_t begin, size_t end, uint32_t token)
{
	if (begin == end && token == UINT32_MAX) return true;
	if (p->count == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		ckpt_piece *more = realloc(p->items, room * sizeof *more);
		if (!more) return false;
		p->items = more;
		p->room = room;
	}
	p->items[p->count++] = (ckpt_piece){(uint32_t)begin, (uint32_t)end, token};
	return true;
}

void ckpt_pieces_clear(ckpt_pieces *p)
{
	p->text.length = 0;
	p->count = 0;
}

void ckpt_pieces_shrink(ckpt_pieces *p)
{
	enum { MUCH = 1 << 20 };
	if (p->text.room + p->room > MUCH) ckpt_pieces_free(p);
}
