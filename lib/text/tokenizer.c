/* tokenizer.c -- reading tokenizer.json as a whole, and what a tokenizer knows about itself */
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "../error.h"

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

const char *ckpt_tokenizer_kind(const ckpt_tokenizer *t)
{
	static const char *const names[] = {"WordPiece", "BPE", "Unigram", "WordLevel"};
	return t->model.kind == CKPT_BPE && t->byte_level ? "byte-level BPE" : names[t->model.kind];
}

size_t ckpt_tokenizer_size(const ckpt_tokenizer *t)
{
	return t->model.count;
}

uint64_t ckpt_tokenizer_last_id(const ckpt_tokenizer *t)
{
	size_t i = t->model.ids;
	while (i && !t->model.strings[i - 1]) i--;
	return i ? i - 1 : 0;
}

const char *ckpt_tokenizer_token(const ckpt_tokenizer *t, uint64_t id)
{
	return id < t->model.ids ? t->model.strings[id] : NULL;
}

bool ckpt_tokenizer_find(const ckpt_tokenizer *t, const char *token, uint32_t *id)
{
	size_t length = strlen(token);
	uint32_t found = ckpt_trie_find(&t->model.vocabulary, token, length);
	if (found == CKPT_TRIE_NONE) found = ckpt_trie_find(&t->added.names, token, length);
	if (found != CKPT_TRIE_NONE) *id = found;
	return found != CKPT_TRIE_NONE;
}
