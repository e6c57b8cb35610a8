/* tokenizer.c -- what a tokenizer knows about itself */
#include "tokenizer.h"

#include <string.h>

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
