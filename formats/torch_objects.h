/* torch_objects.h -- what the values of a torch pickle mean: storages, tensors, the names of tensors
 *
 * The order of work, for every container of torch: ckpt_torch_new; the pickle machine with ckpt_torch_persistent as its
 * hook, which collects the storages; ckpt_torch_set_source for each of them; ckpt_torch_list, which finds the tensors
 * in the tree, names them by their path and adds them to the checkpoint.
 */
#ifndef CKPT_FORMATS_TORCH_OBJECTS_H
#define CKPT_FORMATS_TORCH_OBJECTS_H
#include "../lib/checkpoint.h"

typedef struct ckpt_torch ckpt_torch;

/* How persistent ids look in the container. */
typedef enum ckpt_torch_ids {
	CKPT_TORCH_ZIP,    /* ('storage', class, key, location, numel) */
	CKPT_TORCH_LEGACY, /* the same with view metadata behind; also ('module', class, file, source) */
} ckpt_torch_ids;

/* One storage that the pickle refers to, in order of first reference. */
typedef struct ckpt_torch_storage {
	const char *key; /* opaque text, NUL-terminated */
	size_t key_length;
	ckpt_dtype dtype;
	bool untyped;
	uint64_t numel, bytes; /* in elements of the class, and their bytes */
	ckpt_storage *storage; /* once its source is set */
	bool is_view;          /* a range of storage `base`: has no key and no source of its own */
	uint32_t base;
	uint64_t view_at; /* elements */
} ckpt_torch_storage;

ckpt_torch *ckpt_torch_new(ckpt_checkpoint *cp, ckpt_torch_ids ids, ckpt_error *err);
void ckpt_torch_free(ckpt_torch *t);

/* The hook of the pickle machine; `torch` is the ckpt_torch. */
ckpt_value *ckpt_torch_persistent(void *torch, ckpt_value *id, bool text, ckpt_error *err);
/* A storage value without a pickle that names it (tar): class is a global. */
ckpt_value *ckpt_torch_storage_value(ckpt_torch *t, ckpt_value *class, const char *key, uint64_t numel,
                                     ckpt_error *err);

size_t ckpt_torch_storage_count(const ckpt_torch *t);
const ckpt_torch_storage *ckpt_torch_storage_at(const ckpt_torch *t, size_t i);
/* Number of the storage with that key, or SIZE_MAX. */
size_t ckpt_torch_storage_find(const ckpt_torch *t, const char *key, size_t length);

/* Gives storage i its bytes as the file holds them; takes the reference over. big_endian: they are swapped. */
bool ckpt_torch_set_source(ckpt_torch *t, size_t i, ckpt_source *source, bool big_endian, ckpt_error *err);
/* Remembers why a storage has no bytes: ckpt_torch_list fails with that reason and the name of a tensor that needs it.
 */
void ckpt_torch_set_missing(ckpt_torch *t, size_t i, const ckpt_error *why);

typedef struct ckpt_torch_listing {
	const char *root;      /* path of the part to list, or NULL */
	uint64_t pickle_bytes; /* names may take a multiple of this */
	bool from_module;      /* out: tensors came out of a module object */
} ckpt_torch_listing;

/* Adds the tensors below root to the checkpoint, records the roots, notes what is left out, sets the value tree. */
bool ckpt_torch_list(ckpt_torch *t, ckpt_value *root, ckpt_torch_listing *how, ckpt_error *err);
#endif
