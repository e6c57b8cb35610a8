/* minizip_io.h -- lets minizip read from an open input file, with errors kept */
#ifndef CKPT_FORMATS_MINIZIP_IO_H
#define CKPT_FORMATS_MINIZIP_IO_H
#include "../lib/ckpt.h"
#include "../lib/file.h"
#include <minizip/unzip.h>

enum { CKPT_MINIZIP_WINDOW = 65536 };

/* One archive that minizip has open; it lives longer than the handle. Start with {0}. */
typedef struct ckpt_minizip {
	ckpt_file *file; /* borrowed */
	uint64_t position, end;
	uint64_t window_at; /* minizip reads byte by byte: what lies around the last read */
	size_t window_length;
	uint8_t *window;
	ckpt_error error; /* the first failure of a callback; code 0: none */
} ckpt_minizip;

/* NULL with an error when the archive cannot be opened. */
unzFile ckpt_minizip_open(ckpt_minizip *m, ckpt_file *file, ckpt_error *err);
void ckpt_minizip_free(ckpt_minizip *m);
/* What the failure of a minizip call means: the file's own error when there was one, else out of memory or "text". */
bool ckpt_minizip_fail(const ckpt_minizip *m, int status, ckpt_error *err, const char *text);
#endif
