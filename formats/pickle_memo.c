/* pickle_memo.c -- the memo of the pickle machine: numbers to values */
#include "pickle_memo.h"

#include <stdlib.h>

struct ckpt_pickle_memo_slot {
	ckpt_value *value; /* NULL: empty */
	uint32_t number;
};

void ckpt_pickle_memo_free(ckpt_pickle_memo *m)
{
	free(m->dense);
	free(m->sparse);
	*m = (ckpt_pickle_memo){0};
}

static struct ckpt_pickle_memo_slot *slot_of(struct ckpt_pickle_memo_slot *slots, size_t size, uint32_t number)
{
	size_t i = (size_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (size - 1);
	while (slots[i].value && slots[i].number != number) i = (i + 1) & (size - 1);
	return &slots[i];
}

ckpt_value *ckpt_pickle_memo_get(const ckpt_pickle_memo *m, uint32_t number)
{
	if (number < m->dense_used && m->dense[number]) return m->dense[number];
	return m->sparse_size ? slot_of(m->sparse, m->sparse_size, number)->value : NULL;
}

static bool grow_dense(ckpt_pickle_memo *m, uint32_t number)
{
	size_t size = m->dense_size ? m->dense_size : 256;
	while (size <= number) size *= 2;
	ckpt_value **dense = realloc(m->dense, size * sizeof *dense);
	if (!dense) return false;
	m->dense = dense;
	m->dense_size = size;
	return true;
}

static bool grow_sparse(ckpt_pickle_memo *m)
{
	size_t size = m->sparse_size ? m->sparse_size * 2 : 64;
	struct ckpt_pickle_memo_slot *slots = calloc(size, sizeof *slots);
	if (!slots) return false;
	for (size_t i = 0; i < m->sparse_size; i++)
		if (m->sparse[i].value) *slot_of(slots, size, m->sparse[i].number) = m->sparse[i];
	free(m->sparse);
	m->sparse = slots;
	m->sparse_size = size;
	return true;
}

static bool is_near(const ckpt_pickle_memo *m, uint32_t number)
{
	return number < m->dense_size || number <= 2 * m->puts + 1024;
}

bool ckpt_pickle_memo_room(const ckpt_pickle_memo *m, uint32_t number)
{
	return is_near(m, number) || m->sparse_count < CKPT_PICKLE_MEMO_FAR;
}

bool ckpt_pickle_memo_put(ckpt_pickle_memo *m, uint32_t number, ckpt_value *v)
{
	bool near = is_near(m, number);
	bool is_new = !ckpt_pickle_memo_get(m, number);
	m->puts++;
	if (is_new) m->entries++;
	if (near) {
		if (number >= m->dense_size && !grow_dense(m, number)) return false;
		while (m->dense_used <= number) m->dense[m->dense_used++] = NULL;
		m->dense[number] = v;
		return true;
	}
	if (m->sparse_count >= m->sparse_size / 2 && !grow_sparse(m)) return false;
	struct ckpt_pickle_memo_slot *slot = slot_of(m->sparse, m->sparse_size, number);
	if (!slot->value) m->sparse_count++;
	*slot = (struct ckpt_pickle_memo_slot){v, number};
	return true;
}
