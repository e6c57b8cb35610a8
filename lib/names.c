/* names.c -- an open-addressing table from names to indices */
#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

typedef struct slot {
	const char *name;
	uint64_t hash;
	size_t index;
} slot;

struct ckpt_name_index {
	slot *slots;
	size_t count, capacity; /* capacity: a power of two */
	uint64_t key;
};

static uint64_t hash_of(const ckpt_name_index *x, const char *name)
{
	uint64_t h = x->key;
	size_t n = strlen(name);
	while (n > 0) {
		uint64_t word = 0;
		size_t step = n < 8 ? n : 8;
		memcpy(&word, name, step);
		h = (h ^ word ^ (uint64_t)n << 56) * 0x9e3779b97f4a7c15u;
		h ^= (h >> 32) + x->key;
		name += step;
		n -= step;
	}
	h *= 0xd6e8feb86659fd93u;
	return h ^ h >> 32;
}

ckpt_name_index *ckpt_names_new(void)
{
	ckpt_name_index *x = calloc(1, sizeof *x);
	if (x && getrandom(&x->key, sizeof x->key, 0) != (ssize_t)sizeof x->key) x->key = (uint64_t)(uintptr_t)x;
	return x;
}

void ckpt_names_free(ckpt_name_index *x)
{
	if (!x) return;
	free(x->slots);
	free(x);
}

static void insert(ckpt_name_index *x, slot s)
{
	size_t i = (size_t)s.hash & (x->capacity - 1);
	while (x->slots[i].name) i = (i + 1) & (x->capacity - 1);
	x->slots[i] = s;
}

bool ckpt_names_add(ckpt_name_index *x, const char *name, size_t index)
{
	if ((x->count + 1) * 2 > x->capacity) {
		size_t old = x->capacity, capacity = old ? old * 2 : 64;
		slot *slots = x->slots;
		slot *more = calloc(capacity, sizeof *more);
		if (!more) return false;
		x->slots = more;
		x->capacity = capacity;
		for (size_t i = 0; i < old; i++)
			if (slots[i].name) insert(x, slots[i]);
		free(slots);
	}
	insert(x, (slot){name, hash_of(x, name), index});
	x->count++;
	return true;
}

size_t ckpt_names_find(const ckpt_name_index *x, const char *name)
{
	if (!x || x->count == 0) return SIZE_MAX;
	uint64_t hash = hash_of(x, name);
	for (size_t i = (size_t)hash & (x->capacity - 1); x->slots[i].name; i = (i + 1) & (x->capacity - 1))
		if (x->slots[i].hash == hash && strcmp(x->slots[i].name, name) == 0) return x->slots[i].index;
	return SIZE_MAX;
}
