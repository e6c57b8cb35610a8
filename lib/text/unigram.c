/* unigram.c -- Unigram: the cut of a word whose pieces have the greatest sum of scores */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "model.h"

/* How much worse than the worst piece an unknown character is. */
#define UNKNOWN_PENALTY 10.0

/* The best way to a place in the word. */
typedef struct way {
	double score;
	uint32_t id, from; /* from: UINT32_MAX when nobody came here yet */
} way;

static void reach(way *to, double score, size_t from, uint32_t id)
{
	if (to->from == UINT32_MAX || score > to->score) *to = (way){score, id, (uint32_t)from};
}

static bool forward(const ckpt_text_model *m, const char *word, size_t length, way *ways, ckpt_word_tokens *out, ckpt_error *err)
{
	const ckpt_trie *t = &m->vocabulary;
	uint32_t c;
	for (size_t at = 0, n; at < length; at += n) {
		bool single = false;
		double here = ways[at].score;
		n = ckpt_utf8_decode(word + at, length - at, &c);
		uint32_t node = 0;
		size_t i;
		for (i = at; i < length; i++) {
			node = ckpt_trie_step(t, node, (unsigned char)word[i]);
			if (!node) break;
			uint32_t id = t->values[node];
			if (id == CKPT_TRIE_NONE) continue;
			reach(ways + i + 1, m->scores[id] + here, at, id);
			if (i + 1 - at == n) single = true;
		}
		if (!ckpt_word_tokens_walk(out, i - at, err)) return false;
		if (single) continue;
		if (m->unk == CKPT_TRIE_NONE)
			return ckpt_fail(err, CKPT_E_FORMAT, "a character is not in the vocabulary, which has no unknown token");
		reach(ways + at + n, m->least - UNKNOWN_PENALTY + here, at, m->unk);
	}
	return true;
}

/* An unknown stretch: as bytes, where the vocabulary has them, or as one token. */
static bool add_unknown(const ckpt_text_model *m, const char *word, size_t begin, size_t end, ckpt_word_tokens *out,
                        ckpt_error *err)
{
	bool bytes = m->byte_fallback;
	uint32_t whole = ckpt_trie_find(&m->vocabulary, word + begin, end - begin);
	if (whole != CKPT_TRIE_NONE) return ckpt_word_tokens_add(out, whole, begin, end, false, err);
	for (size_t i = begin; i < end && bytes; i++) bytes = m->bytes[(unsigned char)word[i]] != CKPT_TRIE_NONE;
	if (!bytes) return ckpt_word_tokens_add(out, m->unk, begin, end, true, err);
	for (size_t i = begin; i < end; i++)
		if (!ckpt_word_tokens_add(out, m->bytes[(unsigned char)word[i]], begin, end, false, err)) return false;
	return true;
}

bool ckpt_unigram_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out,
                         ckpt_error *err)
{
	way *ways = ckpt_word_tokens_scratch(out, (length + 1) * sizeof *ways);
	if (!ways) return ckpt_fail_nomem(err);
	for (size_t i = 0; i <= length; i++) ways[i] = (way){0, 0, UINT32_MAX};
	if (!forward(m, word, length, ways, out, err)) return false;
	/* Back from the end, turning the ways around: id stays with the place where a piece begins. */
	uint32_t behind = UINT32_MAX, id_behind = 0;
	for (uint32_t at = (uint32_t)length; at != UINT32_MAX;) {
		uint32_t from = at ? ways[at].from : UINT32_MAX, id = ways[at].id;
		ways[at].from = behind;
		ways[at].id = id_behind;
		behind = at;
		id_behind = id;
		at = from;
	}
	for (uint32_t at = 0; at < length;) {
		uint32_t end = ways[at].from, id = ways[at].id;
		if (id == m->unk) {
			while (m->fuse_unk && end < length && ways[end].id == m->unk) end = ways[end].from;
			if (!add_unknown(m, word, at, end, out, err)) return false;
		} else if (!ckpt_word_tokens_add(out, id, at, end, false, err)) {
			return false;
		}
		at = end;
	}
	return true;
}
