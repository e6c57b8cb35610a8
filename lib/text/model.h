/* model.h -- how a word becomes tokens: WordPiece, BPE, Unigram, WordLevel */
#ifndef CKPT_TEXT_MODEL_H
#define CKPT_TEXT_MODEL_H
#include "../arena.h"
#include "../json.h"
#include "trie.h"
#include "word.h"

typedef enum ckpt_model_kind { CKPT_WORDPIECE, CKPT_BPE, CKPT_UNIGRAM, CKPT_WORDLEVEL } ckpt_model_kind;

typedef struct ckpt_text_model {
	ckpt_model_kind kind;
	ckpt_arena arena;
	ckpt_trie vocabulary;   /* string to id, of what words are made of */
	const char **strings;   /* by id, added tokens too; NULL: no such id */
	size_t ids, count;      /* one more than the greatest id; how many there are */
	uint32_t unk;           /* CKPT_TRIE_NONE: none */
	const char *prefix, *suffix; /* of words' later and last parts; "" when there is none */
	uint64_t max_chars;     /* WordPiece */
	bool fuse_unk, byte_fallback, ignore_merges;
	bool apart; /* BPE: no string of the vocabulary has U+2581 behind something else, so that what it begins stands alone */
	uint32_t bytes[256];    /* ids of <0x00> ... <0xFF>; CKPT_TRIE_NONE: none */
	double *scores, least;  /* Unigram, by id */
	struct ckpt_merge *merges; /* BPE: an open-addressing table by pair */
	size_t merge_room;
} ckpt_text_model;

void ckpt_text_model_free(ckpt_text_model *m);
/* Adds a string to the vocabulary; refuses ids that leave far more gaps than there are strings, and duplicates. */
bool ckpt_text_model_add(ckpt_text_model *m, const char *text, uint64_t id, ckpt_error *err);
/* The string of an id that is no part of the vocabulary, so that no word becomes it: an added token. */
bool ckpt_text_model_name(ckpt_text_model *m, const char *text, uint64_t id, ckpt_error *err);
/* The `model` of tokenizer.json. */
bool ckpt_text_model_read(ckpt_text_model *m, const ckpt_json *v, ckpt_error *err);
/* Once all strings are there: looks up what the models need. */
bool ckpt_text_model_ready(ckpt_text_model *m, const char *unk, ckpt_error *err);
/* One merge of two strings of the vocabulary, in order of rank; room: how many there will be (for the first). */
bool ckpt_text_model_merge(ckpt_text_model *m, size_t rank, size_t room, const char *a, size_t a_length, const char *b,
                           size_t b_length, ckpt_error *err);

/* The end of the part that begins at `begin` of a word and whose tokens do not depend on the rest of it. */
size_t ckpt_text_model_part(const ckpt_text_model *m, const char *word, size_t length, size_t begin);
/* Appends the tokens of one word. */
bool ckpt_text_model_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out,
                            ckpt_error *err);
bool ckpt_bpe_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out, ckpt_error *err);
bool ckpt_unigram_tokens(const ckpt_text_model *m, const char *word, size_t length, ckpt_word_tokens *out,
                         ckpt_error *err);
#endif
