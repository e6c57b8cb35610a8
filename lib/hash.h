/* hash.h -- SHA-256 through libcrypto */
#ifndef CKPT_LIB_HASH_H
#define CKPT_LIB_HASH_H
#include "ckpt.h"
#include "source.h"

typedef struct ckpt_sha256 ckpt_sha256;
ckpt_sha256 *ckpt_sha256_new(ckpt_error *err);
void ckpt_sha256_free(ckpt_sha256 *h);
bool ckpt_sha256_update(ckpt_sha256 *h, const void *data, size_t length, ckpt_error *err);
bool ckpt_sha256_final(ckpt_sha256 *h, uint8_t digest[32], ckpt_error *err);
void ckpt_hex(const uint8_t *bytes, size_t count, char *text); /* 2*count digits and a NUL */
/* A whole source, read in 512 KiB steps. tick, when given, is called with the bytes of each step. */
bool ckpt_sha256_source(const ckpt_source *s, uint8_t digest[32], bool (*tick)(void *user, uint64_t bytes), void *user,
                        ckpt_error *err);
#endif
