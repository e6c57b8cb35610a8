/* encoding.c -- the tokens of a text: their texts, and what is cut off, put around and padded */
#include "encoding.h"

#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "unicode.h"

void ckpt_encoding_free(ckpt_encoding *e)
{
	free(e->items);
	ckpt_buffer_free(&e->text);
	*e = (ckpt_encoding){0};
}

const char *ckpt_token_text(const ckpt_encoding *e, size_t i, size_t *length)
{
	const ckpt_token *x = e->items + i;
	if (x->begin != UINT32_MAX) {
		*length = x->end - x->begin;
		return e->text.data ? e->text.data + x->begin : "";
	}
	const char *text = ckpt_tokenizer_token(e->tokenizer, x->id);
	*length = text ? strlen(text) : 0;
	return text ? text : "";
}

static bool reserve(ckpt_encoding *out, size_t count, ckpt_error *err)
{
	if (count <= out->room - out->count) return true;
	size_t room = out->room ? out->room * 2 : 64;
	if (room < out->count + count) room = out->count + count;
	ckpt_token *more = realloc(out->items, room * sizeof *more);
	if (!more) return ckpt_fail_nomem(err);
	out->items = more;
	out->room = room;
	return true;
}

/* text: the token's own, or NULL for the vocabulary's. */
static bool fill(ckpt_encoding *out, ckpt_token *to, ckpt_token token, const char *text, size_t length, ckpt_error *err)
{
	const char *known = text ? ckpt_tokenizer_token(out->tokenizer, token.id) : NULL;
	token.begin = token.end = UINT32_MAX;
	if (text && (!known || strlen(known) != length || memcmp(known, text, length) != 0)) {
		if (length >= UINT32_MAX - out->text.length)
			return ckpt_fail(err, CKPT_E_LIMIT, "the tokens' texts have more than %u bytes", UINT32_MAX);
		token.begin = (uint32_t)out->text.length;
		ckpt_buffer_add(&out->text, text, length);
		token.end = (uint32_t)out->text.length;
	}
	*to = token;
	return !out->text.failed || ckpt_fail_nomem(err);
}

bool ckpt_encoding_add(ckpt_encoding *out, ckpt_token token, const char *text, size_t length, ckpt_error *err)
{
	if (!reserve(out, 1, err)) return false;
	return fill(out, out->items + out->count++, token, text, length, err);
}

void ckpt_encoding_begin(ckpt_encoding *out, const ckpt_tokenizer *t)
{
	out->count = 0;
	out->text.length = 0;
	out->tokenizer = t;
}

/* Leaves the first count tokens, or the last. */
static void cut(ckpt_encoding *e, size_t count, bool left)
{
	if (count >= e->count) return;
	if (left) memmove(e->items, e->items + (e->count - count), count * sizeof *e->items);
	e->count = count;
}

bool ckpt_encoding_truncate(const ckpt_tokenizer *t, ckpt_encoding parts[2], bool pair, const ckpt_encode_options *o, ckpt_error *err)
{
	size_t around = o->no_special ? 0 : ckpt_post_count(t, pair);
	if (o->max_length < around)
		return ckpt_fail(err, CKPT_E_USAGE, "the length %llu has no room for the %zu special tokens", (unsigned long long)o->max_length, around);
	size_t room = (size_t)(o->max_length - around), a = parts[0].count, b = parts[1].count;
	if (!pair) {
		cut(parts, room, t->cut_left);
		return true;
	}
	if (a <= room && b <= room - a) return true;
	ckpt_encoding *shorter = a > b ? parts + 1 : parts, *longer = a > b ? parts : parts + 1;
	size_t n1 = shorter->count, n2 = n1 > room ? n1 : n1 > room - n1 ? n1 : room - n1;
	if (n1 > room || n2 > room - n1) {
		n1 = room / 2;
		n2 = n1 + room % 2;
	}
	cut(shorter, n1, t->cut_left);
	cut(longer, n2, t->cut_left);
	return true;
}

static bool space_like(uint32_t c)
{
	return c == 0x120 || ckpt_unicode_space(c);
}

/* Spans without the spaces at the ends of their tokens. */
void ckpt_encoding_trim(ckpt_encoding *e, bool prefix)
{
	for (size_t i = 0; i < e->count; i++) {
		ckpt_token *x = e->items + i;
		size_t length;
		const char *text = ckpt_token_text(e, i, &length);
		uint32_t leading = 0, trailing = 0;
		uint32_t c;
		bool front = true;
		for (size_t at = 0, n; at < length; at += n) {
			n = ckpt_utf8_decode(text + at, length - at, &c);
			bool space = space_like(c);
			if (!space) front = false;
			leading += front;
			trailing = space ? trailing + 1 : 0;
		}
		if (leading == 1 && (i == 0 || x->from == 0) && prefix) leading = 0; /* the one that was put in front */
		x->from = x->from + leading < x->to ? x->from + leading : x->to;
		if (trailing && x->to >= trailing) x->to = x->to - trailing > x->from ? x->to - trailing : x->from;
	}
}

static bool append(ckpt_encoding *out, const ckpt_encoding *part, const uint32_t *type, ckpt_error *err)
{
	for (size_t i = 0; i < part->count; i++) {
		ckpt_token token = part->items[i];
		bool own = token.begin != UINT32_MAX;
		if (type) token.type = *type;
		if (!ckpt_encoding_add(out, token, own ? part->text.data + token.begin : NULL, token.end - token.begin, err)) return false;
	}
	return true;
}

static bool put_special(ckpt_encoding *out, ckpt_token *to, const ckpt_part *p, ckpt_error *err)
{
	for (size_t k = 0; k < p->count; k++) {
		ckpt_token token = {.id = p->ids[k], .type = p->type, .attention = true};
		if (!fill(out, to + k, token, p->tokens[k], strlen(p->tokens[k]), err)) return false;
	}
	return true;
}

/* The place of the only text in a template; parts->count where it is there more than once or not at all. */
static size_t only_text(const ckpt_template *x)
{
	size_t place = x->count;
	for (size_t i = 0; i < x->count; i++) {
		if (x->parts[i].sequence < 0) continue;
		if (x->parts[i].sequence || place != x->count) return x->count;
		place = i;
	}
	return place;
}

/* One text, which stays where it is: a long one is not there twice. */
static bool put_around(ckpt_encoding *out, const ckpt_template *x, size_t place, bool no_special, ckpt_error *err)
{
	size_t front = 0, all = 0, at = 0;
	for (size_t i = 0; i < x->count && !no_special; i++) {
		if (i == place) front = all;
		else all += x->parts[i].count;
	}
	if (!reserve(out, all, err)) return false;
	if (front) memmove(out->items + front, out->items, out->count * sizeof *out->items);
	for (size_t i = 0; i < out->count; i++) out->items[front + i].type = x->parts[place].type;
	for (size_t i = 0; i < x->count; i++) {
		const ckpt_part *p = x->parts + i;
		if (i != place && no_special) continue;
		if (i != place && !put_special(out, out->items + at, p, err)) return false;
		at += i == place ? out->count : p->count;
	}
	out->count = at;
	return true;
}

bool ckpt_encoding_assemble(const ckpt_tokenizer *t, ckpt_encoding parts[2], bool pair, bool no_special, ckpt_encoding *out, ckpt_error *err)
{
	const ckpt_template *x = pair ? &t->pair : &t->single;
	size_t place = only_text(x);
	if (!pair && (!x->count || place < x->count)) {
		ckpt_encoding text = parts[0];
		parts[0] = *out;
		*out = text;
		return !x->count || put_around(out, x, place, no_special, err);
	}
	if (!x->count) return append(out, parts, NULL, err) && append(out, parts + 1, NULL, err);
	for (size_t i = 0; i < x->count; i++) {
		const ckpt_part *p = x->parts + i;
		if (p->sequence == 1 && !pair) continue;
		if (p->sequence >= 0 && !append(out, parts + p->sequence, &p->type, err)) return false;
		if (p->sequence >= 0 || no_special) continue;
		if (!reserve(out, p->count, err) || !put_special(out, out->items + out->count, p, err)) return false;
		out->count += p->count;
	}
	return true;
}

bool ckpt_encoding_pad(const ckpt_tokenizer *t, ckpt_encoding *e, size_t length, ckpt_error *err)
{
	if (e->count >= length) return true;
	if (!t->can_pad) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the tokenizer has no token for padding");
	size_t missing = length - e->count;
	ckpt_token pad = {.id = t->pad_id, .type = t->pad_type};
	for (size_t i = 0; i < missing; i++)
		if (!ckpt_encoding_add(e, pad, t->pad_token, strlen(t->pad_token), err)) return false;
	if (!t->pad_left) return true;
	ckpt_token *items = malloc(length * sizeof *items);
	if (!items) return ckpt_fail_nomem(err);
	memcpy(items, e->items + (length - missing), missing * sizeof *items);
	memcpy(items + missing, e->items, (length - missing) * sizeof *items);
	free(e->items);
	e->items = items;
	e->room = length;
	return true;
}
