/* test_hash.c -- SHA-256 of known messages, of sources, of tensors and of whole checkpoints */
#include "../../lib/checkpoint.h"
#include "../../lib/error.h"
#include "../../lib/hash.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void hash_text(const char *data, size_t length, size_t step, char hex[65])
{
	uint8_t digest[32];
	ckpt_sha256 *h = ckpt_sha256_new(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	for (size_t at = 0, n; at < length; at += n) {
		n = length - at < step ? length - at : step;
		CU_ASSERT_TRUE(ckpt_sha256_update(h, data + at, n, NULL));
	}
	CU_ASSERT_TRUE(ckpt_sha256_final(h, digest, NULL));
	ckpt_sha256_free(h);
	ckpt_hex(digest, 32, hex);
}

static const char empty_hex[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
static const char million_hex[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

static void test_vectors(void)
{
	char hex[65];
	char *million = malloc(1000000);
	hash_text("", 0, 1, hex);
	CU_ASSERT_STRING_EQUAL(hex, empty_hex);
	hash_text("abc", 3, 1, hex);
	CU_ASSERT_STRING_EQUAL(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	hash_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, 10, hex);
	CU_ASSERT_STRING_EQUAL(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	hash_text(memset(million, 'a', 1000000), 1000000, 777, hex);
	CU_ASSERT_STRING_EQUAL(hex, million_hex);
	free(million);
	ckpt_sha256_free(NULL);
}

typedef struct count_ticks {
	uint64_t bytes;
	unsigned calls, stop_after;
} count_ticks;

static bool count_tick(void *user, uint64_t bytes)
{
	count_ticks *c = user;
	c->bytes += bytes;
	return ++c->calls != c->stop_after;
}

static void test_source(void)
{
	uint8_t digest[32];
	char hex[65];
	ckpt_error err = {0};
	count_ticks ticks = {0}, stop = {.stop_after = 1};
	ckpt_source *s = ckpt_source_fill("a", 1, 1000000, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_TRUE(ckpt_sha256_source(s, digest, count_tick, &ticks, &err));
	ckpt_hex(digest, 32, hex);
	CU_ASSERT_STRING_EQUAL(hex, million_hex);
	CU_ASSERT_EQUAL(ticks.bytes, 1000000);
	CU_ASSERT_EQUAL(ticks.calls, 2);
	CU_ASSERT_FALSE(ckpt_sha256_source(s, digest, count_tick, &stop, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
	ckpt_source_unref(s);
	s = ckpt_source_heap("", 0, &err);
	CU_ASSERT_TRUE(ckpt_sha256_source(s, digest, NULL, NULL, &err));
	ckpt_hex(digest, 32, hex);
	CU_ASSERT_STRING_EQUAL(hex, empty_hex);
	ckpt_source_unref(s);
}

/* ---- checkpoints ---- */

static const char f_hex[] = "24ae2dfe8df57c1b80e54cef3d90ac3b417fd98973345a5f616bbc9a75dcc202";
static const char i_hex[] = "9db26f8ea010babf6afb228a7b257afe54c28f98cd0b246a2f16dc14d16336d7";
/* SHA-256 over B, a, b.weight, tied with their dtypes, shapes and hashes, computed by other means. */
static const char all_hex[] = "f5b33dd100bf46a5345d84d1be2999013b89de1a2af2af2a070edcbf9c311a5a";

static const float f_data[6] = {1, 2, 3, 4, 5, 6};
static const int64_t i_data = -7;
static const uint64_t f_shape[2] = {2, 3}, none_shape[2] = {0, 4};

static void test_checkpoint(void)
{
	ckpt_error err = {0};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(&err);
	char hex[4][65], print[65];
	ckpt_work work = {.threads = 3};
	CU_ASSERT_FATAL(cp != NULL);
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(cp, NULL, NULL, print, &err));
	CU_ASSERT_STRING_EQUAL(print, empty_hex);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "b.weight", CKPT_F32, 2, f_shape, f_data, 24, &err));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "a", CKPT_I64, 0, NULL, &i_data, 8, &err));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "B", CKPT_U8, 2, none_shape, "", 0, &err));
	ckpt_source *same = ckpt_source_ref(cp->tensors[0].source);
	CU_ASSERT_TRUE(ckpt_checkpoint_add(cp, "tied", CKPT_F32, 2, f_shape, same, NULL, &err));
	CU_ASSERT_TRUE(ckpt_checkpoint_find_aliases(cp, &err));
	CU_ASSERT_EQUAL(cp->tensors[3].alias_of, 0);
	for (work.threads = 0; work.threads < 4; work.threads++) {
		CU_ASSERT_TRUE(ckpt_checkpoint_sha256(cp, &work, hex, print, &err));
		CU_ASSERT_STRING_EQUAL(hex[0], f_hex);
		CU_ASSERT_STRING_EQUAL(hex[1], i_hex);
		CU_ASSERT_STRING_EQUAL(hex[2], empty_hex);
		CU_ASSERT_STRING_EQUAL(hex[3], f_hex);
		CU_ASSERT_STRING_EQUAL(print, all_hex);
	}
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(cp, NULL, hex, NULL, &err));
	CU_ASSERT_TRUE(ckpt_tensor_sha256(ckpt_checkpoint_tensor_at(cp, 1), print, &err));
	CU_ASSERT_STRING_EQUAL(print, i_hex);
	CU_ASSERT_EQUAL(err.code, CKPT_OK);
	ckpt_checkpoint_free(cp);
}

/* The same tensors in another order and as copies: the same fingerprint. Another shape: another one. */
static void test_fingerprint_of_equals(void)
{
	static const uint64_t turned[2] = {3, 2};
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL), *other = ckpt_checkpoint_new(NULL);
	char print[65];
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "tied", CKPT_F32, 2, f_shape, f_data, 24, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "B", CKPT_U8, 2, none_shape, "", 0, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "a", CKPT_I64, 0, NULL, &i_data, 8, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(cp, "b.weight", CKPT_F32, 2, f_shape, f_data, 24, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(cp, NULL, NULL, print, NULL));
	CU_ASSERT_STRING_EQUAL(print, all_hex);
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(other, "tied", CKPT_F32, 2, turned, f_data, 24, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(other, "B", CKPT_U8, 2, none_shape, "", 0, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(other, "a", CKPT_I64, 0, NULL, &i_data, 8, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_add_bytes(other, "b.weight", CKPT_F32, 2, f_shape, f_data, 24, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_sha256(other, NULL, NULL, print, NULL));
	CU_ASSERT_STRING_NOT_EQUAL(print, all_hex);
	ckpt_checkpoint_free(cp);
	ckpt_checkpoint_free(other);
}

/* A source that counts its reads and fails past some byte. */
typedef struct odd_source {
	ckpt_source base;
	uint64_t good;
	unsigned *reads;
} odd_source;

static bool odd_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const odd_source *o = (const odd_source *)s;
	__atomic_fetch_add(o->reads, 1, __ATOMIC_RELAXED);
	if (offset + length > o->good)
		return ckpt_fail(err, CKPT_E_IO, "byte %llu is lost", (unsigned long long)o->good);
	memset(destination, 7, length);
	return true;
}

static const ckpt_source_ops odd_ops = {"odd", odd_read, NULL, NULL};

static bool add_odd(ckpt_checkpoint *cp, const char *name, uint64_t length, uint64_t good, unsigned *reads)
{
	odd_source *o = ckpt_source_new(&odd_ops, sizeof *o, length, NULL);
	if (!o) return false;
	o->good = good;
	o->reads = reads;
	return ckpt_checkpoint_add(cp, name, CKPT_U8, 1, &length, &o->base, NULL, NULL);
}

enum { MIB = 1024 * 1024 };

/* Whatever the thread count and although the largest come first: the error is that of the first tensor that fails. */
static void test_first_error(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	unsigned reads = 0;
	char hex[5][65], print[65] = "untouched";
	CU_ASSERT_TRUE(add_odd(cp, "fine", 100, 100, &reads) && add_odd(cp, "first", 10, 9, &reads));
	CU_ASSERT_TRUE(add_odd(cp, "second", 2 * MIB, MIB, &reads) && add_odd(cp, "third", 3 * MIB, 0, &reads));
	CU_ASSERT_TRUE(add_odd(cp, "long", 4 * MIB, 4 * MIB, &reads));
	for (int threads = 1; threads <= 4; threads++) {
		ckpt_error err = {0};
		ckpt_work work = {.threads = threads};
		CU_ASSERT_FALSE(ckpt_checkpoint_sha256(cp, &work, hex, print, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_IO);
		CU_ASSERT_STRING_EQUAL(err.text, "tensor 'first': byte 9 is lost");
	}
	CU_ASSERT_STRING_EQUAL(print, "untouched");
	CU_ASSERT_FALSE(ckpt_checkpoint_sha256(cp, NULL, hex, print, NULL));
	CU_ASSERT_FALSE(ckpt_tensor_sha256(ckpt_checkpoint_tensor_at(cp, 1), print, NULL));
	ckpt_checkpoint_free(cp);
}

/* An alias costs no read; progress rises to the total and is never called twice at a time. */
typedef struct watcher {
	uint64_t last, total;
	unsigned calls, stop_at;
	bool inside, wrong;
} watcher;

static bool watch(void *user, uint64_t done, uint64_t total)
{
	watcher *w = user;
	if (__atomic_exchange_n(&w->inside, true, __ATOMIC_ACQ_REL)) w->wrong = true;
	if (done <= w->last || done > total) w->wrong = true;
	w->last = done;
	w->total = total;
	bool go = ++w->calls != w->stop_at;
	__atomic_store_n(&w->inside, false, __ATOMIC_RELEASE);
	return go;
}

static void test_progress(void)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	unsigned reads = 0;
	char hex[4][65];
	const uint64_t shape = 3 * MIB;
	CU_ASSERT_TRUE(add_odd(cp, "a", 3 * MIB, 3 * MIB, &reads) && add_odd(cp, "b", 2 * MIB + 5, 3 * MIB, &reads));
	CU_ASSERT_TRUE(
	        ckpt_checkpoint_add(cp, "c", CKPT_U8, 1, &shape, ckpt_source_ref(cp->tensors[0].source), NULL, NULL));
	CU_ASSERT_TRUE(ckpt_checkpoint_find_aliases(cp, NULL));
	for (int threads = 1; threads <= 2; threads++) {
		watcher w = {0};
		ckpt_work work = {threads, watch, &w};
		reads = 0;
		CU_ASSERT_TRUE(ckpt_checkpoint_sha256(cp, &work, hex, NULL, NULL));
		CU_ASSERT_FALSE(w.wrong);
		CU_ASSERT_EQUAL(w.last, 5 * MIB + 5);
		CU_ASSERT_EQUAL(w.total, 5 * MIB + 5);
		CU_ASSERT_EQUAL(reads, 11);
		CU_ASSERT_STRING_EQUAL(hex[0], hex[2]);
		w = (watcher){.stop_at = 2};
		ckpt_error err = {0};
		CU_ASSERT_FALSE(ckpt_checkpoint_sha256(cp, &work, hex, NULL, &err));
		CU_ASSERT_EQUAL(err.code, CKPT_E_CANCELLED);
		CU_ASSERT_EQUAL(w.calls, 2);
	}
	ckpt_checkpoint_free(cp);
}

static const unit_case cases[] = {
        {"vectors of FIPS 180-4", test_vectors},
        {"sources", test_source},
        {"checkpoint", test_checkpoint},
        {"fingerprint of equal checkpoints", test_fingerprint_of_equals},
        {"the first error", test_first_error},
        {"progress and stopping", test_progress},
        {0},
};
const unit_suite unit_hash = {"hash", cases};
