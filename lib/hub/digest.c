/* digest.c -- the hash of a file while it is written: a thread reads behind the writer, out of the page cache */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "../hash.h"
#include "inner.h"

enum { STEP = 1 << 18, BEHIND = 8 << 20 };

struct ckpt_digest {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t more, end;
	EVP_MD_CTX *context;
	int fd, error; /* error: errno of a failed read */
	uint64_t size, ready, at; /* at: hashed already, about */
	bool fresh, cancelled, failed, ended;
	char wanted[65], found[2 * EVP_MAX_MD_SIZE + 1];
	unsigned char block[STEP];
};

/* Enough for the next block? The last one may be short. */
static bool enough(const ckpt_digest *d, uint64_t at)
{
	return d->cancelled || d->ready >= d->size || d->ready - at >= STEP;
}

/* Bytes that may be read beyond `at`; 0: cancelled. */
static uint64_t await(ckpt_digest *d, uint64_t at)
{
	pthread_mutex_lock(&d->mutex);
	while (!enough(d, at)) pthread_cond_wait(&d->more, &d->mutex);
	uint64_t left = d->cancelled ? 0 : d->ready - at;
	d->at = at;
	pthread_mutex_unlock(&d->mutex);
	return left;
}

/* Lets the disk begin with what was hashed, in pieces that are worth it. */
static void write_behind(const ckpt_digest *d, uint64_t *begun, uint64_t at)
{
	if (!d->fresh || at - *begun < BEHIND) return;
#ifdef SYNC_FILE_RANGE_WRITE
	sync_file_range(d->fd, (off64_t)*begun, (off64_t)(at - *begun), SYNC_FILE_RANGE_WRITE);
#endif
	*begun = at;
}

static void hash_all(ckpt_digest *d)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	uint64_t at = 0, begun = 0;
	while (at < d->size && !d->error && !d->failed) {
		uint64_t left = await(d, at);
		if (left == 0) return;
		ssize_t n = pread(d->fd, d->block, left < STEP ? (size_t)left : STEP, (off_t)at);
		if (n < 0 && errno == EINTR) continue;
		if (n <= 0) {
			d->error = n < 0 ? errno : EIO;
			break;
		}
		d->failed = EVP_DigestUpdate(d->context, d->block, (size_t)n) != 1;
		at += (uint64_t)n;
		write_behind(d, &begun, at);
	}
	if (EVP_DigestFinal_ex(d->context, digest, &length) != 1) d->failed = true;
	ckpt_hex(digest, length, d->found);
}

static void *work(void *user)
{
	ckpt_digest *d = user;
	hash_all(d);
	pthread_mutex_lock(&d->mutex);
	d->ended = true;
	pthread_cond_signal(&d->end);
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

ckpt_digest *ckpt_digest_start(int fd, const char *hash, uint64_t size, uint64_t ready, bool fresh, ckpt_error *err)
{
	ckpt_digest *d = calloc(1, sizeof *d);
	bool git = strlen(hash) == 40;
	char head[40];
	if (!d || !(d->context = EVP_MD_CTX_new())) {
		free(d);
		ckpt_fail_nomem(err);
		return NULL;
	}
	d->fd = fd;
	d->size = size;
	d->ready = ready;
	d->fresh = fresh;
	snprintf(d->wanted, sizeof d->wanted, "%s", hash);
	int n = snprintf(head, sizeof head, "blob %llu", (unsigned long long)size);
	bool ok = EVP_DigestInit_ex(d->context, git ? EVP_sha1() : EVP_sha256(), NULL) == 1;
	/* git hashes a header with its NUL in front of the content */
	if (ok && git) ok = EVP_DigestUpdate(d->context, head, (size_t)n + 1) == 1;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->more, NULL);
	pthread_cond_init(&d->end, NULL);
	if (ok && pthread_create(&d->thread, NULL, work, d) == 0) return d;
	ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto offers no %s, or no thread can be started", git ? "SHA-1" : "SHA-256");
	EVP_MD_CTX_free(d->context);
	free(d);
	return NULL;
}

void ckpt_digest_ready(ckpt_digest *d, uint64_t ready)
{
	pthread_mutex_lock(&d->mutex);
	d->ready = ready;
	pthread_cond_signal(&d->more);
	pthread_mutex_unlock(&d->mutex);
}

bool ckpt_digest_wait(ckpt_digest *d, int ms, uint64_t *at)
{
	struct timespec until;
	int status = 0;
	clock_gettime(CLOCK_REALTIME, &until); /* that of conditions; a leap costs one more look */
	until.tv_nsec += ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&d->mutex);
	while (!d->ended && status == 0) status = pthread_cond_timedwait(&d->end, &d->mutex, &until);
	bool ended = d->ended;
	if (at) *at = d->at;
	pthread_mutex_unlock(&d->mutex);
	return ended;
}

static void release(ckpt_digest *d)
{
	pthread_join(d->thread, NULL);
	pthread_cond_destroy(&d->more);
	pthread_cond_destroy(&d->end);
	pthread_mutex_destroy(&d->mutex);
	EVP_MD_CTX_free(d->context);
}

bool ckpt_digest_finish(ckpt_digest *d, bool *right, ckpt_error *err)
{
	ckpt_digest_ready(d, d->size);
	release(d);
	bool ok = !d->error && !d->failed;
	if (d->error) ckpt_fail_errno(err, d->error, "cannot read what was downloaded");
	if (d->failed) ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto failed to compute a hash");
	*right = ok && strcmp(d->found, d->wanted) == 0;
	free(d);
	return ok;
}

void ckpt_digest_cancel(ckpt_digest *d)
{
	if (!d) return;
	pthread_mutex_lock(&d->mutex);
	d->cancelled = true;
	pthread_cond_signal(&d->more);
	pthread_mutex_unlock(&d->mutex);
	release(d);
	free(d);
}
