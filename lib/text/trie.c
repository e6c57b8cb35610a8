/* trie.c -- strings to numbers, byte by byte */
#include "trie.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { FIRST_EDGES = 1024, FIRST_NODES = 512, MOST_NODES = 1 << 28 };

bool ckpt_trie_init(ckpt_trie *t)
{
	*t = (ckpt_trie){.edge_room = FIRST_EDGES, .node_room = FIRST_NODES, .nodes = 1};
	if (getrandom(&t->key, sizeof t->key, GRND_NONBLOCK) != (ssize_t)sizeof t->key) t->key = 0x9e3779b97f4a7c15;
	t->key |= 1;
	t->edges = calloc(t->edge_room, sizeof *t->edges);
	t->values = malloc(t->node_room * sizeof *t->values);
	if (!t->edges || !t->values) return false;
	t->values[0] = CKPT_TRIE_NONE;
	return true;
}

void ckpt_trie_free(ckpt_trie *t)
{
	free(t->edges);
	free(t->values);
	*t = (ckpt_trie){0};
}

static void put(ckpt_trie *t, uint64_t entry)
{
	size_t i = ckpt_trie_slot(t, entry >> 28);
	while (t->edges[i]) i = (i + 1) & (t->edge_room - 1);
	t->edges[i] = entry;
}

static bool grow_edges(ckpt_trie *t)
{
	uint64_t *old = t->edges, *fresh = calloc(t->edge_room * 2, sizeof *fresh);
	size_t room = t->edge_room;
	if (!fresh) return false;
	t->edges = fresh;
	t->edge_room *= 2;
	for (size_t i = 0; i < room; i++)
		if (old[i]) put(t, old[i]);
	free(old);
	return true;
}

static uint32_t new_child(ckpt_trie *t, uint32_t node, unsigned char byte)
{
	if (t->nodes >= MOST_NODES) return 0;
	if (t->nodes * 2 >= t->edge_room && !grow_edges(t)) return 0;
	if (t->nodes == t->node_room) {
		uint32_t *more = realloc(t->values, t->node_room * 2 * sizeof *more);
		if (!more) return 0;
		t->values = more;
		t->node_room *= 2;
	}
	uint32_t child = (uint32_t)t->nodes++;
	t->values[child] = CKPT_TRIE_NONE;
	put(t, ((uint64_t)node << 8 | byte) << 28 | child);
	return child;
}

bool ckpt_trie_add(ckpt_trie *t, const char *text, size_t length, uint32_t value)
{
	uint32_t node = 0;
	for (size_t i = 0; i < length; i++) {
		uint32_t child = ckpt_trie_step(t, node, (unsigned char)text[i]);
		if (!child) child = new_child(t, node, (unsigned char)text[i]);
		if (!child) return false;
		node = child;
	}
	t->values[node] = value;
	return true;
}

uint32_t ckpt_trie_walk(const ckpt_trie *t, uint32_t node, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		node = ckpt_trie_step(t, node, (unsigned char)text[i]);
		if (!node) return 0;
	}
	return node;
}

uint32_t ckpt_trie_find(const ckpt_trie *t, const char *text, size_t length)
{
	uint32_t node = ckpt_trie_walk(t, 0, text, length);
	return node || length == 0 ? t->values[node] : CKPT_TRIE_NONE;
}
