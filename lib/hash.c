/* hash.c -- SHA-256 through libcrypto: of bytes, sources, tensors and whole checkpoints */
#include "hash.h"
#include "checkpoint.h"
#include "error.h"
#include <omp.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ckpt_sha256 {
	EVP_MD_CTX *context;
};

ckpt_sha256 *ckpt_sha256_new(ckpt_error *err)
{
	ckpt_sha256 *h = calloc(1, sizeof *h);
	if (h) h->context = EVP_MD_CTX_new();
	if (!h || !h->context) {
		ckpt_fail_nomem(err);
	} else if (EVP_DigestInit_ex(h->context, EVP_sha256(), NULL) == 1) {
		return h;
	} else {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto offers no SHA-256");
	}
	ckpt_sha256_free(h);
	return NULL;
}

void ckpt_sha256_free(ckpt_sha256 *h)
{
	if (!h) return;
	EVP_MD_CTX_free(h->context);
	free(h);
}

bool ckpt_sha256_update(ckpt_sha256 *h, const void *data, size_t length, ckpt_error *err)
{
	if (length == 0 || EVP_DigestUpdate(h->context, data, length) == 1) return true;
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto failed to compute SHA-256");
}

bool ckpt_sha256_final(ckpt_sha256 *h, uint8_t digest[32], ckpt_error *err)
{
	unsigned char all[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	if (EVP_DigestFinal_ex(h->context, all, &length) != 1 || length != 32)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "libcrypto failed to compute SHA-256");
	for (unsigned i = 0; i < 32; i++) digest[i] = all[i];
	return true;
}

void ckpt_hex(const uint8_t *bytes, size_t count, char *text)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	*text = '\0';
}

/* Reads s in steps through buffer, which holds `step` bytes. */
static bool update_from(ckpt_sha256 *h, const ckpt_source *s, uint8_t *buffer, size_t step,
                        bool (*tick)(void *user, uint64_t bytes), void *user, ckpt_error *err)
{
	for (uint64_t offset = 0; offset < s->length;) {
		size_t n = s->length - offset < step ? (size_t)(s->length - offset) : step;
		if (!ckpt_source_read(s, offset, n, buffer, err)) return false;
		if (!ckpt_sha256_update(h, buffer, n, err)) return false;
		if (tick && !tick(user, n)) return ckpt_fail(err, CKPT_E_CANCELLED, "stopped while hashing");
		offset += n;
	}
	return true;
}

bool ckpt_sha256_source(const ckpt_source *s, uint8_t digest[32], bool (*tick)(void *user, uint64_t bytes), void *user,
                        ckpt_error *err)
{
	enum { STEP = 512 * 1024 };
	bool ok = false;
	size_t step = s->length < STEP ? (size_t)s->length : STEP;
	uint8_t *buffer = malloc(step ? step : 1);
	ckpt_sha256 *h = ckpt_sha256_new(err);
	if (!buffer)
		ckpt_fail_nomem(err);
	else if (h)
		ok = update_from(h, s, buffer, step, tick, user, err) && ckpt_sha256_final(h, digest, err);
	ckpt_sha256_free(h);
	free(buffer);
	return ok;
}

bool ckpt_tensor_sha256(const ckpt_tensor *t, char hex[65], ckpt_error *err)
{
	uint8_t digest[32];
	if (!ckpt_sha256_source(t->source, digest, NULL, NULL, err))
		return ckpt_error_prefix(err, "tensor '%s'", t->name);
	ckpt_hex(digest, sizeof digest, hex);
	return true;
}

/* ---- every tensor of a checkpoint, several at once ---- */

typedef struct hash_job {
	uint64_t bytes;
	size_t index;
	struct hash_run *run;
} hash_job;

typedef struct hash_run {
	const ckpt_checkpoint *cp;
	const ckpt_work *work;
	char (*hex)[65];
	hash_job *jobs;
	size_t job_count;
	uint64_t done, total;
	bool stopped;  /* progress asked to stop */
	size_t failed; /* the lowest tensor that failed, and why; SIZE_MAX: none */
	ckpt_error error;
} hash_run;

/* The tensor whose hash stands for tensor i: itself, or the one that it is an alias of. */
static size_t original(const ckpt_checkpoint *cp, size_t i)
{
	const ckpt_tensor *t = &cp->tensors[i];
	if (t->alias_of >= cp->count) return i;
	const ckpt_tensor *o = &cp->tensors[t->alias_of];
	return o->alias_of == SIZE_MAX && o->bytes == t->bytes ? t->alias_of : i;
}

/* The largest first, so that no thread is left alone with a large one at the end. */
static int by_size(const void *a, const void *b)
{
	const hash_job *x = a, *y = b;
	if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

static bool plan_jobs(hash_run *run, ckpt_error *err)
{
	run->jobs = calloc(run->cp->count + 1, sizeof *run->jobs);
	if (!run->jobs) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < run->cp->count; i++) {
		uint64_t bytes = run->cp->tensors[i].bytes;
		if (original(run->cp, i) != i) continue;
		run->jobs[run->job_count++] = (hash_job){bytes, i, run};
		run->total = run->total + bytes < bytes ? UINT64_MAX : run->total + bytes;
	}
	qsort(run->jobs, run->job_count, sizeof *run->jobs, by_size);
	return true;
}

/* Whether it is of use to go on with this tensor; counts the bytes that were hashed. */
static bool job_tick(void *user, uint64_t bytes)
{
	const hash_job *job = user;
	hash_run *run = job->run;
	bool go;
#pragma omp critical(ckpt_hash_run)
	{
		run->done += bytes;
		if (bytes > 0 && !run->stopped && run->work && run->work->progress)
			run->stopped = !run->work->progress(run->work->user, run->done, run->total);
		go = !run->stopped && job->index < run->failed;
	}
	return go;
}

static void job_failed(hash_run *run, size_t index, const ckpt_error *error)
{
#pragma omp critical(ckpt_hash_run)
	if (!run->stopped && index < run->failed) {
		run->failed = index;
		run->error = *error;
	}
}

static void run_job(hash_job *job)
{
	ckpt_error error = {0};
	uint8_t digest[32];
	const ckpt_tensor *t = &job->run->cp->tensors[job->index];
	if (!job_tick(job, 0)) return;
	if (ckpt_sha256_source(t->source, digest, job_tick, job, &error)) {
		ckpt_hex(digest, sizeof digest, job->run->hex[job->index]);
	} else {
		ckpt_error_prefix(&error, "tensor '%s'", t->name);
		job_failed(job->run, job->index, &error);
	}
}

static bool hash_all(hash_run *run, ckpt_error *err)
{
	int threads = run->work && run->work->threads > 0 ? run->work->threads : omp_get_max_threads();
	if ((size_t)threads > run->job_count) threads = run->job_count ? (int)run->job_count : 1;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
	for (size_t i = 0; i < run->job_count; i++) run_job(&run->jobs[i]);
	if (run->stopped) return ckpt_fail(err, CKPT_E_CANCELLED, "stopped while hashing");
	if (run->failed != SIZE_MAX) {
		if (err) *err = run->error;
		return false;
	}
	for (size_t i = 0; i < run->cp->count; i++) {
		size_t from = original(run->cp, i);
		if (from != i) memcpy(run->hex[i], run->hex[from], sizeof run->hex[i]);
	}
	return true;
}

/* ---- fingerprint ---- */

static int by_name(const void *a, const void *b)
{
	const ckpt_tensor *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static bool add_line(ckpt_sha256 *h, const ckpt_tensor *t, const char hex[65], ckpt_error *err)
{
	char number[32];
	const char *dtype = ckpt_dtype_name(t->dtype);
	bool ok = ckpt_sha256_update(h, t->name, strlen(t->name) + 1, err) &&
	          ckpt_sha256_update(h, dtype, strlen(dtype) + 1, err) && ckpt_sha256_update(h, "[", 1, err);
	for (uint32_t k = 0; ok && k < t->rank; k++) {
		int n = snprintf(number, sizeof number, "%s%llu", k ? "," : "", (unsigned long long)t->shape[k]);
		ok = ckpt_sha256_update(h, number, (size_t)n, err);
	}
	return ok && ckpt_sha256_update(h, "]", 2, err) && ckpt_sha256_update(h, hex, 64, err) &&
	       ckpt_sha256_update(h, "\n", 1, err);
}

static bool make_fingerprint(const ckpt_checkpoint *cp, char (*hex)[65], char fingerprint[65], ckpt_error *err)
{
	uint8_t digest[32];
	const ckpt_tensor **sorted = calloc(cp->count + 1, sizeof *sorted);
	ckpt_sha256 *h = ckpt_sha256_new(err);
	bool ok = sorted != NULL && h != NULL;
	if (!sorted) ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < cp->count; i++) sorted[i] = &cp->tensors[i];
	if (ok) qsort(sorted, cp->count, sizeof *sorted, by_name);
	for (size_t i = 0; ok && i < cp->count; i++) ok = add_line(h, sorted[i], hex[sorted[i] - cp->tensors], err);
	ok = ok && ckpt_sha256_final(h, digest, err);
	if (ok) ckpt_hex(digest, sizeof digest, fingerprint);
	ckpt_sha256_free(h);
	free(sorted);
	return ok;
}

bool ckpt_checkpoint_sha256(const ckpt_checkpoint *cp, const ckpt_work *work, char (*hex)[65], char fingerprint[65],
                            ckpt_error *err)
{
	char(*own)[65] = hex ? NULL : calloc(cp->count + 1, sizeof *own);
	hash_run run = {.cp = cp, .work = work, .hex = hex ? hex : own, .failed = SIZE_MAX};
	bool ok = run.hex ? plan_jobs(&run, err) : ckpt_fail_nomem(err);
	ok = ok && hash_all(&run, err);
	if (ok && fingerprint) ok = make_fingerprint(cp, run.hex, fingerprint, err);
	free(run.jobs);
	free(own);
	return ok;
}
