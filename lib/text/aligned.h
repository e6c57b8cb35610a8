/* aligned.h -- text under change that knows, byte by byte, which bytes of the original it stands for
 *
 * A tokenizer normalises and cuts a text in many steps. All pieces of one step lie in one ckpt_aligned, one behind the
 * other; a step that only cuts makes new pieces over the same bytes, one that changes text appends to a second
 * ckpt_aligned, which then takes the place of the first.
 */
#ifndef CKPT_TEXT_ALIGNED_H
#define CKPT_TEXT_ALIGNED_H
#include "../ckpt.h"

/* A character of the original: its first byte << 3 | its bytes (0 to 4), so that an original has fewer than 2^29. */
typedef uint32_t ckpt_span;

static inline ckpt_span ckpt_span_of(size_t from, size_t length)
{
	return (ckpt_span)(from << 3 | length);
}

static inline uint32_t ckpt_span_from(ckpt_span s)
{
	return s >> 3;
}

static inline uint32_t ckpt_span_to(ckpt_span s)
{
	return (s >> 3) + (s & 7);
}

/* Start with {0}. failed is set once memory ran out, or the text would have become longer than `most`. */
typedef struct ckpt_aligned {
	char *text;
	ckpt_span *spans; /* one a byte of text */
	size_t length, room;
	size_t most; /* set with ckpt_aligned_begin; 0: no limit */
	size_t fits; /* of room and most the smaller */
	bool failed, too_long;
} ckpt_aligned;

/* A run of the text; token: the added token that it is, or UINT32_MAX. */
typedef struct ckpt_piece {
	uint32_t begin, end, token;
} ckpt_piece;

typedef struct ckpt_pieces {
	ckpt_aligned text;
	ckpt_piece *items;
	size_t count, room;
} ckpt_pieces;

/* One character of a changed text. change: 0 stands for the next character of the old text, n > 0 was inserted, n < 0
 * stands for the next and lets -n further ones vanish. */
typedef struct ckpt_change {
	uint32_t code_point;
	int32_t change;
} ckpt_change;

typedef struct ckpt_changes {
	ckpt_change *items;
	size_t count, room;
	bool failed;
} ckpt_changes;

/* Empties it for a text that may become so long. */
void ckpt_aligned_begin(ckpt_aligned *a, size_t most);
void ckpt_aligned_free(ckpt_aligned *a);
void ckpt_aligned_add(ckpt_aligned *a, const char *text, const ckpt_span *spans, size_t length);
/* Every byte with the same span. */
void ckpt_aligned_put(ckpt_aligned *a, const char *text, size_t length, ckpt_span span);
void ckpt_aligned_code(ckpt_aligned *a, uint32_t code_point, ckpt_span span);
/* Appends a valid text that stands for itself. */
void ckpt_aligned_original(ckpt_aligned *a, const char *text, size_t length);
/* Appends what changes make of the bytes from `at` on, of the length bytes at text and spans. Returns the place behind the
 * last that they stand for. */
size_t ckpt_aligned_change(ckpt_aligned *a, const char *text, const ckpt_span *spans, size_t length,
                           const ckpt_changes *changes, size_t at);

void ckpt_changes_add(ckpt_changes *c, uint32_t code_point, int32_t change);
void ckpt_changes_free(ckpt_changes *c);

void ckpt_pieces_free(ckpt_pieces *p);
/* Adds begin .. end of the text; false: out of memory. Empty text pieces are left out. */
bool ckpt_pieces_add(ckpt_pieces *p, size_t begin, size_t end, uint32_t token);
/* Empties both, for the next text. */
void ckpt_pieces_clear(ckpt_pieces *p);
/* Gives memory back, if it is much. */
void ckpt_pieces_shrink(ckpt_pieces *p);
#endif
