/* split.c -- the pre-tokenisers: a text into the pieces that the model sees */
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "steps.h"
#include "unicode.h"

/* Stretches of one piece, matching and not, in turn, on their way to a behaviour. */
typedef struct cutter {
	ckpt_pieces *out;
	ckpt_behavior behavior;
	bool invert, last, pending;
	size_t begin, end; /* the stretch that may still grow */
	bool failed;
} cutter;

static void flush(cutter *c)
{
	if (c->pending && !ckpt_pieces_add(c->out, c->begin, c->end, UINT32_MAX)) c->failed = true;
	c->pending = false;
}

static void stretch(cutter *c, size_t begin, size_t end, bool match)
{
	if (c->invert) match = !match;
	bool grows = false;
	if (c->behavior == CKPT_REMOVED && match) return;
	if (c->behavior == CKPT_CONTIGUOUS) grows = c->pending && match == c->last;
	if (c->behavior == CKPT_WITH_PREVIOUS) grows = c->pending && match && !c->last;
	if (c->behavior == CKPT_WITH_NEXT) grows = c->pending && !match && c->last;
	if (!grows) {
		flush(c);
		c->begin = begin;
	}
	c->end = end;
	c->pending = true;
	c->last = match;
}

static bool with_class(cutter *c, const ckpt_aligned *text, ckpt_piece p, bool (*in)(uint32_t))
{
	size_t from = p.begin;
	uint32_t code;
	for (size_t at = p.begin, n; at < p.end; at += n) {
		n = ckpt_utf8_decode(text->text + at, p.end - at, &code);
		if (!in(code)) continue;
		if (from < at) stretch(c, from, at, false);
		stretch(c, at, at + n, true);
		from = at + n;
	}
	if (from < p.end) stretch(c, from, p.end, false);
	flush(c);
	return !c->failed;
}

static bool with_pattern(cutter *c, const ckpt_aligned *text, ckpt_piece p, const ckpt_pattern *pattern,
                         ckpt_matcher *m, ckpt_error *err)
{
	const char *t = text->text + p.begin;
	size_t length = p.end - p.begin, at = 0, from = 0, begin = 0, end = 0;
	bool found = true;
	uint32_t code;
	while (from <= length) {
		if (!ckpt_pattern_find(pattern, m, t, length, from, &found, &begin, &end, err)) return false;
		if (!found) break;
		if (at < begin) stretch(c, p.begin + at, p.begin + begin, false);
		stretch(c, p.begin + begin, p.begin + end, true);
		at = from = end;
		if (begin == end) from += end < length ? ckpt_utf8_decode(t + end, length - end, &code) : 1;
	}
	if (at < length) stretch(c, p.begin + at, p.end, false);
	flush(c);
	return !c->failed || ckpt_fail_nomem(err);
}

static bool (*class_of(const ckpt_step *s))(uint32_t)
{
	switch (s->kind) {
	case CKPT_SPLIT_SPACES: return ckpt_unicode_space;
	case CKPT_SPLIT_PUNCTUATION: return ckpt_unicode_punctuation;
	case CKPT_SPLIT_DIGITS: return ckpt_unicode_numeric;
	default: return NULL;
	}
}

/* Cuts every piece; the text stays where it is. */
static bool cut(const ckpt_step *s, bool (*in)(uint32_t), ckpt_behavior behavior, ckpt_work_text *w, ckpt_error *err)
{
	w->next.count = 0;
	for (size_t i = 0; i < w->now.count; i++) {
		ckpt_piece p = w->now.items[i];
		cutter c = {.out = &w->next, .behavior = behavior, .invert = s->kind == CKPT_SPLIT_PATTERN && s->invert};
		if (p.token != UINT32_MAX) {
			if (!ckpt_pieces_add(&w->next, p.begin, p.end, p.token)) return ckpt_fail_nomem(err);
		} else if (in) {
			if (!with_class(&c, &w->now.text, p, in)) return ckpt_fail_nomem(err);
		} else if (!with_pattern(&c, &w->now.text, p, s->pattern, w->matcher, err)) {
			return false;
		}
	}
	ckpt_aligned text = w->now.text;
	w->now.text = w->next.text;
	w->next.text = text;
	ckpt_work_swap(w);
	return true;
}

/* Whitespace: runs of word characters, runs of others, no spaces. */
static bool words(ckpt_work_text *w, ckpt_error *err)
{
	w->next.count = 0;
	for (size_t i = 0; i < w->now.count; i++) {
		ckpt_piece p = w->now.items[i];
		size_t from = p.begin;
		int last = 0;
		uint32_t code;
		for (size_t at = p.begin, n; p.token == UINT32_MAX && at < p.end; at += n) {
			n = ckpt_utf8_decode(w->now.text.text + at, p.end - at, &code);
			int kind = ckpt_unicode_word(code) ? 1 : ckpt_unicode_space(code) ? 0 : 2;
			if (kind == last) continue;
			if (last && !ckpt_pieces_add(&w->next, from, at, UINT32_MAX)) return ckpt_fail_nomem(err);
			from = at;
			last = kind;
		}
		if ((last || p.token != UINT32_MAX) && !ckpt_pieces_add(&w->next, from, p.end, p.token)) return ckpt_fail_nomem(err);
	}
	ckpt_aligned text = w->now.text;
	w->now.text = w->next.text;
	w->next.text = text;
	ckpt_work_swap(w);
	return true;
}

/* Puts text in front of the pieces that do not begin with it. */
static bool prefix(ckpt_work_text *w, const char *text, bool first_only, ckpt_error *err)
{
	size_t length = strlen(text);
	const ckpt_aligned *t = &w->now.text;
	ckpt_pieces_clear(&w->next);
	for (size_t i = 0; i < w->now.count; i++) {
		ckpt_piece p = w->now.items[i];
		size_t begin = w->next.text.length;
		bool has = p.end - p.begin >= length && memcmp(t->text + p.begin, text, length) == 0;
		if (p.token == UINT32_MAX && !has && (!first_only || ckpt_span_from(t->spans[p.begin]) == 0))
			ckpt_aligned_put(&w->next.text, text, length, t->spans[p.begin]);
		ckpt_aligned_add(&w->next.text, t->text + p.begin, t->spans + p.begin, p.end - p.begin);
		if (!ckpt_pieces_add(&w->next, begin, w->next.text.length, p.token)) return ckpt_fail_nomem(err);
	}
	if (!ckpt_work_ok(w, err)) return false;
	ckpt_work_swap(w);
	return true;
}

static bool byte_level(const ckpt_step *s, ckpt_work_text *w, ckpt_error *err)
{
	static const ckpt_step map = {.kind = CKPT_NORMAL_BYTES};
	if (s->prefix_space && !prefix(w, " ", false, err)) return false;
	if (s->regex && !cut(s, NULL, CKPT_ISOLATED, w, err)) return false;
	return ckpt_normalize_step(&map, w, err);
}

static bool metaspace(const ckpt_step *s, ckpt_work_text *w, ckpt_error *err)
{
	ckpt_step spaces = {.kind = CKPT_NORMAL_REPLACE, .text = s->text};
	spaces.pattern = ckpt_pattern_string(" ", err);
	bool good = spaces.pattern && ckpt_normalize_step(&spaces, w, err) &&
	            (s->scheme == CKPT_NEVER || prefix(w, s->text, s->scheme == CKPT_FIRST, err)) &&
	            (!s->split || cut(s, NULL, CKPT_WITH_NEXT, w, err));
	ckpt_pattern_free(spaces.pattern);
	return good;
}

static bool step(const ckpt_step *s, ckpt_work_text *w, ckpt_error *err)
{
	switch (s->kind) {
	case CKPT_SPLIT_BERT:
		return cut(s, ckpt_unicode_space, CKPT_REMOVED, w, err) && cut(s, ckpt_unicode_punctuation, CKPT_ISOLATED, w, err);
	case CKPT_SPLIT_WHITESPACE: return words(w, err);
	case CKPT_SPLIT_SPACES: return cut(s, class_of(s), CKPT_REMOVED, w, err);
	case CKPT_SPLIT_PUNCTUATION: return cut(s, class_of(s), s->behavior, w, err);
	case CKPT_SPLIT_DIGITS: return cut(s, class_of(s), s->each ? CKPT_ISOLATED : CKPT_CONTIGUOUS, w, err);
	case CKPT_SPLIT_CHARACTER: return cut(s, NULL, CKPT_REMOVED, w, err);
	case CKPT_SPLIT_PATTERN: return cut(s, NULL, s->behavior, w, err);
	case CKPT_SPLIT_BYTES: return byte_level(s, w, err);
	case CKPT_SPLIT_METASPACE: return metaspace(s, w, err);
	default: return ckpt_fail(err, CKPT_E_UNSUPPORTED, "this step is no pre-tokeniser");
	}
}

bool ckpt_pre_tokenize(const ckpt_steps *steps, ckpt_work_text *w, ckpt_error *err)
{
	for (size_t i = 0; i < steps->count; i++)
		if (!step(steps->items + i, w, err)) return false;
	return true;
}
