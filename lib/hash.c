/* hash.c -- SHA-256 through libcrypto */
#include "hash.h"
#include "error.h"
#include <openssl/evp.h>
#include <stdlib.h>

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
