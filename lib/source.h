/* source.h -- where a tensor's bytes come from: any byte range, at any time, from any thread */
#ifndef CKPT_LIB_SOURCE_H
#define CKPT_LIB_SOURCE_H
#include "ckpt.h"
#include "file.h"

/* Immutable and shared by reference counting. A source has a length and no cursor. */
typedef struct ckpt_source ckpt_source;

/* "I am bytes offset .. of this open file." */
typedef struct ckpt_extent {
	ckpt_file *file; /* borrowed from the source */
	uint64_t offset;
} ckpt_extent;

typedef struct ckpt_source_ops {
	const char *name; /* for tests and messages: "file", "cast", ... */
	bool (*read)(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err);
	bool (*extent)(const ckpt_source *s, ckpt_extent *out); /* NULL: never a plain range */
	void (*drop)(ckpt_source *s);                           /* releases what the variant holds; NULL: nothing */
} ckpt_source_ops;

struct ckpt_source {
	const ckpt_source_ops *ops;
	uint64_t length;
	int references; /* atomic */
};

/* For a new variant: a zeroed struct of `size` bytes whose first member is a ckpt_source. */
void *ckpt_source_new(const ckpt_source_ops *ops, size_t size, uint64_t length, ckpt_error *err);
ckpt_source *ckpt_source_ref(ckpt_source *s);
void ckpt_source_unref(ckpt_source *s);
/* The range must lie inside, else CKPT_E_USAGE. */
bool ckpt_source_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err);
/* True when the whole source is a plain range of a file. */
bool ckpt_source_extent(const ckpt_source *s, ckpt_extent *out);

/* Variants. Each takes its own reference on what it is given; the caller keeps his. */
ckpt_source *ckpt_source_file(ckpt_file *f, uint64_t offset, uint64_t length, ckpt_error *err);
ckpt_source *ckpt_source_heap(const void *data, size_t length, ckpt_error *err); /* copies */
ckpt_source *ckpt_source_slice(ckpt_source *inner, uint64_t offset, uint64_t length, ckpt_error *err);
/* length bytes that repeat a pattern of 1 to 16 bytes. */
ckpt_source *ckpt_source_fill(const void *pattern, size_t pattern_length, uint64_t length, ckpt_error *err);
/* Reverses the bytes of each item of `item` bytes (2, 4, 8, 16). */
ckpt_source *ckpt_source_swap(ckpt_source *inner, unsigned item, ckpt_error *err);
/* Element strides: the contiguous form of a view that starts at element `offset` of inner. Checked against inner's
 * length. item: bytes of one element. A contiguous view becomes a slice, so that a plain range stays one. */
ckpt_source *ckpt_source_strided(ckpt_source *inner, unsigned item, uint64_t offset, size_t rank,
                                 const uint64_t *shape, const uint64_t *stride, ckpt_error *err);
/* Converts elements; pairs that ckpt_cast_supported() allows. */
ckpt_source *ckpt_source_cast(ckpt_source *inner, ckpt_dtype from, ckpt_dtype to, ckpt_error *err);
/* The bytes of several sources one after the other. */
ckpt_source *ckpt_source_concat(ckpt_source *const *parts, size_t count, ckpt_error *err);
/* Negates each element of dtype (torch's lazy neg), or the imaginary halves (lazy conj). */
ckpt_source *ckpt_source_negate(ckpt_source *inner, ckpt_dtype dtype, bool imaginary_only, ckpt_error *err);
/* Bytes that can only be produced in order (an inflate stream): on first need `produce` writes all `length` of them
 * into an unnamed temporary file (short ones into memory); later reads are plain. produce gets `state` and must emit
 * exactly length bytes through `emit`; free_state runs when the source dies. */
typedef bool (*ckpt_emit_fn)(void *sink, const void *data, size_t length, ckpt_error *err);
typedef bool (*ckpt_produce_fn)(void *state, ckpt_emit_fn emit, void *sink, ckpt_error *err);
ckpt_source *ckpt_source_spill(uint64_t length, ckpt_produce_fn produce, void *state, void (*free_state)(void *),
                               ckpt_error *err);
/* The bytes of inner, whose CRC-32 should be crc (a zip record). Reading order is not known, so the first read of any part
 * computes the CRC of the whole, and when it differs every read fails; until then the source is no plain range. A layout
 * sees through it instead and verifies while it copies. */
ckpt_source *ckpt_source_checked(ckpt_source *inner, uint32_t crc, ckpt_error *err);
/* True for a checked source: what is inside (borrowed), and the CRC that it should have. */
bool ckpt_source_get_check(const ckpt_source *s, ckpt_source **inner, uint32_t *crc);
#endif
