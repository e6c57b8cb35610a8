/* torch.c -- row "torch": the zip archives of torch.save since 1.6
 *
 *   1. FOLDER/data.pkl      the object, with storages as persistent ids
 *   2. FOLDER/byteorder     "little" or "big"; absent: little
 *   3. FOLDER/data/KEY      the bytes of each storage
 *   4. FOLDER/version and others, which say nothing that is needed
 *   5. FOLDER/constants.pkl and code/: the archive is TorchScript; its object is walked, its code is never looked at
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "../lib/buffer.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "format.h"
#include "pickle_read.h"
#include "torch_objects.h"
#include "torch_write.h"
#include "zip.h"

typedef struct reader {
	const ckpt_open_context *context;
	ckpt_zip *zip;
	ckpt_checkpoint *cp;
	ckpt_torch *torch;
	const ckpt_zip_entry *pickle;
	char *pickle_name;
	size_t folder; /* length of "FOLDER/" in front of each name */
	bool big_endian, script, module;
	size_t next;   /* record after that of the storage found last */
	size_t unused; /* records of storages that nothing refers to */
} reader;

/* ---- recognising ---- */

static bool head_is(const ckpt_probe *p, const char *magic, size_t length)
{
	return p->head_length >= length && memcmp(p->head, magic, length) == 0;
}

static bool ends_in(const char *name, size_t length, const char *tail)
{
	size_t n = strlen(tail);
	return length >= n && memcmp(name + length - n, tail, n) == 0;
}

/* Records that no other kind of zip archive has as its first one. */
static bool torch_name(const char *name, size_t length)
{
	static const char *const tails[] = {"/data.pkl", "/version", "/byteorder", "/constants.pkl",
	                                    "/.format_version"};
	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (ends_in(name, length, tails[i])) return true;
	return memmem(name, length, "/data/", 6) || memmem(name, length, "/.data/", 7) ||
	       memmem(name, length, "/code/", 6);
}

static size_t probe(const ckpt_probe *p)
{
	if (p->is_folder) return 0;
	if (head_is(p, "PK\5\6", 4)) return 4;
	if (!head_is(p, "PK\3\4", 4)) {
		/* an archive behind something else is ours to refuse */
		uint8_t end[22];
		ckpt_error ignored = {0};
		bool read =
		    p->size >= sizeof end && ckpt_file_read(p->file, p->size - sizeof end, sizeof end, end, &ignored);
		return read && memcmp(end, "PK\5\6", 4) == 0 ? 1 : 0;
	}
	if (p->head_length < 30) return 4;
	size_t length = (size_t)(p->head[26] | p->head[27] << 8);
	if (length > p->head_length - 30) length = p->head_length - 30;
	const char *name = (const char *)p->head + 30;
	if (ends_in(name, length, ".npy")) return 0;
	return torch_name(name, length) ? 30 + length : 4;
}

/* ---- records ---- */

static bool is_pickle_name(const ckpt_zip_entry *e)
{
	if (e->name_length < 8 || strncasecmp(e->name + e->name_length - 8, "data.pkl", 8) != 0) return false;
	return e->name_length == 8 || e->name[e->name_length - 9] == '/';
}

static bool no_pickle(const reader *r, ckpt_error *err)
{
	for (size_t i = 0; i < ckpt_zip_count(r->zip); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(r->zip, i);
		if (ends_in(e->name, e->name_length, "/model.json"))
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "a TorchScript archive of torch 1.0 or 1.1 (model.json) is unsupported");
		if (ends_in(e->name, e->name_length, ".npy"))
			return ckpt_fail(err, CKPT_E_FORMAT,
			                 "this zip archive holds .npy arrays and no data.pkl: it is of numpy");
	}
	return ckpt_fail(err, CKPT_E_FORMAT,
	                 "this zip archive of %zu records has no data.pkl: it is no torch checkpoint",
	                 ckpt_zip_count(r->zip));
}

/* The one data.pkl decides the folder, in which everything else must lie. */
static bool find_pickle(reader *r, ckpt_error *err)
{
	size_t count = ckpt_zip_count(r->zip);
	for (size_t i = 0; i < count; i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(r->zip, i);
		if (!is_pickle_name(e)) continue;
		if (r->pickle)
			return ckpt_fail(err, CKPT_E_FORMAT,
			                 "the archive is ambiguous: it has a second data.pkl, '%.*s' beside '%.*s'",
			                 (int)e->name_length, e->name, (int)r->pickle->name_length, r->pickle->name);
		r->pickle = e;
	}
	if (!r->pickle || !ends_in(r->pickle->name, r->pickle->name_length, "data.pkl")) return no_pickle(r, err);
	r->folder = r->pickle->name_length - 8;
	if (r->folder == 0)
		return ckpt_fail(err, CKPT_E_FORMAT, "its data.pkl lies in no folder, so the archive is not of torch");
	for (size_t i = 0; i < count; i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(r->zip, i);
		if (e->name_length >= r->folder && memcmp(e->name, r->pickle->name, r->folder) == 0) continue;
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "record '%.*s' lies outside of the folder '%.*s' of the checkpoint",
		                 (int)e->name_length, e->name, (int)r->folder, r->pickle->name);
	}
	r->pickle_name = strndup(r->pickle->name, r->pickle->name_length);
	return r->pickle_name || ckpt_fail_nomem(err);
}

/* FOLDER/name, or NULL. */
static const ckpt_zip_entry *record(const reader *r, const char *name, size_t length)
{
	char small[512], *full = r->folder + length <= sizeof small ? small : malloc(r->folder + length);
	if (!full) return NULL;
	memcpy(full, r->pickle->name, r->folder);
	memcpy(full + r->folder, name, length);
	const ckpt_zip_entry *e = ckpt_zip_find(r->zip, full, r->folder + length);
	if (full != small) free(full);
	return e;
}

static const ckpt_zip_entry *named(const reader *r, const char *name)
{
	return record(r, name, strlen(name));
}

static bool read_byteorder(reader *r, ckpt_error *err)
{
	const ckpt_zip_entry *e = named(r, "byteorder");
	ckpt_zip_bytes b;
	if (!e) return true;
	if (!ckpt_zip_load(r->zip, e, 64, "64", &b, err)) return false;
	r->big_endian = b.length == 3 && memcmp(b.data, "big", 3) == 0;
	bool ok = r->big_endian || (b.length == 6 && memcmp(b.data, "little", 6) == 0);
	if (!ok)
		ckpt_fail(err, CKPT_E_FORMAT, "the byteorder record is '%.*s', neither 'little' nor 'big'",
		          (int)b.length, (const char *)b.data);
	if (!ckpt_zip_bytes_check(&b, err)) ok = false;
	ckpt_zip_bytes_free(&b);
	return ok;
}

/* ---- storages ---- */

/* Storages and their records are in one order as a rule, so that the next record is the one that is wanted. *out is NULL,
 * and success, when there is none. */
static bool storage_record(reader *r, const char *key, size_t length, const ckpt_zip_entry **out, ckpt_error *err)
{
	const ckpt_zip_entry *e = r->next < ckpt_zip_count(r->zip) ? ckpt_zip_at(r->zip, r->next) : NULL;
	bool next = e && e->name_length == r->folder + 5 + length && memcmp(e->name + r->folder, "data/", 5) == 0 &&
	            memcmp(e->name + r->folder + 5, key, length) == 0;
	if (!next) {
		char *name = malloc(5 + length);
		if (!name) return ckpt_fail_nomem(err);
		memcpy(name, "data/", 5);
		memcpy(name + 5, key, length);
		e = record(r, name, 5 + length);
		free(name);
	}
	if (e) r->next = ckpt_zip_index(r->zip, e) + 1;
	*out = e;
	return true;
}

static bool storage_source(reader *r, size_t i, ckpt_error *err)
{
	const ckpt_torch_storage *s = ckpt_torch_storage_at(r->torch, i);
	const ckpt_zip_entry *e = NULL;
	if (!storage_record(r, s->key, s->key_length, &e, err)) return false;
	if (!e)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "its storage, record data/%.200s of %llu bytes, is missing from the archive", s->key,
		                 (unsigned long long)s->bytes);
	if (e->size != s->bytes)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"the size of its storage, record data/%.200s, is %llu bytes; %llu elements of %s need %llu",
			s->key, (unsigned long long)e->size, (unsigned long long)s->numel, ckpt_dtype_name(s->dtype),
			(unsigned long long)s->bytes);
	ckpt_source *source = ckpt_zip_source(r->zip, e, err);
	return source && ckpt_torch_set_source(r->torch, i, source, r->big_endian, err);
}

static bool read_storages(reader *r, ckpt_error *err)
{
	size_t records = 0, count = ckpt_torch_storage_count(r->torch);
	for (size_t i = 0; i < count; i++) {
		ckpt_error why = {0};
		if (storage_source(r, i, &why)) continue;
		if (why.code == CKPT_E_NOMEM) {
			if (err) *err = why;
			return false;
		}
		ckpt_torch_set_missing(r->torch, i, &why);
	}
	for (size_t i = 0; i < ckpt_zip_count(r->zip); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(r->zip, i);
		if (e->name_length > r->folder + 5 && memcmp(e->name + r->folder, "data/", 5) == 0) records++;
	}
	r->unused = records > count ? records - count : 0;
	return true;
}

/* ---- the pickle ---- */

static bool check_script(const reader *r, const ckpt_value *root, ckpt_error *err)
{
	if (!r->script || ckpt_pickle_role_of(root) == CKPT_ROLE_JIT_CLASS) return true;
	return ckpt_fail(
		err, CKPT_E_UNSUPPORTED,
		"this is a TorchScript archive (it has constants.pkl), but its data.pkl holds %s, not its module",
		ckpt_pickle_kind_text(root));
}

static bool run_pickle(reader *r, ckpt_pickle_result *out, ckpt_error *err)
{
	const ckpt_limits *limits = &r->context->limits;
	ckpt_pickle_options options = {
		.arena = &r->cp->arena,
		.limits = *limits,
		.record = r->pickle_name,
		.persistent = ckpt_torch_persistent,
		.user = r->torch,
	};
	ckpt_zip_bytes b;
	if (!ckpt_zip_load(r->zip, r->pickle, limits->pickle_bytes, "pickle-bytes", &b, err)) return false;
	bool ok = ckpt_pickle_read(b.data, b.length, &options, out, err);
	size_t length = b.length;
	if (!ckpt_zip_bytes_check(&b, err)) ok = false;
	ckpt_zip_bytes_free(&b);
	if (ok && out->consumed != length)
		return ckpt_fail(err, CKPT_E_FORMAT, "pickle '%s': %zu trailing bytes after STOP at offset %zu",
		                 r->pickle_name, length - out->consumed, out->consumed - 1);
	return ok;
}

/* What the records tell about the release that wrote it. */
static const char *era(const reader *r)
{
	const ckpt_zip_entry *first = NULL;
	if (r->script) return "";
	if (named(r, ".format_version")) return ", torch 2.7 or later";
	if (named(r, ".data/serialization_id") && named(r, "byteorder")) return ", torch 2.1 to 2.6";
	if (named(r, "byteorder")) return ", torch 2.1 or later";
	if (ckpt_torch_storage_count(r->torch)) first = named(r, "data/0");
	return first || !ckpt_torch_storage_count(r->torch) ? ", torch 1.6 or later" : ", torch 1.6 or 1.7";
}

static bool describe(reader *r, const ckpt_pickle_result *pickle, const ckpt_torch_listing *how, ckpt_error *err)
{
	if (pickle->left)
		return ckpt_fail(err, CKPT_E_FORMAT, "pickle '%s': STOP leaves %zu values on the stack", r->pickle_name,
		                 pickle->left);
	if (r->unused && !ckpt_checkpoint_note(r->cp, err, "%zu storage record%s not referenced by the pickle",
	                                       r->unused, r->unused == 1 ? " is" : "s are"))
		return false;
	return ckpt_checkpoint_set_detail(r->cp, err, "zip%s%s%s%s", era(r), r->big_endian ? ", big-endian" : "",
	                                  r->script ? ", TorchScript" : "",
	                                  how->from_module ? ", extracted from a module" : "");
}

static bool read_archive(reader *r, ckpt_error *err)
{
	ckpt_pickle_result pickle;
	if (!find_pickle(r, err) || !read_byteorder(r, err)) return false;
	r->script = named(r, "constants.pkl") != NULL;
	if (!run_pickle(r, &pickle, err)) return false;
	ckpt_torch_listing how = {.root = r->context->options->root, .pickle_bytes = r->pickle->size};
	if (!check_script(r, pickle.root, err) || !read_storages(r, err)) return false;
	return ckpt_torch_list(r->torch, pickle.root, &how, err) && describe(r, &pickle, &how, err);
}

static ckpt_checkpoint *open_torch(const ckpt_open_context *context, ckpt_error *err)
{
	reader r = {.context = context};
	ckpt_zip_options options = {.limits = context->limits, .skip_crc = context->options->skip_crc};
	bool ok = false;
	r.zip = ckpt_zip_open(context->file, &options, err);
	if (!r.zip) goto done;
	r.cp = ckpt_checkpoint_new(err);
	if (!r.cp) goto done;
	r.cp->limits = context->limits;
	r.torch = ckpt_torch_new(r.cp, CKPT_TORCH_ZIP, err);
	ok = r.torch && read_archive(&r, err);
done:
	ckpt_torch_free(r.torch);
	ckpt_zip_free(r.zip);
	free(r.pickle_name);
	if (ok) return r.cp;
	ckpt_checkpoint_free(r.cp);
	return NULL;
}

static bool holds_dtype(ckpt_dtype dtype)
{
	return ckpt_dtype_get(dtype)->torch != NULL;
}

static const char *const suffixes[] = {".bin", ".pt", ".pth", ".ckpt", NULL};

const ckpt_format ckpt_format_torch = {
	.name = "torch",
	.summary = "PyTorch checkpoint (torch.save since 1.6), TorchScript",
	.suffixes = suffixes,
	.holds = CKPT_HOLDS_ALIASES | CKPT_HOLDS_VALUES,
	.probe = probe,
	.open = open_torch,
	.holds_dtype = holds_dtype,
	.plan = ckpt_torch_plan,
	.shard_stem = "pytorch_model",
	.shard_suffix = "bin",
};
