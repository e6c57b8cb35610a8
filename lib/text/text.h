/* text.h -- tokenizers: text to ids and back
 *
 * A tokenizer is read once and does not change; an encoder is what one thread needs to work with it.
 */
#ifndef CKPT_TEXT_TEXT_H
#define CKPT_TEXT_TEXT_H
#include "../buffer.h"
#include "../ckpt.h"

typedef struct ckpt_tokenizer ckpt_tokenizer;
typedef struct ckpt_encoder ckpt_encoder;

/* path: tokenizer.json itself, a folder, or a file in the folder (a checkpoint). A folder is asked for tokenizer.json,
 * else vocab.txt, else vocab.json with merges.txt. Errors name the file. */
ckpt_tokenizer *ckpt_tokenizer_open(const char *path, ckpt_error *err);
/* The text of a tokenizer.json. */
ckpt_tokenizer *ckpt_tokenizer_read(const char *json, size_t length, ckpt_error *err);
void ckpt_tokenizer_free(ckpt_tokenizer *t);

const char *ckpt_tokenizer_kind(const ckpt_tokenizer *t); /* "WordPiece", "byte-level BPE", "BPE", "Unigram", "WordLevel" */
size_t ckpt_tokenizer_size(const ckpt_tokenizer *t);      /* tokens, added ones too */
uint64_t ckpt_tokenizer_last_id(const ckpt_tokenizer *t); /* the greatest id */
const char *ckpt_tokenizer_token(const ckpt_tokenizer *t, uint64_t id); /* NULL: no such id */
bool ckpt_tokenizer_find(const ckpt_tokenizer *t, const char *token, uint32_t *id);

typedef struct ckpt_token {
	uint32_t id, type;
	uint32_t from, to;   /* characters of its text */
	uint32_t begin, end; /* bytes of ckpt_encoding.text, where its text is not the vocabulary's; else begin is UINT32_MAX */
	bool attention;      /* false: padding */
	uint8_t sequence;  /* 1: of the first text, 2: of the second, 0: put around them */
} ckpt_token;

/* Start with {0}; every ckpt_encode empties it first. */
typedef struct ckpt_encoding {
	ckpt_token *items;
	size_t count, room;
	ckpt_buffer text;
	const ckpt_tokenizer *tokenizer; /* its own; must live as long */
} ckpt_encoding;
void ckpt_encoding_free(ckpt_encoding *e);
/* The text of token i, as the tokenizer has it or as it was found. */
const char *ckpt_token_text(const ckpt_encoding *e, size_t i, size_t *length);

typedef struct ckpt_encode_options {
	bool no_special;     /* leave out what the post-processor adds */
	uint64_t max_length; /* 0: as long as it is */
} ckpt_encode_options;

ckpt_encoder *ckpt_encoder_new(const ckpt_tokenizer *t, ckpt_error *err);
void ckpt_encoder_free(ckpt_encoder *e);

/* pair: NULL, or the second text. Refuses invalid UTF-8 with its byte offset. options may be NULL. */
bool ckpt_encode(ckpt_encoder *e, const char *text, size_t length, const char *pair, size_t pair_length,
                 const ckpt_encode_options *options, ckpt_encoding *out, ckpt_error *err);
/* Pads to length, on the side and with the token that the tokenizer's files say. */
bool ckpt_encoding_pad(const ckpt_tokenizer *t, ckpt_encoding *e, size_t length, ckpt_error *err);
/* Appends the text of ids; skip_special leaves special tokens out. Refuses ids that the tokenizer has not. */
bool ckpt_decode(ckpt_encoder *e, const uint32_t *ids, size_t count, bool skip_special, ckpt_buffer *out,
                 ckpt_error *err);
#endif
