/* normalize.c -- the normalisers */
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "steps.h"
#include "trie.h"
#include "unicode.h"

typedef struct view {
	const char *text;
	const ckpt_span *spans;
	size_t length;
} view;

/* The next character of v; *span is its place in the original. */
static size_t next(const view *v, size_t at, uint32_t *c)
{
	if ((unsigned char)v->text[at] < 0x80) {
		*c = (unsigned char)v->text[at];
		return 1;
	}
	return ckpt_utf8_decode(v->text + at, v->length - at, c);
}

static bool all_below(const view *v, unsigned char limit)
{
	for (size_t i = 0; i < v->length; i++)
		if ((unsigned char)v->text[i] >= limit) return false;
	return true;
}

/* The end of a part that becomes what it becomes alone: where two ASCII characters meet, but not CR and LF. So what stands
 * between two steps stays small. */
static size_t part_end(const view *v, size_t at)
{
	enum { PART = 1 << 16 };
	for (size_t i = at; i + PART < v->length; i++) {
		const unsigned char *edge = (const unsigned char *)v->text + i + PART;
		if (edge[-1] < 0x80 && *edge < 0x80 && *edge != '\n') return i + PART;
	}
	return v->length;
}

static void form(ckpt_aligned *out, const view *v, bool compatible, bool compose, ckpt_work_text *w)
{
	if (all_below(v, 0x80)) {
		ckpt_aligned_add(out, v->text, v->spans, v->length);
		return;
	}
	w->changes.count = 0;
	ckpt_unicode_normalize(&w->changes, v->text, v->length, compatible, compose);
	ckpt_aligned_change(out, v->text, v->spans, v->length, &w->changes, 0);
}

static void lower(ckpt_aligned *out, const view *v)
{
	uint32_t c, two[2];
	for (size_t at = 0; at < v->length;) {
		size_t n = next(v, at, &c), count = ckpt_unicode_lower(c, two);
		for (size_t i = 0; i < count; i++) ckpt_aligned_code(out, two[i], v->spans[at]);
		at += n;
	}
}

static void without(ckpt_aligned *out, const view *v, bool (*gone)(uint32_t))
{
	uint32_t c;
	for (size_t at = 0, n; at < v->length; at += n) {
		n = next(v, at, &c);
		if (!gone(c)) ckpt_aligned_add(out, v->text + at, v->spans + at, n);
	}
}

/* BERT's cleaning, and spaces around Chinese characters. */
static void bert_clean(const ckpt_step *s, ckpt_aligned *out, const view *v)
{
	uint32_t c;
	for (size_t at = 0, n; at < v->length; at += n) {
		n = next(v, at, &c);
		if (s->clean && (c == 0 || c == 0xfffd || ckpt_unicode_control(c))) continue;
		bool chinese = s->chinese && ckpt_unicode_chinese(c);
		if (chinese) ckpt_aligned_put(out, " ", 1, v->spans[at]);
		if (s->clean && ckpt_unicode_space(c)) ckpt_aligned_put(out, " ", 1, v->spans[at]);
		else ckpt_aligned_add(out, v->text + at, v->spans + at, n);
		if (chinese) ckpt_aligned_put(out, " ", 1, v->spans[at]);
	}
}

static view take(ckpt_aligned *from)
{
	return (view){from->text, from->spans, from->length};
}

static void bert(const ckpt_step *s, ckpt_aligned *out, const view *v, ckpt_work_text *w)
{
	ckpt_aligned *cleaned = w->between, *decomposed = cleaned + 1, *bare = cleaned + 2;
	for (int i = 0; i < 3; i++) ckpt_aligned_begin(w->between + i, 0);
	bert_clean(s, cleaned, v);
	view now = take(cleaned);
	if (s->accents && !all_below(&now, 0x80)) {
		form(decomposed, &now, false, false, w);
		now = take(decomposed);
		without(bare, &now, ckpt_unicode_nonspacing);
		now = take(bare);
	}
	if (s->lower) lower(out, &now);
	else ckpt_aligned_add(out, now.text, now.spans, now.length);
	if (cleaned->failed || decomposed->failed || bare->failed) out->failed = true;
}

static void strip(const ckpt_step *s, ckpt_aligned *out, const view *v)
{
	size_t begin = 0, end = 0;
	uint32_t c;
	bool seen = false;
	for (size_t at = 0, n; at < v->length; at += n) {
		n = next(v, at, &c);
		if (ckpt_unicode_space(c)) continue;
		if (!seen) begin = at;
		seen = true;
		end = at + n;
	}
	if (!s->left) begin = 0;
	if (!s->right) end = v->length;
	if (!seen) begin = end;
	ckpt_aligned_add(out, v->text + begin, v->spans + begin, end - begin);
}

static bool nmt_gone(uint32_t c)
{
	return (c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f;
}

static bool nmt_space(uint32_t c)
{
	return c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) || c == 0x2028 ||
	       c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
}

static void nmt(ckpt_aligned *out, const view *v)
{
	uint32_t c;
	for (size_t at = 0, n; at < v->length; at += n) {
		n = next(v, at, &c);
		if (nmt_gone(c)) continue;
		if (nmt_space(c)) ckpt_aligned_put(out, " ", 1, v->spans[at]);
		else ckpt_aligned_add(out, v->text + at, v->spans + at, n);
	}
}

static bool replace(const ckpt_step *s, ckpt_aligned *out, const view *v, ckpt_matcher *m, ckpt_error *err)
{
	size_t at = 0, from = 0, begin = 0, end = 0;
	bool found = true;
	while (from <= v->length) {
		if (!ckpt_pattern_find(s->pattern, m, v->text, v->length, from, &found, &begin, &end, err)) return false;
		if (!found) break;
		ckpt_aligned_add(out, v->text + at, v->spans + at, begin - at);
		ckpt_aligned_put(out, s->text, strlen(s->text), end ? v->spans[end - 1] : ckpt_span_of(ckpt_span_from(v->spans[0]), 0));
		at = from = end;
		uint32_t c;
		if (begin == end) from += end < v->length ? next(v, end, &c) : 1;
	}
	ckpt_aligned_add(out, v->text + at, v->spans + at, v->length - at);
	return true;
}

static void bytes(ckpt_aligned *out, const view *v)
{
	for (size_t at = 0; at < v->length; at++) ckpt_aligned_code(out, ckpt_byte_char((uint8_t)v->text[at]), v->spans[at]);
}

/* ---- the character map of sentencepiece: a double array of units, and strings */

static uint32_t unit(const ckpt_step *s, size_t i)
{
	const uint8_t *p = s->map + 4 * i;
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t jump(uint32_t u)
{
	return (size_t)(u >> 10) << ((u & (1u << 9)) >> 6);
}

/* The string for the shortest known beginning of key; NULL: none. */
static const char *mapped(const ckpt_step *s, const char *key, size_t length)
{
	size_t at = s->map_units ? jump(unit(s, 0)) : 0;
	for (size_t i = 0; i < length && key[i]; i++) {
		at ^= (uint8_t)key[i];
		if (at >= s->map_units) return NULL;
		uint32_t u = unit(s, at);
		if ((u & (1u << 31 | 0xff)) != (uint8_t)key[i]) return NULL;
		at ^= jump(u);
		if (!(u >> 8 & 1)) continue;
		if (at >= s->map_units) return NULL;
		size_t place = unit(s, at) & ~(1u << 31);
		return place < s->map_length - 4 * s->map_units ? (const char *)s->map + 4 * s->map_units + place : NULL;
	}
	return NULL;
}

static size_t count_chars(const char *text, size_t length)
{
	size_t n = 0;
	for (size_t i = 0; i < length; i++) n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

static void put_mapped(ckpt_changes *out, const char *fresh, size_t old_chars)
{
	size_t length = strlen(fresh), chars = count_chars(fresh, length), i = 0;
	uint32_t c;
	for (size_t at = 0, n; at < length; at += n, i++) {
		n = ckpt_utf8_decode(fresh + at, length - at, &c);
		if (!n) return; /* the map was checked when it was read */
		ckpt_changes_add(out, c, i >= old_chars);
	}
	if (chars < old_chars && out->count) out->items[out->count - 1].change -= (int32_t)(old_chars - chars);
}

static void precompiled(const ckpt_step *s, ckpt_aligned *out, const view *v, ckpt_work_text *w)
{
	enum { MANY = 4096 };
	ckpt_changes *changes = &w->changes;
	size_t done = 0; /* bytes that what went out stands for */
	changes->count = 0;
	for (size_t at = 0, end; at < v->length; at = end) {
		if (changes->count > MANY) { /* the last may still take what vanishes behind it */
			ckpt_change last = changes->items[--changes->count];
			done = ckpt_aligned_change(out, v->text, v->spans, v->length, changes, done);
			changes->items[0] = last;
			changes->count = 1;
		}
		end = ckpt_unicode_grapheme(v->text, v->length, at);
		const char *fresh = end - at < 6 ? mapped(s, v->text + at, end - at) : NULL;
		if (fresh) {
			put_mapped(changes, fresh, count_chars(v->text + at, end - at));
			continue;
		}
		uint32_t c;
		for (size_t i = at, n; i < end; i += n) {
			n = next(v, i, &c);
			fresh = mapped(s, v->text + i, n);
			if (fresh) put_mapped(changes, fresh, 1);
			else ckpt_changes_add(changes, c, 0);
		}
	}
	ckpt_aligned_change(out, v->text, v->spans, v->length, changes, done);
}

static void in_parts(const ckpt_step *s, ckpt_aligned *out, const view *v, ckpt_work_text *w)
{
	for (size_t at = 0, end; at < v->length; at = end) {
		end = part_end(v, at);
		view part = {v->text + at, v->spans + at, end - at};
		if (s->kind == CKPT_NORMAL_BERT) bert(s, out, &part, w);
		else form(out, &part, s->compatible, s->compose, w);
	}
}

static bool apply(const ckpt_step *s, ckpt_aligned *out, const view *v, ckpt_work_text *w, ckpt_error *err)
{
	switch (s->kind) {
	case CKPT_NORMAL_BERT:
	case CKPT_NORMAL_FORM: in_parts(s, out, v, w); break;
	case CKPT_NORMAL_STRIP: strip(s, out, v); break;
	case CKPT_NORMAL_STRIP_ACCENTS: without(out, v, ckpt_unicode_mark); break;
	case CKPT_NORMAL_LOWER: lower(out, v); break;
	case CKPT_NORMAL_NMT: nmt(out, v); break;
	case CKPT_NORMAL_PRECOMPILED: precompiled(s, out, v, w); break;
	case CKPT_NORMAL_REPLACE: return replace(s, out, v, w->matcher, err);
	case CKPT_NORMAL_PREPEND:
		if (v->length) ckpt_aligned_put(out, s->text, strlen(s->text), v->spans[0]);
		ckpt_aligned_add(out, v->text, v->spans, v->length);
		break;
	case CKPT_NORMAL_BYTES: bytes(out, v); break;
	default: return ckpt_fail(err, CKPT_E_UNSUPPORTED, "this step is no normaliser");
	}
	return true;
}

void ckpt_work_swap(ckpt_work_text *w)
{
	ckpt_pieces now = w->now;
	w->now = w->next;
	w->next = now;
}

void ckpt_work_begin(ckpt_work_text *w, size_t length)
{
	w->now.count = w->next.count = 0;
	ckpt_aligned_begin(&w->now.text, ckpt_steps_most(length));
	ckpt_aligned_begin(&w->next.text, ckpt_steps_most(length));
	w->changes.failed = false;
	w->walks = ckpt_trie_most(length);
}

void ckpt_work_free(ckpt_work_text *w)
{
	ckpt_pieces_free(&w->now);
	ckpt_pieces_free(&w->next);
	ckpt_changes_free(&w->changes);
	for (int i = 0; i < 3; i++) ckpt_aligned_free(w->between + i);
}

bool ckpt_work_ok(const ckpt_work_text *w, ckpt_error *err)
{
	const ckpt_aligned *text = &w->next.text;
	if (text->too_long)
		return ckpt_fail(err, CKPT_E_LIMIT, "the steps of the tokenizer make more than %zu bytes of the text, 64 for each of its own and "
		                 "1 MiB, below 4 GiB", text->most);
	return (!w->next.text.failed && !w->changes.failed) || ckpt_fail_nomem(err);
}

bool ckpt_normalize_step(const ckpt_step *step, ckpt_work_text *w, ckpt_error *err)
{
	const ckpt_aligned *text = &w->now.text;
	ckpt_pieces_clear(&w->next);
	for (size_t i = 0; i < w->now.count; i++) {
		ckpt_piece p = w->now.items[i];
		view v = {text->text + p.begin, text->spans + p.begin, p.end - p.begin};
		size_t begin = w->next.text.length;
		if (p.token != UINT32_MAX) ckpt_aligned_add(&w->next.text, v.text, v.spans, v.length);
		else if (!apply(step, &w->next.text, &v, w, err)) return false;
		if (!ckpt_pieces_add(&w->next, begin, w->next.text.length, p.token)) return ckpt_fail_nomem(err);
	}
	if (!ckpt_work_ok(w, err)) return false;
	ckpt_work_swap(w);
	return true;
}

bool ckpt_normalize(const ckpt_steps *steps, ckpt_work_text *w, ckpt_error *err)
{
	for (size_t i = 0; i < steps->count; i++)
		if (!ckpt_normalize_step(steps->items + i, w, err)) return false;
	return true;
}
