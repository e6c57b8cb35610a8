/* torch_inner.h -- what the files that interpret torch pickles share with each other */
#ifndef CKPT_FORMATS_TORCH_INNER_H
#define CKPT_FORMATS_TORCH_INNER_H
#include "../lib/limits.h"
#include "pickle_read.h"
#include "text_index.h"
#include "torch_objects.h"

enum { TORCH_CLASSES = 16 }; /* slots of the cache of classes, a power of two */

struct ckpt_torch {
	ckpt_checkpoint *cp;
	ckpt_torch_ids ids;
	ckpt_torch_storage *storages;
	size_t count, capacity;
	ckpt_text_index keys;
	ckpt_value **nodes; /* the values of storages; `tensor` of each is the number of its storage */
	size_t node_count, node_capacity;
	struct torch_class {
		const ckpt_value *global;
		ckpt_dtype dtype;
		bool untyped;
	} classes[TORCH_CLASSES];
	ckpt_error missing; /* of the first storage without bytes */
	size_t missing_storage;
};

/* Dtype of a storage class or of a dtype, NONE when the value is neither. */
ckpt_dtype ckpt_torch_dtype_of(ckpt_torch *t, const ckpt_value *global, ckpt_pickle_role role, bool *untyped);

/* A view of a storage, as a rebuild function gets it. */
typedef struct torch_view {
	const ckpt_value *storage; /* NULL: the tensor cannot be read */
	ckpt_dtype dtype;          /* NONE: unknown, only with `why` */
	uint64_t offset;           /* elements as torch counts them */
	size_t rank;
	uint64_t size[CKPT_MAX_RANK], stride[CKPT_MAX_RANK];
	bool conj, neg;
	bool sized;      /* size is known */
	const char *why; /* why it cannot be read, or NULL */
	bool quantised;
	double scale;
} torch_view;

/* True for an object that torch would make a tensor, and for a bare storage. */
bool ckpt_torch_is_tensor(const ckpt_value *v);
/* What the object says, checked as far as it can be without the storage. */
bool ckpt_torch_view_of(ckpt_torch *t, const ckpt_value *v, torch_view *out, ckpt_error *err);
/* Adds it to the checkpoint under that name and marks v as that tensor. A tensor that cannot be read is added all the
 * same, with a source that fails; when not even dtype and shape are known, it is only noted. */
bool ckpt_torch_add(ckpt_torch *t, ckpt_value *v, const char *name, ckpt_error *err);

/* Kinds of values that the walk knows. */
typedef enum torch_shape {
	TORCH_LEAF,   /* nothing below */
	TORCH_DICT,   /* pairs */
	TORCH_LIST,   /* items by index */
	TORCH_SET,    /* items without a name */
	TORCH_MODULE, /* _parameters, _buffers, _modules */
	TORCH_SCRIPT, /* an object of TorchScript: its attributes */
	TORCH_INSIDE, /* stands for its first argument */
	TORCH_OPAQUE  /* any other object */
} torch_shape;

torch_shape ckpt_torch_shape(const ckpt_value *v);
/* Entry of a dict with that string as its key (the last one), or NULL. */
ckpt_value *ckpt_torch_entry(const ckpt_value *v, const char *key);
/* Pairs of a value of shape DICT. */
void ckpt_torch_pairs(const ckpt_value *v, ckpt_value *const **pairs, size_t *count);
/* Items of a value of shape LIST or SET. */
void ckpt_torch_items(const ckpt_value *v, ckpt_value *const **items, size_t *count);

/* A value at the top of the tree and the tensors that were found in it: first .. last of the checkpoint. */
typedef struct torch_top {
	const ckpt_value *key, *value;
	size_t first, last;
} torch_top;

/* torch_roots.c: records the groups of tensors in a training checkpoint. holds tells whether tensors lie below. */
bool ckpt_torch_find_roots(ckpt_torch *t, const ckpt_value *root, const torch_top *tops, size_t count,
                           bool (*holds)(const ckpt_value *v), ckpt_error *err);
/* The value at a dotted path, or NULL with the error set. */
ckpt_value *ckpt_torch_resolve(ckpt_value *root, const char *path, ckpt_error *err);
#endif
