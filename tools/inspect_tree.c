/* inspect_tree.c -- ckpt inspect --tree: tensors by the components of their names, with subtotals
 *
 * 1. The names are sorted so that equal components lie together, and a tree is built from neighbours.
 * 2. Children are put in the order of the file, those with numbers for names by number.
 * 3. Each node gets a hash of what lies beneath it (names, dtypes, shapes). Siblings with numbers for names and the
 *    same hash are compared in full and, when alike, shown as one: layer.{0..11}, with the sums of one of them.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "inspect.h"
#include "number.h"
#include "table.h"

#define NONE SIZE_MAX
#define SET_PARTS 12 /* of {0..3,5,7..9} */

typedef struct node {
	const char *name; /* not terminated */
	uint32_t length;
	bool numeric;
	uint64_t number;     /* numeric: the name */
	size_t tensor;       /* or NONE */
	size_t first;        /* smallest index of a tensor beneath: where the file has it */
	size_t child, next;  /* first child, next sibling; NONE */
	size_t children;
	uint64_t hash;
	uint64_t parameters, bytes;
	size_t alike;        /* next of the same group, or NONE */
	size_t group;        /* members of the group that this one leads; 0: a follower */
} node;

typedef struct tree {
	const ckpt_checkpoint *cp;
	node *nodes; /* parents before children; 0 is the root */
	size_t count, capacity, depth;
} tree;

/* ---- building ---- */

/* Dots sort before everything, so that what lies under one component is together. */
static int by_name(const void *a, const void *b)
{
	const unsigned char *x = (const unsigned char *)ckpt_tensor_name(*(const ckpt_tensor *const *)a);
	const unsigned char *y = (const unsigned char *)ckpt_tensor_name(*(const ckpt_tensor *const *)b);
	while (*x && *x == *y) {
		x++;
		y++;
	}
	int p = !*x ? -2 : *x == '.' ? -1 : *x, q = !*y ? -2 : *y == '.' ? -1 : *y;
	return (p > q) - (p < q);
}

static bool parse_number(const char *name, size_t length, uint64_t *number)
{
	uint64_t n = 0;
	if (length == 0 || length > 18 || (length > 1 && name[0] == '0')) return false;
	for (size_t i = 0; i < length; i++) {
		if (name[i] < '0' || name[i] > '9') return false;
		n = n * 10 + (uint64_t)(name[i] - '0');
	}
	*number = n;
	return true;
}

static bool add_node(tree *t, const char *name, size_t length)
{
	if (length > UINT32_MAX) return false;
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? t->capacity * 2 : 256;
		node *nodes = realloc(t->nodes, capacity * sizeof *nodes);
		if (!nodes) return false;
		t->nodes = nodes;
		t->capacity = capacity;
	}
	node *n = &t->nodes[t->count++];
	*n = (node){.name = name, .length = (uint32_t)length, .tensor = NONE, .first = NONE, .child = NONE, .next = NONE,
	            .alike = NONE, .group = 1};
	n->numeric = parse_number(name, length, &n->number);
	return true;
}

/* Walks down the path of the name before as far as it is shared, then adds nodes. path[d]: the node at depth d. */
static bool add_name(tree *t, size_t *path, size_t *used, const char *name, size_t tensor)
{
	const char *at = name;
	size_t d = 0;
	bool shared = true;
	for (;;) {
		size_t length = d + 1 == t->depth ? strlen(at) : strcspn(at, ".");
		const node *old = shared && d + 1 < *used ? &t->nodes[path[d + 1]] : NULL;
		shared = old && old->length == length && memcmp(old->name, at, length) == 0;
		if (!shared) {
			size_t parent = path[d];
			if (!add_node(t, at, length)) return false;
			size_t now = t->count - 1;
			t->nodes[now].next = t->nodes[parent].child; /* backwards for now */
			t->nodes[parent].child = now;
			t->nodes[parent].children++;
			path[d + 1] = now;
		}
		d++;
		if (!at[length]) break;
		at += length + 1;
	}
	t->nodes[path[d]].tensor = tensor;
	*used = d + 1;
	return true;
}

static bool build(tree *t)
{
	size_t count = ckpt_checkpoint_tensor_count(t->cp), used = 1;
	const ckpt_tensor **sorted = calloc(count + 1, sizeof *sorted);
	size_t *path = calloc(t->depth + 2, sizeof *path);
	bool ok = sorted && path && add_node(t, "", 0);
	for (size_t i = 0; ok && i < count; i++) sorted[i] = ckpt_checkpoint_tensor_at(t->cp, i);
	if (ok) qsort(sorted, count, sizeof *sorted, by_name);
	for (size_t i = 0; ok && i < count; i++)
		ok = add_name(t, path, &used, ckpt_tensor_name(sorted[i]), (size_t)(sorted[i] - t->cp->tensors));
	free(sorted);
	free(path);
	return ok;
}

/* ---- order, sums, likeness ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static int by_place(const void *a, const void *b)
{
	const node *x = *(const node *const *)a, *y = *(const node *const *)b;
	if (x->numeric && y->numeric) return (x->number > y->number) - (x->number < y->number);
	return (x->first > y->first) - (x->first < y->first);
}

static int by_hash(const void *a, const void *b)
{
	const node *x = *(const node *const *)a, *y = *(const node *const *)b;
	if (x->hash != y->hash) return x->hash > y->hash ? 1 : -1;
	return (x->number > y->number) - (x->number < y->number);
}

static bool same_tensor(const tree *t, const node *a, const node *b)
{
	if ((a->tensor == NONE) != (b->tensor == NONE)) return false;
	if (a->tensor == NONE) return true;
	const ckpt_tensor *x = &t->cp->tensors[a->tensor], *y = &t->cp->tensors[b->tensor];
	return x->dtype == y->dtype && x->rank == y->rank && (x->alias_of == SIZE_MAX) == (y->alias_of == SIZE_MAX) &&
	       (!x->rank || memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) == 0);
}

/* Two subtrees node by node; their own names do not matter. Depth is bounded by the tree's. */
static bool same_beneath(const tree *t, size_t a, size_t b)
{
	const node *x = &t->nodes[a], *y = &t->nodes[b];
	if (x->children != y->children || !same_tensor(t, x, y)) return false;
	for (a = x->child, b = y->child; a != NONE; a = t->nodes[a].next, b = t->nodes[b].next) {
		const node *p = &t->nodes[a], *q = &t->nodes[b];
		if (p->length != q->length || memcmp(p->name, q->name, p->length) != 0 || !same_beneath(t, a, b)) return false;
	}
	return true;
}

static uint64_t hash_of(const tree *t, const node *n)
{
	uint64_t h = mix(n->children, n->tensor == NONE);
	if (n->tensor != NONE) {
		const ckpt_tensor *x = &t->cp->tensors[n->tensor];
		h = mix(mix(h, x->dtype), x->rank);
		for (size_t i = 0; i < x->rank; i++) h = mix(h, x->shape[i]);
	}
	for (size_t c = n->child; c != NONE; c = t->nodes[c].next) {
		const node *child = &t->nodes[c];
		h = mix(h, child->hash);
		for (size_t i = 0; i < child->length; i++) h = mix(h, (unsigned char)child->name[i]);
	}
	return h;
}

/* Orders the children (those with numbers by number, where the first of them stands), and groups those alike. */
static void settle_children(tree *t, node *n, node **room)
{
	size_t count = 0, numbers = 0, first = NONE;
	for (size_t c = n->child; c != NONE; c = t->nodes[c].next) {
		node *child = &t->nodes[c];
		if (child->numeric && child->first < first) first = child->first;
		room[count++] = child;
	}
	for (size_t i = 0; i < count; i++)
		if (room[i]->numeric) room[i]->first = first;
	qsort(room, count, sizeof *room, by_place);
	n->child = count ? (size_t)(room[0] - t->nodes) : NONE;
	for (size_t i = 0; i < count; i++) room[i]->next = i + 1 < count ? (size_t)(room[i + 1] - t->nodes) : NONE;
	for (size_t i = 0; i < count; i++)
		if (room[i]->numeric) room[numbers++] = room[i];
	qsort(room, numbers, sizeof *room, by_hash);
	for (size_t i = 0, k; i < numbers; i = k) {
		node *last = room[i];
		for (k = i + 1; k < numbers && room[k]->hash == room[i]->hash; k++) {
			if (!same_beneath(t, (size_t)(room[i] - t->nodes), (size_t)(room[k] - t->nodes))) break;
			last->alike = (size_t)(room[k] - t->nodes);
			last = room[k];
			last->group = 0;
			room[i]->group++;
		}
	}
}

static bool settle(tree *t)
{
	node **room = calloc(t->count + 1, sizeof *room);
	if (!room) return false;
	for (size_t i = t->count; i-- > 0;) {
		node *n = &t->nodes[i];
		if (n->tensor != NONE) {
			const ckpt_tensor *x = &t->cp->tensors[n->tensor];
			if (n->tensor < n->first) n->first = n->tensor;
			if (x->alias_of == SIZE_MAX) {
				n->parameters += x->elements;
				n->bytes += x->bytes;
			}
		}
		for (size_t c = n->child; c != NONE; c = t->nodes[c].next) {
			n->parameters += t->nodes[c].parameters;
			n->bytes += t->nodes[c].bytes;
			if (t->nodes[c].first < n->first) n->first = t->nodes[c].first;
		}
		settle_children(t, n, room);
		n->hash = hash_of(t, n);
	}
	free(room);
	return true;
}

/* ---- printing ---- */

/* 0..11, or 0..3,5,7..9, or 0..78..2 for every second: the numbers of a group. */
static void put_numbers(const tree *t, ckpt_buffer *b, const node *n)
{
	size_t parts = 0;
	while (n) {
		const node *last = n, *next = n->alike == NONE ? NULL : &t->nodes[n->alike];
		uint64_t step = next ? next->number - n->number : 0;
		size_t length = 1;
		for (const node *m = next; m && m->number - last->number == step; length++) {
			last = m;
			m = m->alike == NONE ? NULL : &t->nodes[m->alike];
		}
		if (parts++) ckpt_buffer_char(b, ',');
		if (parts > SET_PARTS) {
			ckpt_buffer_str(b, "\xe2\x80\xa6");
			return;
		}
		if (step == 1)
			ckpt_buffer_printf(b, "%" PRIu64 "..%" PRIu64, n->number, last->number);
		else if (length > 2)
			ckpt_buffer_printf(b, "%" PRIu64 "..%" PRIu64 "..%" PRIu64, n->number, last->number, step);
		else
			ckpt_buffer_printf(b, "%" PRIu64, (last = n)->number);
		n = last->alike == NONE ? NULL : &t->nodes[last->alike];
	}
}

static void put_label(const tree *t, ckpt_buffer *b, const node *n)
{
	if (n->group == 1) {
		ckpt_buffer_add(b, n->name, n->length);
		return;
	}
	ckpt_buffer_char(b, '{');
	put_numbers(t, b, n);
	ckpt_buffer_char(b, '}');
}

/* The only child or group of children of a node that is no tensor itself, or NULL. */
static const node *only_child(const tree *t, const node *n)
{
	const node *child = n->child == NONE ? NULL : &t->nodes[n->child];
	return n->tensor == NONE && child && child->group == n->children ? child : NULL;
}

static void put_sums(ckpt_table *table, uint64_t times, const node *n)
{
	char count[CKPT_NUMBER_TEXT], bytes[CKPT_NUMBER_TEXT];
	ckpt_count_text(n->parameters, count, sizeof count);
	ckpt_bytes_text((double)n->bytes, bytes, sizeof bytes);
	if (times == 1) {
		ckpt_table_text(table, count);
		ckpt_table_text(table, bytes);
	} else {
		ckpt_table_format(table, "%" PRIu64 " x %s", times, count);
		ckpt_table_format(table, "%" PRIu64 " x %s", times, bytes);
	}
}

/* A row for the group that n leads; returns the node whose children come beneath it. */
static const node *put_row(const tree *t, ckpt_table *table, const node *n, size_t depth)
{
	ckpt_buffer label = {0};
	uint64_t times = n->group;
	ckpt_buffer_fill(&label, ' ', 2 * depth);
	put_label(t, &label, n);
	for (const node *child; (child = only_child(t, n)); n = child) {
		ckpt_buffer_char(&label, '.');
		put_label(t, &label, child);
		times *= child->group;
	}
	ckpt_table_text(table, label.failed || !label.data ? "" : label.data);
	ckpt_buffer_free(&label);
	if (n->tensor != NONE) {
		const ckpt_tensor *x = &t->cp->tensors[n->tensor];
		char shape[160];
		ckpt_table_text(table, ckpt_dtype_name(x->dtype));
		ckpt_table_text(table, ckpt_shape_text(x->rank, x->shape, shape, sizeof shape));
		if (x->alias_of != SIZE_MAX && n->parameters == 0) {
			ckpt_table_text(table, ""); /* counted with the tensor that it is an alias of */
			ckpt_table_text(table, "");
		} else {
			put_sums(table, times, n);
		}
		ckpt_table_text(table, ckpt_tensor_alias_of(x) ? ckpt_tensor_alias_of(x) : "");
		return n;
	}
	ckpt_table_text(table, "");
	ckpt_table_text(table, "");
	put_sums(table, times, n);
	ckpt_table_text(table, "");
	return n;
}

static bool put_tree(const tree *t, ckpt_table *table)
{
	const node **stack = calloc(t->depth + 2, sizeof *stack); /* the next sibling to show at each depth */
	size_t depth = 0;
	if (!stack) return false;
	stack[0] = t->nodes[0].child == NONE ? NULL : &t->nodes[t->nodes[0].child];
	for (;;) {
		const node *n = stack[depth];
		if (!n) {
			if (depth-- == 0) break;
			continue;
		}
		stack[depth] = n->next == NONE ? NULL : &t->nodes[n->next];
		if (n->group == 0) continue;
		n = put_row(t, table, n, depth);
		if (n->child != NONE) stack[++depth] = &t->nodes[n->child];
	}
	free(stack);
	return true;
}

bool ckpt_inspect_tree(const ckpt_inspection *in, ckpt_error *err)
{
	static const ckpt_column columns[] = {{"name", false, 24, true, 0, CKPT_STYLE_PLAIN},
	                                      {"dtype", false, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"shape", false, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"parameters", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"bytes", true, 0, false, 2, CKPT_STYLE_PLAIN},
	                                      {"alias of", false, 12, true, 1, CKPT_STYLE_DIM}};
	tree t = {.cp = in->cp, .depth = in->cp->limits.depth < 1000 ? (size_t)in->cp->limits.depth : 1000};
	ckpt_table *table = ckpt_table_new(columns, sizeof columns / sizeof *columns);
	bool ok = table && build(&t) && settle(&t) && put_tree(&t, table);
	if (!ok)
		ckpt_fail_nomem(err);
	else
		ok = ckpt_table_print(table, stdout, &in->call->terminal, true, err);
	ckpt_table_free(table);
	free(t.nodes);
	return ok;
}
