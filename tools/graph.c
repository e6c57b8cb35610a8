/* graph.c -- the nodes of a value tree, with a number for each that is referenced more than once */
#include "graph.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/error.h"
#include "../lib/value.h"

#define SHORT_TUPLE 16

typedef struct node {
	const ckpt_value *value;
	uint32_t references;
	uint32_t number;
	bool shown;
} node;

struct ckpt_graph {
	node *nodes; /* in the order of a walk */
	size_t count, capacity;
	uint32_t *slots; /* hashed by address: index + 1 of a node */
	size_t slot_count; /* a power of two */
};

bool ckpt_value_is_scalar(const ckpt_value *v)
{
	switch (ckpt_value_get_kind(v)) {
	case CKPT_VALUE_LIST:
	case CKPT_VALUE_TUPLE:
	case CKPT_VALUE_SET:
	case CKPT_VALUE_FROZENSET:
	case CKPT_VALUE_DICT:
	case CKPT_VALUE_OBJECT:
	case CKPT_VALUE_TENSOR:
		return false;
	default:
		return true;
	}
}

/* The parts of an object that is no dictionary: arguments, items, state. */
typedef struct parts {
	const ckpt_value *callable, *arguments, *state;
	size_t items;
	bool dict_items;
} parts;

static parts parts_of(const ckpt_value *v)
{
	parts p = {0};
	ckpt_value_object(v, &p.callable, &p.arguments, &p.state, &p.dict_items);
	p.items = ckpt_value_count(v) / (p.dict_items ? 2 : 1);
	if (p.arguments && ckpt_value_get_kind(p.arguments) == CKPT_VALUE_TUPLE && ckpt_value_count(p.arguments) == 0)
		p.arguments = NULL;
	if (p.state && ckpt_value_get_kind(p.state) == CKPT_VALUE_NONE) p.state = NULL;
	return p;
}

/* A dictionary's pairs. What a collections class was called with is its factory or nothing, else it is no plain one. */
static bool pairs_of(const ckpt_value *v, ckpt_value *const **pairs, size_t *count)
{
	if (!ckpt_value_pairs(v, pairs, count)) return false;
	if (ckpt_value_get_kind(v) == CKPT_VALUE_DICT) return true;
	parts p = parts_of(v);
	return !p.arguments || strcmp(ckpt_value_global_name(p.callable), "defaultdict") == 0;
}

bool ckpt_value_is_dict(const ckpt_value *v)
{
	ckpt_value *const *pairs;
	size_t count;
	return pairs_of(v, &pairs, &count);
}

size_t ckpt_child_count(const ckpt_value *v)
{
	ckpt_value *const *pairs;
	size_t count;
	if (pairs_of(v, &pairs, &count)) return count;
	switch (ckpt_value_get_kind(v)) {
	case CKPT_VALUE_LIST:
	case CKPT_VALUE_TUPLE:
	case CKPT_VALUE_SET:
	case CKPT_VALUE_FROZENSET:
		return ckpt_value_count(v);
	case CKPT_VALUE_OBJECT: {
		parts p = parts_of(v);
		return (p.arguments != NULL) + p.items + (p.state != NULL);
	}
	default:
		return 0;
	}
}

ckpt_child ckpt_child_at(const ckpt_value *v, size_t i)
{
	ckpt_value *const *pairs;
	size_t count;
	if (pairs_of(v, &pairs, &count)) return (ckpt_child){.key = pairs[2 * i], .item = pairs[2 * i + 1]};
	if (ckpt_value_get_kind(v) != CKPT_VALUE_OBJECT) return (ckpt_child){.index = i, .item = ckpt_value_item(v, i)};
	parts p = parts_of(v);
	if (p.arguments && i-- == 0) return (ckpt_child){.role = "arguments", .item = p.arguments};
	if (i == p.items) return (ckpt_child){.role = "state", .item = p.state};
	if (p.dict_items) return (ckpt_child){.key = ckpt_value_item(v, 2 * i), .item = ckpt_value_item(v, 2 * i + 1)};
	return (ckpt_child){.index = i, .item = ckpt_value_item(v, i)};
}

const char *ckpt_value_kind_text(const ckpt_value *v)
{
	static const char *const names[] = {[CKPT_VALUE_LIST] = "list",
	                                    [CKPT_VALUE_TUPLE] = "tuple",
	                                    [CKPT_VALUE_SET] = "set",
	                                    [CKPT_VALUE_FROZENSET] = "frozenset",
	                                    [CKPT_VALUE_DICT] = "dict"};
	ckpt_value_kind kind = ckpt_value_get_kind(v);
	ckpt_value *const *pairs;
	size_t count;
	if (kind != CKPT_VALUE_OBJECT) return kind < sizeof names / sizeof *names && names[kind] ? names[kind] : "value";
	const ckpt_value *callable;
	ckpt_value_object(v, &callable, NULL, NULL, NULL);
	if (!callable || ckpt_value_get_kind(callable) != CKPT_VALUE_GLOBAL) return "object";
	if (pairs_of(v, &pairs, &count)) return ckpt_value_global_name(callable);
	return ckpt_value_text(callable, NULL);
}

/* Nodes that are worth a number: what can be shared visibly or can contain itself. */
static bool counts(const ckpt_value *v)
{
	size_t count;
	if (ckpt_value_is_scalar(v) || ckpt_value_get_kind(v) == CKPT_VALUE_TENSOR) return false;
	count = ckpt_child_count(v);
	if (count == 0) return false;
	if (ckpt_value_get_kind(v) != CKPT_VALUE_TUPLE || count > SHORT_TUPLE) return true;
	for (size_t i = 0; i < count; i++)
		if (!ckpt_value_is_scalar(ckpt_value_item(v, i))) return true;
	return false;
}

static size_t slot_of(const ckpt_graph *g, const ckpt_value *v)
{
	uint64_t h = (uint64_t)(uintptr_t)v * UINT64_C(0x9e3779b97f4a7c15);
	size_t at = (size_t)(h >> 20) & (g->slot_count - 1);
	while (g->slots[at] && g->nodes[g->slots[at] - 1].value != v) at = (at + 1) & (g->slot_count - 1);
	return at;
}

static node *find(const ckpt_graph *g, const ckpt_value *v)
{
	size_t at;
	if (g->slot_count == 0) return NULL;
	at = slot_of(g, v);
	return g->slots[at] ? &g->nodes[g->slots[at] - 1] : NULL;
}

static bool grow(ckpt_graph *g)
{
	size_t capacity = g->capacity ? g->capacity * 2 : 32;
	node *nodes = capacity < UINT32_MAX ? realloc(g->nodes, capacity * sizeof *nodes) : NULL;
	if (!nodes) return false;
	g->nodes = nodes;
	uint32_t *slots = calloc(capacity * 2, sizeof *slots);
	if (!slots) return false;
	free(g->slots);
	g->slots = slots;
	g->slot_count = capacity * 2;
	g->capacity = capacity;
	for (size_t i = 0; i < g->count; i++) g->slots[slot_of(g, g->nodes[i].value)] = (uint32_t)i + 1;
	return true;
}

/* Counts one reference; *fresh tells whether it is the first. */
static bool visit(ckpt_graph *g, const ckpt_value *v, bool *fresh)
{
	node *n = find(g, v);
	*fresh = !n;
	if (n) {
		if (n->references < UINT32_MAX) n->references++;
		return true;
	}
	if (g->count == g->capacity && !grow(g)) return false;
	g->nodes[g->count] = (node){.value = v, .references = 1};
	g->slots[slot_of(g, v)] = (uint32_t)++g->count;
	return true;
}

/* A container that is being walked. */
typedef struct frame {
	const ckpt_value *value;
	size_t next, count;
} frame;

static bool push(frame **stack, size_t *depth, size_t *capacity, const ckpt_value *v)
{
	if (*depth == *capacity) {
		size_t more = *capacity ? *capacity * 2 : 16;
		frame *grown = realloc(*stack, more * sizeof *grown);
		if (!grown) return false;
		*stack = grown;
		*capacity = more;
	}
	(*stack)[(*depth)++] = (frame){v, 0, ckpt_child_count(v)};
	return true;
}

static bool walk(ckpt_graph *g, const ckpt_value *root)
{
	frame *stack = NULL;
	size_t depth = 0, capacity = 0;
	bool ok = false, fresh;
	if (counts(root) && (!visit(g, root, &fresh) || !push(&stack, &depth, &capacity, root))) goto done;
	while (depth) {
		frame *top = &stack[depth - 1];
		if (top->next == top->count) {
			depth--;
			continue;
		}
		const ckpt_value *item = ckpt_child_at(top->value, top->next++).item;
		if (!item || !counts(item)) continue;
		if (!visit(g, item, &fresh)) goto done;
		if (fresh && !push(&stack, &depth, &capacity, item)) goto done;
	}
	ok = true;
done:
	free(stack);
	return ok;
}

ckpt_graph *ckpt_graph_new(const ckpt_value *root, ckpt_error *err)
{
	ckpt_graph *g = calloc(1, sizeof *g);
	uint32_t number = 0;
	if (!g || !walk(g, root)) {
		ckpt_graph_free(g);
		ckpt_fail_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < g->count; i++)
		if (g->nodes[i].references > 1) g->nodes[i].number = ++number;
	return g;
}

void ckpt_graph_free(ckpt_graph *g)
{
	if (!g) return;
	free(g->nodes);
	free(g->slots);
	free(g);
}

size_t ckpt_graph_number(const ckpt_graph *g, const ckpt_value *v)
{
	const node *n = find(g, v);
	return n ? n->number : 0;
}

bool ckpt_graph_shown(const ckpt_graph *g, const ckpt_value *v)
{
	const node *n = find(g, v);
	return n && n->shown;
}

void ckpt_graph_show(ckpt_graph *g, const ckpt_value *v)
{
	node *n = find(g, v);
	if (n) n->shown = true;
}

const ckpt_value *ckpt_graph_body(const ckpt_graph *g, const ckpt_value *v)
{
	if (ckpt_value_get_kind(v) != CKPT_VALUE_OBJECT || ckpt_value_is_dict(v)) return v;
	parts p = parts_of(v);
	if (p.arguments || p.items || !p.state || !ckpt_value_is_dict(p.state) || ckpt_graph_number(g, p.state)) return v;
	return p.state;
}

/* Values that are still to be looked at. */
typedef struct search {
	const ckpt_value **stack;
	size_t depth, capacity;
} search;

static bool search_push(search *s, const ckpt_value *v)
{
	if (s->depth == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 16;
		const ckpt_value **stack = realloc(s->stack, capacity * sizeof *stack);
		if (!stack) return false;
		s->stack = stack;
		s->capacity = capacity;
	}
	s->stack[s->depth++] = v;
	return true;
}

bool ckpt_values_any(const ckpt_value *root, bool *any, ckpt_error *err)
{
	search s = {0};
	ckpt_graph *seen = ckpt_graph_new(root, err); /* each dictionary is searched once */
	bool found = false, ok = false;
	if (!seen) return false;
	if (!search_push(&s, root)) goto done;
	while (s.depth && !found) {
		const ckpt_value *v = s.stack[--s.depth];
		if (ckpt_value_get_kind(v) == CKPT_VALUE_TENSOR) continue;
		found = !ckpt_value_is_dict(v);
		if (found || ckpt_graph_shown(seen, v)) continue;
		ckpt_graph_show(seen, v);
		for (size_t i = 0; i < ckpt_child_count(v); i++)
			if (!search_push(&s, ckpt_child_at(v, i).item)) goto done;
	}
	*any = found;
	ok = true;
done:
	if (!ok) ckpt_fail_nomem(err);
	free(s.stack);
	ckpt_graph_free(seen);
	return ok;
}
