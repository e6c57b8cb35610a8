/* scan_zip.c -- zip archives: what is wrong with them, and every record that is or could be a pickle */
#include "scan.h"

#include "../../formats/zip.h"
#include "../error.h"
#include "../source.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void on_fault(void *user, ckpt_zip_fault kind, const ckpt_zip_entry *entry, uint64_t offset, const char *text)
{
	ckpt_scan *s = user;
	char record[256] = "";
	bool extra = kind == CKPT_ZIP_TRAILING || kind == CKPT_ZIP_PREFIX || kind == CKPT_ZIP_HIDDEN;
	if (entry) {
		size_t n = entry->name_length < sizeof record - 1 ? entry->name_length : sizeof record - 1;
		memcpy(record, entry->name, n);
	}
	ckpt_scan_add(s, extra ? CKPT_FOUND_ZIP_EXTRA : kind == CKPT_ZIP_CRC ? CKPT_FOUND_ZIP_CRC : CKPT_FOUND_ZIP_FAULT,
	              entry ? record : NULL, offset, NULL, NULL, NULL, false, "%s", text);
}

static bool ends_in(const ckpt_zip_entry *e, const char *tail)
{
	size_t n = strlen(tail);
	return e->name_length >= n && strncasecmp(e->name + e->name_length - n, tail, n) == 0;
}

/* Records that a loader of this kind of archive runs as pickles. */
static bool is_pickle(const ckpt_zip_entry *e)
{
	return ends_in(e, ".pkl") || ends_in(e, ".pickle") || ends_in(e, ".debug_pkl");
}

/* What torch.save and TorchScript write besides pickles. */
static bool is_expected(const ckpt_zip_entry *e)
{
	static const char *const tails[] = {"/version", "/byteorder", "/.format_version", "/.storage_alignment",
	                                    "/.data/serialization_id", "/.data/version", ".py", ".npy"};
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (ends_in(e, tails[i])) return true;
	return memmem(e->name, e->name_length, "/data/", 6) || memmem(e->name, e->name_length, "/constants/", 11);
}

static void scan_pickle_record(ckpt_scan *s, const uint8_t *data, size_t length, const char *name, bool probing)
{
	size_t consumed, at = 0;
	bool first = true;
	while (at < length) {
		bool found = ckpt_scan_pickle(s, data + at, length - at, name, at, probing || !first, &consumed);
		if (found && probing && first)
			ckpt_scan_add(s, CKPT_FOUND_HIDDEN_PICKLE, name, at, NULL, NULL, NULL, false, "the record is a pickle, which none is expected to be");
		if (consumed == 0) break;
		at += consumed;
		if (at < length && first && !probing)
			ckpt_scan_add(s, CKPT_FOUND_TRAILING, name, at, NULL, NULL, NULL, false, "%zu bytes follow the end of the pickle",
			              length - at);
		first = false;
	}
}

/* The beginning tells what most records are. What is a pickle beyond that is read on, up to the limit for one. */
static void probe_record(ckpt_scan *s, ckpt_source *raw, const ckpt_zip_entry *e, const char *name, ckpt_error *err)
{
	uint64_t most = e->size < s->limits.pickle_bytes ? e->size : s->limits.pickle_bytes, n = (uint64_t)1 << 20;
	bool more = true;
	while (more) {
		if (n > most) n = most;
		uint8_t *data = malloc((size_t)n + 1);
		if (!data) s->failed = true;
		more = data && ckpt_source_read(raw, 0, (size_t)n, data, err);
		s->ran_out = false;
		bool array = more && n >= 2 && memcmp(data, "\x93N", 2) == 0;
		if (array && !ckpt_scan_array(s, data, (size_t)n, e->size, name))
			s->ran_out = true;
		else if (more && !array)
			scan_pickle_record(s, data, (size_t)n, name, true);
		free(data);
		more = more && s->ran_out && n < e->size;
		if (more && n == most) {
			ckpt_scan_add(s, CKPT_FOUND_LIMIT, name, UINT64_MAX, NULL, NULL, NULL, false,
			              "a pickle of more than %llu bytes; the limit pickle-bytes is %llu", (unsigned long long)most,
			              (unsigned long long)s->limits.pickle_bytes);
			return;
		}
		n *= 16;
	}
}

static void scan_record(ckpt_scan *s, ckpt_zip *z, const ckpt_zip_entry *e, const char *name)
{
	ckpt_error err = {0};
	ckpt_zip_bytes b;
	if (is_pickle(e)) {
		if (!ckpt_zip_load(z, e, s->limits.pickle_bytes, "pickle-bytes", &b, &err)) {
			ckpt_scan_add(s, err.code == CKPT_E_LIMIT ? CKPT_FOUND_LIMIT : CKPT_FOUND_NOT_LOOKED_AT, name, UINT64_MAX, NULL, NULL, NULL,
			              false, "%s", err.text);
			return;
		}
		scan_pickle_record(s, b.data, b.length, name, false);
	} else {
		uint8_t head[2];
		ckpt_source *source = ckpt_zip_source(z, e, &err), *raw = source;
		uint32_t crc;
		if (source) ckpt_source_get_check(source, &raw, &crc);
		bool looks = source && e->size >= 4 && ckpt_source_read(raw, 0, 2, head, &err) &&
		             ((head[0] == 0x80 && head[1] >= 1 && head[1] <= 5) || memcmp(head, "\x93N", 2) == 0 || !is_expected(e));
		if (looks) probe_record(s, raw, e, name, &err);
		ckpt_source_unref(source);
		if (err.code)
			ckpt_scan_add(s, err.code == CKPT_E_LIMIT ? CKPT_FOUND_LIMIT : CKPT_FOUND_NOT_LOOKED_AT, name, UINT64_MAX, NULL, NULL, NULL,
			              false, "%s", err.text);
		return;
	}
	if (!ckpt_zip_bytes_check(&b, &err))
		ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, name, UINT64_MAX, NULL, NULL, NULL, false, "%s", err.text);
	ckpt_zip_bytes_free(&b);
}

/* The whole record against its CRC; small ones were compared when the archive was opened. */
static void check_crc(ckpt_scan *s, ckpt_zip *z, const ckpt_zip_entry *e, const char *name)
{
	ckpt_error err = {0};
	uint8_t one;
	ckpt_source *source = e->checked || e->size == 0 ? NULL : ckpt_zip_source(z, e, &err);
	if (source && !ckpt_source_read(source, 0, 1, &one, &err)) /* a checked source verifies all of itself first */
		ckpt_scan_add(s, err.code == CKPT_E_LIMIT ? CKPT_FOUND_LIMIT : CKPT_FOUND_ZIP_CRC, name, UINT64_MAX, NULL, NULL, NULL, false,
		              "%s", err.text);
	ckpt_source_unref(source);
}

static int by_place(const void *x, const void *y)
{
	const ckpt_zip_entry *a = *(const ckpt_zip_entry *const *)x, *b = *(const ckpt_zip_entry *const *)y;
	return a->at < b->at ? -1 : a->at > b->at;
}

/* In front of, between and behind the records. */
static void search_gaps(ckpt_scan *s, const ckpt_zip *z, ckpt_file *f)
{
	size_t count = ckpt_zip_count(z);
	const ckpt_zip_entry **order = calloc(count + 1, sizeof *order);
	if (!order) {
		s->failed = true;
		return;
	}
	for (size_t i = 0; i < count; i++) order[i] = ckpt_zip_at(z, i);
	qsort(order, count, sizeof *order, by_place);
	uint64_t from = 0, size = ckpt_file_size(f);
	s->unread = true;
	for (size_t i = 0; i <= count; i++) {
		uint64_t to = i < count && order[i]->at < size ? order[i]->at : size;
		if (to > from) ckpt_scan_search(s, f, from, to, "bytes between the records");
		if (i == count) break;
		uint64_t end = order[i]->data ? order[i]->data + order[i]->packed : order[i]->at;
		if (end > from) from = end < size ? end : size;
	}
	s->unread = false;
	free(order);
}

/* "top/data/KEY", where a pickle names the storage KEY. */
static bool is_storage(const ckpt_scan *s, const ckpt_zip_entry *e)
{
	const char *at = memmem(e->name, e->name_length, "/data/", 6), *key = at ? at + 6 : NULL;
	size_t length = key ? (size_t)(e->name + e->name_length - key) : 0;
	return key && s->keys.slots && ckpt_text_index_find(&s->keys, key, length) != UINT32_MAX;
}

/* Records beside those that torch or numpy writes. */
static void judge_records(ckpt_scan *s, const ckpt_zip *z)
{
	for (size_t i = 0; i < ckpt_zip_count(z); i++) /* TorchScript takes records of any name */
		if (ends_in(ckpt_zip_at(z, i), "/constants.pkl")) return;
	for (size_t i = 0; i < ckpt_zip_count(z); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(z, i);
		bool folder = e->name_length && e->name[e->name_length - 1] == '/';
		bool data = memmem(e->name, e->name_length, "/data/", 6);
		if (folder || is_pickle(e) || (data ? is_storage(s, e) : is_expected(e) && !ends_in(e, ".py"))) continue;
		char *name = strndup(e->name, e->name_length);
		if (!name) s->failed = true;
		if (name)
			ckpt_scan_add(s, CKPT_FOUND_ZIP_RECORD, name, e->at, NULL, NULL, NULL, false,
			              data ? "no pickle names the record '%s'" : "the record '%s' is none that torch or numpy writes", name);
		free(name);
	}
}

void ckpt_scan_zip(ckpt_scan *s, ckpt_file *f)
{
	ckpt_error err = {0};
	ckpt_zip_options options = {.limits = s->limits, .fault = on_fault, .user = s};
	ckpt_zip *z = ckpt_zip_open(f, &options, &err);
	if (!z) {
		ckpt_scan_add(s, err.code == CKPT_E_LIMIT ? CKPT_FOUND_LIMIT : CKPT_FOUND_MALFORMED, NULL, UINT64_MAX, NULL, NULL, NULL, false,
		              "%s", err.text);
		ckpt_scan_search(s, f, 0, ckpt_file_size(f), "the file as a whole");
		s->complete = false;
		return;
	}
	for (size_t i = 0; i < ckpt_zip_count(z); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(z, i);
		char *name = strndup(e->name, e->name_length);
		if (!name) s->failed = true;
		s->records++;
		if (name && e->faulty && e->data == 0)
			ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, name, UINT64_MAX, NULL, NULL, NULL, false, "the record's data cannot be found");
		else if (name)
			scan_record(s, z, e, name);
		free(name);
	}
	judge_records(s, z);
	for (size_t i = 0; i < s->count; i++) /* bytes that no record accounts for may hold a pickle */
		if (strcmp(s->findings[i].id, ckpt_finding_get(CKPT_FOUND_ZIP_EXTRA)->id) == 0) {
			search_gaps(s, z, f);
			break;
		}
	ckpt_zip_free(z);
}

void ckpt_scan_zip_crcs(ckpt_scan *s, ckpt_file *f)
{
	ckpt_error err = {0};
	ckpt_zip_options options = {.limits = s->limits};
	ckpt_zip *z = ckpt_zip_open(f, &options, &err);
	for (size_t i = 0; z && i < ckpt_zip_count(z); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(z, i);
		char *name = strndup(e->name, e->name_length);
		if (!name) s->failed = true;
		if (name) check_crc(s, z, e, name);
		free(name);
	}
	ckpt_zip_free(z);
}
