/* texts.c -- texts from the command line as the input of a forward pass */
#include "texts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/model/model.h"
#include "../lib/ends_in.h"
#include "../lib/json.h"

bool ckpt_texts_check(const ckpt_text_options *texts, const ckpt_input_options *inputs, ckpt_error *err)
{
	const ckpt_input_options *i = inputs;
	bool others = i->mask || i->types || i->positions || i->decoder_ids || i->decoder_mask;
	size_t count = texts->texts.count, pairs = texts->pairs.count;
	if (pairs && !count) return ckpt_fail(err, CKPT_E_USAGE, "--pair goes with --text");
	if (pairs > 1 && count > 1 && pairs != count)
		return ckpt_fail(err, CKPT_E_USAGE, "--text is given %zu times, --pair %zu times: as many of both are wanted, or one of either", count,
		                 pairs);
	if (texts->texts.count && i->ids) return ckpt_fail(err, CKPT_E_USAGE, "--text and --input-ids are two inputs: one is wanted");
	if (texts->texts.count && others)
		return ckpt_fail(err, CKPT_E_USAGE, "masks, types, positions and decoder input go with --input-ids, the tokenizer makes those of --text");
	return true;
}

const char *ckpt_text_of(const ckpt_text_options *given, size_t row)
{
	return given->texts.items[given->texts.count == 1 ? 0 : row];
}

const char *ckpt_pair_of(const ckpt_text_options *given, size_t row)
{
	return given->pairs.count ? given->pairs.items[given->pairs.count == 1 ? 0 : row] : NULL;
}

bool ckpt_texts_open(ckpt_texts *t, const char *path, ckpt_error *err)
{
	t->tokenizer = ckpt_tokenizer_open(path, err);
	t->encoder = t->tokenizer ? ckpt_encoder_new(t->tokenizer, err) : NULL;
	return t->encoder != NULL;
}

void ckpt_texts_free(ckpt_texts *t)
{
	for (size_t i = 0; i < t->count; i++) ckpt_encoding_free(&t->rows[i]);
	free(t->rows);
	ckpt_encoder_free(t->encoder);
	ckpt_tokenizer_free(t->tokenizer);
}

bool ckpt_texts_decode(const ckpt_texts *t, const int64_t *ids, size_t count, ckpt_buffer *out, ckpt_error *err)
{
	uint32_t *narrow = calloc(count + 1, sizeof *narrow);
	size_t kept = 0;
	if (!narrow) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < count; i++) /* a table of words is often longer than the vocabulary */
		if (ids[i] >= 0 && ckpt_tokenizer_token(t->tokenizer, (uint64_t)ids[i])) narrow[kept++] = (uint32_t)ids[i];
	bool ok = ckpt_decode(t->encoder, narrow, kept, true, out, err);
	free(narrow);
	return ok;
}

/* Writes what b holds, once it is much; a buffer that failed keeps its mark. */
static void flush(ckpt_buffer *b, FILE *out)
{
	enum { MUCH = 1 << 16 };
	if (!out || b->length < MUCH) return;
	fwrite(b->data, 1, b->length, out);
	b->length = 0;
}

static void put_token(ckpt_buffer *b, const ckpt_encoding *e, size_t i)
{
	size_t length;
	const char *text = ckpt_token_text(e, i, &length);
	ckpt_json_write_string(b, text, length, false);
}

static void put_id(ckpt_buffer *b, const ckpt_encoding *e, size_t i)
{
	ckpt_buffer_printf(b, "%" PRIu32, e->items[i].id);
}

static void put_offsets(ckpt_buffer *b, const ckpt_encoding *e, size_t i)
{
	ckpt_buffer_printf(b, "[%" PRIu32 ", %" PRIu32 "]", e->items[i].from, e->items[i].to);
}

static void put_attention(ckpt_buffer *b, const ckpt_encoding *e, size_t i)
{
	ckpt_buffer_char(b, e->items[i].attention ? '1' : '0');
}

void ckpt_texts_put_json(ckpt_buffer *b, FILE *out, const ckpt_encoding *e)
{
	static const struct {
		const char *name;
		void (*put)(ckpt_buffer *b, const ckpt_encoding *e, size_t i);
	} members[] = {{"ids", put_id}, {"tokens", put_token}, {"offsets", put_offsets}, {"attention_mask", put_attention}};
	for (size_t k = 0; k < 4; k++) {
		ckpt_buffer_printf(b, "%s\"%s\": [", k ? ", " : "", members[k].name);
		for (size_t i = 0; i < e->count; i++) {
			if (i) ckpt_buffer_str(b, ", ");
			members[k].put(b, e, i);
			flush(b, out);
		}
		ckpt_buffer_char(b, ']');
	}
}

/* ---- rows of one length ---- */

/* Pads as the tokenizer does; one without padding leaves the rows as they are. */
static bool pad(ckpt_texts *t, size_t longest, ckpt_error *err)
{
	for (size_t i = 0; i < t->count; i++) {
		ckpt_error why = {0};
		if (ckpt_encoding_pad(t->tokenizer, &t->rows[i], longest, &why) || why.code == CKPT_E_UNSUPPORTED) continue;
		if (err) *err = why;
		return false;
	}
	return true;
}

static bool has_types(const ckpt_model *model)
{
	static const char *const types[] = {"bert", "albert", "electra"};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(ckpt_model_type(model), types[i]) == 0) return true;
	return false;
}

bool ckpt_texts_start_decoder(const ckpt_model *model, ckpt_inputs *out, ckpt_error *err)
{
	const char *class = ckpt_model_class(model);
	uint64_t start = 0;
	bool wants = ckpt_ends_in(class, "T5Model") || ckpt_ends_in(class, "ForConditionalGeneration");
	if (out->in.decoder_ids || !wants || strcmp(ckpt_model_type(model), "t5") != 0) return true;
	ckpt_config_u64(model->config, "decoder_start_token_id", &start);
	ckpt_ids *d = &out->arrays[4];
	*d = (ckpt_ids){calloc(out->in.batch, sizeof *d->values), out->in.batch, 1};
	if (!d->values) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < d->rows; i++) d->values[i] = (int64_t)start;
	out->in.decoder_ids = d->values;
	out->in.decoder_length = 1;
	return true;
}

static bool fill(const ckpt_texts *t, const ckpt_model *model, size_t longest, ckpt_inputs *out, ckpt_error *err)
{
	uint64_t filler = 0;
	bool padded = false, types = has_types(model);
	ckpt_ids *a = out->arrays;
	ckpt_config_u64(model->config, "pad_token_id", &filler);
	for (size_t k = 0; k < 3; k++) {
		a[k] = (ckpt_ids){calloc(t->count * longest, sizeof(int64_t)), t->count, longest};
		if (!a[k].values) return ckpt_fail_nomem(err);
	}
	for (size_t r = 0; r < t->count; r++)
		for (size_t i = 0; i < longest; i++) {
			const ckpt_token *x = i < t->rows[r].count ? &t->rows[r].items[i] : NULL;
			size_t at = r * longest + i;
			a[0].values[at] = x ? (int64_t)x->id : (int64_t)filler;
			a[1].values[at] = x && x->attention;
			a[2].values[at] = x ? (int64_t)x->type : 0;
			padded |= !a[1].values[at];
		}
	out->in = (ckpt_forward_input){.batch = t->count, .length = longest, .ids = a[0].values, .mask = padded ? a[1].values : NULL,
	                               .token_type_ids = types ? a[2].values : NULL};
	return ckpt_texts_start_decoder(model, out, err);
}

bool ckpt_texts_encode(ckpt_texts *t, const ckpt_text_options *given, const ckpt_model *model, ckpt_inputs *out, ckpt_error *err)
{
	size_t longest = 0, count = given->texts.count > given->pairs.count ? given->texts.count : given->pairs.count;
	t->given = given;
	t->rows = calloc(count, sizeof *t->rows);
	if (!t->rows) return ckpt_fail_nomem(err);
	for (; t->count < count; t->count++) {
		const char *text = ckpt_text_of(given, t->count), *pair = ckpt_pair_of(given, t->count);
		ckpt_encoding *e = &t->rows[t->count];
		bool ok = ckpt_encode(t->encoder, text, strlen(text), pair, pair ? strlen(pair) : 0, NULL, e, err);
		if (ok && e->count == 0) ok = ckpt_fail(err, CKPT_E_USAGE, "it gives no tokens");
		if (!ok) {
			ckpt_error_prefix(err, "text %zu", t->count + 1);
			ckpt_encoding_free(e);
			return false;
		}
		if (e->count > longest) longest = e->count;
	}
	return pad(t, longest, err) && fill(t, model, longest, out, err);
}
