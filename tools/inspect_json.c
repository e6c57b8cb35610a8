/* inspect_json.c -- ckpt inspect --json */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/json.h"
#include "inspect.h"
#include "number.h"
#include "values.h"

#define FLUSH_AT 65536

static void put_string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), false);
}

static void put_key(ckpt_buffer *b, const char *key, const char *text)
{
	ckpt_buffer_printf(b, "  \"%s\": ", key);
	put_string(b, text);
	ckpt_buffer_str(b, ",\n");
}

/* JSON has no NaN and no infinity: null and strings stand for them. */
static void put_real(ckpt_buffer *b, const char *key, double d)
{
	char text[CKPT_NUMBER_TEXT];
	ckpt_real_text(d, text, sizeof text);
	if (isnan(d))
		ckpt_buffer_printf(b, "\"%s\":null", key);
	else
		ckpt_buffer_printf(b, isinf(d) ? "\"%s\":\"%s\"" : "\"%s\":%s", key, text);
}

static void put_stats(ckpt_buffer *b, const ckpt_stats *s)
{
	ckpt_buffer_str(b, ",\"stats\":{");
	put_real(b, "min", s->min);
	ckpt_buffer_char(b, ',');
	put_real(b, "max", s->max);
	ckpt_buffer_char(b, ',');
	put_real(b, "mean", s->mean);
	ckpt_buffer_char(b, ',');
	put_real(b, "std", s->std);
	ckpt_buffer_char(b, ',');
	put_real(b, "absmax", s->absmax);
	ckpt_buffer_printf(b, ",\"zeros\":%" PRIu64 ",\"nans\":%" PRIu64 ",\"infs\":%" PRIu64 "}", s->zeros, s->nans, s->infs);
}

static void put_tensor(ckpt_buffer *b, const ckpt_inspection *in, size_t i)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_at(in->cp, i);
	const uint64_t *shape = ckpt_tensor_shape(t);
	const char *alias = ckpt_tensor_alias_of(t);
	ckpt_buffer_str(b, "{\"name\":");
	put_string(b, ckpt_tensor_name(t));
	ckpt_buffer_printf(b, ",\"dtype\":\"%s\",\"shape\":[", ckpt_dtype_name(ckpt_tensor_dtype(t)));
	for (size_t d = 0; d < ckpt_tensor_rank(t); d++) ckpt_buffer_printf(b, d ? ",%" PRIu64 : "%" PRIu64, shape[d]);
	ckpt_buffer_printf(b, "],\"bytes\":%" PRIu64 ",\"alias_of\":", ckpt_tensor_bytes(t));
	if (alias)
		put_string(b, alias);
	else
		ckpt_buffer_str(b, "null");
	if (in->hashes) ckpt_buffer_printf(b, ",\"sha256\":\"%s\"", in->hashes[i]);
	if (in->stats) put_stats(b, &in->stats[i]);
	ckpt_buffer_char(b, '}');
}

static void put_tally(ckpt_buffer *b, const ckpt_tally *t)
{
	ckpt_buffer_printf(b, "\"tensors\":%" PRIu64 ",\"aliases\":%" PRIu64 ",\"parameters\":%" PRIu64 ",\"bytes\":%" PRIu64,
	                   t->tensors, t->aliases, t->parameters, t->bytes);
}

static void put_head(ckpt_buffer *b, const ckpt_inspection *in)
{
	const ckpt_checkpoint *cp = in->cp;
	ckpt_buffer_str(b, "{\n");
	put_key(b, "path", in->path);
	put_key(b, "format", ckpt_checkpoint_format(cp) ? ckpt_checkpoint_format(cp) : "");
	put_key(b, "detail", ckpt_checkpoint_detail(cp));
	uint64_t transferred;
	if (ckpt_call_transferred(in->call, &transferred)) ckpt_buffer_printf(b, "  \"bytes_transferred\": %" PRIu64 ",\n", transferred);
	ckpt_buffer_str(b, "  \"notes\": [");
	for (size_t i = 0; i < ckpt_checkpoint_note_count(cp); i++) {
		if (i) ckpt_buffer_char(b, ',');
		put_string(b, ckpt_checkpoint_note_at(cp, i));
	}
	ckpt_buffer_str(b, "],\n  \"roots\": [");
	for (size_t i = 0; i < ckpt_checkpoint_root_count(cp); i++) {
		if (i) ckpt_buffer_char(b, ',');
		put_string(b, ckpt_checkpoint_root_at(cp, i));
	}
	ckpt_buffer_str(b, "],\n  \"metadata\": {");
	for (size_t i = 0; i < ckpt_checkpoint_metadata_count(cp); i++) {
		if (i) ckpt_buffer_char(b, ',');
		put_string(b, ckpt_checkpoint_metadata_key(cp, i));
		ckpt_buffer_char(b, ':');
		put_string(b, ckpt_checkpoint_metadata_value(cp, i));
	}
	ckpt_buffer_printf(b, "},\n  \"model\": %s,\n", in->model.json ? in->model.json : "null");
	if (in->tokenizer)
		ckpt_buffer_printf(b, "  \"tokenizer\": {\"kind\": \"%s\", \"size\": %llu},\n", in->tokenizer, (unsigned long long)in->tokenizer_size);
}

static bool flush(ckpt_buffer *b, size_t at, ckpt_error *err)
{
	if (!ckpt_buffer_ok(b, err)) return false;
	if (b->length < at || !b->length) return true;
	fwrite(b->data, 1, b->length, stdout);
	b->length = 0;
	return true;
}

static bool put_tail(ckpt_buffer *b, const ckpt_inspection *in, ckpt_error *err)
{
	bool first = true;
	ckpt_buffer_str(b, "  \"values\": ");
	if (in->values) {
		if (!ckpt_values_json(ckpt_checkpoint_value(in->cp), in->cp, (size_t)in->cp->limits.depth, b, err)) return false;
	} else {
		ckpt_buffer_str(b, "null");
	}
	ckpt_buffer_str(b, ",\n  \"totals\": {");
	put_tally(b, &in->all);
	ckpt_buffer_str(b, ",\"dtypes\":{");
	for (size_t d = 0; d < CKPT_DTYPE_COUNT; d++) {
		if (!in->by_dtype[d].tensors) continue;
		ckpt_buffer_printf(b, "%s\"%s\":{", first ? "" : ",", ckpt_dtype_name((ckpt_dtype)d));
		put_tally(b, &in->by_dtype[d]);
		ckpt_buffer_char(b, '}');
		first = false;
	}
	ckpt_buffer_str(b, "}}");
	if (in->hashes) ckpt_buffer_printf(b, ",\n  \"fingerprint\": \"%s\"", in->fingerprint);
	ckpt_buffer_str(b, "\n}\n");
	return true;
}

bool ckpt_inspect_json(const ckpt_inspection *in, ckpt_error *err)
{
	ckpt_buffer b = {0};
	size_t count = ckpt_checkpoint_tensor_count(in->cp);
	bool ok = false;
	put_head(&b, in);
	ckpt_buffer_str(&b, "  \"tensors\": [");
	for (size_t i = 0; i < count; i++) {
		ckpt_buffer_str(&b, i ? ",\n    " : "\n    ");
		put_tensor(&b, in, i);
		if (!flush(&b, FLUSH_AT, err)) goto done;
	}
	ckpt_buffer_str(&b, count ? "\n  ],\n" : "],\n");
	if (!put_tail(&b, in, err)) goto done;
	ok = flush(&b, 0, err);
done:
	ckpt_buffer_free(&b);
	return ok;
}
