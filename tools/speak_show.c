/* speak_show.c -- what was said, for people and as JSON */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../lib/buffer.h"
#include "../lib/checkpoint.h"
#include "../lib/json.h"
#include "../lib/print.h"
#include "speak.h"

static const char *const stops[] = {"count", "end", "length"};

/* Whole buffer to standard output, and gone. */
static bool put(ckpt_buffer *b, ckpt_error *err)
{
	bool ok = ckpt_buffer_ok(b, err);
	if (ok && b->length) fwrite(b->data, 1, b->length, stdout);
	ckpt_buffer_free(b);
	return ok;
}

/* ---- for people ---- */

static bool print_ids(const char *name, const int64_t *values, const ckpt_forward_input *in, ckpt_error *err)
{
	const uint64_t shape[2] = {in->batch, in->length};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(err);
	ckpt_buffer text = {0};
	bool ok = cp && ckpt_checkpoint_add_bytes(cp, name, CKPT_I64, 2, shape, values, in->batch * in->length * sizeof *values, err);
	if (ok) {
		const ckpt_tensor *t = &cp->tensors[0];
		const ckpt_print_view view = {t->dtype, t->rank, t->shape, t->source};
		ok = ckpt_print_torch(&text, &view, err);
	}
	if (ok) printf("%s [%zu,%zu]\n%s\n\n", name, in->batch, in->length, text.data);
	ckpt_buffer_free(&text);
	ckpt_checkpoint_free(cp);
	return ok;
}

static void token_of(const ckpt_encoding *e, size_t i, ckpt_buffer *b)
{
	size_t length;
	const char *text = ckpt_token_text(e, i, &length);
	ckpt_buffer_add(b, text, length);
}

bool ckpt_said_print_texts(const ckpt_said *s, const ckpt_forward_input *in, ckpt_error *err)
{
	ckpt_buffer line = {0};
	bool types = false;
	for (size_t i = 0; in->token_type_ids && i < in->batch * in->length; i++) types |= in->token_type_ids[i] != 0;
	bool ok = print_ids("input_ids", in->ids, in, err) && (!types || print_ids("token_type_ids", in->token_type_ids, in, err)) &&
	          (!in->mask || print_ids("attention_mask", in->mask, in, err));
	for (size_t r = 0; ok && r < s->texts->count; r++) {
		line.length = 0;
		for (size_t i = 0; i < s->texts->rows[r].count; i++) {
			ckpt_buffer_char(&line, ' ');
			token_of(&s->texts->rows[r], i, &line);
		}
		ok = ckpt_buffer_ok(&line, err);
		printf("row %zu:", r);
		if (ok) ckpt_text_print(stdout, line.data ? line.data : "");
		puts("");
	}
	if (ok) puts("");
	ckpt_buffer_free(&line);
	return ok;
}

/* NULL: no token has that id. */
static const char *word_of(const ckpt_said *s, uint64_t id)
{
	const char *word = s->texts && s->texts->tokenizer ? ckpt_tokenizer_token(s->texts->tokenizer, id) : NULL;
	return word;
}

/* A table of words is often longer than the vocabulary: null where it goes beyond. */
static void json_word(ckpt_buffer *b, const char *word)
{
	if (word) ckpt_json_write_string(b, word, strlen(word), false);
	else ckpt_buffer_str(b, "null");
}

static void print_filling(const ckpt_said *s, const ckpt_filling *f)
{
	printf("row %zu, mask at %zu:", f->row, f->position);
	for (size_t i = 0; i < f->count; i++) {
		fputs(i ? ", " : " ", stdout);
		const char *word = word_of(s, f->ids[i]);
		if (word) ckpt_text_print(stdout, word);
		else printf("id %" PRIu64, f->ids[i]);
		printf(" %.4f", f->scores[i]);
	}
	puts("");
}

/* Every mask, and the rows that have none. */
static void print_fillings(const ckpt_said *s)
{
	size_t at = 0;
	if (!s->mask) puts("the tokenizer has neither [MASK] nor <mask>: there is nothing to fill");
	for (size_t row = 0; s->mask && row < s->texts->count; row++) {
		if (at == s->filling_count || s->fillings[at].row != row) printf("row %zu: there is no %s to fill\n", row, s->mask);
		while (at < s->filling_count && s->fillings[at].row == row) print_filling(s, &s->fillings[at++]);
	}
}

static bool print_answer(size_t row, const ckpt_answer *a, ckpt_error *err)
{
	ckpt_buffer text = {0};
	printf("row %zu: ", row);
	if (!a->found) return puts("no answer") >= 0;
	ckpt_buffer_add(&text, a->text, a->length);
	bool ok = ckpt_buffer_ok(&text, err);
	if (ok) ckpt_text_print(stdout, text.data ? text.data : "");
	printf(" %.4f (characters %" PRIu64 "-%" PRIu64 ")\n", a->score, a->from, a->to);
	ckpt_buffer_free(&text);
	return ok;
}

static bool print_generated(const ckpt_said *s, size_t row, const ckpt_generated *g, ckpt_error *err)
{
	static const char *const why[] = {"", ", then an end token", ", then the model takes no more"};
	ckpt_buffer text = {0};
	printf("row %zu goes on:", row);
	for (size_t i = 0; i < g->count; i++) printf(" %" PRId64, g->ids[i]);
	puts(why[g->stop]);
	if (!s->texts || !s->texts->tokenizer) return true;
	bool ok = ckpt_texts_decode(s->texts, g->ids, g->count, &text, err);
	fputs("  ", stdout);
	if (ok) ckpt_text_print(stdout, text.data ? text.data : "");
	puts("");
	ckpt_buffer_free(&text);
	return ok;
}

bool ckpt_said_print(const ckpt_said *s, ckpt_error *err)
{
	bool ok = true;
	if (s->fills) print_fillings(s);
	for (size_t i = 0; ok && i < s->answer_count; i++) ok = print_answer(i, &s->answers[i], err);
	for (size_t i = 0; ok && i < s->generated_count; i++) ok = print_generated(s, i, &s->generated[i], err);
	return ok;
}

/* ---- JSON ---- */

static void json_text(ckpt_buffer *b, const ckpt_encoding *e)
{
	ckpt_buffer_char(b, '{');
	ckpt_texts_put_json(b, NULL, e);
	ckpt_buffer_str(b, ", \"token_type_ids\": [");
	for (size_t i = 0; i < e->count; i++) ckpt_buffer_printf(b, "%s%" PRIu32, i ? ", " : "", e->items[i].type);
	ckpt_buffer_str(b, "]}");
}

static void json_filling(const ckpt_said *s, ckpt_buffer *b, const ckpt_filling *f)
{
	ckpt_buffer_printf(b, "{\"row\":%zu,\"position\":%zu,\"words\":[", f->row, f->position);
	for (size_t i = 0; i < f->count; i++) {
		ckpt_buffer_printf(b, "%s{\"id\":%" PRIu64 ",\"token\":", i ? "," : "", f->ids[i]);
		json_word(b, word_of(s, f->ids[i]));
		ckpt_buffer_printf(b, ",\"score\":%.6f}", f->scores[i]);
	}
	ckpt_buffer_str(b, "]}");
}

static void json_answer(ckpt_buffer *b, const ckpt_answer *a)
{
	if (!a->found) {
		ckpt_buffer_str(b, "null");
		return;
	}
	ckpt_buffer_str(b, "{\"answer\":");
	ckpt_json_write_string(b, a->text, a->length, false);
	ckpt_buffer_printf(b, ",\"score\":%.6f,\"start\":%" PRIu64 ",\"end\":%" PRIu64 "}", a->score, a->from, a->to);
}

static bool json_generated(const ckpt_said *s, ckpt_buffer *b, const ckpt_generated *g, ckpt_error *err)
{
	ckpt_buffer text = {0};
	bool ok = true;
	ckpt_buffer_str(b, "{\"ids\":[");
	for (size_t i = 0; i < g->count; i++) ckpt_buffer_printf(b, "%s%" PRId64, i ? "," : "", g->ids[i]);
	ckpt_buffer_printf(b, "],\"stopped\":\"%s\",\"margin\":", stops[g->stop]);
	if (g->margin <= 1e300) ckpt_buffer_printf(b, "%.9g", g->margin);
	else ckpt_buffer_str(b, "null");
	ckpt_buffer_printf(b, ",\"seconds\":%.9f,\"cache_bytes\":%" PRIu64, g->seconds, g->cache);
	if (s->texts && s->texts->tokenizer) {
		ok = ckpt_texts_decode(s->texts, g->ids, g->count, &text, err);
		ckpt_buffer_str(b, ",\"tokens\":[");
		for (size_t i = 0; i < g->count; i++) {
			if (i) ckpt_buffer_char(b, ',');
			json_word(b, word_of(s, (uint64_t)g->ids[i]));
		}
		ckpt_buffer_str(b, "],\"text\":");
		ckpt_json_write_string(b, text.data ? text.data : "", text.length, false);
	}
	ckpt_buffer_char(b, '}');
	ckpt_buffer_free(&text);
	return ok;
}

bool ckpt_said_print_json(const ckpt_said *s, ckpt_error *err)
{
	ckpt_buffer b = {0};
	bool ok = true;
	if (s->texts && s->texts->count) {
		ckpt_buffer_str(&b, ",\n\"texts\":[");
		for (size_t i = 0; i < s->texts->count; i++) {
			if (i) ckpt_buffer_str(&b, ",\n");
			json_text(&b, &s->texts->rows[i]);
		}
		ckpt_buffer_char(&b, ']');
	}
	if (s->fills) ckpt_buffer_str(&b, ",\n\"masks\":[");
	for (size_t i = 0; i < s->filling_count; i++) {
		if (i) ckpt_buffer_str(&b, ",\n");
		json_filling(s, &b, &s->fillings[i]);
	}
	if (s->fills) ckpt_buffer_char(&b, ']');
	for (size_t i = 0; i < s->answer_count; i++) {
		ckpt_buffer_str(&b, i ? ",\n" : ",\n\"answers\":[");
		json_answer(&b, &s->answers[i]);
	}
	if (s->answer_count) ckpt_buffer_char(&b, ']');
	for (size_t i = 0; ok && i < s->generated_count; i++) {
		ckpt_buffer_str(&b, i ? ",\n" : ",\n\"generated\":[");
		ok = json_generated(s, &b, &s->generated[i], err);
	}
	if (s->generated_count) ckpt_buffer_char(&b, ']');
	if (ok) return put(&b, err);
	ckpt_buffer_free(&b);
	return false;
}
