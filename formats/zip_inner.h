/* zip_inner.h -- what the files of the zip reader share with each other */
#ifndef CKPT_FORMATS_ZIP_INNER_H
#define CKPT_FORMATS_ZIP_INNER_H
#include "text_index.h"
#include "zip.h"

enum { ZIP_TAIL = 65535 + 22 + 20 + 56 }; /* bytes in which the end records must lie */

struct ckpt_zip {
	ckpt_file *file;
	ckpt_zip_options options;
	uint64_t directory, directory_length, file_size; /* where the central directory lies */
	uint64_t expected;                               /* entries that the end record promises */
	uint8_t *central;                                /* its bytes; names point into it */
	ckpt_zip_entry *entries;
	size_t count;
	ckpt_text_index index;
	uint64_t inflated; /* bytes of small records inflated on the heap so far */
};

/* Reports a fault: false with the error set when faults are errors, true when a callback took it. */
bool ckpt_zip_fail(const ckpt_zip *z, ckpt_zip_fault kind, const ckpt_zip_entry *e, uint64_t offset, ckpt_error *err,
                   const char *format, ...) __attribute__((format(printf, 6, 7)));

/* zip_end.c: finds the end records and from them the directory. */
bool ckpt_zip_find_directory(ckpt_zip *z, ckpt_error *err);
/* zip_local.c: walks the local headers and what lies between the records. */
bool ckpt_zip_check_locals(ckpt_zip *z, ckpt_error *err);
/* The entry with its `data`: of a remote archive local headers are looked at when they are needed, each against its entry,
 * but not what lies between the records. */
bool ckpt_zip_locate(const ckpt_zip *z, const ckpt_zip_entry *e, ckpt_zip_entry *out, ckpt_error *err);
/* The two 64-bit sizes or the offset that a zip64 extra field holds, taken for those of the three that are 0xffffffff
 * in the header. want: bit 0 size, bit 1 packed, bit 2 offset. */
bool ckpt_zip_extra64(const uint8_t *extra, size_t length, unsigned want, uint64_t *size, uint64_t *packed,
                      uint64_t *offset);
#endif
