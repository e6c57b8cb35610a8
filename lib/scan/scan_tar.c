/* scan_tar.c -- the tar files of torch 0.1: members, each a run of pickles
 *
 *   1. a header of 512 bytes: name at 0, size at 124, type at 156, "ustar" at 257
 *   2. the member, padded to 512 bytes
 *   3. and so on, to two blocks of zeros
 */
#include "scan.h"

#include "../checked.h"
#include "../error.h"

#include <string.h>

enum { BLOCK = 512, MEMBERS = 4096 };

/* In octal digits, or in base 256 with the highest bit of the first byte set. */
static bool number(const uint8_t *p, size_t n, uint64_t *out)
{
	uint64_t v = 0;
	size_t i = 0;
	bool large = p[0] == 0x80;
	if (large) i = 1;
	while (!large && i < n && p[i] == ' ') i++;
	size_t first = i;
	for (; i < n && (large || (p[i] && p[i] != ' ')); i++) {
		if ((!large && (p[i] < '0' || p[i] > '7')) || v >> 55) return false;
		v = large ? v << 8 | p[i] : v << 3 | (uint64_t)(p[i] - '0');
	}
	*out = v;
	return i > first;
}

/* The end of an archive; a member may well have no name of its own here. */
static bool all_zero(const uint8_t header[BLOCK])
{
	for (int i = 0; i < BLOCK; i++)
		if (header[i]) return false;
	return true;
}

void ckpt_scan_tar(ckpt_scan *s, ckpt_file *f)
{
	uint64_t at = 0, size = ckpt_file_size(f);
	for (int i = 0; i < MEMBERS && at + BLOCK <= size; i++) {
		uint8_t header[BLOCK];
		char name[101] = {0};
		uint64_t length, end;
		ckpt_error err = {0};
		if (!ckpt_file_read(f, at, BLOCK, header, &err)) {
			ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, NULL, at, NULL, NULL, NULL, false, "%s", err.text);
			return;
		}
		if (all_zero(header)) return;
		memcpy(name, header, 100);
		at += BLOCK;
		if (!number(header + 124, 12, &length) || !ckpt_add_u64(at, length, &end) || end > size) {
			ckpt_scan_add(s, CKPT_FOUND_MALFORMED, name, at - BLOCK, NULL, NULL, NULL, false,
			              "the tar header of member '%s' has no valid size", name);
			ckpt_scan_search(s, f, at, size, "the rest of the tar file");
			return;
		}
		s->records++;
		if (length > 0) {
			ckpt_scan_stacked(s, f, at, end, name);
			ckpt_scan_search(s, f, at + 1, end, name);
		}
		at = (end + BLOCK - 1) / BLOCK * BLOCK;
	}
	if (at + BLOCK <= size) s->complete = false;
}
