/* read_tokenizer.c -- tokenizer.json as a whole */
#include <stdlib.h>

#include "../error.h"
#include "tokenizer.h"

void ckpt_tokenizer_free(ckpt_tokenizer *t)
{
	if (!t) return;
	ckpt_steps_free(&t->normalizer);
	ckpt_steps_free(&t->pre_tokenizer);
	ckpt_steps_free(&t->decoder);
	ckpt_added_free(&t->added);
	ckpt_text_model_free(&t->model);
	ckpt_arena_free(&t->arena);
	free(t);
}

static bool has_bytes(const ckpt_steps *steps, ckpt_step_kind kind)
{
	for (size_t i = 0; i < steps->count; i++)
		if (steps->items[i].kind == kind) return true;
	return false;
}

static bool fill(ckpt_tokenizer *t, const ckpt_json *root, ckpt_error *err)
{
	if (ckpt_json_get_kind(root) != CKPT_JSON_OBJECT)
		return ckpt_fail(err, CKPT_E_FORMAT, "a tokenizer is an object, this is %s", ckpt_json_kind_name(root));
	const ckpt_json *decoder = ckpt_json_member(root, "decoder");
	t->has_decoder = decoder && ckpt_json_get_kind(decoder) != CKPT_JSON_NULL;
	if (!ckpt_text_model_read(&t->model, ckpt_json_member(root, "model"), err)) return false;
	if (!ckpt_steps_read(&t->normalizer, CKPT_ROOM_NORMALIZER, ckpt_json_member(root, "normalizer"), &t->arena, err) ||
	    !ckpt_steps_read(&t->pre_tokenizer, CKPT_ROOM_PRE_TOKENIZER, ckpt_json_member(root, "pre_tokenizer"), &t->arena, err) ||
	    !ckpt_steps_read(&t->decoder, CKPT_ROOM_DECODER, decoder, &t->arena, err))
		return false;
	ckpt_truncation_read(t, ckpt_json_member(root, "truncation"));
	t->byte_level = has_bytes(&t->pre_tokenizer, CKPT_SPLIT_BYTES) || has_bytes(&t->normalizer, CKPT_NORMAL_BYTES);
	return ckpt_added_read(t, ckpt_json_member(root, "added_tokens"), err) &&
	       ckpt_post_read(t, ckpt_json_member(root, "post_processor"), err) &&
	       ckpt_padding_read(t, ckpt_json_member(root, "padding"), err);
}

ckpt_tokenizer *ckpt_tokenizer_read(const char *json, size_t length, ckpt_error *err)
{
	enum { DEPTH = 128 };
	ckpt_tokenizer *t = calloc(1, sizeof *t);
	if (!t) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	ckpt_json *root = ckpt_json_parse(json, length, DEPTH, err);
	bool good = root && fill(t, root, err);
	ckpt_json_free(root);
	if (good) return t;
	ckpt_tokenizer_free(t);
	return NULL;
}
