/* resize.h -- the rows that a table gets when it grows: each the mean of those that it had */
#ifndef CKPT_MODEL_RESIZE_H
#define CKPT_MODEL_RESIZE_H
#include "model.h"

/* The row of means of a table of `rows` rows of `width` elements, `count` times; computed once, on the first read, in
 * double precision and in the order of the rows. Takes a reference of its own on the table. */
ckpt_source *ckpt_source_mean_rows(ckpt_source *table, ckpt_dtype dtype, uint64_t rows, uint64_t width, uint64_t count,
                                   ckpt_error *err);
#endif
