/* minizip_io.c -- lets minizip read from an open input file, with errors kept */
#include "minizip_io.h"
#include "../lib/error.h"
#include <stdlib.h>
#include <string.h>

static voidpf ZCALLBACK io_open(voidpf opaque, const void *name, int mode)
{
	ckpt_minizip *m = opaque;
	(void)name;
	return mode & ZLIB_FILEFUNC_MODE_CREATE ? NULL : m;
}

/* Fills the window with what lies at the position. */
static bool fill_window(ckpt_minizip *m)
{
	const uint64_t left = m->end - m->position;
	m->window_at = m->position;
	m->window_length = 0;
	const size_t length = left < CKPT_MINIZIP_WINDOW ? (size_t)left : CKPT_MINIZIP_WINDOW;
	if (!ckpt_file_read(m->file, m->position, length, m->window, m->error.code ? NULL : &m->error)) return false;
	m->window_length = length;
	return true;
}

static uLong ZCALLBACK io_read(voidpf opaque, voidpf stream, void *buffer, uLong size)
{
	ckpt_minizip *m = stream;
	uLong done = 0;
	(void)opaque;
	while (done < size && m->position < m->end) {
		if (m->position < m->window_at || m->position >= m->window_at + m->window_length)
			if (!fill_window(m)) break;
		const size_t from = (size_t)(m->position - m->window_at);
		const size_t have = m->window_length - from, n = have < size - done ? have : (size_t)(size - done);
		memcpy((uint8_t *)buffer + done, m->window + from, n);
		m->position += n;
		done += n;
	}
	return done;
}

static ZPOS64_T ZCALLBACK io_tell(voidpf opaque, voidpf stream)
{
	(void)opaque;
	return ((ckpt_minizip *)stream)->position;
}

static long ZCALLBACK io_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin)
{
	ckpt_minizip *m = stream;
	(void)opaque;
	uint64_t base = origin == ZLIB_FILEFUNC_SEEK_END ? m->end : origin == ZLIB_FILEFUNC_SEEK_CUR ? m->position : 0;
	if (__builtin_add_overflow(base, offset, &base) || base > m->end) return -1;
	m->position = base;
	return 0;
}

static int ZCALLBACK io_close(voidpf opaque, voidpf stream)
{
	(void)opaque;
	(void)stream;
	return 0;
}

static int ZCALLBACK io_error(voidpf opaque, voidpf stream)
{
	(void)opaque;
	return ((ckpt_minizip *)stream)->error.code != CKPT_OK;
}

static zlib_filefunc64_def functions(ckpt_minizip *m)
{
	return (zlib_filefunc64_def){io_open, io_read, NULL, io_tell, io_seek, io_close, io_error, m};
}

bool ckpt_minizip_fail(const ckpt_minizip *m, int status, ckpt_error *err, const char *text)
{
	if (m->error.code) {
		if (err) *err = m->error;
		return false;
	}
	if (status == Z_MEM_ERROR) return ckpt_fail_nomem(err);
	return ckpt_fail(err, CKPT_E_FORMAT, "%s", text);
}

unzFile ckpt_minizip_open(ckpt_minizip *m, ckpt_file *file, ckpt_error *err)
{
	zlib_filefunc64_def io = functions(m);
	m->file = file;
	m->end = ckpt_file_size(file);
	m->window = malloc(CKPT_MINIZIP_WINDOW);
	if (!m->window) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	unzFile archive = unzOpen2_64("", &io);
	if (!archive) ckpt_minizip_fail(m, UNZ_BADZIPFILE, err, "the zip archive's end record cannot be read");
	return archive;
}

void ckpt_minizip_free(ckpt_minizip *m)
{
	free(m->window);
	m->window = NULL;
}
