/* npy_header.h -- the header of one .npy array, shared by the rows npy and npz */
#ifndef CKPT_FORMATS_NPY_HEADER_H
#define CKPT_FORMATS_NPY_HEADER_H
#include "../lib/buffer.h"
#include "../lib/ckpt.h"
#include "../lib/limits.h"
#include "../lib/source.h"

#define CKPT_NPY_MAGIC "\x93NUMPY"
enum { CKPT_NPY_MAGIC_LENGTH = 6, CKPT_NPY_PREFIX = 12 /* magic, version, length: at most */ };

typedef struct ckpt_npy_header {
	uint64_t length; /* of everything in front of the data */
	ckpt_dtype dtype;
	bool big_endian, fortran;
	size_t rank;
	uint64_t shape[CKPT_MAX_RANK];
	uint64_t elements, bytes; /* of the data */
} ckpt_npy_header;

/* From the first bytes of an array (CKPT_NPY_PREFIX, or all when it has fewer): checks magic and version, and says how
 * long everything in front of the data is. size: bytes of the whole array. */
bool ckpt_npy_header_length(const uint8_t *head, size_t got, uint64_t size, uint64_t limit, uint64_t *length,
                            ckpt_error *err);
/* From all `length` bytes in front of the data. The array's size must be exactly what dtype and shape want. Types
 * without a dtype here (object, text, records, times, long double) are CKPT_E_UNSUPPORTED by name. */
bool ckpt_npy_header_parse(const uint8_t *head, size_t length, uint64_t size, ckpt_npy_header *out, ckpt_error *err);
/* Both steps for an array of which `read` gives the first `length` bytes (it is called twice). */
typedef bool (*ckpt_npy_read_fn)(void *from, size_t length, void *destination, ckpt_error *err);
bool ckpt_npy_header_read(ckpt_npy_read_fn read, void *from, uint64_t size, uint64_t limit, ckpt_npy_header *out,
                          ckpt_error *err);
/* The tensor's bytes (little-endian, row-major) from a source of the array's data alone. */
ckpt_source *ckpt_npy_tensor_source(const ckpt_npy_header *h, ckpt_source *data, ckpt_error *err);

/* True when numpy has the dtype. */
bool ckpt_npy_holds_dtype(ckpt_dtype dtype);
/* Appends everything in front of the data, the very bytes that numpy.save writes for a C-ordered array. A dtype that
 * numpy has not is CKPT_E_UNSUPPORTED; the sentence says what helps. */
bool ckpt_npy_header_write(ckpt_buffer *out, ckpt_dtype dtype, size_t rank, const uint64_t *shape, ckpt_error *err);
#endif
