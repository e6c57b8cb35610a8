/* encoding.h -- the tokens of a text, on their way to the one who asked */
#ifndef CKPT_TEXT_ENCODING_H
#define CKPT_TEXT_ENCODING_H
#include "tokenizer.h"

/* Empties it, for tokens of t. */
void ckpt_encoding_begin(ckpt_encoding *out, const ckpt_tokenizer *t);
/* text: the token's own, or NULL for the vocabulary's. */
bool ckpt_encoding_add(ckpt_encoding *out, ckpt_token token, const char *text, size_t length, ckpt_error *err);
/* Spans without the spaces at the ends of their tokens; prefix: but not the one that was put in front of the text. */
void ckpt_encoding_trim(ckpt_encoding *e, bool prefix);
/* Longest first: the longer text loses what is too much, then both. */
bool ckpt_encoding_truncate(const ckpt_tokenizer *t, ckpt_encoding parts[2], bool pair, const ckpt_encode_options *o,
                            ckpt_error *err);
/* The tokens of one or two texts within the template, into out, which was begun. The parts may change places with it. */
bool ckpt_encoding_assemble(const ckpt_tokenizer *t, ckpt_encoding parts[2], bool pair, bool no_special, ckpt_encoding *out,
                            ckpt_error *err);
#endif
