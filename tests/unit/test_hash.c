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

static const unit_case cases[] = {
    {"vectors of FIPS 180-4", test_vectors},
    {"sources", test_source},
    {0},
};
const unit_suite unit_hash = {"hash", cases};
