/* tokenizer.h -- a tokenizer from the inside: its steps, its model, its added tokens */
#ifndef CKPT_TEXT_TOKENIZER_H
#define CKPT_TEXT_TOKENIZER_H
#include "model.h"
#include "steps.h"
#include "text.h"

typedef struct ckpt_added_token {
	const char *content;
	uint32_t id;
	bool single_word, left, right, normalized, special; /* left, right: takes the spaces on that side */
} ckpt_added_token;

/* Added tokens that are looked for in the text as it came (0), or after the normaliser (1). */
typedef struct ckpt_added {
	ckpt_added_token *items;
	size_t count;
	uint32_t *by_id; /* their places in items, UINT32_MAX: not there */
	size_t ids;
	ckpt_trie trie[2];  /* content to place in items */
	ckpt_trie names;    /* content to id, of those that are not in the model's vocabulary */
	bool begins[2][256]; /* whether any begins with this byte */
} ckpt_added;

/* A part of a template: the first or second text, or tokens. */
typedef struct ckpt_part {
	int sequence; /* 0 or 1; -1: tokens */
	uint32_t type;
	uint32_t *ids;
	const char **tokens;
	size_t count;
} ckpt_part;

typedef struct ckpt_template {
	ckpt_part *parts;
	size_t count;
} ckpt_template;

struct ckpt_tokenizer {
	ckpt_arena arena;
	ckpt_text_model model;
	ckpt_steps normalizer, pre_tokenizer, decoder;
	ckpt_added added;
	ckpt_template single, pair; /* no parts: the texts as they are */
	bool trim, trim_prefix;     /* spans without spaces; but not the first one's */
	bool has_decoder, byte_level;
	bool can_pad, pad_left, cut_left; /* left: in front of the tokens, from their front */
	uint32_t pad_id, pad_type;
	const char *pad_token;
};

/* added_tokens, post_processor, padding and truncation of tokenizer.json. */
bool ckpt_added_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err);
bool ckpt_post_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err);
bool ckpt_padding_read(ckpt_tokenizer *t, const ckpt_json *v, ckpt_error *err);
void ckpt_truncation_read(ckpt_tokenizer *t, const ckpt_json *v);
void ckpt_added_free(ckpt_added *a);
/* Cuts the added tokens out of the text pieces; which: 0 or 1. The text stays. */
bool ckpt_added_cut(const ckpt_added *a, int which, ckpt_work_text *w, ckpt_error *err);
const ckpt_added_token *ckpt_added_find(const ckpt_added *a, uint32_t id);
/* How many tokens the template adds. */
size_t ckpt_post_count(const ckpt_tokenizer *t, bool pair);
#endif
