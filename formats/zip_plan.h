/* zip_plan.h -- an archive as torch writes it, or a plain one, planned as a layout before its first byte is written
 *
 * Records are stored. In torch's archive each starts on a 64-byte boundary, and each checksum stands behind its data, so
 * that all offsets follow from names and sizes. Checksums of records that come from a source are found while the layout is
 * filled and patched in at its finish.
 */
#ifndef CKPT_FORMATS_ZIP_PLAN_H
#define CKPT_FORMATS_ZIP_PLAN_H
#include "../lib/layout.h"

typedef struct ckpt_zip_plan ckpt_zip_plan;

/* Records are called "prefix/name". Without a prefix (NULL) the archive is a plain one, and names are as they are. */
ckpt_zip_plan *ckpt_zip_plan_new(const char *prefix, ckpt_error *err);
void ckpt_zip_plan_free(ckpt_zip_plan *z);

/* A record of bytes, which are copied. */
bool ckpt_zip_plan_bytes(ckpt_zip_plan *z, const char *name, const void *bytes, size_t length, ckpt_error *err);
/* A record of all bytes of a source, which gets a reference. label is for messages about it and may be NULL. */
bool ckpt_zip_plan_source(ckpt_zip_plan *z, const char *name, ckpt_source *source, const char *label, ckpt_error *err);
/* The same with bytes in front of the source, which are copied. */
bool ckpt_zip_plan_headed(ckpt_zip_plan *z, const char *name, const void *head, size_t head_length, ckpt_source *source,
                          const char *label, ckpt_error *err);
/* ".data/serialization_id": 40 digits, 20 from the names and sizes and 20 from the checksums of the records before. */
bool ckpt_zip_plan_identity(ckpt_zip_plan *z, ckpt_error *err);
/* Adds the directory and hands the layout over; the plan is empty afterwards and still to be freed. */
ckpt_layout *ckpt_zip_plan_finish(ckpt_zip_plan *z, ckpt_error *err);
#endif
