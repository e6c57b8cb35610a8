/* torch_legacy.c -- row "torch-legacy": the stacked pickles of torch.save before 1.6
 *
 * Six parts, one behind the other, without lengths:
 *   1. pickle of the magic number 0x1950a86a20f9469cfc6c
 *   2. pickle of the protocol version, 1001
 *   3. pickle of a dict about the machine; it is not needed: data are little-endian whatever it says
 *   4. pickle of the object, with storages as persistent ids
 *   5. pickle of the list of storage keys
 *   6. for each key in that order: i64 number of elements, then the elements
 */
#include <string.h>
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "format.h"
#include "torch_objects.h"
#include "torch_stream.h"
#include "torch_write.h"

#define MAGIC_TEXT "119547037146038801333356"
enum { PROTOCOL_VERSION = 1001 };

static const uint8_t magic_pickle[15] = {0x80, 2,    0x8a, 10,   0x6c, 0xfc, 0x9c, 0x46,
                                         0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

typedef struct reader {
	const ckpt_open_context *context;
	ckpt_checkpoint *cp;
	ckpt_torch *torch;
	uint64_t at; /* in the file */
	bool python2;
} reader;

static size_t probe(const ckpt_probe *p)
{
	static const char text[] = "L" MAGIC_TEXT "L\n.";
	if (p->is_folder || p->head_length < 4) return 0;
	if (p->head_length >= sizeof magic_pickle && memcmp(p->head, magic_pickle, sizeof magic_pickle) == 0)
		return sizeof magic_pickle;
	if (p->head_length >= sizeof text - 1 && memcmp(p->head, text, sizeof text - 1) == 0) return sizeof text - 1;
	return p->head[0] == 0x80 && p->head[1] >= 1 && p->head[1] <= 5 ? 2 : 0; /* some other pickle: ours to refuse */
}

/* One of the five pickles. */
static ckpt_value *stream(reader *r, const char *what, bool ids, ckpt_pickle_result *out, ckpt_error *err)
{
	ckpt_pickle_options options = {.arena = &r->cp->arena, .limits = r->context->limits, .record = what};
	if (ids) {
		options.persistent = ckpt_torch_persistent;
		options.user = r->torch;
	}
	if (!ckpt_torch_stream(r->context->file, &r->at, ckpt_file_size(r->context->file), options, out, err))
		return NULL;
	r->python2 |= out->python2;
	if (out->left == 0) return out->root;
	ckpt_fail(err, CKPT_E_FORMAT, "pickle '%s': STOP leaves %zu values on the stack", what, out->left);
	return NULL;
}

static bool read_preamble(reader *r, ckpt_error *err)
{
	ckpt_pickle_result p;
	const ckpt_value *v = stream(r, "magic number", false, &p, err);
	if (!v) return false;
	if (v->kind != CKPT_VALUE_BIGINT || strcmp(v->u.text.bytes, MAGIC_TEXT) != 0) {
		if (v->kind == CKPT_VALUE_BIGINT)
			return ckpt_fail(err, CKPT_E_FORMAT, "its magic number is %.60s instead of " MAGIC_TEXT,
			                 v->u.text.bytes);
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"this is a plain pickle (of %s) and not a file of torch.save: it lacks the magic number",
			ckpt_pickle_kind_text(v));
	}
	v = stream(r, "protocol version", false, &p, err);
	if (!v) return false;
	if (v->kind != CKPT_VALUE_INT || v->u.integer != PROTOCOL_VERSION)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "its protocol version is %lld, only %d is known",
		                 v->kind == CKPT_VALUE_INT ? (long long)v->u.integer : -1LL, PROTOCOL_VERSION);
	v = stream(r, "system information", false, &p, err);
	if (!v) return false;
	if (v->kind == CKPT_VALUE_DICT) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "its system information is of the type %s, not a dict",
	                 ckpt_pickle_kind_text(v));
}

/* The bytes of one storage, which stand at r->at. */
static bool read_storage(reader *r, const ckpt_value *key, ckpt_error *err)
{
	uint64_t size = ckpt_file_size(r->context->file), end;
	uint8_t count[8];
	if (key->kind != CKPT_VALUE_STRING && key->kind != CKPT_VALUE_BYTES)
		return ckpt_fail(err, CKPT_E_FORMAT, "a storage key is of the type %s, not a string",
		                 ckpt_pickle_kind_text(key));
	const char *name = key->u.text.bytes;
	size_t i = ckpt_torch_storage_find(r->torch, name, key->u.text.length);
	if (i == SIZE_MAX)
		return ckpt_fail(err, CKPT_E_FORMAT, "the list of keys names storage '%.80s', which no tensor uses",
		                 name);
	const ckpt_torch_storage *s = ckpt_torch_storage_at(r->torch, i);
	if (s->storage) return ckpt_fail(err, CKPT_E_FORMAT, "the list of keys names storage '%.80s' twice", name);
	if (size - r->at < sizeof count)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the file is truncated: storage '%.80s' should start at offset %llu of %llu", name,
		                 (unsigned long long)r->at, (unsigned long long)size);
	/* From afar that would be a request for each: the sizes must make up the file, and that is all that is looked at. */
	bool afar = ckpt_file_is_remote(r->context->file);
	if (!afar && !ckpt_file_read(r->context->file, r->at, sizeof count, count, err)) return false;
	if (!afar && ckpt_le64(count) != s->numel)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "storage '%.80s' has numel %llu in front of its data, the pickle says %llu", name,
		                 (unsigned long long)ckpt_le64(count), (unsigned long long)s->numel);
	r->at += sizeof count;
	if (!ckpt_add_u64(r->at, s->bytes, &end) || end > size)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"the file is truncated: storage '%.80s' needs %llu bytes at offset %llu, %llu are left", name,
			(unsigned long long)s->bytes, (unsigned long long)r->at, (unsigned long long)(size - r->at));
	ckpt_source *source = ckpt_source_file(r->context->file, r->at, s->bytes, err);
	r->at = end;
	return source && ckpt_torch_set_source(r->torch, i, source, false, err);
}

static bool read_storages(reader *r, const ckpt_value *keys, ckpt_error *err)
{
	if (keys->kind != CKPT_VALUE_LIST && keys->kind != CKPT_VALUE_TUPLE)
		return ckpt_fail(err, CKPT_E_FORMAT, "the keys of the storages are of the type %s, not a list",
		                 ckpt_pickle_kind_text(keys));
	for (uint32_t i = 0; i < keys->u.list.count; i++)
		if (!read_storage(r, keys->u.list.items[i], err)) return false;
	for (size_t i = 0; i < ckpt_torch_storage_count(r->torch); i++) {
		const ckpt_torch_storage *s = ckpt_torch_storage_at(r->torch, i);
		ckpt_error why = {0};
		if (s->storage || s->is_view) continue;
		ckpt_fail(&why, CKPT_E_FORMAT, "its storage '%.80s' is missing from the list of keys", s->key);
		ckpt_torch_set_missing(r->torch, i, &why);
	}
	uint64_t size = ckpt_file_size(r->context->file);
	if (r->at == size) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "%llu trailing bytes follow the last storage at offset %llu",
	                 (unsigned long long)(size - r->at), (unsigned long long)r->at);
}

static bool read_file(reader *r, ckpt_error *err)
{
	ckpt_pickle_result p;
	if (!read_preamble(r, err)) return false;
	uint64_t from = r->at;
	ckpt_value *root = stream(r, "object", true, &p, err);
	if (!root) return false;
	ckpt_torch_listing how = {.root = r->context->options->root, .pickle_bytes = r->at - from};
	const ckpt_value *keys = stream(r, "storage keys", false, &p, err);
	if (!keys || !read_storages(r, keys, err)) return false;
	if (!ckpt_torch_list(r->torch, root, &how, err)) return false;
	return ckpt_checkpoint_set_detail(r->cp, err, "stacked pickles, the format of torch before 1.6%s%s",
	                                  r->python2 ? ", written by Python 2" : "",
	                                  how.from_module ? ", extracted from a module" : "");
}

static ckpt_checkpoint *open_legacy(const ckpt_open_context *context, ckpt_error *err)
{
	reader r = {.context = context};
	bool ok = false;
	r.cp = ckpt_checkpoint_new(err);
	if (!r.cp) return NULL;
	r.cp->limits = context->limits;
	r.torch = ckpt_torch_new(r.cp, CKPT_TORCH_LEGACY, err);
	if (r.torch) ok = read_file(&r, err);
	ckpt_torch_free(r.torch);
	if (ok) return r.cp;
	ckpt_checkpoint_free(r.cp);
	return NULL;
}

static bool holds_dtype(ckpt_dtype dtype)
{
	return ckpt_dtype_get(dtype)->storage != NULL;
}

const ckpt_format ckpt_format_torch_legacy = {
	.name = "torch-legacy",
	.summary = "PyTorch checkpoint of releases before 1.6: stacked pickles",
	.holds = CKPT_HOLDS_ALIASES | CKPT_HOLDS_VALUES,
	.probe = probe,
	.open = open_legacy,
	.holds_dtype = holds_dtype,
	.plan = ckpt_torch_legacy_plan,
};
