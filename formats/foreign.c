/* foreign.c -- names for files that are no checkpoint ckpt reads: downloads gone wrong, archives, other frameworks */
#include <string.h>
#include <strings.h>
#include "../lib/utf8.h"
#include "format.h"

typedef struct magic {
	size_t offset, length;
	const char *bytes;
	const char *name;
} magic;

#define AT(offset, bytes, name) {offset, sizeof bytes - 1, bytes, name}

static const magic magics[] = {
	AT(0, "version https://git-lfs.github.com/spec/",
	   "a Git LFS pointer, not the file itself: run `git lfs pull` or download the file again"),
	AT(0, "GGUF", "a GGUF file"),
	AT(0, "lmgg", "a GGML file, the forerunner of GGUF"),
	AT(0, "tjgg", "a GGJT file, the forerunner of GGUF"),
	AT(0, "\x89HDF\r\n\x1a\n", "an HDF5 file (Keras and TensorFlow write .h5)"),
	AT(4, "TFL3", "a TensorFlow Lite model"),
	AT(0, "7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
	AT(0, "\x1f\x8b", "a gzip file: unpack it first"),
	AT(0, "\xfd" "7zXZ\0", "an xz file: unpack it first"),
	AT(0, "BZh", "a bzip2 file: unpack it first"),
	AT(0, "\x28\xb5\x2f\xfd", "a zstd file: unpack it first"),
	AT(0, "\x04\x22\x4d\x18", "an lz4 file: unpack it first"),
	AT(0, "Rar!\x1a\x07", "a RAR archive: unpack it first"),
	AT(257, "ustar", "a tar archive that holds no torch checkpoint: unpack it first"),
	AT(0, "PK\x03\x04", "a zip archive that holds neither a torch checkpoint nor numpy arrays"),
	AT(0, "PK\x05\x06", "an empty zip archive"),
	AT(0, "%PDF-", "a PDF document"),
	AT(0, "\x7f" "ELF", "a program or library (ELF)"),
};

static const struct {
	const char *start, *name;
} texts[] = {
	{"<!doctype html", "an HTML page, perhaps a login or error page that was saved instead of the file"},
	{"<html", "an HTML page, perhaps a login or error page that was saved instead of the file"},
	{"<?xml", "an XML document, perhaps a server's error message that was saved instead of the file"},
	{"entry not found", "a server's message that was saved instead of the file: Entry not found"},
	{"invalid username or password",
	 "a server's message that was saved instead of the file: Invalid username or password"},
};

static bool is_zeros(const ckpt_probe *p)
{
	for (size_t i = 0; i < p->head_length; i++)
		if (p->head[i]) return false;
	return p->head_length >= 512;
}

static bool is_text(const ckpt_probe *p)
{
	if (p->head_length < 8) return false;
	size_t bad = ckpt_utf8_check((const char *)p->head, p->head_length);
	if (bad < p->head_length && p->head_length - bad > 3) return false; /* the last character may be cut */
	for (size_t i = 0; i < p->head_length; i++) {
		uint8_t c = p->head[i];
		if (c != '\n' && c != '\r' && c != '\t' && (c < 0x20 || c == 0x7f)) return false;
	}
	return true;
}

const char *ckpt_foreign_name(const ckpt_probe *p)
{
	if (p->is_folder) return NULL;
	for (size_t i = 0; i < sizeof magics / sizeof *magics; i++) {
		const magic *m = &magics[i];
		if (p->head_length >= m->offset + m->length && memcmp(p->head + m->offset, m->bytes, m->length) == 0)
			return m->name;
	}
	size_t skip = 0;
	while (skip < p->head_length && (p->head[skip] == ' ' || (p->head[skip] >= '\t' && p->head[skip] <= '\r'))) skip++;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t n = strlen(texts[i].start);
		if (p->head_length - skip >= n && strncasecmp((const char *)p->head + skip, texts[i].start, n) == 0)
			return texts[i].name;
	}
	if (is_zeros(p)) return "nothing but zeros at its start, perhaps a download that was interrupted";
	if (is_text(p)) return p->head[skip] == '{' || p->head[skip] == '[' ? "a JSON text" : "a plain text";
	return NULL;
}
