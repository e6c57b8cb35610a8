/* steps.h -- the steps of a tokenizer: normalisers, pre-tokenisers and decoders, as flat lists in the order of work */
#ifndef CKPT_TEXT_STEPS_H
#define CKPT_TEXT_STEPS_H
#include "../arena.h"
#include "../buffer.h"
#include "../json.h"
#include "aligned.h"
#include "pattern.h"

typedef enum ckpt_step_kind {
	CKPT_NORMAL_BERT = 1,
	CKPT_NORMAL_STRIP,
	CKPT_NORMAL_STRIP_ACCENTS,
	CKPT_NORMAL_FORM,
	CKPT_NORMAL_LOWER,
	CKPT_NORMAL_NMT,
	CKPT_NORMAL_PRECOMPILED,
	CKPT_NORMAL_REPLACE,
	CKPT_NORMAL_PREPEND,
	CKPT_NORMAL_BYTES,
	CKPT_SPLIT_BERT,
	CKPT_SPLIT_WHITESPACE,
	CKPT_SPLIT_SPACES,
	CKPT_SPLIT_PUNCTUATION,
	CKPT_SPLIT_DIGITS,
	CKPT_SPLIT_CHARACTER,
	CKPT_SPLIT_PATTERN,
	CKPT_SPLIT_BYTES,
	CKPT_SPLIT_METASPACE,
	CKPT_DECODE_WORDPIECE,
	CKPT_DECODE_BYTES,
	CKPT_DECODE_BPE,
	CKPT_DECODE_METASPACE,
	CKPT_DECODE_FALLBACK,
	CKPT_DECODE_FUSE,
	CKPT_DECODE_STRIP,
	CKPT_DECODE_REPLACE
} ckpt_step_kind;

typedef enum ckpt_behavior { CKPT_REMOVED, CKPT_ISOLATED, CKPT_WITH_PREVIOUS, CKPT_WITH_NEXT, CKPT_CONTIGUOUS } ckpt_behavior;
typedef enum ckpt_scheme { CKPT_ALWAYS, CKPT_FIRST, CKPT_NEVER } ckpt_scheme;

typedef struct ckpt_step {
	ckpt_step_kind kind;
	bool clean, chinese, accents, lower; /* BERT: what it removes, sets apart, strips, changes */
	bool left, right;                    /* STRIP */
	bool compatible, compose;            /* FORM */
	bool prefix_space, regex;            /* BYTES as a split */
	bool split;                          /* METASPACE */
	bool each;                           /* DIGITS: one by one */
	bool invert;                         /* PATTERN */
	bool clean_up;                       /* WORDPIECE */
	const char *text; /* prefix, suffix, replacement, content; in the arena */
	uint64_t start, stop;
	ckpt_behavior behavior;
	ckpt_scheme scheme;
	ckpt_pattern *pattern;
	const uint8_t *map; /* PRECOMPILED: units of the trie, then the strings */
	size_t map_units, map_length;
} ckpt_step;

typedef struct ckpt_steps {
	ckpt_step *items;
	size_t count;
} ckpt_steps;

typedef enum ckpt_step_room { CKPT_ROOM_NORMALIZER, CKPT_ROOM_PRE_TOKENIZER, CKPT_ROOM_DECODER } ckpt_step_room;

/* Reads one component of tokenizer.json (NULL or null: no step); a Sequence becomes its parts. Patterns are to be freed
 * with ckpt_steps_free, also after a failure. Unknown types are refused by name. */
bool ckpt_steps_read(ckpt_steps *steps, ckpt_step_room room, const ckpt_json *v, ckpt_arena *arena, ckpt_error *err);
void ckpt_steps_free(ckpt_steps *steps);

/* What a thread works with: two texts that change places, and the memory of searches. */
typedef struct ckpt_work_text {
	ckpt_pieces now, next;
	ckpt_changes changes;
	ckpt_matcher *matcher;
	ckpt_aligned between[3]; /* of a normaliser with parts */
	uint64_t walks; /* bytes that the search for added tokens may still walk */
} ckpt_work_text;

/* What steps may make of a text of so many bytes: more than any of the usual ones does, since a file may replace what it likes;
 * below 4 GiB, so that 32 bits say where a piece is. */
static inline size_t ckpt_steps_most(size_t length)
{
	uint64_t most = 64 * (uint64_t)length + (1 << 20);
	return most < UINT32_MAX ? (size_t)most : UINT32_MAX;
}
/* Empties w for a text of so many bytes. */
void ckpt_work_begin(ckpt_work_text *w, size_t length);
void ckpt_work_free(ckpt_work_text *w); /* not the matcher */

/* Every text piece of w->now through the normalisers, or through one. */
bool ckpt_normalize(const ckpt_steps *steps, ckpt_work_text *w, ckpt_error *err);
bool ckpt_normalize_step(const ckpt_step *step, ckpt_work_text *w, ckpt_error *err);
/* Every text piece of w->now through the pre-tokenisers. */
bool ckpt_pre_tokenize(const ckpt_steps *steps, ckpt_work_text *w, ckpt_error *err);
void ckpt_work_swap(ckpt_work_text *w);
/* Whether all went well with w->next: with its memory, and its length. */
bool ckpt_work_ok(const ckpt_work_text *w, ckpt_error *err);

/* Tokens, in turn, to text. */
typedef struct ckpt_strings {
	ckpt_buffer text;
	size_t *ends; /* of each string in text */
	size_t count, room;
} ckpt_strings;
void ckpt_strings_add(ckpt_strings *s, const char *text, size_t length);
void ckpt_strings_free(ckpt_strings *s);
bool ckpt_decode_steps(const ckpt_steps *steps, ckpt_strings *tokens, ckpt_matcher *matcher, ckpt_error *err);

/* The character that stands for a byte in byte-level vocabularies, and back (-1: none). */
uint32_t ckpt_byte_char(uint8_t byte);
int ckpt_char_byte(uint32_t c);
#endif
