/* model.c -- vocabularies, and the models that look words up: WordPiece and WordLevel */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"

void ckpt_text_model_free(ckpt_text_model *m)
{
	ckpt_arena_free(&m->arena);
	ckpt_trie_free(&m->vocabulary);
	free(m->strings);
	free(m->scores);
	free(m->merges);
	*m = (ckpt_text_model){0};
}

static bool room_for(ckpt_text_model *m, uint64_t id, ckpt_error *err)
{
	if (id < m->ids) return true;
	if (id > INT32_MAX) return ckpt_fail(err, CKPT_E_LIMIT, "the id is %llu, beyond 2^31", (unsigned long long)id);
	if (id > 1048576 + 16 * (uint64_t)m->count)
		return ckpt_fail(err, CKPT_E_LIMIT, "the id is %llu where the vocabulary has %zu entries so far", (unsigned long long)id, m->count);
	size_t ids = m->ids ? m->ids : 1024;
	while (ids <= id) ids *= 2;
	const char **strings = realloc(m->strings, ids * sizeof *strings);
	if (!strings) return ckpt_fail_nomem(err);
	memset(strings + m->ids, 0, (ids - m->ids) * sizeof *strings);
	m->strings = strings;
	m->ids = ids;
	return true;
}

bool ckpt_text_model_name(ckpt_text_model *m, const char *text, uint64_t id, ckpt_error *err)
{
	if (!room_for(m, id, err)) return ckpt_error_prefix(err, "the token \"%.80s\"", text);
	if (m->strings[id])
		return ckpt_fail(err, CKPT_E_FORMAT, "the tokens \"%.80s\" and \"%.80s\" both have the id %llu", m->strings[id], text,
		                 (unsigned long long)id);
	m->strings[id] = ckpt_arena_copy(&m->arena, text, strlen(text));
	if (!m->strings[id]) return ckpt_fail_nomem(err);
	m->count++;
	return true;
}

bool ckpt_text_model_add(ckpt_text_model *m, const char *text, uint64_t id, ckpt_error *err)
{
	size_t length = strlen(text);
	if (!m->vocabulary.edges && !ckpt_trie_init(&m->vocabulary)) return ckpt_fail_nomem(err);
	if (ckpt_trie_find(&m->vocabulary, text, length) != CKPT_TRIE_NONE)
		return ckpt_fail(err, CKPT_E_FORMAT, "the token \"%.80s\" is there twice", text);
	if (!ckpt_text_model_name(m, text, id, err)) return false;
	return ckpt_trie_add(&m->vocabulary, text, length, (uint32_t)id) || ckpt_fail_nomem(err);
}

/* U+2581, which stands for a space. */
static bool space_at(const char *text, size_t length, size_t at)
{
	return length - at >= 3 && memcmp(text + at, "\xe2\x96\x81", 3) == 0;
}

/* The next U+2581 behind something else, from `at` on; length: there is none. */
static size_t next_word(const char *text, size_t length, size_t at)
{
	while (at < length && space_at(text, length, at)) at += 3;
	const char *next = length > at ? memmem(text + at, length - at, "\xe2\x96\x81", 3) : NULL;
	return next ? (size_t)(next - text) : length;
}

static bool words_apart(const ckpt_text_model *m)
{
	if (m->kind != CKPT_BPE || *m->prefix || *m->suffix || m->ignore_merges) return false;
	if (ckpt_trie_find(&m->vocabulary, "\xe2\x96\x81", 3) == CKPT_TRIE_NONE) return false;
	for (size_t i = 0; i < m->ids; i++) {
		size_t length = m->strings[i] ? strlen(m->strings[i]) : 0;
		if (next_word(m->strings[i], length, 0) < length) return false;
	}
	return true;
}

size_t ckpt_text_model_part(const ckpt_text_model *m, const char *word, size_t length, size_t begin)
{
	return m->apart ? next_word(word, length, begin) : length;
}

bool ckpt_text_model_ready(ckpt_text_model *m, const char *unk, ckpt_error *err)
{
	if (!m->vocabulary.edges && !ckpt_trie_init(&m->vocabulary)) return ckpt_fail_nomem(err);
	if (!m->prefix) m->prefix = "";
	if (!m->suffix) m->suffix = "";
	if (m->kind != CKPT_UNIGRAM) m->unk = unk ? ckpt_trie_find(&m->vocabulary, unk, strlen(unk)) : CKPT_TRIE_NONE;
	if (unk && m->unk == CKPT_TRIE_NONE && (m->kind == CKPT_WORDPIECE || m->kind == CKPT_WORDLEVEL))
		return ckpt_fail(err, CKPT_E_FORMAT, "the unknown token \"%.80s\" is not in the vocabulary", unk);
	for (unsigned i = 0; i < 256; i++) {
		char name[8];
		snprintf(name, sizeof name, "<0x%02X>", i);
		m->bytes[i] = ckpt_trie_find(&m->vocabulary, name, 6);
	}
	m->apart = words_apart(m);
	return true;
}

static bool unknown(const ckpt_text_model *m, size_t length, ckpt_word_tokens *out, ckpt_error *err)
{
	if (m->unk == CKPT_TRIE_NONE) return ckpt_fail(err, CKPT_E_FORMAT, "a word is not in the vocabulary, which has no unknown token");
	return ckpt_word_tokens_add(out, m->unk, 0, length, false, err);
}

/* Greedily the longest entry at each place; a place without one makes the whole word unknown. */
static bool wordpiece(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out, ckpt_error *err)
{
	const ckpt_trie *t = &m->vocabulary;
	size_t before = out->count, chars = 0;
	for (size_t i = 0; i < length; i++) chars += ((unsigned char)word[i] & 0xc0) != 0x80;
	if (chars > m->max_chars) return unknown(m, length, out, err);
	uint32_t later = ckpt_trie_walk(t, 0, m->prefix, strlen(m->prefix));
	for (size_t at = 0, end; at < length; at = end) {
		uint32_t node = at ? later : 0, id = CKPT_TRIE_NONE;
		size_t i;
		end = at;
		for (i = at; i < length && (node || !at || !*m->prefix); i++) {
			node = ckpt_trie_step(t, node, (unsigned char)word[i]);
			if (!node) break;
			if (t->values[node] == CKPT_TRIE_NONE || (i + 1 < length && ((unsigned char)word[i + 1] & 0xc0) == 0x80)) continue;
			id = t->values[node];
			end = i + 1;
		}
		if (!ckpt_word_tokens_walk(out, i - at, err)) return false;
		if (id == CKPT_TRIE_NONE) {
			out->count = before;
			return unknown(m, length, out, err);
		}
		if (!ckpt_word_tokens_add(out, id, at, end, false, err)) return false;
	}
	return true;
}

bool ckpt_text_model_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out,
                            ckpt_error *err)
{
	if (!length) return true;
	uint32_t id;
	switch (m->kind) {
	case CKPT_WORDPIECE: return wordpiece(m, word, length, out, err);
	case CKPT_BPE: return ckpt_bpe_tokens(m, word, length, out, err);
	case CKPT_UNIGRAM: return ckpt_unigram_tokens(m, word, length, out, err);
	case CKPT_WORDLEVEL:
		id = ckpt_trie_find(&m->vocabulary, word, length);
		if (id == CKPT_TRIE_NONE) return unknown(m, length, out, err);
		return ckpt_word_tokens_add(out, id, 0, length, false, err);
	}
	return false;
}
