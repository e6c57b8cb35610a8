/* trie.h -- strings to numbers, byte by byte: vocabularies, prefixes, added tokens */
#ifndef CKPT_TEXT_TRIE_H
#define CKPT_TEXT_TRIE_H
#include "../ckpt.h"

#define CKPT_TRIE_NONE UINT32_MAX

/* Edges lie in one hash table, each as parent (28 bits), byte (8 bits) and child (28 bits); node 0 is the root. */
typedef struct ckpt_trie {
	uint64_t *edges;  /* 0: free */
	uint32_t *values; /* by node; CKPT_TRIE_NONE: no string ends here */
	size_t edge_room, node_room, nodes;
	uint64_t key; /* odd and random, so that no file can choose collisions */
} ckpt_trie;

bool ckpt_trie_init(ckpt_trie *t); /* false: out of memory; then, too, to be freed */
void ckpt_trie_free(ckpt_trie *t);
/* Adds or replaces. False when out of memory or beyond 2^28 nodes. */
bool ckpt_trie_add(ckpt_trie *t, const char *text, size_t length, uint32_t value);
/* CKPT_TRIE_NONE: not there. */
uint32_t ckpt_trie_find(const ckpt_trie *t, const char *text, size_t length);
/* The node behind prefix, from node; 0: none. */
uint32_t ckpt_trie_walk(const ckpt_trie *t, uint32_t node, const char *text, size_t length);

static inline size_t ckpt_trie_slot(const ckpt_trie *t, uint64_t edge)
{
	return (size_t)((edge * t->key) >> 20) & (t->edge_room - 1);
}

/* How many bytes the searches for all parts of a text may walk: far more than any vocabulary of words needs, since a file
 * can hold strings of a million bytes of which all but the last are everywhere in a text. */
static inline uint64_t ckpt_trie_most(size_t length)
{
	return (1 << 24) + 1024 * (uint64_t)length;
}

/* The child of node by one byte; 0: none. */
static inline uint32_t ckpt_trie_step(const ckpt_trie *t, uint32_t node, unsigned char byte)
{
	uint64_t edge = (uint64_t)node << 8 | byte;
	for (size_t i = ckpt_trie_slot(t, edge); t->edges[i]; i = (i + 1) & (t->edge_room - 1))
		if (t->edges[i] >> 28 == edge) return (uint32_t)(t->edges[i] & 0xfffffff);
	return 0;
}
#endif
