/* bpe.c -- byte pair encoding: characters, merged in the order of the merges */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "model.h"

struct ckpt_merge {
	uint64_t pair; /* left id << 32 | right id; UINT64_MAX: free */
	uint32_t rank, id;
};

#define NOBODY UINT32_MAX

/* One part of a word on its way; length 0: merged into the one in front. */
typedef struct symbol {
	uint32_t id, begin, length, before, behind;
} symbol;

typedef struct offer {
	uint32_t rank, at, id;
} offer;

static size_t slot_of(const ckpt_text_model *m, uint64_t pair)
{
	return (size_t)((pair * m->vocabulary.key ^ pair >> 29) * 0x9e3779b97f4a7c15 >> 24) & (m->merge_room - 1);
}

static const struct ckpt_merge *merge_of(const ckpt_text_model *m, uint32_t a, uint32_t b)
{
	uint64_t pair = (uint64_t)a << 32 | b;
	if (!m->merge_room) return NULL;
	for (size_t i = slot_of(m, pair); m->merges[i].pair != UINT64_MAX; i = (i + 1) & (m->merge_room - 1))
		if (m->merges[i].pair == pair) return m->merges + i;
	return NULL;
}

static uint32_t merged_id(const ckpt_text_model *m, const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t skip = m->prefix ? strlen(m->prefix) : 0;
	if (skip > b_length) return CKPT_TRIE_NONE;
	uint32_t node = ckpt_trie_walk(&m->vocabulary, 0, a, a_length);
	if (node) node = ckpt_trie_walk(&m->vocabulary, node, b + skip, b_length - skip);
	return node ? m->vocabulary.values[node] : CKPT_TRIE_NONE;
}

bool ckpt_text_model_merge(ckpt_text_model *m, size_t rank, size_t room, const char *a, size_t a_length, const char *b,
                           size_t b_length, ckpt_error *err)
{
	if (!m->merges) {
		for (m->merge_room = 64; m->merge_room < room * 2; m->merge_room *= 2) continue;
		m->merges = malloc(m->merge_room * sizeof *m->merges);
		if (!m->merges) return ckpt_fail_nomem(err);
		memset(m->merges, 0xff, m->merge_room * sizeof *m->merges);
	}
	uint32_t left = ckpt_trie_find(&m->vocabulary, a, a_length), right = ckpt_trie_find(&m->vocabulary, b, b_length);
	uint32_t id = merged_id(m, a, a_length, b, b_length);
	if (left == CKPT_TRIE_NONE || right == CKPT_TRIE_NONE || id == CKPT_TRIE_NONE)
		return ckpt_fail(err, CKPT_E_FORMAT, "merge %zu, \"%.*s\" and \"%.*s\", names what the vocabulary does not hold", rank,
		                 (int)(a_length < 80 ? a_length : 80), a, (int)(b_length < 80 ? b_length : 80), b);
	uint64_t pair = (uint64_t)left << 32 | right;
	size_t i = slot_of(m, pair);
	while (m->merges[i].pair != UINT64_MAX && m->merges[i].pair != pair) i = (i + 1) & (m->merge_room - 1);
	m->merges[i] = (struct ckpt_merge){pair, (uint32_t)rank, id};
	return true;
}

/* ---- a heap of offers: the lowest rank first, then the leftmost; four below each, so that long words miss the cache less */

enum { BELOW = 4 };

static bool sooner(offer a, offer b)
{
	return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void push(offer *heap, size_t *count, offer x)
{
	size_t i = (*count)++;
	for (; i && sooner(x, heap[(i - 1) / BELOW]); i = (i - 1) / BELOW) heap[i] = heap[(i - 1) / BELOW];
	heap[i] = x;
}

static offer pop(offer *heap, size_t *count)
{
	offer top = heap[0], x = heap[--*count];
	size_t i = 0, child;
	while ((child = BELOW * i + 1) < *count) {
		size_t end = child + BELOW < *count ? child + BELOW : *count;
		for (size_t k = child + 1; k < end; k++)
			if (sooner(heap[k], heap[child])) child = k;
		if (!sooner(heap[child], x)) break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = x;
	return top;
}

static void offer_pair(const ckpt_text_model *m, const symbol *s, uint32_t at, offer *heap, size_t *count)
{
	if (at == NOBODY || s[at].behind == NOBODY) return;
	const struct ckpt_merge *merge = merge_of(m, s[at].id, s[s[at].behind].id);
	if (merge) push(heap, count, (offer){merge->rank, at, merge->id});
}

/* Each merge takes one offer and makes at most two, so that the heap never holds more than three a symbol. */
static void merge_all(const ckpt_text_model *m, symbol *s, size_t count, offer *heap)
{
	size_t offers = 0;
	for (size_t i = 0; i + 1 < count; i++) offer_pair(m, s, (uint32_t)i, heap, &offers);
	while (offers) {
		offer top = pop(heap, &offers);
		symbol *left = s + top.at;
		if (left->before == top.at || left->behind == NOBODY) continue; /* merged away, or the last one */
		symbol *right = s + left->behind;
		const struct ckpt_merge *merge = merge_of(m, left->id, right->id);
		if (!merge || merge->id != top.id) continue;
		left->id = top.id;
		left->length += right->length;
		uint32_t gone = left->behind;
		left->behind = right->behind;
		right->before = gone; /* the mark of those that are merged away */
		if (left->behind != NOBODY) s[left->behind].before = top.at;
		offer_pair(m, s, left->before, heap, &offers);
		offer_pair(m, s, top.at, heap, &offers);
	}
}

/* ---- the characters of a word */

typedef struct opening {
	const ckpt_text_model *m;
	symbol *items;
	size_t count, at; /* at: bytes given out so far */
	size_t unknown;   /* bytes that wait as one unknown token; 0: none */
} opening;

static void put(opening *o, uint32_t id, size_t length)
{
	o->items[o->count] = (symbol){.id = id, .begin = (uint32_t)o->at, .length = (uint32_t)length};
	o->count++;
	o->at += length;
}

static void flush(opening *o)
{
	if (o->unknown) put(o, o->m->unk, o->unknown);
	o->unknown = 0;
}

static bool by_bytes(opening *o, const char *c, size_t length)
{
	const uint32_t *ids = o->m->bytes;
	for (size_t i = 0; i < length; i++)
		if (ids[(unsigned char)c[i]] == CKPT_TRIE_NONE) return false;
	for (size_t i = 0; i < length; i++) put(o, ids[(unsigned char)c[i]], 1);
	return true;
}

static uint32_t char_id(const ckpt_text_model *m, const char *c, size_t length, bool first, bool last)
{
	const ckpt_trie *t = &m->vocabulary;
	uint32_t node = 0;
	if (!first && *m->prefix && !(node = ckpt_trie_walk(t, 0, m->prefix, strlen(m->prefix)))) return CKPT_TRIE_NONE;
	node = ckpt_trie_walk(t, node, c, length);
	if (node && last && *m->suffix) node = ckpt_trie_walk(t, node, m->suffix, strlen(m->suffix));
	return node ? t->values[node] : CKPT_TRIE_NONE;
}

static void open_word(opening *o, const char *word, size_t length)
{
	uint32_t c;
	for (size_t i = 0, n; i < length; i += n) {
		n = ckpt_utf8_decode(word + i, length - i, &c);
		uint32_t id = char_id(o->m, word + i, n, i == 0, i + n == length);
		if (id != CKPT_TRIE_NONE) {
			flush(o);
			put(o, id, n);
		} else if (o->m->byte_fallback && by_bytes(o, word + i, n)) {
			continue;
		} else if (o->m->unk != CKPT_TRIE_NONE) {
			if (!o->m->fuse_unk) flush(o);
			o->unknown += n;
		}
	}
	flush(o);
	for (size_t i = 0; i < o->count; i++) {
		o->items[i].before = i ? (uint32_t)(i - 1) : NOBODY;
		o->items[i].behind = i + 1 < o->count ? (uint32_t)(i + 1) : NOBODY;
	}
}

bool ckpt_bpe_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out, ckpt_error *err)
{
	if (m->ignore_merges) {
		uint32_t id = ckpt_trie_find(&m->vocabulary, word, length);
		if (id != CKPT_TRIE_NONE) return ckpt_word_tokens_add(out, id, 0, length, false, err);
	}
	symbol *s = ckpt_word_tokens_scratch(out, length * (sizeof *s + 3 * sizeof(offer)));
	if (!s) return ckpt_fail_nomem(err);
	opening o = {.m = m, .items = s};
	open_word(&o, word, length);
	merge_all(m, s, o.count, (offer *)(void *)(s + length));
	for (uint32_t i = o.count ? 0 : NOBODY; i != NOBODY; i = s[i].behind)
		if (!ckpt_word_tokens_add(out, s[i].id, s[i].begin, s[i].begin + s[i].length, false, err)) return false;
	return true;
}
