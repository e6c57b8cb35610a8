/* arena.c -- chunks of memory for many small objects that die together */
#include "arena.h"

#include <stdlib.h>
#include <string.h>

struct ckpt_arena_chunk {
	struct ckpt_arena_chunk *next;
	size_t size;
	_Alignas(8) unsigned char bytes[];
};

#define LEAST ((size_t)4096)
#define MOST ((size_t)1 << 20)

void *ckpt_arena_alloc(ckpt_arena *a, size_t size)
{
	if (size > SIZE_MAX - 8) return NULL;
	size = (size + 7) & ~(size_t)7;
	if (!a->chunk || a->chunk->size - a->used < size) {
		size_t room = a->chunk ? a->chunk->size * 2 : LEAST;
		if (room > MOST) room = MOST;
		if (room < size) room = size;
		if (room > SIZE_MAX - sizeof(struct ckpt_arena_chunk)) return NULL;
		struct ckpt_arena_chunk *chunk = calloc(1, sizeof *chunk + room);
		if (!chunk) return NULL;
		chunk->size = room;
		chunk->next = a->chunk;
		a->chunk = chunk;
		a->used = 0;
	}
	void *p = a->chunk->bytes + a->used;
	a->used += size;
	return p;
}

char *ckpt_arena_copy(ckpt_arena *a, const void *data, size_t length)
{
	char *p = length < SIZE_MAX ? ckpt_arena_alloc(a, length + 1) : NULL;
	if (p && length) memcpy(p, data, length);
	return p;
}

void ckpt_arena_free(ckpt_arena *a)
{
	while (a->chunk) {
		struct ckpt_arena_chunk *next = a->chunk->next;
		free(a->chunk);
		a->chunk = next;
	}
	a->used = 0;
}
