/* torch_pickle.h -- the pickle that torch.save makes of a checkpoint, and the storages that it names */
#ifndef CKPT_FORMATS_TORCH_PICKLE_H
#define CKPT_FORMATS_TORCH_PICKLE_H
#include "../lib/checkpoint.h"
#include "pickle_write.h"

/* A storage of the output. */
typedef struct ckpt_torch_saved {
	ckpt_source *source; /* borrowed from the checkpoint */
	const char *label;   /* for messages: a tensor that lies there, or NULL */
	ckpt_dtype dtype;    /* of its class */
	bool untyped;        /* its class is UntypedStorage */
	uint32_t key_memo;   /* where the pickle's memo holds its key */
} ckpt_torch_saved;

/* Fill in the first four, zero the rest. */
typedef struct ckpt_torch_pickle {
	const ckpt_checkpoint *cp;
	ckpt_pickler *p;             /* owned from now on; streams before and behind the object may be written too */
	bool legacy;                 /* ids and keys as in stacked pickles */
	bool copy_aliases;           /* each tensor gets a storage of its own */
	ckpt_torch_saved *storages; /* result: in the order in which the pickle first names them */
	size_t storage_count, storage_capacity;
	size_t *of_storage;  /* place in storages of a storage of the checkpoint, by its number, plus 1; 0: none yet */
	size_t *of_tensor;   /* the same for a tensor that gets a storage of its own, by its index */
	const char **labels; /* of the checkpoint's storages */
} ckpt_torch_pickle;

/* Writes the object: the whole value tree when the checkpoint has it, else an OrderedDict of the tensors. Refuses a
 * dtype that cannot be written, naming the tensor. */
bool ckpt_torch_pickle_object(ckpt_torch_pickle *w, ckpt_error *err);
void ckpt_torch_pickle_clear(ckpt_torch_pickle *w);

/* The key of a storage, as a number, and its elements (bytes when untyped). */
uint64_t ckpt_torch_key(const ckpt_torch_pickle *w, size_t index);
uint64_t ckpt_torch_saved_elements(const ckpt_torch_saved *s);
#endif
