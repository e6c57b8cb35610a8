/* npz.c -- archives of numpy (numpy.savez): a zip of .npy arrays
 *
 *  1. for each tensor a zip record NAME.npy, stored or deflated: an .npy header and its data (npy_header.c)
 *  2. the zip directory
 *
 * Reading: the strict reader proves that the archive has one reading only (zip.h), and minizip, which lists the
 * members, has to agree with it. Data stay where they are: a stored member is a range of the file, a deflated one is
 * inflated on first use. minizip 1.1 takes 64-bit sizes and offsets for 4294967295; so stored members beyond 4 GiB are
 * taken without its word, and deflated ones are refused.
 * Writing: stored members, one after the other, dated 1980-01-01, so that equal tensors give equal bytes. minizip does
 * not write them: when memory runs out in its writer it uses what it did not get.
 */
#include "../lib/crc.h"
#include "../lib/error.h"
#include "../lib/utf8.h"
#include "format.h"
#include "minizip_io.h"
#include "npy_header.h"
#include "text_index.h"
#include "zip_plan.h"
#include "zip.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MEMBER_SUFFIX ".npy"
enum {
	SUFFIX_LENGTH = 4,
	NAME_MOST = CKPT_ZIP_NAME_MOST - SUFFIX_LENGTH,
	LOCAL_HEADER = 30,
	FLAG_UTF8 = 0x800,
	MOST_MEMBERS = 65534 /* more would need an end record that not every reader of zips knows */
};
static const uint32_t SATURATED = UINT32_MAX;

/* ---- recognising --------------------------------------------------------------------------------------------- */

static bool ends_in(const char *text, size_t length, const char *suffix)
{
	const size_t n = strlen(suffix);
	return length > n && !memcmp(text + length - n, suffix, n);
}

/* The first member is an array; an archive without any is taken at its word. */
static size_t probe(const ckpt_probe *p)
{
	if (p->size == 22 && p->head_length == 22 && !memcmp(p->head, "PK\5\6", 4))
		return ends_in(p->path, strlen(p->path), ".npz") ? 22 : 0;
	if (p->head_length < LOCAL_HEADER || memcmp(p->head, "PK\3\4", 4)) return 0;
	const size_t name = (size_t)(p->head[26] | p->head[27] << 8), end = LOCAL_HEADER + name;
	uint8_t last[SUFFIX_LENGTH];
	if (name <= SUFFIX_LENGTH || !ckpt_file_read(p->file, end - SUFFIX_LENGTH, SUFFIX_LENGTH, last, NULL)) return 0;
	return memcmp(last, MEMBER_SUFFIX, SUFFIX_LENGTH) ? 0 : end;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

typedef struct reader {
	const ckpt_open_context *context;
	ckpt_checkpoint *cp;
	ckpt_zip *zip;
	const ckpt_zip_entry *entry; /* the member under way; it is current in the archive too */
	ckpt_minizip io;
	unzFile archive;
	bool blind;      /* minizip cannot read the member: 64-bit sizes or offset */
	size_t deflated; /* members */
	char name[CKPT_ZIP_NAME_MOST + 1];
} reader;

/* A size as minizip reports it: the same, or one that it cannot read. */
static bool same_size(uint64_t minizip, uint64_t size)
{
	return minizip == size || minizip == SATURATED;
}

/* Copies the member's name, and lets minizip say what it is: two readers that differ are one too many. */
static bool check_member(reader *r, ckpt_error *err)
{
	const ckpt_zip_entry *e = r->entry;
	unz_file_info64 info;
	int status = unzGetCurrentFileInfo64(r->archive, &info, r->name, sizeof r->name, NULL, 0, NULL, 0);
	if (status != UNZ_OK) return ckpt_minizip_fail(&r->io, status, err, "minizip cannot read the zip directory");
	if (info.size_filename != e->name_length || memcmp(r->name, e->name, e->name_length) ||
	    info.compression_method != e->method || info.flag != e->flags || info.crc != e->crc ||
	    !same_size(info.uncompressed_size, e->size) || !same_size(info.compressed_size, e->packed))
		return ckpt_fail(err, CKPT_E_FORMAT, "the zip directory has two readings at member %.*s",
		                 (int)e->name_length, e->name);
	r->blind = info.uncompressed_size == SATURATED || info.compressed_size == SATURATED || e->at >= SATURATED;
	r->name[e->name_length] = 0;
	if (!ends_in(r->name, e->name_length, MEMBER_SUFFIX))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "member '%s' is no array: its name does not end in .npy",
		                 r->name);
	for (size_t i = 0; i < e->name_length && !(e->flags & FLAG_UTF8); i++)
		if ((unsigned char)r->name[i] > 126)
			return ckpt_fail(err, CKPT_E_FORMAT,
			                 "member '%s' has a name outside of ASCII that is not marked as UTF-8",
			                 r->name);
	r->name[e->name_length - SUFFIX_LENGTH] = 0; /* from here on the tensor's */
	return true;
}

/* The first bytes of a deflated member. minizip, when it gets no memory for zlib, loses what it has. */
static bool inflate_head(reader *r, uint64_t data, size_t length, void *destination, ckpt_error *err)
{
	const ckpt_zip_entry *e = r->entry;
	uint8_t packed[4096];
	int status = Z_OK;
	bool readable = true;
	z_stream z = {.next_out = destination, .avail_out = (unsigned)length};
	if (inflateInit2(&z, -MAX_WBITS) != Z_OK) return ckpt_fail_nomem(err);
	for (uint64_t at = 0; readable && status == Z_OK && z.avail_out && at < e->packed;) {
		const uint64_t left = e->packed - at;
		const size_t n = left < sizeof packed ? (size_t)left : sizeof packed;
		readable = ckpt_file_read(r->context->file, data + at, n, packed, err);
		if (!readable) break;
		at += n;
		z.next_in = packed;
		z.avail_in = (unsigned)n;
		status = inflate(&z, Z_SYNC_FLUSH);
	}
	inflateEnd(&z);
	if (!readable || !z.avail_out) return readable;
	if (status == Z_MEM_ERROR) return ckpt_fail_nomem(err);
	return ckpt_fail(err, CKPT_E_FORMAT, "the member's deflate stream is corrupt");
}

static bool read_head(void *from, size_t length, void *destination, ckpt_error *err)
{
	reader *r = from;
	const ckpt_zip_entry *e = r->entry;
	uint64_t data;
	if (!ckpt_zip_data(r->zip, e, &data, err)) return false;
	if (e->method == CKPT_ZIP_STORED) return ckpt_file_read(r->context->file, data, length, destination, err);
	if (r->blind)
		return ckpt_fail(
		    err, CKPT_E_UNSUPPORTED,
			"a deflated member of %llu bytes at offset %llu is beyond 4 GiB, where minizip reads none "
			"(numpy.savez stores them, which is fine)",
		    (unsigned long long)e->size, (unsigned long long)e->at);
	return inflate_head(r, data, length, destination, err);
}

/* The CRC that the data should have follows from that of the member and that of the header in front of them. */
static ckpt_source *checked_data(reader *r, const ckpt_npy_header *h, ckpt_source *data, uint32_t member,
                                 ckpt_error *err)
{
	ckpt_source *checked = NULL;
	uint8_t *head = malloc((size_t)h->length);
	if (!head) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	if (read_head(r, (size_t)h->length, head, err)) {
		uint32_t crc = ckpt_crc32(0, head, (size_t)h->length);
		checked = ckpt_source_checked(data, member ^ ckpt_crc32_combine(crc, 0, h->bytes), err);
	}
	free(head);
	return checked;
}

static ckpt_source *member_data(reader *r, const ckpt_npy_header *h, ckpt_error *err)
{
	uint32_t crc = 0;
	ckpt_source *whole = ckpt_zip_source(r->zip, r->entry, err), *inner = whole, *checked = NULL;
	const bool check = whole && ckpt_source_get_check(whole, &inner, &crc);
	ckpt_source *data = whole ? ckpt_source_slice(inner, h->length, h->bytes, err) : NULL;
	if (data && check) checked = checked_data(r, h, data, crc, err);
	ckpt_source_unref(whole);
	if (!check) return data;
	ckpt_source_unref(data);
	return checked;
}

static bool add_member(reader *r, ckpt_error *err)
{
	ckpt_npy_header h;
	const uint64_t limit = r->context->limits.header_bytes;
	if (!check_member(r, err)) return false;
	ckpt_source *data = NULL, *source = NULL;
	if (ckpt_npy_header_read(read_head, r, r->entry->size, limit < INT32_MAX ? limit : INT32_MAX, &h, err))
		data = member_data(r, &h, err);
	if (data) source = ckpt_npy_tensor_source(&h, data, err);
	ckpt_source_unref(data);
	if (!source) return ckpt_error_prefix(err, "tensor '%s'", r->name);
	r->deflated += r->entry->method == CKPT_ZIP_DEFLATED;
	return ckpt_checkpoint_add(r->cp, r->name, h.dtype, h.rank, h.shape, source, NULL, err);
}

static bool add_members(reader *r, ckpt_error *err)
{
	const size_t count = ckpt_zip_count(r->zip);
	unz_global_info64 info;
	if (!count) return true; /* minizip sees no archive in an end record alone */
	r->archive = ckpt_minizip_open(&r->io, r->context->file, err);
	if (!r->archive) return false;
	int status = unzGetGlobalInfo64(r->archive, &info);
	if (status == UNZ_OK && info.number_entry != count)
		return ckpt_fail(err, CKPT_E_FORMAT, "the zip archive has two readings: %llu members, and %zu",
		                 (unsigned long long)info.number_entry, count);
	for (size_t i = 0; i < count; i++) {
		status = i ? unzGoToNextFile(r->archive) : unzGoToFirstFile(r->archive);
		if (status != UNZ_OK)
			return ckpt_minizip_fail(&r->io, status, err, "minizip cannot read the zip directory");
		r->entry = ckpt_zip_at(r->zip, i);
		if (!add_member(r, err)) return false;
	}
	if (!r->deflated) return ckpt_checkpoint_set_detail(r->cp, err, "%zu stored arrays", count);
	return ckpt_checkpoint_set_detail(r->cp, err, "%zu arrays, %zu of them deflated", count, r->deflated);
}

static ckpt_checkpoint *open_npz(const ckpt_open_context *context, ckpt_error *err)
{
	bool ok = false;
	const ckpt_zip_options options = {.limits = context->limits, .skip_crc = context->options->skip_crc};
	reader *r = calloc(1, sizeof *r);
	if (!r) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	r->context = context;
	r->cp = ckpt_checkpoint_new(err);
	if (r->cp) r->zip = ckpt_zip_open(context->file, &options, err);
	if (r->zip) ok = add_members(r, err);
	if (r->archive) unzClose(r->archive);
	ckpt_minizip_free(&r->io);
	ckpt_zip_free(r->zip);
	ckpt_checkpoint *cp = r->cp;
	free(r);
	if (ok) return cp;
	ckpt_checkpoint_free(cp);
	return NULL;
}

/* ---- planning ------------------------------------------------------------------------------------------------ */

/* What the reader would not take back. */
static const char *bad_name(const char *name)
{
	const size_t length = strlen(name);
	if (!length) return "it is empty";
	if (name[0] == '/') return "it begins with a slash";
	if (ckpt_utf8_check(name, length) != SIZE_MAX) return "it is not UTF-8";
	for (const char *p = name; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 127) return "it has a control character";
		if (*p == '\\') return "it has a backslash";
		bool begins = p == name || p[-1] == '/';
		if (begins && p[0] == '.' && p[1] == '.' && p[2] == '/') return "it has '..' as a part of a path";
	}
	return NULL;
}

static bool plan_member(ckpt_zip_plan *zip, const ckpt_tensor *t, ckpt_error *err)
{
	char name[NAME_MOST + sizeof MEMBER_SUFFIX];
	ckpt_buffer header = {0};
	const size_t length = strlen(t->name);
	const char *why = bad_name(t->name);
	if (length > NAME_MOST)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "npz holds names of up to %d bytes, that of tensor '%.80s...' has %zu", NAME_MOST,
		                 t->name, length);
	if (why) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "npz cannot hold the name of tensor '%s': %s", t->name, why);
	memcpy(name, t->name, length);
	memcpy(name + length, MEMBER_SUFFIX, sizeof MEMBER_SUFFIX);
	bool ok = ckpt_npy_header_write(&header, t->dtype, t->rank, t->shape, err);
	if (!ok) ckpt_error_prefix(err, "tensor '%s'", t->name);
	ok = ok && ckpt_zip_plan_headed(zip, name, header.data, header.length, t->source, t->name, err);
	ckpt_buffer_free(&header);
	return ok;
}

static bool plan_members(ckpt_zip_plan *zip, const ckpt_checkpoint *cp, ckpt_error *err)
{
	ckpt_text_index names = {0};
	bool ok = ckpt_text_index_init(&names, cp->count, true, err);
	for (size_t i = 0; ok && i < cp->count; i++) {
		const ckpt_tensor *t = &cp->tensors[i];
		uint32_t found = (uint32_t)i;
		ok = plan_member(zip, t, err) &&
		     ckpt_text_index_add(&names, t->name, strlen(t->name), (uint32_t)i, &found, err);
		if (ok && found != i)
			ok = ckpt_fail(err, CKPT_E_UNSUPPORTED,
			               "npz cannot hold tensors '%s' and '%s': zip readers may not tell case apart",
			               cp->tensors[found].name, t->name);
	}
	ckpt_text_index_free(&names);
	return ok;
}

static ckpt_layout *plan_npz(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                             ckpt_error *err)
{
	(void)path;
	(void)options;
	if (cp->count > MOST_MEMBERS) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED, "an npz archive holds up to %d tensors, there are %zu", MOST_MEMBERS,
		          cp->count);
		return NULL;
	}
	ckpt_zip_plan *zip = ckpt_zip_plan_new(NULL, err);
	ckpt_layout *layout = zip && plan_members(zip, cp, err) ? ckpt_zip_plan_finish(zip, err) : NULL;
	ckpt_zip_plan_free(zip);
	if (layout) layout->tensors = cp->count;
	return layout;
}

static const char *const suffixes[] = {".npz", NULL};

const ckpt_format ckpt_format_npz = {
	.name = "npz",
	.summary = "a zip of numpy arrays (numpy.savez)",
	.suffixes = suffixes,
	.probe = probe,
	.open = open_npz,
	.holds_dtype = ckpt_npy_holds_dtype,
	.plan = plan_npz,
};
