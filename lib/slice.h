/* slice.h -- part of a tensor, as Python's indexing names it: "0:3,:5", "1", "-1", "...,0", "::2" */
#ifndef CKPT_LIB_SLICE_H
#define CKPT_LIB_SLICE_H
#include "ckpt.h"
#include "limits.h"
#include "source.h"

/* A view of a contiguous row-major tensor; all numbers are elements. */
typedef struct ckpt_slice {
	uint64_t offset;
	size_t rank; /* an index removes its dimension */
	uint64_t shape[CKPT_MAX_RANK], stride[CKPT_MAX_RANK];
} ckpt_slice;

/* Items separated by commas, one a dimension from the left; dimensions that are left over are whole. An item is an
 * integer, START:STOP or START:STOP:STEP with any part left out, or "..." once. Negative numbers count from the end,
 * bounds are cut to the dimension as Python does, an index outside of it is CKPT_E_USAGE with both numbers; so are
 * steps below 1 and more items than dimensions. */
bool ckpt_slice_parse(const char *text, size_t rank, const uint64_t *shape, ckpt_slice *out, ckpt_error *err);
/* The contiguous bytes of the slice of a tensor whose bytes are `inner`. Slices of types smaller than a byte must begin
 * and end at whole bytes. */
ckpt_source *ckpt_slice_source(const ckpt_slice *slice, ckpt_source *inner, ckpt_dtype dtype, ckpt_error *err);
#endif
