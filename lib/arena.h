/* arena.h -- many small objects that die together */
#ifndef CKPT_LIB_ARENA_H
#define CKPT_LIB_ARENA_H
#include "ckpt.h"

typedef struct ckpt_arena {
	struct ckpt_arena_chunk *chunk;
	size_t used;
} ckpt_arena; /* start with {0} */

/* 8-byte aligned, zeroed; NULL when out of memory. */
void *ckpt_arena_alloc(ckpt_arena *a, size_t size);
/* A copy with a NUL behind it. */
char *ckpt_arena_copy(ckpt_arena *a, const void *data, size_t length);
void ckpt_arena_free(ckpt_arena *a);
#endif
