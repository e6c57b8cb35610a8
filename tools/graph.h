/* graph.h -- the nodes of a value tree, with a number for each that is referenced more than once */
#ifndef CKPT_TOOLS_GRAPH_H
#define CKPT_TOOLS_GRAPH_H
#include "../lib/ckpt.h"

typedef struct ckpt_graph ckpt_graph;

ckpt_graph *ckpt_graph_new(const ckpt_value *root, ckpt_error *err);
void ckpt_graph_free(ckpt_graph *g);
/* 0 for a node that is referenced once (or is a scalar, a short tuple of scalars, a tensor). */
size_t ckpt_graph_number(const ckpt_graph *g, const ckpt_value *v);
/* Whether the node was marked as shown; marking it. */
bool ckpt_graph_shown(const ckpt_graph *g, const ckpt_value *v);
void ckpt_graph_show(ckpt_graph *g, const ckpt_value *v);

/* A part of a container or object. */
typedef struct ckpt_child {
	const ckpt_value *key;  /* of a dictionary; else NULL */
	const char *role;       /* "arguments", "state" of an object; else NULL */
	size_t index;           /* of a list when both are NULL */
	const ckpt_value *item;
} ckpt_child;

size_t ckpt_child_count(const ckpt_value *v);
ckpt_child ckpt_child_at(const ckpt_value *v, size_t i);
/* A dictionary, or an object of a class of the collections module that is one. */
bool ckpt_value_is_dict(const ckpt_value *v);
/* Whose children to show for v: an object that is nothing but attributes stands for the dictionary of them. */
const ckpt_value *ckpt_graph_body(const ckpt_graph *g, const ckpt_value *v);
/* "dict", "list", "argparse.Namespace": what a container or object is called. */
const char *ckpt_value_kind_text(const ckpt_value *v);
bool ckpt_value_is_scalar(const ckpt_value *v);
/* Whether there is more than dictionaries of tensors. */
bool ckpt_values_any(const ckpt_value *root, bool *any, ckpt_error *err);
#endif
