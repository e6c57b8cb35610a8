/* read_model.c -- the `model` of tokenizer.json */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "model.h"

/* By name; old files leave it out, and are known by what they hold. */
static bool kind_of(const ckpt_json *v, ckpt_model_kind *kind, ckpt_error *err)
{
	static const char *const names[] = {"WordPiece", "BPE", "Unigram", "WordLevel"};
	const char *name = ckpt_json_field_string(v, "type");
	const ckpt_json *vocab = ckpt_json_field(v, "vocab");
	if (!name) {
		*kind = vocab && ckpt_json_get_kind(vocab) == CKPT_JSON_ARRAY ? CKPT_UNIGRAM : ckpt_json_field(v, "merges") ? CKPT_BPE :
		        ckpt_json_field(v, "max_input_chars_per_word") ? CKPT_WORDPIECE : CKPT_WORDLEVEL;
		return true;
	}
	for (int i = 0; i < 4; i++)
		if (!strcmp(name, names[i])) {
			*kind = (ckpt_model_kind)i;
			return true;
		}
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the model \"%.60s\" is of a kind that ckpt does not know", name);
}

static bool read_vocabulary(ckpt_text_model *m, const ckpt_json *vocab, ckpt_error *err)
{
	if (!vocab || ckpt_json_get_kind(vocab) != CKPT_JSON_OBJECT)
		return ckpt_fail(err, CKPT_E_FORMAT, "the vocabulary is %s, not an object", vocab ? ckpt_json_kind_name(vocab) : "missing");
	/* Ids need not come in order: the count of entries is what justifies the greatest. */
	for (const ckpt_json *e = ckpt_json_child(vocab); e; e = ckpt_json_next(e)) {
		uint64_t id;
		if (!ckpt_json_u64(e, &id))
			return ckpt_fail(err, CKPT_E_FORMAT, "the id of the token \"%.80s\" is no whole number", ckpt_json_key(e));
		if (!ckpt_text_model_add(m, ckpt_json_key(e), id, err)) return false;
	}
	return true;
}

static bool read_scored(ckpt_text_model *m, const ckpt_json *vocab, ckpt_error *err)
{
	size_t room = 0, i = 0;
	if (!vocab || ckpt_json_get_kind(vocab) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_FORMAT, "the vocabulary is %s, not an array", vocab ? ckpt_json_kind_name(vocab) : "missing");
	for (const ckpt_json *e = ckpt_json_child(vocab); e; e = ckpt_json_next(e), i++) {
		const ckpt_json *piece = ckpt_json_get_kind(e) == CKPT_JSON_ARRAY ? ckpt_json_child(e) : NULL;
		const ckpt_json *score = piece ? ckpt_json_next(piece) : NULL;
		if (!score || ckpt_json_get_kind(piece) != CKPT_JSON_STRING || ckpt_json_next(score))
			return ckpt_fail(err, CKPT_E_FORMAT, "entry %zu of the vocabulary is no [string, score]", i);
		if (i == room) {
			room = room ? room * 2 : 1024;
			double *more = realloc(m->scores, room * sizeof *more);
			if (!more) return ckpt_fail_nomem(err);
			m->scores = more;
		}
		if (!ckpt_json_f64(score, m->scores + i))
			return ckpt_fail(err, CKPT_E_FORMAT, "the score of the token \"%.80s\" is no number", ckpt_json_string(piece));
		if (i == 0 || m->scores[i] < m->least) m->least = m->scores[i];
		if (!ckpt_text_model_add(m, ckpt_json_string(piece), i, err)) return false;
	}
	return true;
}

static bool read_unk_id(ckpt_text_model *m, const ckpt_json *v, ckpt_error *err)
{
	uint64_t id;
	const ckpt_json *unk = ckpt_json_field(v, "unk_id");
	m->unk = CKPT_TRIE_NONE;
	if (!unk) return true;
	if (!ckpt_json_u64(unk, &id) || id >= m->count)
		return ckpt_fail(err, CKPT_E_FORMAT, "unk_id is not in the vocabulary of %zu", m->count);
	m->unk = (uint32_t)id;
	return true;
}

/* "a b", or ["a", "b"] since tokenizers 0.20. */
static bool read_merge(ckpt_text_model *m, const ckpt_json *e, size_t rank, size_t room, ckpt_error *err)
{
	const char *a, *b;
	if (ckpt_json_get_kind(e) == CKPT_JSON_STRING) {
		a = ckpt_json_string(e);
		b = strchr(a, ' ');
		if (!b || strchr(b + 1, ' ')) return ckpt_fail(err, CKPT_E_FORMAT, "merge %zu, \"%.80s\", is no pair", rank, a);
		return ckpt_text_model_merge(m, rank, room, a, (size_t)(b - a), b + 1, strlen(b + 1), err);
	}
	const ckpt_json *first = ckpt_json_get_kind(e) == CKPT_JSON_ARRAY ? ckpt_json_child(e) : NULL;
	const ckpt_json *second = first ? ckpt_json_next(first) : NULL;
	if (!second || ckpt_json_next(second) || ckpt_json_get_kind(first) != CKPT_JSON_STRING || ckpt_json_get_kind(second) != CKPT_JSON_STRING)
		return ckpt_fail(err, CKPT_E_FORMAT, "merge %zu is no pair of strings", rank);
	a = ckpt_json_string(first);
	b = ckpt_json_string(second);
	return ckpt_text_model_merge(m, rank, room, a, strlen(a), b, strlen(b), err);
}

static bool read_merges(ckpt_text_model *m, const ckpt_json *merges, ckpt_error *err)
{
	size_t count = 0, rank = 0;
	if (!merges || ckpt_json_get_kind(merges) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_FORMAT, "the merges are %s, not an array", merges ? ckpt_json_kind_name(merges) : "missing");
	for (const ckpt_json *e = ckpt_json_child(merges); e; e = ckpt_json_next(e)) count++;
	for (const ckpt_json *e = ckpt_json_child(merges); e; e = ckpt_json_next(e), rank++)
		if (!read_merge(m, e, rank, count, err)) return false;
	return true;
}

static bool copy(ckpt_text_model *m, const ckpt_json *v, const char *key, const char **out, ckpt_error *err)
{
	enum { MOST = 256 }; /* it is walked again for many words */
	const char *s = ckpt_json_field_string(v, key);
	if (s && strlen(s) > MOST) return ckpt_fail(err, CKPT_E_LIMIT, "%s has %zu bytes, at most %d are read", key, strlen(s), MOST);
	*out = s ? ckpt_arena_copy(&m->arena, s, strlen(s)) : "";
	return *out || ckpt_fail_nomem(err);
}

bool ckpt_text_model_read(ckpt_text_model *m, const ckpt_json *v, ckpt_error *err)
{
	if (!v || ckpt_json_get_kind(v) != CKPT_JSON_OBJECT)
		return ckpt_fail(err, CKPT_E_FORMAT, "the model is %s, not an object", v ? ckpt_json_kind_name(v) : "missing");
	double dropout = 0;
	const ckpt_json *max = ckpt_json_field(v, "max_input_chars_per_word"), *drop = ckpt_json_field(v, "dropout");
	if (!kind_of(v, &m->kind, err)) return false;
	m->max_chars = 100;
	if (max && !ckpt_json_u64(max, &m->max_chars))
		return ckpt_fail(err, CKPT_E_FORMAT, "max_input_chars_per_word is no whole number");
	if (drop && (!ckpt_json_f64(drop, &dropout) || dropout != 0))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the model has a dropout, so that its tokens are random");
	m->fuse_unk = m->kind == CKPT_UNIGRAM || ckpt_json_field_flag(v, "fuse_unk", false);
	m->byte_fallback = ckpt_json_field_flag(v, "byte_fallback", false);
	m->ignore_merges = ckpt_json_field_flag(v, "ignore_merges", false);
	if (!copy(m, v, "continuing_subword_prefix", &m->prefix, err) || !copy(m, v, "end_of_word_suffix", &m->suffix, err)) return false;
	if (m->kind == CKPT_UNIGRAM) {
		return read_scored(m, ckpt_json_field(v, "vocab"), err) && read_unk_id(m, v, err) && ckpt_text_model_ready(m, NULL, err);
	}
	if (!read_vocabulary(m, ckpt_json_field(v, "vocab"), err)) return false;
	if (m->kind == CKPT_BPE && !read_merges(m, ckpt_json_field(v, "merges"), err)) return false;
	return ckpt_text_model_ready(m, ckpt_json_field_string(v, "unk_token"), err);
}
