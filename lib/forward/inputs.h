/* inputs.h -- what recipes share between an input and its attention: masks, positions, shifted ids */
#ifndef CKPT_FORWARD_INPUTS_H
#define CKPT_FORWARD_INPUTS_H
#include "forward.h"

/* A mask of count positions as bytes; NULL without one. */
bool ckpt_forward_key_mask(ckpt_forward *f, const int64_t *mask, uint64_t count, const unsigned char **out);
/* offset, offset + 1, ... in each of B rows (behind a cache: further on), or the ids that were given plus offset. NULL when memory ran out. */
int64_t *ckpt_forward_positions(ckpt_forward *f, const int64_t *given, uint64_t length, int64_t offset);
/* The input ids moved to the right by one behind decoder_start_token_id (`start` when the config has none); -100 becomes the
 * padding id. NULL when memory ran out. */
int64_t *ckpt_forward_shift_right(ckpt_forward *f, uint64_t start);
/* Causal attention of the input's positions to themselves, and to those of a cache; q [M,width], k and v [M,kv_width]. */
bool ckpt_forward_self_attend(ckpt_forward *f, uint64_t layer, const void *q, const void *k, const void *v, uint64_t width,
                              uint64_t kv_width, uint64_t heads, uint64_t kv_heads, double scale, uint64_t window, const unsigned char *key_mask,
                              void *out);
/* rows [B,h] of x [B,length,h] at the last end token of each row of the input ids, all rows having the same number of them. */
bool ckpt_forward_at_end_token(ckpt_forward *f, const void *x, uint64_t length, uint64_t h, void *rows);
#endif
