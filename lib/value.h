/* value.h -- the tree that a pickle holds, kept so exactly that it can be written again
 *
 * Nodes are shared (the memo of a pickle makes a graph, cycles included) and live in the checkpoint's arena. An
 * OrderedDict, a tensor, any instance are objects: a callable, its arguments, items set later, a state set last, in
 * the order in which CPython's pickler writes these. A tensor is an object whose `tensor` is set; its arguments still
 * hold what was called with what.
 */
#ifndef CKPT_LIB_VALUE_H
#define CKPT_LIB_VALUE_H
#include "arena.h"
#include "ckpt.h"

#define CKPT_NO_TENSOR UINT32_MAX

/* How an object came to be. */
typedef enum ckpt_object_kind {
	CKPT_OBJECT_REDUCE,   /* callable(*arguments) */
	CKPT_OBJECT_NEWOBJ,   /* callable.__new__(callable, *arguments) */
	CKPT_OBJECT_NEWOBJ_EX,/* the same with keyword arguments (arguments: a tuple of tuple and dict) */
	CKPT_OBJECT_INST      /* old-style class instance (OBJ, INST) */
} ckpt_object_kind;

struct ckpt_value {
	uint8_t kind;        /* ckpt_value_kind */
	uint8_t object_kind; /* ckpt_object_kind */
	uint8_t dict_items;  /* object: items are key, value in turn */
	uint8_t mark;        /* scratch for walks; 0 between them */
	uint32_t tensor;     /* CKPT_VALUE_TENSOR: index in the checkpoint or CKPT_NO_TENSOR */
	union {
		bool boolean;
		int64_t integer;
		double real;
		struct {
			char *bytes; /* NUL-terminated */
			size_t length;
		} text; /* STRING, BYTES, BYTEARRAY; BIGINT: decimal or hexadecimal text; GLOBAL: "module.name" */
		struct {
			ckpt_value **items;
			uint32_t count, capacity;
		} list; /* LIST TUPLE SET FROZENSET DICT */
		struct {
			struct ckpt_object *parts;
		} object; /* OBJECT TENSOR */
		struct {
			ckpt_value *id;              /* the tuple or string that was the persistent id */
			struct ckpt_storage *storage; /* STORAGE only; may be NULL while unresolved */
		} persid; /* STORAGE PERSID */
	} u;
};

typedef struct ckpt_object {
	ckpt_value *callable, *arguments, *state;
	ckpt_value **items; /* appended or set after the call */
	uint32_t count, capacity;
} ckpt_object;

/* GLOBAL: text.bytes is "module.name"; the module's length tells them apart (names may hold dots). */
ckpt_value *ckpt_value_new(ckpt_arena *a, ckpt_value_kind kind);
ckpt_value *ckpt_value_new_text(ckpt_arena *a, ckpt_value_kind kind, const char *bytes, size_t length);
ckpt_value *ckpt_value_new_int(ckpt_arena *a, int64_t integer);
ckpt_value *ckpt_value_new_global(ckpt_arena *a, const char *module, const char *name);
ckpt_value *ckpt_value_new_object(ckpt_arena *a, ckpt_object_kind kind, ckpt_value *callable, ckpt_value *arguments);
/* Appends to a list, tuple, set or dict (call twice for a pair), or to an object's items. */
bool ckpt_value_append(ckpt_arena *a, ckpt_value *container, ckpt_value *item);
const char *ckpt_value_global_module(const ckpt_value *v, size_t *length);
const char *ckpt_value_global_name(const ckpt_value *v);
bool ckpt_value_is_global(const ckpt_value *v, const char *module, const char *name);
/* True for a dict, and for an object that is a collections.OrderedDict, defaultdict or Counter: pairs and count. */
bool ckpt_value_pairs(const ckpt_value *v, ckpt_value *const **pairs, size_t *count);
#endif
