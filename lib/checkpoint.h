/* checkpoint.h -- inside of a checkpoint and its tensors, for formats and models */
#ifndef CKPT_LIB_CHECKPOINT_H
#define CKPT_LIB_CHECKPOINT_H
#include "arena.h"
#include "ckpt.h"
#include "file.h"
#include "source.h"
#include "value.h"

/* A torch storage: the buffer that several tensors may view. */
typedef struct ckpt_storage {
	ckpt_source *source; /* little-endian bytes, owned by the checkpoint */
	ckpt_dtype dtype;    /* of its class; U8 for an untyped one */
	bool untyped;
	uint64_t bytes;
	uint32_t number;     /* in order of first reference */
} ckpt_storage;

struct ckpt_tensor {
	const char *name;
	ckpt_dtype dtype;
	uint32_t rank;
	const uint64_t *shape;
	uint64_t elements, bytes;
	ckpt_source *source;       /* contiguous, row-major, little-endian; one reference is the checkpoint's */
	size_t alias_of;           /* index of the first tensor over the very same bytes, or SIZE_MAX */
	const ckpt_storage *storage; /* where torch keeps it, or NULL: then it owns its bytes alone */
	uint64_t storage_offset;   /* in elements of the storage view */
	const uint64_t *stride;    /* in elements, rank of them; NULL with storage NULL */
	ckpt_value *value;         /* its object in the value tree, or NULL; dropped by edits that change bytes */
	const char *unreadable;    /* why its bytes cannot be had ("it is sparse"), or NULL; reading its source fails so */
	const ckpt_checkpoint *owner;
};

struct ckpt_checkpoint {
	ckpt_arena arena;          /* names, shapes, values, storages */
	ckpt_tensor *tensors;
	size_t count, capacity;
	struct ckpt_name_index *index;
	char **metadata;           /* key, value, key, value, ...; from the arena */
	size_t metadata_count, metadata_capacity; /* pairs */
	struct ckpt_name_index *metadata_index; /* their keys; NULL after an edit of the list: made again when needed */
	char **notes;
	size_t note_count, note_capacity;
	char **roots;
	size_t root_count, root_capacity;
	ckpt_value *value;         /* tree of the pickle, or NULL */
	bool value_is_whole;       /* the listed tensors are all tensors of the tree under their own names: a writer that
	                              can hold values may write the tree instead of the list. Edits of names or selection
	                              clear it. */
	const char *format;        /* static text of the row */
	char *detail;
	ckpt_storage **storages;
	size_t storage_count, storage_capacity;
	ckpt_source **sources;     /* further references to drop with the checkpoint */
	size_t source_count, source_capacity;
	ckpt_checkpoint **merged;  /* owners of storages and values that came in by merging */
	size_t merged_count, merged_capacity;
	ckpt_file **files;         /* inputs that must not change while they are read */
	size_t file_count, file_capacity;
	char *config_folder;       /* folder that also holds config.json etc., or NULL */
	ckpt_limits limits;        /* resolved */
};

/* Adds a tensor: name, shape and stride are copied into the arena, the source's reference is taken over on success
 * and on failure. Refuses a name that is there already, an empty shape product overflow, too many tensors, and a source
 * whose length is not that of the shape. The new tensor is *out when out is not NULL (valid until the next add). */
bool ckpt_checkpoint_add(ckpt_checkpoint *cp, const char *name, ckpt_dtype dtype, size_t rank, const uint64_t *shape,
                         ckpt_source *source, ckpt_tensor **out, ckpt_error *err);
/* Index by name or SIZE_MAX. */
size_t ckpt_checkpoint_index_of(const ckpt_checkpoint *cp, const char *name);
/* Fills alias_of for tensors that lie on the same storage, offset, shape and stride (or the same source pointer). */
bool ckpt_checkpoint_find_aliases(ckpt_checkpoint *cp, ckpt_error *err);
bool ckpt_checkpoint_note(ckpt_checkpoint *cp, ckpt_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool ckpt_checkpoint_set_detail(ckpt_checkpoint *cp, ckpt_error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
bool ckpt_checkpoint_add_root(ckpt_checkpoint *cp, const char *path, ckpt_error *err);
ckpt_storage *ckpt_checkpoint_add_storage(ckpt_checkpoint *cp, ckpt_source *source, ckpt_dtype dtype, bool untyped,
                                          ckpt_error *err); /* takes the reference over */
/* Keeps a reference on an input, so that ckpt_checkpoint_unchanged can look at it again. */
bool ckpt_checkpoint_add_file(ckpt_checkpoint *cp, ckpt_file *file, ckpt_error *err);
/* CKPT_E_CHANGED, naming the file, when an input was written to since it was opened. */
bool ckpt_checkpoint_unchanged(const ckpt_checkpoint *cp, ckpt_error *err);
/* Moves all tensors of other behind those of cp, with files, storages and notes; metadata that cp lacks is added. other is
 * consumed on success and on failure. Value trees are not merged. */
bool ckpt_checkpoint_merge(ckpt_checkpoint *cp, ckpt_checkpoint *other, ckpt_error *err);
/* Keeps only the tensors whose keep[i] is true, in order; aliases of removed tensors move to the next of their kind. */
bool ckpt_checkpoint_filter(ckpt_checkpoint *cp, const bool *keep, ckpt_error *err);
/* A new checkpoint that shows tensors of another one (which must outlive it), for shards and edits: same sources. */
ckpt_checkpoint *ckpt_checkpoint_subset(const ckpt_checkpoint *cp, const size_t *indices, size_t count, ckpt_error *err);
#endif
