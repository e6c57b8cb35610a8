/* pickle_names.h -- what the names mean that a pickle imports, and how much harm a call of them could do
 *
 * One list for loading and for scanning. Nothing is ever imported: a name is compared, as text, after the names of
 * Python 2 were mapped to those of Python 3.
 */
#ifndef CKPT_FORMATS_PICKLE_NAMES_H
#define CKPT_FORMATS_PICKLE_NAMES_H
#include "../lib/value.h"

typedef enum ckpt_pickle_class {
	CKPT_PICKLE_KNOWN,      /* the loader knows what it makes, and that it does no more */
	CKPT_PICKLE_SUSPICIOUS, /* unknown: kept as an opaque value */
	CKPT_PICKLE_DANGEROUS   /* can run code, reach files or the network */
} ckpt_pickle_class;

/* What the loader does with a call of the name. */
typedef enum ckpt_pickle_role {
	CKPT_ROLE_NONE, /* opaque */
	CKPT_ROLE_ORDERED_DICT,
	CKPT_ROLE_DICT, /* defaultdict, Counter */
	CKPT_ROLE_SET,
	CKPT_ROLE_ENCODE, /* _codecs.encode: bytes under protocol 2 */
	CKPT_ROLE_SIZE,
	CKPT_ROLE_DTYPE,
	CKPT_ROLE_STORAGE,      /* a typed storage class */
	CKPT_ROLE_TENSOR_CLASS, /* torch.FloatTensor and its like, torch.Tensor */
	CKPT_ROLE_PARAMETER,    /* the class */
	/* the rebuild functions; CKPT_ROLE_REBUILD is the first */
	CKPT_ROLE_REBUILD,
	CKPT_ROLE_REBUILD_V2 = CKPT_ROLE_REBUILD,
	CKPT_ROLE_REBUILD_V1,
	CKPT_ROLE_REBUILD_V3,
	CKPT_ROLE_REBUILD_PARAMETER,
	CKPT_ROLE_REBUILD_PARAMETER_STATE,
	CKPT_ROLE_REBUILD_QTENSOR,
	CKPT_ROLE_REBUILD_SPARSE,
	CKPT_ROLE_REBUILD_SPARSE_CSR,
	CKPT_ROLE_REBUILD_NESTED,
	CKPT_ROLE_REBUILD_META,
	CKPT_ROLE_REBUILD_FROM_NUMPY,
	CKPT_ROLE_REBUILD_FROM_CPU,
	CKPT_ROLE_REBUILD_WRAPPER,
	CKPT_ROLE_REBUILD_FROM_TYPE, /* calls its first argument */
	CKPT_ROLE_REBUILD_LAST = CKPT_ROLE_REBUILD_FROM_TYPE,
	CKPT_ROLE_JIT_CLASS, /* a class of TorchScript code, __torch__... */
	CKPT_ROLE_JIT_LIST,  /* torch.jit._pickle.build_*list and restore_type_tag: their first argument */
	CKPT_ROLE_COUNT
} ckpt_pickle_role;

/* dtype receives that of a storage class or of a dtype name; NULL is allowed. UntypedStorage is a storage of U8. */
ckpt_pickle_role ckpt_pickle_name_role(const char *module, const char *name, ckpt_dtype *dtype);
ckpt_pickle_class ckpt_pickle_classify(const char *module, const char *name);
/* True for a dangerous name that a checkpoint may hold none the less, because making such an object from names that are
 * themselves allowed does nothing: functools.partial. */
bool ckpt_pickle_name_inert(const char *module, const char *name);
#endif
