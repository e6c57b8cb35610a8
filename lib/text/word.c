/* word.c -- the tokens of a word while a model makes them */
#include "word.h"

#include <stdlib.h>

#include "../error.h"

void ckpt_word_tokens_free(ckpt_word_tokens *out)
{
	free(out->items);
	free(out->scratch);
	*out = (ckpt_word_tokens){0};
}

void *ckpt_word_tokens_scratch(ckpt_word_tokens *out, size_t bytes)
{
	if (bytes <= out->scratch_room) return out->scratch;
	free(out->scratch);
	out->scratch = malloc(bytes);
	out->scratch_room = out->scratch ? bytes : 0;
	return out->scratch;
}

bool ckpt_word_tokens_add(ckpt_word_tokens *out, uint32_t id, size_t begin, size_t end, bool own, ckpt_error *err)
{
	if (out->count == out->room) {
		size_t room = out->room ? out->room * 2 : 64;
		ckpt_word_token *more = realloc(out->items, room * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		out->items = more;
		out->room = room;
	}
	out->items[out->count++] = (ckpt_word_token){id, (uint32_t)begin, (uint32_t)end, own};
	return true;
}

bool ckpt_word_tokens_walk(ckpt_word_tokens *out, size_t bytes, ckpt_error *err)
{
	if (bytes > out->walks)
		return ckpt_fail(err, CKPT_E_LIMIT, "the words of the text take more steps through the vocabulary than 1024 for each byte and %d", 1 << 24);
	out->walks -= bytes;
	return true;
}
