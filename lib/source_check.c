/* source_check.c -- bytes that must have a certain CRC-32, verified before the first of them is given away */
#include "crc.h"
#include "error.h"
#include "source.h"
#include <pthread.h>
#include <stdlib.h>

enum { CHUNK = 512 << 10, UNKNOWN = 0, GOOD = 1, BAD = 2 };

typedef struct checked_source {
	ckpt_source base;
	ckpt_source *inner;
	uint32_t expect, found;
	int state; /* atomic: UNKNOWN, GOOD, BAD; written under lock */
	pthread_mutex_t lock;
} checked_source;

static bool compute(checked_source *c, ckpt_error *err)
{
	const uint64_t length = c->inner->length;
	const size_t chunk = length < CHUNK ? (size_t)length : CHUNK;
	uint32_t crc = 0;
	uint8_t *buffer = malloc(chunk + 1);
	if (!buffer) return ckpt_fail_nomem(err);
	bool ok = true;
	for (uint64_t at = 0; ok && at < length; at += chunk) {
		size_t n = length - at < chunk ? (size_t)(length - at) : chunk;
		ok = ckpt_source_read(c->inner, at, n, buffer, err);
		if (ok) crc = ckpt_crc32(crc, buffer, n);
	}
	free(buffer);
	c->found = crc;
	return ok;
}

/* Once for all threads; a read that failed decides nothing and is tried again. */
static bool verify(checked_source *c, ckpt_error *err)
{
	int state = __atomic_load_n(&c->state, __ATOMIC_ACQUIRE);
	if (state == UNKNOWN) {
		pthread_mutex_lock(&c->lock);
		state = c->state;
		if (state == UNKNOWN && compute(c, err)) {
			state = c->found == c->expect ? GOOD : BAD;
			__atomic_store_n(&c->state, state, __ATOMIC_RELEASE);
		}
		pthread_mutex_unlock(&c->lock);
	}
	if (state == BAD)
		ckpt_fail(err, CKPT_E_FORMAT, "the bytes have CRC %08x, the archive says %08x: the file is damaged",
		          c->found, c->expect);
	return state == GOOD;
}

static bool checked_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	checked_source *c = (checked_source *)s;
	return verify(c, err) && ckpt_source_read(c->inner, offset, length, destination, err);
}

static bool checked_extent(const ckpt_source *s, ckpt_extent *out)
{
	const checked_source *c = (const checked_source *)s;
	return __atomic_load_n(&c->state, __ATOMIC_ACQUIRE) == GOOD && ckpt_source_extent(c->inner, out);
}

static void checked_drop(ckpt_source *s)
{
	checked_source *c = (checked_source *)s;
	ckpt_source_unref(c->inner);
	pthread_mutex_destroy(&c->lock);
}

static const ckpt_source_ops checked_ops = {"checked", checked_read, checked_extent, checked_drop};

ckpt_source *ckpt_source_checked(ckpt_source *inner, uint32_t crc, ckpt_error *err)
{
	checked_source *c = ckpt_source_new(&checked_ops, sizeof *c, inner->length, err);
	if (!c) return NULL;
	c->inner = ckpt_source_ref(inner);
	c->expect = crc;
	pthread_mutex_init(&c->lock, NULL);
	return &c->base;
}

bool ckpt_source_get_check(const ckpt_source *s, ckpt_source **inner, uint32_t *crc)
{
	if (s->ops != &checked_ops) return false;
	*inner = ((const checked_source *)s)->inner;
	*crc = ((const checked_source *)s)->expect;
	return true;
}
