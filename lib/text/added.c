/* added.c -- added tokens: found in the text before anything else sees it */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "tokenizer.h"
#include "unicode.h"

void ckpt_added_free(ckpt_added *a)
{
	free(a->items);
	free(a->by_id);
	ckpt_trie_free(a->trie);
	ckpt_trie_free(a->trie + 1);
	ckpt_trie_free(&a->names);
	*a = (ckpt_added){0};
}

const ckpt_added_token *ckpt_added_find(const ckpt_added *a, uint32_t id)
{
	uint32_t place = id < a->ids ? a->by_id[id] : UINT32_MAX;
	return place != UINT32_MAX ? a->items + place : NULL;
}

/* The first of those that share an id. */
static bool index_ids(ckpt_added *a, size_t ids, ckpt_error *err)
{
	a->by_id = ids ? malloc(ids * sizeof *a->by_id) : NULL;
	if (ids && !a->by_id) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < ids; i++) a->by_id[i] = UINT32_MAX;
	a->ids = ids;
	for (size_t i = a->count; i-- > 0;) a->by_id[a->items[i].id] = (uint32_t)i;
	return true;
}

static bool read_one(ckpt_tokenizer *t, const ckpt_json *v, ckpt_added_token *a, ckpt_error *err)
{
	uint64_t id;
	const ckpt_json *content = ckpt_json_member(v, "content"), *number = ckpt_json_member(v, "id");
	if (!content || ckpt_json_get_kind(content) != CKPT_JSON_STRING || !number || !ckpt_json_u64(number, &id))
		return ckpt_fail(err, CKPT_E_FORMAT, "an added token has no content or no id");
	const char *text = ckpt_json_string(content);
	uint32_t known;
	bool there = ckpt_tokenizer_find(t, text, &known);
	if (there && known != id)
		return ckpt_fail(err, CKPT_E_FORMAT, "the added token \"%.80s\" has the id %llu, in the vocabulary it is %u", text,
		                 (unsigned long long)id, known);
	if (!there && !ckpt_text_model_name(&t->model, text, id, err)) return false;
	if (!there && !ckpt_trie_add(&t->added.names, text, strlen(text), (uint32_t)id)) return ckpt_fail_nomem(err);
	*a = (ckpt_added_token){
		.content = t->model.strings[id],
		.id = (uint32_t)id,
		.single_word = ckpt_json_field_flag(v, "single_word", false),
		.left = ckpt_json_field_flag(v, "lstrip", false),
		.right = ckpt_json_field_flag(v, "rstrip", false),
		.normalized = ckpt_json_field_flag(v, "normalized", !ckpt_json_field_flag(v, "special", false)),
		.special = ckpt_json_field_flag(v, "special", false),
	};
	return true;
}

/* What a token looks like once the normaliser has been there. */
static bool normal_form(ckpt_tokenizer *t, const ckpt_added_token *a, ckpt_work_text *w, ckpt_error *err)
{
	size_t length = strlen(a->content);
	ckpt_work_begin(w, length);
	ckpt_aligned_put(&w->now.text, a->content, length, ckpt_span_of(0, 0));
	if (w->now.text.failed || !ckpt_pieces_add(&w->now, 0, length, UINT32_MAX)) return ckpt_fail_nomem(err);
	return !a->normalized || ckpt_normalize(&t->normalizer, w, err);
}

static bool index_all(ckpt_tokenizer *t, ckpt_work_text *w, ckpt_error *err)
{
	ckpt_added *a = &t->added;
	size_t all = 0;
	for (size_t i = 0; i < a->count; i++) all += strlen(a->items[i].content);
	ckpt_matcher_begin(w->matcher, all);
	for (size_t i = 0; i < a->count; i++) {
		int which = a->items[i].normalized;
		if (!normal_form(t, a->items + i, w, err)) return false;
		if (!w->now.text.length) continue;
		if (!ckpt_trie_add(a->trie + which, w->now.text.text, w->now.text.length, (uint32_t)i)) return ckpt_fail_nomem(err);
		a->begins[which][(unsigned char)w->now.text.text[0]] = true;
	}
	return true;
}

bool ckpt_added_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err)
{
	ckpt_added *a = &t->added;
	ckpt_work_text w = {0};
	size_t count = 0;
	if (!ckpt_trie_init(a->trie) || !ckpt_trie_init(a->trie + 1) || !ckpt_trie_init(&a->names)) return ckpt_fail_nomem(err);
	if (!v || ckpt_json_get_kind(v) == CKPT_JSON_NULL) return true;
	if (ckpt_json_get_kind(v) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_FORMAT, "added_tokens is %s, not an array", ckpt_json_kind_name(v));
	for (const ckpt_json *e = ckpt_json_child(v); e; e = ckpt_json_next(e)) count++;
	a->items = calloc(count ? count : 1, sizeof *a->items);
	if (!a->items) return ckpt_fail_nomem(err);
	for (const ckpt_json *e = ckpt_json_child(v); e; e = ckpt_json_next(e)) {
		if (ckpt_json_get_kind(e) != CKPT_JSON_OBJECT) return ckpt_fail(err, CKPT_E_FORMAT, "an added token is %s", ckpt_json_kind_name(e));
		if (!read_one(t, e, a->items + a->count, err)) return false;
		a->count++;
	}
	if (!index_ids(a, t->model.ids, err)) return false;
	w.matcher = ckpt_matcher_new(err);
	bool good = w.matcher && index_all(t, &w, err);
	ckpt_matcher_free(w.matcher);
	ckpt_work_free(&w);
	return good;
}

static bool word_at(const char *text, size_t length, size_t at)
{
	uint32_t c;
	return at < length && ckpt_utf8_decode(text + at, length - at, &c) && ckpt_unicode_word(c);
}

/* The place of the character in front of `at`. */
static size_t before(const char *text, size_t at)
{
	do at--;
	while (at && ((unsigned char)text[at] & 0xc0) == 0x80);
	return at;
}

static bool space_at(const char *text, size_t length, size_t at, size_t *n)
{
	uint32_t c;
	*n = ckpt_utf8_decode(text + at, length - at, &c);
	return *n && ckpt_unicode_space(c);
}

/* The longest added token at a place; *end is behind it. Takes what it walks from *walks, as far as there are any. */
static const ckpt_added_token *longest(const ckpt_added *a, int which, const char *text, size_t length, size_t at,
                                       size_t *end, uint64_t *walks)
{
	const ckpt_added_token *found = NULL;
	uint32_t node = 0;
	for (size_t i = at; i < length && *walks; i++, --*walks) {
		node = ckpt_trie_step(a->trie + which, node, (unsigned char)text[i]);
		if (!node) break;
		if (a->trie[which].values[node] == CKPT_TRIE_NONE) continue;
		found = a->items + a->trie[which].values[node];
		*end = i + 1;
	}
	return found;
}

/* Takes the spaces around a token: those behind what was cut last, and all that follow, where the next token may begin among
 * them, too. */
static void widen(const ckpt_added_token *t, const char *text, size_t length, size_t from, size_t *begin, size_t *end, uint64_t *walks)
{
	size_t n;
	while (t->left && *begin > from && space_at(text, length, before(text, *begin), &n)) *begin = before(text, *begin);
	if (t->left && *begin < from) *begin = from;
	for (; t->right && *end < length && *walks && space_at(text, length, *end, &n); --*walks) *end += n;
	if (*begin > *end) *begin = *end;
}

static bool cut_piece(const ckpt_added *a, int which, ckpt_work_text *w, ckpt_piece p, ckpt_error *err)
{
	const char *text = w->now.text.text + p.begin;
	size_t length = p.end - p.begin, from = 0;
	for (size_t at = 0; at < length;) {
		size_t begin = at, end = at;
		const ckpt_added_token *t = a->begins[which][(unsigned char)text[at]] ? longest(a, which, text, length, at, &end, &w->walks) : NULL;
		at = t ? end : at + 1;
		if (t && t->single_word && ((begin && word_at(text, length, before(text, begin))) || word_at(text, length, end))) continue;
		if (t) widen(t, text, length, from, &begin, &end, &w->walks);
		if (!w->walks) return ckpt_fail(err, CKPT_E_LIMIT, "the search for added tokens takes more steps than 1024 for each byte and %d", 1 << 24);
		if (!t) continue;
		if (from < begin && !ckpt_pieces_add(&w->next, p.begin + from, p.begin + begin, UINT32_MAX)) return ckpt_fail_nomem(err);
		if (!ckpt_pieces_add(&w->next, p.begin + begin, p.begin + end, t->id)) return ckpt_fail_nomem(err);
		from = end;
	}
	return from >= length || ckpt_pieces_add(&w->next, p.begin + from, p.end, UINT32_MAX) || ckpt_fail_nomem(err);
}

bool ckpt_added_cut(const ckpt_added *a, int which, ckpt_work_text *w, ckpt_error *err)
{
	w->next.count = 0;
	for (size_t i = 0; i < w->now.count; i++) {
		ckpt_piece p = w->now.items[i];
		if (p.token == UINT32_MAX) {
			if (!cut_piece(a, which, w, p, err)) return false;
		} else if (!ckpt_pieces_add(&w->next, p.begin, p.end, p.token)) {
			return ckpt_fail_nomem(err);
		}
	}
	ckpt_aligned text = w->now.text;
	w->now.text = w->next.text;
	w->next.text = text;
	ckpt_work_swap(w);
	return true;
}
