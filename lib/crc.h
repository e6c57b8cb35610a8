/* crc.h -- CRC-32 (ISO-HDLC, as zip and zlib) at memory speed */
#ifndef CKPT_LIB_CRC_H
#define CKPT_LIB_CRC_H
#include "ckpt.h"

/* Start with 0; continues as zlib's crc32 does. Chosen at run time: VPCLMULQDQ, PCLMULQDQ, zlib. */
uint32_t ckpt_crc32(uint32_t crc, const void *data, size_t length);
/* CRC of A followed by B from both CRCs and B's length (any 64-bit length; zlib's own takes a signed offset). */
uint32_t ckpt_crc32_combine(uint32_t a, uint32_t b, uint64_t length_b);
/* For tests: "vpclmul", "pclmul", "zlib", NULL = best. False when the CPU has it not. Not thread-safe. */
bool ckpt_crc32_force(const char *path);
#endif
