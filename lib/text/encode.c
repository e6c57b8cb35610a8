/* encode.c -- the whole way: text to pieces, words and tokens; and ids back to text */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "encoding.h"

/* Words seen before, by the place that their hash says; a new word takes the place of an old one. */
enum { CACHE_ROOM = 32768, CACHE_WORD = 38, CACHE_TOKENS = 10 };

typedef struct cached {
	uint8_t length, count; /* length 0: free */
	char word[CACHE_WORD];
	uint32_t ids[CACHE_TOKENS];
	uint8_t begin[CACHE_TOKENS], end[CACHE_TOKENS];
	bool own[CACHE_TOKENS];
} cached;

/* A byte of the text, and the characters in front of it. */
typedef struct place_in_text {
	const char *text;
	size_t byte;
	uint32_t chars;
	bool ascii; /* then both are the same */
} place_in_text;

struct ckpt_encoder {
	const ckpt_tokenizer *t;
	ckpt_work_text work;
	ckpt_word_tokens word;
	ckpt_encoding part[2]; /* the tokens of the first and the second text */
	place_in_text place;
	cached *cache;
};

void ckpt_encoder_free(ckpt_encoder *e)
{
	if (!e) return;
	ckpt_work_free(&e->work);
	ckpt_matcher_free(e->work.matcher);
	ckpt_word_tokens_free(&e->word);
	ckpt_encoding_free(e->part);
	ckpt_encoding_free(e->part + 1);
	free(e->cache);
	free(e);
}

ckpt_encoder *ckpt_encoder_new(const ckpt_tokenizer *t, ckpt_error *err)
{
	ckpt_encoder *e = calloc(1, sizeof *e);
	if (e) e->cache = calloc(CACHE_ROOM, sizeof *e->cache);
	if (!e || !e->cache) {
		ckpt_encoder_free(e);
		ckpt_fail_nomem(err);
		return NULL;
	}
	e->t = t;
	e->work.matcher = ckpt_matcher_new(err);
	if (e->work.matcher) return e;
	ckpt_encoder_free(e);
	return NULL;
}

static cached *place(ckpt_encoder *e, const char *word, size_t length)
{
	uint64_t h = e->t->model.vocabulary.key;
	for (size_t i = 0; i < length; i++) h = (h ^ (unsigned char)word[i]) * 0x100000001b3;
	return e->cache + ((h ^ h >> 32) & (CACHE_ROOM - 1));
}

static void remember(cached *c, const char *word, size_t length, const ckpt_word_tokens *tokens)
{
	if (tokens->count > CACHE_TOKENS) return;
	c->length = (uint8_t)length;
	c->count = (uint8_t)tokens->count;
	memcpy(c->word, word, length);
	for (size_t i = 0; i < tokens->count; i++) {
		c->ids[i] = tokens->items[i].id;
		c->begin[i] = (uint8_t)tokens->items[i].begin;
		c->end[i] = (uint8_t)tokens->items[i].end;
		c->own[i] = tokens->items[i].own;
	}
}

/* The tokens of one word, into e->word. */
static bool word_tokens(ckpt_encoder *e, const char *word, size_t length, ckpt_error *err)
{
	cached *c = length && length <= CACHE_WORD ? place(e, word, length) : NULL;
	e->word.count = 0;
	if (c && c->length == length && memcmp(c->word, word, length) == 0) {
		for (size_t i = 0; i < c->count; i++)
			if (!ckpt_word_tokens_add(&e->word, c->ids[i], c->begin[i], c->end[i], c->own[i], err)) return false;
		return true;
	}
	if (!ckpt_text_model_tokens(&e->t->model, word, length, &e->word, err)) return false;
	if (c) remember(c, word, length, &e->word);
	return true;
}

/* The characters in front of a byte of the text. Tokens come in its order, so that the way from the last one is short. */
static uint32_t chars_before(ckpt_encoder *e, size_t byte)
{
	place_in_text *p = &e->place;
	if (p->ascii) return (uint32_t)byte;
	for (; p->byte < byte; p->byte++) p->chars += ((unsigned char)p->text[p->byte] & 0xc0) != 0x80;
	for (; p->byte > byte; p->byte--) p->chars -= ((unsigned char)p->text[p->byte - 1] & 0xc0) != 0x80;
	return p->chars;
}

/* The part begin .. end of a piece as a place in the original, in characters. */
static void locate(ckpt_encoder *e, ckpt_piece p, size_t begin, size_t end, ckpt_token *token)
{
	const ckpt_span *spans = e->work.now.text.spans + p.begin;
	size_t length = p.end - p.begin;
	if (begin >= length) begin = length ? length - 1 : 0;
	if (end > length) end = length;
	token->from = length ? ckpt_span_from(spans[begin]) : 0;
	token->to = end > begin ? ckpt_span_to(spans[end - 1]) : token->from;
	token->from = chars_before(e, token->from);
	token->to = chars_before(e, token->to);
}

/* The tokens of the bytes begin .. end of a piece. */
static bool add_word(ckpt_encoder *e, ckpt_piece p, size_t begin, size_t end, ckpt_token token, ckpt_encoding *out, ckpt_error *err)
{
	const char *word = e->work.now.text.text + p.begin + begin;
	if (!word_tokens(e, word, end - begin, err)) return false;
	for (size_t i = 0; i < e->word.count; i++) {
		const ckpt_word_token *w = e->word.items + i;
		token.id = w->id;
		locate(e, p, begin + w->begin, begin + w->end, &token);
		if (!ckpt_encoding_add(out, token, w->own ? word + w->begin : NULL, w->end - w->begin, err)) return false;
	}
	return true;
}

static bool add_piece(ckpt_encoder *e, ckpt_piece p, uint32_t type, ckpt_encoding *out, ckpt_error *err)
{
	const char *text = e->work.now.text.text + p.begin;
	size_t length = p.end - p.begin;
	ckpt_token token = {.type = type, .attention = true, .sequence = (uint8_t)(type + 1)};
	if (p.token != UINT32_MAX) {
		token.id = p.token;
		locate(e, p, 0, length, &token);
		return ckpt_encoding_add(out, token, text, length, err);
	}
	for (size_t begin = 0, end; begin < length; begin = end) {
		end = ckpt_text_model_part(&e->t->model, text, length, begin);
		if (!add_word(e, p, begin, end, token, out, err)) return false;
	}
	return true;
}

/* One text to tokens, without what the post-processor adds. */
static bool encode_text(ckpt_encoder *e, const char *text, size_t length, uint32_t type, ckpt_encoding *out,
                        ckpt_error *err)
{
	ckpt_work_text *w = &e->work;
	size_t bad = ckpt_utf8_check(text, length);
	ckpt_encoding_begin(out, e->t);
	if (bad != SIZE_MAX) return ckpt_fail(err, CKPT_E_FORMAT, "the text is no UTF-8 at byte %zu", bad);
	if (length > UINT32_MAX / 8) return ckpt_fail(err, CKPT_E_LIMIT, "the text has %zu bytes, at most %u can be read at once", length, UINT32_MAX / 8);
	e->place = (place_in_text){.text = text, .ascii = true};
	for (size_t i = 0; i < length && e->place.ascii; i++) e->place.ascii = (unsigned char)text[i] < 0x80;
	e->word.walks = ckpt_trie_most(length);
	ckpt_matcher_begin(w->matcher, length);
	ckpt_work_begin(w, length);
	ckpt_aligned_original(&w->now.text, text, length);
	if (w->now.text.failed || !ckpt_pieces_add(&w->now, 0, length, UINT32_MAX)) return ckpt_fail_nomem(err);
	if (!ckpt_added_cut(&e->t->added, 0, w, err)) return false;
	if (!ckpt_normalize(&e->t->normalizer, w, err)) return false;
	if (!ckpt_added_cut(&e->t->added, 1, w, err)) return false;
	if (!ckpt_pre_tokenize(&e->t->pre_tokenizer, w, err)) return false;
	ckpt_pieces_shrink(&w->next);
	for (size_t i = 0; i < w->now.count; i++)
		if (!add_piece(e, w->now.items[i], type, out, err)) return false;
	ckpt_pieces_shrink(&w->now);
	return true;
}

bool ckpt_encode(ckpt_encoder *e, const char *text, size_t length, const char *pair, size_t pair_length,
                 const ckpt_encode_options *options, ckpt_encoding *out, ckpt_error *err)
{
	ckpt_encode_options o = options ? *options : (ckpt_encode_options){0};
	ckpt_encoding_begin(out, e->t);
	if (!encode_text(e, text, length, 0, e->part, err)) return false;
	if (pair && !encode_text(e, pair, pair_length, 1, e->part + 1, err)) return ckpt_error_prefix(err, "the second of the pair");
	if (o.max_length && !ckpt_encoding_truncate(e->t, e->part, pair != NULL, &o, err)) return false;
	if (e->t->trim) {
		ckpt_encoding_trim(e->part, e->t->trim_prefix);
		if (pair) ckpt_encoding_trim(e->part + 1, e->t->trim_prefix);
	}
	return ckpt_encoding_assemble(e->t, e->part, pair != NULL, o.no_special, out, err);
}

bool ckpt_decode(ckpt_encoder *e, const uint32_t *ids, size_t count, bool skip_special, ckpt_buffer *out,
                 ckpt_error *err)
{
	ckpt_strings tokens = {0};
	bool good = true;
	for (size_t i = 0; i < count && good; i++) {
		const char *text = ckpt_tokenizer_token(e->t, ids[i]);
		const ckpt_added_token *added = skip_special ? ckpt_added_find(&e->t->added, ids[i]) : NULL;
		if (!text) good = ckpt_fail(err, CKPT_E_NOT_FOUND, "the id %u is not in the vocabulary of %zu", ids[i], e->t->model.count);
		else if (!added || !added->special) ckpt_strings_add(&tokens, text, strlen(text));
	}
	good = good && ckpt_buffer_ok(&tokens.text, err);
	if (good) good = ckpt_decode_steps(&e->t->decoder, &tokens, e->work.matcher, err);
	for (size_t i = 0; good && i < tokens.count; i++) {
		size_t begin = i ? tokens.ends[i - 1] : 0;
		if (i && !e->t->has_decoder) ckpt_buffer_char(out, ' ');
		ckpt_buffer_add(out, tokens.text.data + begin, tokens.ends[i] - begin);
	}
	ckpt_strings_free(&tokens);
	return good && ckpt_buffer_ok(out, err);
}
