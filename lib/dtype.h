/* dtype.h -- facts about element types */
#ifndef CKPT_LIB_DTYPE_H
#define CKPT_LIB_DTYPE_H
#include "ckpt.h"

typedef enum ckpt_dtype_class {
	CKPT_CLASS_BOOL,
	CKPT_CLASS_INT,
	CKPT_CLASS_UINT,
	CKPT_CLASS_FLOAT,
	CKPT_CLASS_COMPLEX,
	CKPT_CLASS_OPAQUE /* quantised and bit types: bytes without arithmetic */
} ckpt_dtype_class;

typedef struct ckpt_dtype_info {
	const char *name;          /* F32 */
	const char *torch;         /* float32, as in torch.float32; NULL: torch has none */
	const char *storage;       /* FloatStorage; NULL: only as an untyped storage with _rebuild_tensor_v3 */
	const char *numpy;         /* .npy descr without byte order, "f4"; NULL: numpy has none */
	uint16_t bits;
	uint8_t torch_bytes;       /* bytes of one torch element (F4 packs two in one) */
	uint8_t swap;              /* bytes that a change of byte order reverses (8 for C128); 1: none */
	ckpt_dtype_class kind;
	bool safetensors;          /* one of the 22 */
} ckpt_dtype_info;

const ckpt_dtype_info *ckpt_dtype_get(ckpt_dtype dtype);
ckpt_dtype ckpt_dtype_from_name(const char *name, size_t length);   /* exact safetensors spelling; NONE if unknown */
ckpt_dtype ckpt_dtype_from_torch(const char *name);                 /* float32; NONE if unknown */
ckpt_dtype ckpt_dtype_from_storage(const char *name);               /* FloatStorage; NONE if unknown */
/* Bytes of a shape: false when the product overflows or ends inside a byte; says so naming the shape. */
bool ckpt_dtype_bytes(ckpt_dtype dtype, size_t rank, const uint64_t *shape, uint64_t *elements, uint64_t *bytes,
                      ckpt_error *err);
/* "[2,3]" into text of size bytes; long shapes end in ",...]". */
const char *ckpt_shape_text(size_t rank, const uint64_t *shape, char *text, size_t size);
#endif
