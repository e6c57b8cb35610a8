/* text_index.h -- finds texts by hash: record names, storage keys */
#ifndef CKPT_FORMATS_TEXT_INDEX_H
#define CKPT_FORMATS_TEXT_INDEX_H
#include "../lib/ckpt.h"

/* Maps texts (borrowed, any bytes) to numbers. The hash is seeded anew each time, so that no file can be made of names
 * that all collide. Start with ckpt_text_index_init. */
typedef struct ckpt_text_index {
	struct ckpt_text_slot *slots;
	struct ckpt_text_entry *entries;
	size_t size, count; /* of slots, a power of two; of entries, at most half of that */
	uint64_t seed;
	bool fold; /* ASCII letters match in either case */
} ckpt_text_index;

bool ckpt_text_index_init(ckpt_text_index *t, size_t expected, bool fold, ckpt_error *err);
void ckpt_text_index_free(ckpt_text_index *t);
/* The number of a text, or UINT32_MAX. */
uint32_t ckpt_text_index_find(const ckpt_text_index *t, const char *text, size_t length);
/* Adds a text; when an equal one is there, *found is its number and nothing is added, otherwise it is `number`. */
bool ckpt_text_index_add(ckpt_text_index *t, const char *text, size_t length, uint32_t number, uint32_t *found,
                         ckpt_error *err);
#endif
