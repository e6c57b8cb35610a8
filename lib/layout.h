/* layout.h -- one output file, known to the last offset before its first byte is written
 *
 * A layout is a list of pieces in ascending order without gap or overlap. ckpt_layout_fill cuts the file into aligned
 * blocks that threads take in turn; each block is gathered from its pieces into one buffer and written once. The bytes
 * depend on the layout alone, never on the number of threads.
 */
#ifndef CKPT_LIB_LAYOUT_H
#define CKPT_LIB_LAYOUT_H
#include "arena.h"
#include "ckpt.h"
#include "output.h"
#include "source.h"

typedef struct ckpt_piece {
	uint64_t at, length;
	const void *bytes;   /* these bytes, or */
	ckpt_source *source; /* this source from its first byte (owned by the layout), or neither: zeros, patched later */
	bool want_crc;       /* compute crc while filling */
	bool check_crc;      /* and compare it with expect_crc: a mismatch is an error naming `name` */
	uint32_t crc;        /* result */
	uint32_t expect_crc;
	const char *name;    /* tensor or record, for messages; may be NULL */
} ckpt_piece;

typedef struct ckpt_layout {
	ckpt_arena arena;
	ckpt_piece *pieces;
	size_t count, capacity;
	uint64_t size;
	size_t tensors; /* for reports */
	/* After all pieces lie on disk and their CRCs are known: writes what depends on them. May be NULL. */
	bool (*finish)(struct ckpt_layout *layout, ckpt_output *out, ckpt_error *err);
	void *state;               /* of the row */
	void (*free_state)(void *);
} ckpt_layout;

ckpt_layout *ckpt_layout_new(ckpt_error *err);
void ckpt_layout_free(ckpt_layout *l);
/* Each appends at the present end (l->size) and returns the piece, valid until the next append, or NULL.
 * bytes are copied into the arena; the source gets a reference of its own. Zero lengths append nothing but succeed
 * with a piece of length 0. A checked source is copied as what is inside, with check_crc set. */
ckpt_piece *ckpt_layout_bytes(ckpt_layout *l, const void *bytes, size_t length, ckpt_error *err);
ckpt_piece *ckpt_layout_source(ckpt_layout *l, ckpt_source *source, const char *name, ckpt_error *err);
ckpt_piece *ckpt_layout_zeros(ckpt_layout *l, uint64_t length, ckpt_error *err);
/* Fills the output, without finishing or committing it. done0/total let several files share one progress. */
bool ckpt_layout_fill(ckpt_layout *l, ckpt_output *out, const ckpt_work *work, uint64_t done0, uint64_t total,
                      bool write_behind, ckpt_error *err);
#endif
