/* text_index.c -- finds texts by hash: record names, storage keys */
#include "text_index.h"
#include "../lib/error.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Small, so that a table of 100,000 names stays in the cache. */
struct ckpt_text_slot {
	uint32_t entry; /* + 1; 0: empty */
	uint32_t hash;  /* its upper half; the lower one tells the slot */
};

struct ckpt_text_entry {
	const char *text;
	uint32_t length, number;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t lo = a * b;
	uint64_t hi = (a >> 32) * (b >> 32) + ((a & 0xffffffff) * (b >> 32) >> 32);
	return lo ^ hi ^ (lo >> 29);
}

static uint64_t lower8(uint64_t x)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t low7 = x & (ones * 0x7f);
	uint64_t from_a = low7 + ones * (0x80 - 'A'), after_z = low7 + ones * (0x7f - 'Z');
	return x | (((from_a & ~after_z & ~x) & (ones * 0x80)) >> 2);
}

static uint64_t hash_text(const ckpt_text_index *t, const char *text, size_t length)
{
	uint64_t h = t->seed ^ length * UINT64_C(0x9e3779b97f4a7c15);
	while (length) {
		uint64_t word = 0;
		size_t n = length < 8 ? length : 8;
		memcpy(&word, text, n);
		h = mix(h ^ (t->fold ? lower8(word) : word), UINT64_C(0xd6e8feb86659fd93));
		h ^= h >> 32;
		text += n;
		length -= n;
	}
	return mix(h ^ t->seed, UINT64_C(0xa0761d6478bd642f));
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool same(const ckpt_text_index *t, const struct ckpt_text_entry *e, const char *text, size_t length)
{
	if (e->length != length) return false;
	if (!t->fold) return length == 0 || memcmp(e->text, text, length) == 0;
	for (size_t i = 0; i < length; i++)
		if (lower(e->text[i]) != lower(text[i])) return false;
	return true;
}

static struct ckpt_text_slot *slot_of(const ckpt_text_index *t, const char *text, size_t length, uint64_t hash)
{
	uint32_t high = (uint32_t)(hash >> 32);
	for (size_t i = (size_t)hash & (t->size - 1);; i = (i + 1) & (t->size - 1)) {
		struct ckpt_text_slot *slot = &t->slots[i];
		if (!slot->entry || (slot->hash == high && same(t, &t->entries[slot->entry - 1], text, length)))
			return slot;
	}
}

bool ckpt_text_index_init(ckpt_text_index *t, size_t expected, bool fold, ckpt_error *err)
{
	*t = (ckpt_text_index){.size = 16, .fold = fold};
	while (t->size / 2 < expected) t->size *= 2;
	t->slots = calloc(t->size, sizeof *t->slots);
	t->entries = malloc(t->size / 2 * sizeof *t->entries);
	if (!t->slots || !t->entries) {
		ckpt_text_index_free(t);
		return ckpt_fail_nomem(err);
	}
	if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) != (ssize_t)sizeof t->seed)
		t->seed = (uint64_t)(uintptr_t)t->slots * UINT64_C(0x9e3779b97f4a7c15);
	return true;
}

void ckpt_text_index_free(ckpt_text_index *t)
{
	free(t->slots);
	free(t->entries);
	*t = (ckpt_text_index){0};
}

uint32_t ckpt_text_index_find(const ckpt_text_index *t, const char *text, size_t length)
{
	if (!t->size || length > UINT32_MAX) return UINT32_MAX;
	const struct ckpt_text_slot *slot = slot_of(t, text, length, hash_text(t, text, length));
	return slot->entry ? t->entries[slot->entry - 1].number : UINT32_MAX;
}

static bool grow(ckpt_text_index *t, ckpt_error *err)
{
	size_t size = t->size * 2;
	struct ckpt_text_slot *slots = calloc(size, sizeof *slots);
	struct ckpt_text_entry *entries = reallocarray(t->entries, size / 2, sizeof *entries);
	if (entries) t->entries = entries;
	if (!slots || !entries) {
		free(slots);
		return ckpt_fail_nomem(err);
	}
	for (size_t i = 0; i < t->count; i++) {
		uint64_t hash = hash_text(t, entries[i].text, entries[i].length);
		size_t k = (size_t)hash & (size - 1);
		while (slots[k].entry) k = (k + 1) & (size - 1);
		slots[k] = (struct ckpt_text_slot){(uint32_t)i + 1, (uint32_t)(hash >> 32)};
	}
	free(t->slots);
	t->slots = slots;
	t->size = size;
	return true;
}

bool ckpt_text_index_add(ckpt_text_index *t, const char *text, size_t length, uint32_t number, uint32_t *found,
                         ckpt_error *err)
{
	if (length > UINT32_MAX || t->count >= UINT32_MAX / 2)
		return ckpt_fail(err, CKPT_E_LIMIT, "a name of %zu bytes or %zu names are too much", length, t->count);
	if (t->count >= t->size / 2 && !grow(t, err)) return false;
	uint64_t hash = hash_text(t, text, length);
	struct ckpt_text_slot *slot = slot_of(t, text, length, hash);
	if (!slot->entry) {
		t->entries[t->count++] = (struct ckpt_text_entry){text, (uint32_t)length, number};
		*slot = (struct ckpt_text_slot){(uint32_t)t->count, (uint32_t)(hash >> 32)};
	}
	*found = t->entries[slot->entry - 1].number;
	return true;
}
