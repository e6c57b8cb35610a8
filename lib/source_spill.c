/* source_spill.c -- bytes that can only be produced in order, kept in memory (short) or in an unnamed temporary file
 *
 * Produced once, on first need, by whichever thread comes first; the others wait. A failure is remembered and
 * returned to every reader.
 */
#include "error.h"
#include "file.h"
#include "source.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IN_MEMORY = 1 << 20 };

typedef struct spill_source {
	ckpt_source base;
	ckpt_produce_fn produce;
	void *state;
	void (*free_state)(void *);
	pthread_mutex_t lock;
	bool done, ok;
	ckpt_error error;
	unsigned char *bytes;
	int fd;
	uint64_t written;
} spill_source;

static bool put(int fd, const void *data, size_t length, uint64_t offset, ckpt_error *err)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = pwrite(fd, (const char *)data + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return ckpt_fail_errno(err, n < 0 ? errno : ENOSPC, "cannot write a temporary file");
		done += (size_t)n;
	}
	return true;
}

static bool emit(void *sink, const void *data, size_t length, ckpt_error *err)
{
	spill_source *s = sink;
	if (length > s->base.length - s->written)
		return ckpt_fail(err, CKPT_E_FORMAT, "compressed data has more than the %llu bytes that it declares",
				 (unsigned long long)s->base.length);
	if (s->bytes)
		memcpy(s->bytes + s->written, data, length);
	else if (!put(s->fd, data, length, s->written, err))
		return false;
	s->written += length;
	return true;
}

static bool fill(spill_source *s, ckpt_error *err)
{
	if (s->base.length <= IN_MEMORY) {
		s->bytes = malloc(s->base.length ? (size_t)s->base.length : 1);
		if (!s->bytes) return ckpt_fail_nomem(err);
	} else {
		s->fd = ckpt_file_temporary();
		if (s->fd < 0) return ckpt_fail_errno(err, errno, "cannot create a temporary file");
	}
	if (!s->produce(s->state, emit, s, err)) return false;
	if (s->written == s->base.length) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "compressed data has %llu bytes, %llu are declared",
			 (unsigned long long)s->written, (unsigned long long)s->base.length);
}

static bool spill_read(const ckpt_source *base, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	spill_source *s = (spill_source *)base;
	pthread_mutex_lock(&s->lock);
	if (!s->done) {
		s->done = true;
		s->ok = fill(s, &s->error);
	}
	pthread_mutex_unlock(&s->lock);
	if (!s->ok) {
		if (err) *err = s->error;
		return false;
	}
	if (s->bytes) {
		memcpy(destination, s->bytes + offset, length);
		return true;
	}
	for (size_t done = 0; done < length;) {
		ssize_t n = pread(s->fd, (char *)destination + done, length - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) return ckpt_fail_errno(err, n < 0 ? errno : EIO, "cannot read a temporary file");
		done += (size_t)n;
	}
	return true;
}

static void spill_drop(ckpt_source *base)
{
	spill_source *s = (spill_source *)base;
	if (s->free_state) s->free_state(s->state);
	pthread_mutex_destroy(&s->lock);
	free(s->bytes);
	if (s->fd >= 0) close(s->fd);
}

static const ckpt_source_ops spill_ops = {"spill", spill_read, NULL, spill_drop};

ckpt_source *ckpt_source_spill(uint64_t length, ckpt_produce_fn produce, void *state, void (*free_state)(void *),
			       ckpt_error *err)
{
	spill_source *s = ckpt_source_new(&spill_ops, sizeof *s, length, err);
	if (!s) {
		if (free_state) free_state(state);
		return NULL;
	}
	s->produce = produce;
	s->state = state;
	s->free_state = free_state;
	s->fd = -1;
	pthread_mutex_init(&s->lock, NULL);
	return &s->base;
}
