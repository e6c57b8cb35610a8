/* word.h -- the tokens of a word while a model makes them */
#ifndef CKPT_TEXT_WORD_H
#define CKPT_TEXT_WORD_H
#include "../ckpt.h"

/* One token of a word: bytes begin .. end of it. own: its text is the word's, not the vocabulary's. */
typedef struct ckpt_word_token {
	uint32_t id, begin, end;
	bool own;
} ckpt_word_token;

typedef struct ckpt_word_tokens {
	ckpt_word_token *items;
	size_t count, room;
	void *scratch; /* of the models */
	size_t scratch_room;
	uint64_t walks; /* bytes that the models may still walk in the vocabulary */
} ckpt_word_tokens;

bool ckpt_word_tokens_add(ckpt_word_tokens *out, uint32_t id, size_t begin, size_t end, bool own, ckpt_error *err);
/* Takes from out->walks; an error once there are none left. */
bool ckpt_word_tokens_walk(ckpt_word_tokens *out, size_t bytes, ckpt_error *err);
void *ckpt_word_tokens_scratch(ckpt_word_tokens *out, size_t bytes);
void ckpt_word_tokens_free(ckpt_word_tokens *out);
#endif
