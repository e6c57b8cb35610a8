/* zip.h -- a strict reader of zip archives: a file has one reading or none
 *
 * Opening reads the end records, the central directory and every local header, and proves that the records lie side by
 * side from the first byte of the file to the directory, that both headers of a record agree, and that no name occurs
 * twice (letters of either case count as one). Records of up to CKPT_ZIP_SMALL bytes lie beside their headers, so
 * their CRC is checked then too. No other data is read. Of a remote file only the directory is read; a record's local
 * header comes, and is compared, with the record.
 */
#ifndef CKPT_FORMATS_ZIP_H
#define CKPT_FORMATS_ZIP_H
#include "../lib/file.h"
#include "../lib/source.h"

typedef struct ckpt_zip ckpt_zip;

enum { CKPT_ZIP_STORED = 0, CKPT_ZIP_DEFLATED = 8 };
enum { CKPT_ZIP_SMALL = 4096, CKPT_ZIP_NAME_MOST = 4096 };

typedef struct ckpt_zip_entry {
	const char *name; /* UTF-8, not NUL-terminated; lives as long as the archive */
	uint32_t name_length;
	uint32_t crc;    /* 0 beside data: not computed by the writer */
	uint64_t at;     /* of the local header */
	uint64_t data;   /* of the first byte of the record's data; 0 while unknown */
	uint64_t next;   /* where something else begins: another record, or the directory */
	uint64_t packed; /* bytes in the file */
	uint64_t size;   /* bytes of the record */
	uint16_t flags, method;
	bool faulty;  /* only with a fault callback: its data cannot be found or trusted */
	bool checked; /* its CRC was compared already */
} ckpt_zip_entry;

/* What can be wrong with an archive whose directory can still be read. */
typedef enum ckpt_zip_fault {
	CKPT_ZIP_TRAILING,  /* bytes behind the end record, or a second end record */
	CKPT_ZIP_PREFIX,    /* bytes in front of the first record */
	CKPT_ZIP_NAME,      /* a name that is a path, holds control characters, is no UTF-8, is too long */
	CKPT_ZIP_DUPLICATE, /* two records under one name */
	CKPT_ZIP_ENCRYPTED,
	CKPT_ZIP_METHOD,   /* neither stored nor deflated, or unknown flags */
	CKPT_ZIP_SIZES,    /* sizes that contradict each other or the file */
	CKPT_ZIP_MISMATCH, /* local and central header disagree */
	CKPT_ZIP_OVERLAP,  /* a record runs into the next one */
	CKPT_ZIP_HIDDEN,   /* bytes between records that no record accounts for */
	CKPT_ZIP_CRC
} ckpt_zip_fault;

typedef struct ckpt_zip_options {
	ckpt_limits limits; /* resolved */
	bool skip_crc;
	/* For a scanner: told each fault as a sentence, then reading goes on as well as it can. NULL: the first fault
	 * is the error. entry is NULL when the fault is the archive's. */
	void (*fault)(void *user, ckpt_zip_fault kind, const ckpt_zip_entry *entry, uint64_t offset, const char *text);
	void *user;
} ckpt_zip_options;

/* The file is referenced. */
ckpt_zip *ckpt_zip_open(ckpt_file *f, const ckpt_zip_options *options, ckpt_error *err);
void ckpt_zip_free(ckpt_zip *z);
size_t ckpt_zip_count(const ckpt_zip *z);
/* In the order of the directory. */
const ckpt_zip_entry *ckpt_zip_at(const ckpt_zip *z, size_t i);
/* By exact name; NULL when there is none. */
const ckpt_zip_entry *ckpt_zip_find(const ckpt_zip *z, const char *name, size_t length);
/* Position in the directory. */
size_t ckpt_zip_index(const ckpt_zip *z, const ckpt_zip_entry *e);

/* Where the record's bytes begin in the file. In an archive elsewhere its local header is read for it. */
bool ckpt_zip_data(const ckpt_zip *z, const ckpt_zip_entry *e, uint64_t *data, ckpt_error *err);

/* A whole record in memory: mapped when it is stored, on the heap when it was deflated. */
typedef struct ckpt_zip_bytes {
	const uint8_t *data;
	size_t length;
	void *heap;
	struct ckpt_mapping *mapping;
} ckpt_zip_bytes;

/* Refuses records of more than `most` bytes as the limit of that name, and a wrong CRC unless it is skipped. */
bool ckpt_zip_load(const ckpt_zip *z, const ckpt_zip_entry *e, uint64_t most, const char *limit_name,
                   ckpt_zip_bytes *out, ckpt_error *err);
/* False when the file shrank meanwhile: then what was read is worth nothing. Call it after the last access. */
bool ckpt_zip_bytes_check(const ckpt_zip_bytes *b, ckpt_error *err);
void ckpt_zip_bytes_free(ckpt_zip_bytes *b);

/* A record as a source: a range of the file when it is stored (as a checked source, unless its CRC was compared already
 * or is not known); a deflated one is inflated at once when it is small, which proves its size and CRC, and on first
 * use otherwise. */
ckpt_source *ckpt_zip_source(ckpt_zip *z, const ckpt_zip_entry *e, ckpt_error *err);
#endif
