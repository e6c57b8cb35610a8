/* zip_inner.c -- what every file of the zip reader does: telling a fault, reading 64-bit sizes */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "zip_inner.h"

#include <stdarg.h>
#include <stdio.h>

bool ckpt_zip_fail(const ckpt_zip *z, ckpt_zip_fault kind, const ckpt_zip_entry *e, uint64_t offset, ckpt_error *err,
                   const char *format, ...)
{
	char name[256], text[600];
	va_list ap;
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (z->options.fault) {
		z->options.fault(z->options.user, kind, e, offset, text);
		return true;
	}
	ckpt_code code = kind == CKPT_ZIP_METHOD || kind == CKPT_ZIP_ENCRYPTED ? CKPT_E_UNSUPPORTED : CKPT_E_FORMAT;
	if (!e) return ckpt_fail(err, code, "%s", text);
	/* %s would stop at a NUL in the name */
	ckpt_escape(name, sizeof name, e->name, e->name_length < 200 ? e->name_length : 200);
	return ckpt_fail(err, code, "zip record '%s': %s", name, text);
}

bool ckpt_zip_extra64(const uint8_t *extra, size_t length, unsigned want, uint64_t *size, uint64_t *packed,
                      uint64_t *offset)
{
	const uint8_t *found = NULL;
	size_t found_length = 0;
	while (length) {
		size_t n = length >= 4 ? ckpt_le16(extra + 2) : SIZE_MAX;
		if (n > length - 4) return false;
		if (ckpt_le16(extra) == 1) {
			if (found) return false;
			found = extra + 4;
			found_length = n;
		}
		extra += 4 + n;
		length -= 4 + n;
	}
	uint64_t *const into[3] = {size, packed, offset};
	for (unsigned i = 0; i < 3; i++) {
		if (!(want & 1u << i)) continue;
		if (!found || found_length < 8) return false;
		*into[i] = ckpt_le64(found);
		found += 8;
		found_length -= 8;
	}
	return true;
}
