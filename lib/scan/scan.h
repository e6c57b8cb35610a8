/* scan.h -- what an unknown file would do to whoever loads it: findings, and a verdict
 *
 * The parsers are those of the loader: its pickle machine in record mode, its zip reader told to go on after a fault,
 * its readers for everything else. Nothing is executed. A clean verdict means that nothing known was found in a file
 * that could be looked at as a whole; it is no proof.
 */
#ifndef CKPT_SCAN_H
#define CKPT_SCAN_H
#include "../../formats/text_index.h"
#include "../arena.h"
#include "../buffer.h"
#include "../ckpt.h"
#include "../file.h"

/* One kind of finding: the table is in findings.c. */
typedef enum ckpt_finding_kind {
	CKPT_FOUND_DANGEROUS_CALL, /* CKPT-P001 */
	CKPT_FOUND_DANGEROUS_NAME, /* CKPT-P002 */
	CKPT_FOUND_UNRESOLVED,     /* CKPT-P003 */
	CKPT_FOUND_UNKNOWN_NAME,   /* CKPT-P004 */
	CKPT_FOUND_COMPUTED_CALL,  /* CKPT-P005 */
	CKPT_FOUND_DROPPED_CALL,   /* CKPT-P006 */
	CKPT_FOUND_EXTENSION,      /* CKPT-P007 */
	CKPT_FOUND_PERSISTENT,     /* CKPT-P008 */
	CKPT_FOUND_BAD_PICKLE,     /* CKPT-P009 */
	CKPT_FOUND_TRAILING,       /* CKPT-P010 */
	CKPT_FOUND_HIDDEN_PICKLE,  /* CKPT-P011 */
	CKPT_FOUND_ODD_NAME,       /* CKPT-P012 */
	CKPT_FOUND_ZIP_FAULT,      /* CKPT-Z001 */
	CKPT_FOUND_ZIP_EXTRA,      /* CKPT-Z002 */
	CKPT_FOUND_ZIP_CRC,        /* CKPT-Z003 */
	CKPT_FOUND_ZIP_RECORD,     /* CKPT-Z004 */
	CKPT_FOUND_OBJECT_ARRAY,   /* CKPT-N001 */
	CKPT_FOUND_MALFORMED,      /* CKPT-F001 */
	CKPT_FOUND_NOT_LOOKED_AT,  /* CKPT-F002 */
	CKPT_FOUND_LIMIT,          /* CKPT-F003 */
	CKPT_FOUND_CUSTOM_CODE,    /* CKPT-C001 */
	CKPT_FOUND_BAD_CONFIG,     /* CKPT-C002 */
	CKPT_FOUND_KINDS
} ckpt_finding_kind;

/* What a kind is called, how bad it is, and what it means. */
typedef struct ckpt_finding_info {
	const char *id, *title, *meaning;
	ckpt_severity severity;
	bool incomplete; /* a part of the file was not looked at */
} ckpt_finding_info;
const ckpt_finding_info *ckpt_finding_get(ckpt_finding_kind kind);

struct ckpt_scan {
	ckpt_scan_finding *findings;
	size_t count, capacity;
	ckpt_scan_name *names; /* what a pickle imports that is known and does no harm */
	size_t name_count, name_capacity;
	char *path, *format;
	char sha256[65];
	uint64_t opcodes, records;
	unsigned protocol;
	bool complete;
	ckpt_text_index keys; /* of the storages that pickles name */
	ckpt_arena arena;     /* their text */
	ckpt_limits limits; /* resolved */
	bool tar;           /* of torch 0.1: its members are pickles with data between them, its persistent ids numbers */
	bool unread;        /* these bytes no loader runs: harm in them is hidden, not done */
	bool ran_out;       /* the last pickle came to the end of its bytes without STOP */
	bool broke;         /* the last pickle has a fault, though STOP may have been reached */
	bool failed;        /* memory ran out */
};

/* Adds a finding. record, opcode, module, name may be NULL; offset UINT64_MAX: none. */
void ckpt_scan_add(ckpt_scan *s, ckpt_finding_kind kind, const char *record, uint64_t offset, const char *opcode,
                   const char *module, const char *name, bool called, const char *format, ...)
	__attribute__((format(printf, 9, 10)));

/* scan_pickle.c: runs the pickle at data in record mode. Bytes behind its STOP are left to the caller: *consumed. probing: it
 * only may be a pickle; nothing is said when it is none, and true is returned when it was one that imports something. */
bool ckpt_scan_pickle(ckpt_scan *s, const uint8_t *data, size_t length, const char *record, uint64_t base, bool probing,
                      size_t *consumed);
/* The first `length` of `size` bytes, when they are a .npy array: a pickle follows the header of one whose items are objects.
 * False: all of them are needed to tell. */
bool ckpt_scan_array(ckpt_scan *s, const uint8_t *data, size_t length, uint64_t size, const char *record);
/* A run of pickles one behind the other from offset on, as legacy files have them; says what it cannot read. Returns the
 * offset behind the last, or one behind the start of the one that broke. */
uint64_t ckpt_scan_stacked(ckpt_scan *s, ckpt_file *f, uint64_t offset, uint64_t end, const char *record);
/* Looks for pickles anywhere in a range, for data that nobody accounts for. */
void ckpt_scan_search(ckpt_scan *s, ckpt_file *f, uint64_t offset, uint64_t end, const char *record);
/* scan_zip.c, scan_tar.c: the archives. */
void ckpt_scan_zip(ckpt_scan *s, ckpt_file *f);
/* Compares every record with its CRC; for archives that the loader takes, whose sizes are then known to make sense. */
void ckpt_scan_zip_crcs(ckpt_scan *s, ckpt_file *f);
void ckpt_scan_tar(ckpt_scan *s, ckpt_file *f);
#endif
