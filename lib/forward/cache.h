/* cache.h -- keys and values of the positions that a decoder has seen, so that a pass computes the new ones alone
 *
 * A pass with a cache takes the tokens behind those of the passes before it, gives their outputs, and adds them. Only the first
 * pass may have padding; whoever goes on behind it takes a row alone, without what the row was padded with. What the cross
 * attention makes of the encoder's output is kept too, so that the encoder runs in the first pass alone.
 */
#ifndef CKPT_FORWARD_CACHE_H
#define CKPT_FORWARD_CACHE_H
#include "forward.h"

/* Keys and values of one layer. */
typedef struct ckpt_cache_layer {
	void *k, *v;             /* [rows][room][width] */
	void *cross_k, *cross_v; /* [rows * source positions][cross width], behind an encoder */
} ckpt_cache_layer;

typedef struct ckpt_cache {
	uint64_t rows, room;        /* rows and positions there is room for */
	uint64_t first, batch;      /* rows of the pass: all, or one */
	uint64_t past;              /* positions of those rows that are in */
	uint64_t count;             /* layers */
	uint64_t bytes, most;       /* taken; the limit cache-bytes */
	ckpt_cache_layer *layers;
} ckpt_cache;

/* An empty cache for a decoder of so many layers; memory is taken in the first pass. most: bytes that it may take. */
ckpt_cache *ckpt_cache_new(uint64_t rows, uint64_t room, uint64_t layers, uint64_t most, ckpt_error *err);
void ckpt_cache_free(ckpt_cache *cache);
/* The passes that follow are of one row alone, behind `past` positions of it. */
void ckpt_cache_take_row(ckpt_cache *cache, uint64_t row, uint64_t past);

/* Positions in front of those of this pass; 0 without a cache. */
uint64_t ckpt_forward_past(const ckpt_forward *f);
/* Attention of a decoder's positions to themselves, and with a cache to all before them. */
bool ckpt_forward_attend_past(ckpt_forward *f, uint64_t layer, const ckpt_nn_attention *a);
/* Where the keys and values [m,width] of a layer's cross attention lie; *ready when an earlier pass has filled them. Without a
 * cache *k and *v stay as they are. */
bool ckpt_forward_cross(ckpt_forward *f, uint64_t layer, uint64_t m, uint64_t width, void **k, void **v, bool *ready);
/* Whether a pass with this input may use the cache. */
bool ckpt_cache_check(const ckpt_forward *f, const ckpt_forward_input *in, ckpt_error *err);
#endif
