/* encode.c -- the whole way: text to pieces, words, tokens and what stands around them; and ids back to text */
#include <stdlib.h>
#include <string.h>

#include "../error.h"
#include "../utf8.h"
#include "tokenizer.h"
#include "unicode.h"

/* Words seen before, by the place that their hash says; a new word takes the place of an old one. */
enum { CACHE_ROOM = 32768, CACHE_WORD = 38, CACHE_TOKENS = 10 };

typedef struct cached {
	uint8_t length, count; /* length 0: free */
	char word[CACHE_WORD];
	uint32_t ids[CACHE_TOKENS];
	uint8_t begin[CACHE_TOKENS], end[CACHE_TOKENS];
	bool own[CACHE_TOKENS];
} cached;

struct ckpt_encoder {
	const ckpt_tokenizer *t;
	ckpt_work_text work;
	ckpt_word_tokens word;
	ckpt_encoding part[2]; /* the tokens of the first and the second text */
	uint32_t *chars;       /* by byte of a text that is not ASCII: characters in front */
	size_t chars_room;
	cached *cache;
};

void ckpt_encoding_free(ckpt_encoding *e)
{
	free(e->items);
	ckpt_buffer_free(&e->text);
	*e = (ckpt_encoding){0};
}

void ckpt_encoder_free(ckpt_encoder *e)
{
	if (!e) return;
	ckpt_pieces_free(&e->work.now);
	ckpt_pieces_free(&e->work.next);
	ckpt_changes_free(&e->work.changes);
	ckpt_matcher_free(e->work.matcher);
	ckpt_word_tokens_free(&e->word);
	ckpt_encoding_free(e->part);
	ckpt_encoding_free(e->part + 1);
	free(e->chars);
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

static bool add(ckpt_encoding *out, ckpt_token token, const char *text, size_t length, ckpt_error *err)
{
	if (out->count == out->room) {
		size_t room = out->room ? out->room * 2 : 64;
		ckpt_token *more = realloc(out->items, room * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		out->items = more;
		out->room = room;
	}
	token.begin = out->text.length;
	ckpt_buffer_add(&out->text, text, length);
	token.end = out->text.length;
	out->items[out->count++] = token;
	return !out->text.failed || ckpt_fail_nomem(err);
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

/* Bytes to characters; of ASCII they are the same, and e->chars stays out of it. */
static bool count_chars(ckpt_encoder *e, const char *text, size_t length, bool *ascii, ckpt_error *err)
{
	*ascii = true;
	for (size_t i = 0; i < length && *ascii; i++) *ascii = (unsigned char)text[i] < 0x80;
	if (*ascii) return true;
	if (length + 1 > e->chars_room) {
		uint32_t *more = realloc(e->chars, (length + 1) * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		e->chars = more;
		e->chars_room = length + 1;
	}
	uint32_t n = 0;
	for (size_t i = 0; i < length; i++) {
		bool begins = ((unsigned char)text[i] & 0xc0) != 0x80;
		n += begins;
		e->chars[i] = n - 1;
	}
	e->chars[length] = n;
	return true;
}

/* The part begin .. end of a piece as a place in the original, in characters. */
static void locate(const ckpt_encoder *e, ckpt_piece p, size_t begin, size_t end, bool ascii, ckpt_token *token)
{
	const ckpt_span *spans = e->work.now.text.spans + p.begin;
	size_t length = p.end - p.begin;
	if (begin >= length) begin = length ? length - 1 : 0;
	if (end > length) end = length;
	token->from = length ? spans[begin].from : 0;
	token->to = end > begin ? spans[end - 1].to : token->from;
	if (ascii) return;
	token->from = e->chars[token->from];
	token->to = e->chars[token->to];
}

static bool add_piece(ckpt_encoder *e, ckpt_piece p, bool ascii, uint32_t type, ckpt_encoding *out, ckpt_error *err)
{
	const char *text = e->work.now.text.text + p.begin;
	ckpt_token token = {.type = type, .attention = true, .sequence = (uint8_t)(type + 1)};
	if (p.token != UINT32_MAX) {
		token.id = p.token;
		locate(e, p, 0, p.end - p.begin, ascii, &token);
		return add(out, token, text, p.end - p.begin, err);
	}
	if (!word_tokens(e, text, p.end - p.begin, err)) return false;
	for (size_t i = 0; i < e->word.count; i++) {
		const ckpt_word_token *w = e->word.items + i;
		token.id = w->id;
		locate(e, p, w->begin, w->end, ascii, &token);
		const char *own = e->t->model.strings[w->id];
		bool good = w->own ? add(out, token, text + w->begin, w->end - w->begin, err) : add(out, token, own, strlen(own), err);
		if (!good) return false;
	}
	return true;
}

/* One text to tokens, without what the post-processor adds. */
static bool encode_text(ckpt_encoder *e, const char *text, size_t length, uint32_t type, ckpt_encoding *out,
                        ckpt_error *err)
{
	ckpt_work_text *w = &e->work;
	bool ascii;
	size_t bad = ckpt_utf8_check(text, length);
	out->count = 0;
	out->text.length = 0;
	if (bad != SIZE_MAX) return ckpt_fail(err, CKPT_E_FORMAT, "the text is no UTF-8 at byte %zu", bad);
	if (length > UINT32_MAX / 8) return ckpt_fail(err, CKPT_E_LIMIT, "the text has %zu bytes, at most %u can be read at once", length, UINT32_MAX / 8);
	if (!count_chars(e, text, length, &ascii, err)) return false;
	ckpt_work_begin(w, length);
	for (size_t i = 0, n; i < length; i += n) {
		uint32_t c;
		n = (unsigned char)text[i] < 0x80 ? 1 : ckpt_utf8_decode(text + i, length - i, &c);
		ckpt_aligned_put(&w->now.text, text + i, n, (ckpt_span){(uint32_t)i, (uint32_t)(i + n)});
	}
	if (w->now.text.failed || !ckpt_pieces_add(&w->now, 0, length, UINT32_MAX)) return ckpt_fail_nomem(err);
	e->word.walks = ckpt_trie_most(length);
	ckpt_matcher_begin(w->matcher, length);
	if (!ckpt_added_cut(&e->t->added, 0, w, err)) return false;
	if (!ckpt_normalize(&e->t->normalizer, w, err)) return false;
	if (!ckpt_added_cut(&e->t->added, 1, w, err)) return false;
	if (!ckpt_pre_tokenize(&e->t->pre_tokenizer, w, err)) return false;
	for (size_t i = 0; i < w->now.count; i++)
		if (!add_piece(e, w->now.items[i], ascii, type, out, err)) return false;
	return true;
}

/* ---- around the tokens */

/* Longest first: the longer text loses what is too much, then both. */
static bool truncate_parts(ckpt_encoder *e, bool pair, const ckpt_encode_options *o, ckpt_error *err)
{
	size_t around = o->no_special ? 0 : ckpt_post_count(e->t, pair);
	if (o->max_length < around)
		return ckpt_fail(err, CKPT_E_USAGE, "the length %llu has no room for the %zu special tokens", (unsigned long long)o->max_length, around);
	size_t room = (size_t)(o->max_length - around), *a = &e->part[0].count, *b = &e->part[1].count;
	if (!pair) {
		if (*a > room) *a = room;
		return true;
	}
	if (*a <= room && *b <= room - *a) return true;
	size_t *shorter = *a > *b ? b : a, *longer = *a > *b ? a : b;
	size_t n1 = *shorter, n2 = n1 > room ? n1 : n1 > room - n1 ? n1 : room - n1;
	if (n1 > room || n2 > room - n1) {
		n1 = room / 2;
		n2 = n1 + room % 2;
	}
	if (*shorter > n1) *shorter = n1;
	if (*longer > n2) *longer = n2;
	return true;
}

static bool space_like(uint32_t c)
{
	return c == 0x120 || ckpt_unicode_space(c);
}

/* Spans without the spaces at the ends of their tokens. */
static void trim(ckpt_encoding *e, bool prefix)
{
	for (size_t i = 0; i < e->count; i++) {
		ckpt_token *x = e->items + i;
		const char *text = e->text.data + x->begin;
		size_t length = x->end - x->begin;
		uint64_t leading = 0, trailing = 0;
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
		if (type) token.type = *type;
		if (!add(out, token, part->text.data ? part->text.data + token.begin : "", token.end - token.begin, err)) return false;
	}
	return true;
}

static bool assemble(ckpt_encoder *e, bool pair, bool no_special, ckpt_encoding *out, ckpt_error *err)
{
	const ckpt_template *x = pair ? &e->t->pair : &e->t->single;
	if (!x->count) return append(out, e->part, NULL, err) && (!pair || append(out, e->part + 1, NULL, err));
	for (size_t i = 0; i < x->count; i++) {
		const ckpt_part *p = x->parts + i;
		if (p->sequence == 1 && !pair) continue;
		if (p->sequence >= 0 && !append(out, e->part + p->sequence, &p->type, err)) return false;
		for (size_t k = 0; p->sequence < 0 && !no_special && k < p->count; k++) {
			ckpt_token token = {.id = p->ids[k], .type = p->type, .attention = true};
			if (!add(out, token, p->tokens[k], strlen(p->tokens[k]), err)) return false;
		}
	}
	return true;
}

bool ckpt_encode(ckpt_encoder *e, const char *text, size_t length, const char *pair, size_t pair_length,
                 const ckpt_encode_options *options, ckpt_encoding *out, ckpt_error *err)
{
	ckpt_encode_options o = options ? *options : (ckpt_encode_options){0};
	out->count = 0;
	out->text.length = 0;
	if (!encode_text(e, text, length, 0, e->part, err)) return false;
	if (pair && !encode_text(e, pair, pair_length, 1, e->part + 1, err)) return false;
	if (o.max_length && !truncate_parts(e, pair != NULL, &o, err)) return false;
	if (e->t->trim) {
		trim(e->part, e->t->trim_prefix);
		if (pair) trim(e->part + 1, e->t->trim_prefix);
	}
	return assemble(e, pair != NULL, o.no_special, out, err);
}

bool ckpt_encoding_pad(const ckpt_tokenizer *t, ckpt_encoding *e, size_t length, ckpt_error *err)
{
	if (e->count >= length) return true;
	if (!t->can_pad) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the tokenizer has no token for padding");
	size_t missing = length - e->count;
	ckpt_token pad = {.id = t->pad_id, .type = t->pad_type};
	for (size_t i = 0; i < missing; i++)
		if (!add(e, pad, t->pad_token, strlen(t->pad_token), err)) return false;
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
