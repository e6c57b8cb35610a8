/* layout_file.c -- for tests of writers: a layout becomes a file, files are compared */
#include "layout_file.h"
#include "../../lib/checked.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool unit_write_layout(ckpt_layout *layout, const char *path, ckpt_error *err)
{
	if (!layout) return false;
	ckpt_work work = {.threads = 2};
	ckpt_output *out = ckpt_output_new(path, layout->size, true, err);
	bool ok = out && ckpt_layout_fill(layout, out, &work, 0, layout->size, false, err) &&
	          (!layout->finish || layout->finish(layout, out, err)) &&
	          ckpt_output_finish(out, layout->size, false, err) && ckpt_output_commit(out, false, err);
	ckpt_output_free(out);
	ckpt_layout_free(layout);
	return ok;
}

uint8_t *unit_read_bytes(const char *path, size_t *length)
{
	uint8_t *bytes = (uint8_t *)unit_read(path, length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	return bytes;
}

void unit_same_bytes(const char *what, const void *found, size_t found_length, const void *wanted,
                     size_t wanted_length)
{
	const uint8_t *a = found, *b = wanted;
	size_t least = found_length < wanted_length ? found_length : wanted_length, at = 0;
	while (at < least && a[at] == b[at]) at++;
	if (at < least) printf("# %s: byte %zu is 0x%02x, not 0x%02x\n", what, at, a[at], b[at]);
	CU_ASSERT_EQUAL(at, least);
	if (found_length != wanted_length) printf("# %s: %zu bytes, not %zu\n", what, found_length, wanted_length);
	CU_ASSERT_EQUAL(found_length, wanted_length);
}

void unit_ignore_identity(uint8_t *found, const uint8_t *wanted, size_t length, size_t prefix)
{
	static const char name[] = "/.data/serialization_id";
	const size_t n = sizeof name - 1;
	const uint8_t *local = memmem(wanted, length, name, n);
	if (!local) return;
	const uint8_t *central = memmem(local + n, length - (size_t)(local + n - wanted), name, n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(central);
	size_t extra = ckpt_le16(local - prefix - 2);
	size_t data = (size_t)(local - wanted) + n + extra, crc = data + 40 + 4;
	size_t entry = (size_t)(central - wanted) - prefix - 46;
	CU_ASSERT_FATAL(crc + 4 <= length);
	memcpy(found + data, wanted + data, 40);
	memcpy(found + crc, wanted + crc, 4);
	memcpy(found + entry + 16, wanted + entry + 16, 4);
}
