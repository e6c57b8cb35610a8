/* texts.h -- texts from the command line as the input of a forward pass */
#ifndef CKPT_TOOLS_TEXTS_H
#define CKPT_TOOLS_TEXTS_H
#include "../lib/text/text.h"
#include "ids.h"

#include <stdio.h>

typedef struct ckpt_text_options {
	ckpt_list texts, pairs; /* as many of both, or one of either for all of the other; pairs may be missing */
} ckpt_text_options;

/* Rows of an option table for a struct that holds ckpt_text_options as its member `text`. */
#define CKPT_TEXT_OPTIONS(type)                                                                                        \
	{"text", 0, CKPT_OPTION_LIST, offsetof(type, text.texts), "TEXT",                                              \
	 "a text in place of --input-ids; several make a batch, padded to the longest", 0, 0},                           \
		{"pair", 0, CKPT_OPTION_LIST, offsetof(type, text.pairs), "TEXT",                                      \
		 "a second text behind the --text before it; one serves all texts, and one text all pairs", 0, 0}

typedef struct ckpt_texts {
	ckpt_tokenizer *tokenizer; /* NULL: there is none */
	ckpt_encoder *encoder;
	const ckpt_text_options *given;
	ckpt_encoding *rows; /* one a text, padded where the tokenizer can pad */
	size_t count;
} ckpt_texts;

/* CKPT_E_USAGE when texts and other inputs were both given, or texts and pairs do not match. */
bool ckpt_texts_check(const ckpt_text_options *texts, const ckpt_input_options *inputs, ckpt_error *err);
/* The text of a row, and what was given behind it or NULL. */
const char *ckpt_text_of(const ckpt_text_options *given, size_t row);
const char *ckpt_pair_of(const ckpt_text_options *given, size_t row);
/* The tokenizer beside the model at path. */
bool ckpt_texts_open(ckpt_texts *t, const char *path, ckpt_error *err);
/* Ids, mask where there is padding, and for models that have them token types; the start of the decoder for models that want
 * one. */
bool ckpt_texts_encode(ckpt_texts *t, const ckpt_text_options *given, const ckpt_model *model, ckpt_inputs *out, ckpt_error *err);
/* T5 has no way of its own to begin its decoder, outside of two heads: with its start token, unless ids were given. */
bool ckpt_texts_start_decoder(const ckpt_model *model, ckpt_inputs *out, ckpt_error *err);
/* "ids", "tokens", "offsets" and "attention_mask", as members of an object. out: where a long buffer is written to and emptied;
 * NULL: it keeps all. */
void ckpt_texts_put_json(ckpt_buffer *b, FILE *out, const ckpt_encoding *e);
/* The text that ids stand for, without special tokens, appended. */
bool ckpt_texts_decode(const ckpt_texts *t, const int64_t *ids, size_t count, ckpt_buffer *out, ckpt_error *err);
void ckpt_texts_free(ckpt_texts *t);
#endif
