/* layout_file.h -- for tests of writers: a layout becomes a file, files are compared */
#ifndef CKPT_UNIT_LAYOUT_FILE_H
#define CKPT_UNIT_LAYOUT_FILE_H
#include "../../lib/layout.h"
#include "files.h"

/* Fills, finishes and commits the layout under this path, then frees it; NULL fails. */
bool unit_write_layout(ckpt_layout *layout, const char *path, ckpt_error *err);
/* All bytes of a file, to be freed, with a NUL behind; NULL with a failed assertion when there is no such file. */
uint8_t *unit_read_bytes(const char *path, size_t *length);
/* Fails an assertion, naming the first difference, unless both are equal. */
void unit_same_bytes(const char *what, const void *found, size_t found_length, const void *wanted,
                     size_t wanted_length);
/* Makes the serialization id of an archive, and its checksums, in found what they are in wanted: bytes that torch makes
 * in a way of its own. prefix: length of the archive's folder name. */
void unit_ignore_identity(uint8_t *found, const uint8_t *wanted, size_t length, size_t prefix);
#endif
