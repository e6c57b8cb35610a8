/* zip_make.h -- zip archives made in memory, good ones and bad ones, for tests */
#ifndef CKPT_UNIT_ZIP_MAKE_H
#define CKPT_UNIT_ZIP_MAKE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZIP_RECORDS = 16 };

/* Everything that the headers of a record say; zip_add fills in the truth, a test then changes it. */
typedef struct zip_record {
	const char *name, *local_name;
	size_t name_length, local_name_length;
	const void *data; /* as it stands in the file */
	size_t length;
	uint16_t flags, local_flags, method, local_method, disk;
	uint32_t crc, local_crc;
	uint64_t size, packed, local_size, local_packed;
	int64_t offset;         /* in the directory; -1: the true one */
	const void *extra, *local_extra;
	size_t extra_length, local_extra_length;
	int local_extra_says;   /* length of the extra field in the local header; -1: the true one */
	int descriptor;         /* bytes of the data descriptor: 0, 12, 16, 20, 24 */
	uint32_t descriptor_crc;
	const void *gap;        /* bytes behind the record */
	size_t gap_length;
	bool skip;              /* leave it out of the directory */
} zip_record;

typedef struct zip_archive {
	zip_record records[ZIP_RECORDS];
	size_t count;
	const char *prefix, *comment, *tail; /* bytes in front, comment, bytes behind */
	size_t comment_length;               /* 0: that of the text */
	bool zip64;                          /* add a zip64 end record and its locator */
	bool reverse;                        /* the directory lists the records backwards */
	/* added to what the end records say */
	int entries_off, length_off, offset_off, entries64_off, offset64_off, locator_off, disk, disks64;
} zip_archive;

zip_record *zip_add(zip_archive *z, const char *name, const void *data, size_t length);
/* The same, deflated. */
zip_record *zip_add_deflated(zip_archive *z, const char *name, const void *data, size_t length);
/* The archive as bytes, malloced. */
uint8_t *zip_bytes(const zip_archive *z, size_t *length);
/* Writes it into the run's folder and returns the path. */
const char *zip_write(const zip_archive *z, const char *file);
#endif
