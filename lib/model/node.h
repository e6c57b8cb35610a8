/* node.h -- a JSON value that can be changed, kept in order, and printed as Python's json module prints it */
#ifndef CKPT_MODEL_NODE_H
#define CKPT_MODEL_NODE_H
#include "../arena.h"
#include "../buffer.h"
#include "../ckpt.h"
#include "../json.h"

/* Deepest nesting of a config. */
#define CKPT_NODE_DEPTH 32

typedef enum ckpt_node_kind {
	CKPT_NODE_NULL,
	CKPT_NODE_BOOL,
	CKPT_NODE_INT,    /* text: decimal digits, exact whatever their number */
	CKPT_NODE_FLOAT,  /* real */
	CKPT_NODE_STRING, /* text */
	CKPT_NODE_LIST,
	CKPT_NODE_DICT
} ckpt_node_kind;

/* Lives in an arena; never freed alone. */
typedef struct ckpt_node {
	ckpt_node_kind kind;
	bool boolean;
	double real;
	const char *text;
	const char *key; /* as a member of a dict */
	struct ckpt_node *parent, *child, *last, *next;
	size_t count; /* children */
} ckpt_node;

ckpt_node *ckpt_node_new(ckpt_arena *a, ckpt_node_kind kind);
ckpt_node *ckpt_node_new_bool(ckpt_arena *a, bool value);
ckpt_node *ckpt_node_new_int(ckpt_arena *a, uint64_t value);
ckpt_node *ckpt_node_new_float(ckpt_arena *a, double value);
ckpt_node *ckpt_node_new_string(ckpt_arena *a, const char *text);
/* A number that is no finite double (1e999) is refused. */
ckpt_node *ckpt_node_from_json(ckpt_arena *a, const ckpt_json *json, ckpt_error *err);
/* Parses strictly: what json.h refuses is refused. */
ckpt_node *ckpt_node_parse(ckpt_arena *a, const char *text, size_t length, ckpt_error *err);
/* A deep copy, without key and parent. NULL when out of memory. */
ckpt_node *ckpt_node_copy(ckpt_arena *a, const ckpt_node *node);

/* Adds an item to a list. */
void ckpt_node_append(ckpt_node *list, ckpt_node *item);
/* Member of a dict, or NULL (also for node NULL). */
ckpt_node *ckpt_node_get(const ckpt_node *dict, const char *key);
/* Replaces the member in its place or adds it behind the others; the key is copied. The value must be new or a copy. */
bool ckpt_node_put(ckpt_arena *a, ckpt_node *dict, const char *key, ckpt_node *value, ckpt_error *err);
void ckpt_node_remove(ckpt_node *dict, const char *key);
bool ckpt_node_equal(const ckpt_node *a, const ckpt_node *b);

/* False when it is no integer of that range. */
bool ckpt_node_u64(const ckpt_node *node, uint64_t *out);
bool ckpt_node_i64(const ckpt_node *node, int64_t *out);
/* An integer or a float. */
bool ckpt_node_f64(const ckpt_node *node, double *out);

/* Sorts the keys of all dicts below: by code points, or by value where each key is a decimal number (id2label). */
bool ckpt_node_sort(ckpt_node *node, ckpt_error *err);
/* As json.dumps(indent=2) prints it, without a newline at the end; short: as json.dumps(separators=(", ", ": ")). */
void ckpt_node_print(ckpt_buffer *b, const ckpt_node *node, bool indented);
/* The shortest text that reads back as the same double, as Python's repr: 0.02, 1e-05, 1e+16, 1.0. */
void ckpt_float_repr(ckpt_buffer *b, double value);
/* "an integer", "a float", "a string", ...: for messages. */
const char *ckpt_node_kind_name(const ckpt_node *node);
#endif
