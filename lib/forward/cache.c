/* cache.c -- keys and values of the positions that a decoder has seen */
#include "cache.h"

#include "../checked.h"
#include "../error.h"

#include <stdlib.h>
#include <string.h>

ckpt_cache *ckpt_cache_new(uint64_t rows, uint64_t room, uint64_t layers, uint64_t most, ckpt_error *err)
{
	ckpt_cache *c = calloc(1, sizeof *c);
	if (c) c->layers = calloc(layers ? (size_t)layers : 1, sizeof *c->layers);
	if (!c || !c->layers) {
		ckpt_cache_free(c);
		ckpt_fail_nomem(err);
		return NULL;
	}
	c->rows = c->batch = rows;
	c->room = room;
	c->count = layers;
	c->most = most;
	return c;
}

void ckpt_cache_free(ckpt_cache *c)
{
	if (!c) return;
	for (uint64_t i = 0; c->layers && i < c->count; i++) {
		ckpt_nn_array_free(c->layers[i].k);
		ckpt_nn_array_free(c->layers[i].v);
		ckpt_nn_array_free(c->layers[i].cross_k);
		ckpt_nn_array_free(c->layers[i].cross_v);
	}
	free(c->layers);
	free(c);
}

void ckpt_cache_take_row(ckpt_cache *c, uint64_t row, uint64_t past)
{
	c->first = row;
	c->batch = 1;
	c->past = past;
}

uint64_t ckpt_forward_past(const ckpt_forward *f)
{
	return f->cache ? f->cache->past : 0;
}

bool ckpt_cache_check(const ckpt_forward *f, const ckpt_forward_input *in, ckpt_error *err)
{
	const ckpt_cache *c = f->cache;
	bool behind = f->recipe->takes & CKPT_TAKES_DECODER && in->decoder_ids;
	uint64_t length = behind ? in->decoder_length : in->length;
	if (!(f->recipe->takes & CKPT_CACHES)) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s has no key/value cache", f->model->arch->type);
	if (in->batch != c->batch)
		return ckpt_fail(err, CKPT_E_USAGE, "the input has %zu rows, the key/value cache %llu", in->batch, (unsigned long long)c->batch);
	if (length > c->room - c->past)
		return ckpt_fail(err, CKPT_E_USAGE, "%llu positions more do not fit into the key/value cache: it holds %llu of %llu",
		                 (unsigned long long)length, (unsigned long long)c->past, (unsigned long long)c->room);
	if (c->past && (behind ? in->decoder_mask != NULL : in->mask != NULL))
		return ckpt_fail(err, CKPT_E_USAGE, "a pass behind others with a key/value cache takes no padding");
	return true;
}

/* Keys and values of so many layers, their sizes being those of this one, against the limit. */
static bool check_size(ckpt_forward *f, uint64_t count, uint64_t layers)
{
	ckpt_cache *c = f->cache;
	uint64_t all;
	bool fits = ckpt_mul_u64(count, 2 * ckpt_nn_item(f->nn), &all) && ckpt_mul_u64(all, layers, &all) && ckpt_add_u64(all, c->bytes, &all);
	if (fits && all <= c->most && all <= SIZE_MAX) return true;
	return ckpt_fail(f->err, CKPT_E_LIMIT,
	                 "the key/value cache of %llu layers and %llu positions takes %llu bytes and exceeds the limit of %llu "
	                 "(raise it with --limit cache-bytes=N)",
	                 (unsigned long long)c->count, (unsigned long long)c->room, (unsigned long long)(fits ? all : UINT64_MAX),
	                 (unsigned long long)c->most);
}

static bool make(ckpt_forward *f, uint64_t layer, uint64_t count, void **k, void **v)
{
	if (*k && *v) return true;
	size_t size = (size_t)count * ckpt_nn_item(f->nn);
	if (!check_size(f, count, layer ? 1 : f->cache->count)) return false;
	if (!*k && !(*k = ckpt_nn_allocate(size, f->err))) return false;
	if (!(*v = ckpt_nn_allocate(size, f->err))) return false;
	f->cache->bytes += 2 * size;
	return true;
}

/* The rows [batch][s][width] of a pass behind those that are there. */
static void append(const ckpt_forward *f, const ckpt_nn_attention *a, const void *from, uint64_t stride, uint64_t batch_stride, void *to)
{
	size_t item = ckpt_nn_item(f->nn);
	uint64_t width = a->kv_heads * a->d;
	for (uint64_t b = 0; b < a->batch; b++)
		for (uint64_t i = 0; i < a->s; i++)
			memcpy((char *)to + ((f->cache->first + b) * f->cache->room + f->cache->past + i) * width * item,
			       (const char *)from + (b * batch_stride + i * stride) * item, width * item);
}

bool ckpt_forward_attend_past(ckpt_forward *f, uint64_t layer, const ckpt_nn_attention *a)
{
	ckpt_cache *c = f->cache;
	if (!c) return ckpt_forward_attend(f, a);
	ckpt_cache_layer *l = &c->layers[layer];
	uint64_t width = a->kv_heads * a->d, count;
	if (!ckpt_mul_u64(width, c->room, &count) || !ckpt_mul_u64(count, c->rows, &count)) return ckpt_fail_nomem(f->err);
	if (!make(f, layer, count, &l->k, &l->v)) return false;
	append(f, a, a->k, a->k_stride, a->k_batch, l->k);
	append(f, a, a->v, a->v_stride, a->v_batch, l->v);
	ckpt_nn_attention all = *a;
	size_t skip = (size_t)(c->first * c->room * width) * ckpt_nn_item(f->nn);
	all.k = (char *)l->k + skip;
	all.v = (char *)l->v + skip;
	all.t = c->past + a->s;
	all.k_stride = all.v_stride = width;
	all.k_batch = all.v_batch = c->room * width;
	return ckpt_forward_attend(f, &all);
}

bool ckpt_forward_cross(ckpt_forward *f, uint64_t layer, uint64_t m, uint64_t width, void **k, void **v, bool *ready)
{
	*ready = false;
	if (!f->cache) return true;
	ckpt_cache_layer *l = &f->cache->layers[layer];
	if (!make(f, layer, m * width, &l->cross_k, &l->cross_v)) return false;
	*ready = f->cache->past > 0;
	size_t skip = (size_t)(f->cache->first * (m / f->cache->batch) * width) * ckpt_nn_item(f->nn);
	*k = (char *)l->cross_k + skip;
	*v = (char *)l->cross_v + skip;
	return true;
}
