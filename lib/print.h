/* print.h -- tensor values as text: the way torch prints them, and as JSON */
#ifndef CKPT_LIB_PRINT_H
#define CKPT_LIB_PRINT_H
#include "buffer.h"
#include "ckpt.h"
#include "source.h"

/* What is printed: contiguous, row-major, little-endian elements. */
typedef struct ckpt_print_view {
	ckpt_dtype dtype;
	size_t rank;
	const uint64_t *shape;
	const ckpt_source *source; /* of the shape's bytes */
} ckpt_print_view;

/* More elements than these in one torch print are refused with CKPT_E_LIMIT: only a shape of very many small
 * dimensions gets there, since torch shows six of a long dimension. */
#define CKPT_PRINT_MAX 4194304

/* Appends repr(tensor) of torch 2.13 with its default options (precision 4, threshold 1000, edgeitems 3, linewidth 80),
 * without a final newline: "tensor([[1., 2.],\n        [3., 4.]], dtype=torch.float16)". F4 is shown as torch shows
 * float4_e2m1fn_x2: its packed bytes, two elements each. Reads only what is shown.
 * CKPT_E_UNSUPPORTED for F6 (torch has no such type), quantised and bit types. */
bool ckpt_print_torch(ckpt_buffer *out, const ckpt_print_view *view, ckpt_error *err);
/* The same for elements in memory. */
bool ckpt_print_torch_memory(ckpt_buffer *out, ckpt_dtype dtype, size_t rank, const uint64_t *shape, const void *data,
                             ckpt_error *err);

/* Hands all values to emit, in pieces of some KiB, as nested JSON arrays, one innermost row a line; a 0-dim tensor is
 * one value. Floats are the shortest decimals that give the same F32 (F64 for F64 and C128) back, with a ".0" when they
 * are whole; NaN and the infinities are the strings "NaN", "Infinity", "-Infinity"; a complex number is [re, im]; BOOL
 * is true or false; integers are exact. No final newline. Refuses what ckpt_print_torch refuses, and F4. */
bool ckpt_print_json(const ckpt_print_view *view, ckpt_emit_fn emit, void *sink, ckpt_error *err);
#endif
