/* torch_tar.c -- row "torch-tar": the tar archives of torch 0.1.1 to 0.1.9, read only
 *
 * An uncompressed tar archive with four members, which are read where they lie and never unpacked:
 *   1. sys_info   pickle of a dict about the machine
 *   2. storages   pickle of their number; for each: pickle of (key, location, class), i64 elements, data; then pickle
 * of the list of views (key, key of the storage, offset, elements)
 *   3. tensors    pickle of their number; for each: pickle of (key, key of the storage, class), i32 rank, 4 bytes of
 *                 padding, i64 sizes, i64 strides, i64 offset
 *   4. pickle     the object; its persistent ids are keys in decimal text, of tensors and storages
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "../lib/limits.h"
#include "format.h"
#include "text_index.h"
#include "torch_objects.h"
#include "torch_stream.h"

enum { BLOCK = 512, MEMBERS = 4, KEYS_MOST = 1 << 22 };

static const char *const member_names[MEMBERS] = {"sys_info", "storages", "tensors", "pickle"};

typedef struct member {
	uint64_t at, size; /* at is 0 while it was not found */
} member;

typedef struct reader {
	const ckpt_open_context *context;
	ckpt_checkpoint *cp;
	ckpt_torch *torch;
	member members[MEMBERS];
	ckpt_text_index keys; /* decimal keys of storages and tensors */
	ckpt_value **values;  /* what they stand for */
	size_t count, capacity;
	ckpt_value *rebuild, *hooks; /* parts that all tensors share */
} reader;

/* ---- tar ---- */

/* A number in octal text, or in base 256 with the highest bit of the first byte set. */
static bool tar_number(const uint8_t *field, size_t length, uint64_t *out)
{
	uint64_t n = 0;
	size_t i = 0;
	if (field[0] & 0x80) {
		if (field[0] != 0x80) return false;
		for (i = 1; i < length; i++)
			if (!ckpt_mul_u64(n, 256, &n) || !ckpt_add_u64(n, field[i], &n)) return false;
		*out = n;
		return true;
	}
	while (i < length && field[i] == ' ') i++;
	for (; i < length && field[i] >= '0' && field[i] <= '7'; i++) n = n * 8 + (uint64_t)(field[i] - '0');
	for (; i < length; i++)
		if (field[i] != ' ' && field[i] != '\0') return false;
	*out = n;
	return true;
}

static bool checksum_holds(const uint8_t *header)
{
	uint64_t wanted, sum = 0;
	for (size_t i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? ' ' : header[i];
	return tar_number(header + 148, 8, &wanted) && wanted == sum;
}

static int member_of(const uint8_t *header)
{
	for (int i = 0; i < MEMBERS; i++) {
		size_t n = strlen(member_names[i]);
		if (memcmp(header, member_names[i], n) == 0 && header[n] == '\0') return i;
	}
	return -1;
}

static size_t probe(const ckpt_probe *p)
{
	if (p->is_folder || p->head_length < BLOCK) return 0;
	return member_of(p->head) >= 0 && checksum_holds(p->head) ? BLOCK : 0;
}

static bool read_member(reader *r, uint64_t at, const uint8_t *header, uint64_t *next, ckpt_error *err)
{
	uint64_t size = ckpt_file_size(r->context->file), length, end;
	unsigned long long offset = (unsigned long long)at;
	if (!checksum_holds(header) || !tar_number(header + 124, 12, &length))
		return ckpt_fail(err, CKPT_E_FORMAT, "the tar header at offset %llu is damaged", offset);
	if (header[156] != '0' && header[156] != '\0')
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the tar member at offset %llu is no plain file", offset);
	int i = member_of(header);
	if (i < 0)
		return ckpt_fail(err, CKPT_E_FORMAT, "the tar member '%.100s' at offset %llu is none of torch",
		                 (const char *)header, offset);
	if (r->members[i].at)
		return ckpt_fail(err, CKPT_E_FORMAT, "the tar archive is ambiguous: member '%s' occurs twice",
		                 member_names[i]);
	if (!ckpt_add_u64(at + BLOCK, length, &end) || end > size)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the file is truncated: tar member '%s' needs %llu bytes at offset %llu of %llu",
		                 member_names[i], (unsigned long long)length, offset + BLOCK, (unsigned long long)size);
	r->members[i] = (member){at + BLOCK, length};
	*next = end + (BLOCK - end % BLOCK) % BLOCK;
	return true;
}

static bool read_tar(reader *r, ckpt_error *err)
{
	uint8_t header[BLOCK];
	uint64_t size = ckpt_file_size(r->context->file), at = 0;
	while (at + BLOCK <= size) {
		if (!ckpt_file_read(r->context->file, at, BLOCK, header, err)) return false;
		if (header[0] == '\0') break;
		if (!read_member(r, at, header, &at, err)) return false;
	}
	for (; at + BLOCK <= size; at += BLOCK) {
		if (!ckpt_file_read(r->context->file, at, BLOCK, header, err)) return false;
		for (size_t i = 0; i < BLOCK; i++)
			if (header[i])
				return ckpt_fail(err, CKPT_E_FORMAT,
				                 "data follow the end of the tar archive at offset %llu",
				                 (unsigned long long)(at + i));
	}
	for (int i = 0; i < MEMBERS; i++)
		if (!r->members[i].at)
			return ckpt_fail(err, CKPT_E_FORMAT, "the tar archive has no member '%s'", member_names[i]);
	return true;
}

/* ---- streams inside of a member ---- */

static ckpt_value *stream(reader *r, const char *what, uint64_t *at, const member *m, ckpt_error *err)
{
	ckpt_pickle_options options = {.arena = &r->cp->arena, .limits = r->context->limits, .record = what};
	ckpt_pickle_result p;
	if (!ckpt_torch_stream(r->context->file, at, m->at + m->size, options, &p, err)) return NULL;
	if (p.left == 0) return p.root;
	ckpt_fail(err, CKPT_E_FORMAT, "pickle '%s': STOP leaves %zu values on the stack", what, p.left);
	return NULL;
}

static bool take(reader *r, uint64_t *at, const member *m, size_t length, void *out, ckpt_error *err)
{
	if (m->at + m->size - *at < length)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "a tar member is truncated: %zu bytes are wanted at offset %llu, %llu are left",
		                 length, (unsigned long long)*at, (unsigned long long)(m->at + m->size - *at));
	if (!ckpt_file_read(r->context->file, *at, length, out, err)) return false;
	*at += length;
	return true;
}

static bool at_end(uint64_t at, const member *m, const char *what, ckpt_error *err)
{
	if (at == m->at + m->size) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "%llu trailing bytes in tar member '%s'",
	                 (unsigned long long)(m->at + m->size - at), what);
}

static bool get_count(const ckpt_value *v, const char *what, uint64_t *out, ckpt_error *err)
{
	if (v->kind != CKPT_VALUE_INT || v->u.integer < 0 || v->u.integer > KEYS_MOST)
		return ckpt_fail(err, CKPT_E_FORMAT, "the number of %s is %s out of range", what,
		                 ckpt_pickle_kind_text(v));
	*out = (uint64_t)v->u.integer;
	return true;
}

/* (int, anything, global) */
static bool is_entry(const ckpt_value *v, ckpt_value_kind second)
{
	if (v->kind != CKPT_VALUE_TUPLE || v->u.list.count != 3) return false;
	ckpt_value *const *items = v->u.list.items;
	return items[0]->kind == CKPT_VALUE_INT && items[1]->kind == second && items[2]->kind == CKPT_VALUE_GLOBAL;
}

/* ---- keys ---- */

static bool add_key(reader *r, int64_t key, ckpt_value *value, ckpt_error *err)
{
	char text[24];
	uint32_t found;
	int n = snprintf(text, sizeof text, "%" PRId64, key);
	const char *copy = ckpt_arena_copy(&r->cp->arena, text, (size_t)n);
	if (!copy) return ckpt_fail_nomem(err);
	if (!ckpt_text_index_add(&r->keys, copy, (size_t)n, (uint32_t)r->count, &found, err)) return false;
	if (found != r->count) return ckpt_fail(err, CKPT_E_FORMAT, "the key %s occurs twice", text);
	if (r->count == r->capacity) {
		size_t more = r->capacity ? r->capacity * 2 : 64;
		ckpt_value **grown = reallocarray(r->values, more, sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		r->values = grown;
		r->capacity = more;
	}
	r->values[r->count++] = value;
	return true;
}

static ckpt_value *find_key(const reader *r, const char *text, size_t length)
{
	uint32_t i = ckpt_text_index_find(&r->keys, text, length);
	return i == UINT32_MAX ? NULL : r->values[i];
}

static ckpt_value *storage_of(const reader *r, int64_t key, ckpt_error *err)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%" PRId64, key);
	ckpt_value *v = find_key(r, text, (size_t)n);
	if (v && v->kind == CKPT_VALUE_STORAGE) return v;
	ckpt_fail(err, CKPT_E_FORMAT, "there is no storage with the key %s", text);
	return NULL;
}

/* A new storage of that class under that key; its number and its bytes. It has no source yet. */
static bool new_storage(reader *r, int64_t key, ckpt_value *class, uint64_t numel, size_t *i, uint64_t *bytes,
                        ckpt_error *err)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRId64, key);
	*i = ckpt_torch_storage_count(r->torch);
	if (numel > INT64_MAX) return ckpt_fail(err, CKPT_E_FORMAT, "the numel of storage %s is negative", text);
	ckpt_value *v = ckpt_torch_storage_value(r->torch, class, text, numel, err);
	if (!v || !add_key(r, key, v, err)) return false;
	*bytes = ckpt_torch_storage_at(r->torch, *i)->bytes;
	return true;
}

/* With its bytes at `at`. */
static bool add_storage(reader *r, int64_t key, ckpt_value *class, uint64_t numel, uint64_t at, const member *m,
                        uint64_t *end, ckpt_error *err)
{
	size_t i;
	uint64_t bytes;
	if (!new_storage(r, key, class, numel, &i, &bytes, err)) return false;
	if (!ckpt_add_u64(at, bytes, end) || *end > m->at + m->size)
		return ckpt_fail(err, CKPT_E_FORMAT, "storage %" PRId64 " is truncated: it needs %llu bytes, %llu are left", key,
		                 (unsigned long long)bytes, (unsigned long long)(m->at + m->size - at));
	ckpt_source *source = ckpt_source_file(r->context->file, at, bytes, err);
	return source && ckpt_torch_set_source(r->torch, i, source, false, err);
}

/* With the bytes of another one, from `offset` on. */
static bool add_view(reader *r, int64_t key, ckpt_value *class, uint64_t numel, ckpt_source *of, uint64_t offset,
                     ckpt_error *err)
{
	size_t i;
	uint64_t bytes;
	if (!new_storage(r, key, class, numel, &i, &bytes, err)) return false;
	ckpt_source *source = ckpt_source_slice(of, offset, bytes, err);
	return source && ckpt_torch_set_source(r->torch, i, source, false, err);
}

/* [(key, key of the storage, offset, elements), ...]: ranges of storages under keys of their own. */
static bool read_views(reader *r, const ckpt_value *views, ckpt_error *err)
{
	if (views->kind != CKPT_VALUE_LIST)
		return ckpt_fail(err, CKPT_E_FORMAT, "the storage views are no list, the type is %s",
		                 ckpt_pickle_kind_text(views));
	for (uint32_t i = 0; i < views->u.list.count; i++) {
		const ckpt_value *view = views->u.list.items[i];
		ckpt_value *const *items = view->u.list.items;
		bool good = view->kind == CKPT_VALUE_TUPLE && view->u.list.count == 4;
		for (int k = 0; good && k < 4; k++)
			good = items[k]->kind == CKPT_VALUE_INT && (k < 2 || items[k]->u.integer >= 0);
		if (!good) return ckpt_fail(err, CKPT_E_FORMAT, "view %u of the storages is no tuple of 4 integers", i);
		const ckpt_value *base = storage_of(r, items[1]->u.integer, err);
		if (!base) return false;
		const ckpt_torch_storage *s = ckpt_torch_storage_at(r->torch, base->tensor);
		uint64_t offset = (uint64_t)items[2]->u.integer, numel = (uint64_t)items[3]->u.integer, last;
		if (!ckpt_add_u64(offset, numel, &last) || last > s->numel)
			return ckpt_fail(err, CKPT_E_FORMAT,
			                 "view %u of %llu elements at %llu runs past storage %s of %llu", i,
			                 (unsigned long long)numel, (unsigned long long)offset, s->key,
			                 (unsigned long long)s->numel);
		if (!add_view(r, items[0]->u.integer, base->u.persid.id->u.list.items[1], numel, s->storage->source,
		              offset * ckpt_dtype_get(s->dtype)->torch_bytes, err))
			return false;
	}
	return true;
}

static bool read_storages(reader *r, ckpt_error *err)
{
	const member *m = &r->members[1];
	uint64_t at = m->at, count = 0;
	const ckpt_value *v = stream(r, "tar member storages", &at, m, err);
	if (!v || !get_count(v, "storages", &count, err)) return false;
	for (uint64_t i = 0; i < count; i++) {
		uint8_t numel[8];
		v = stream(r, "tar member storages", &at, m, err);
		if (!v) return false;
		if (!is_entry(v, CKPT_VALUE_STRING))
			return ckpt_fail(err, CKPT_E_FORMAT, "storage %llu is no tuple of key, location and class",
			                 (unsigned long long)i);
		if (!take(r, &at, m, sizeof numel, numel, err)) return false;
		if (!add_storage(r, v->u.list.items[0]->u.integer, v->u.list.items[2], ckpt_le64(numel), at, m, &at,
		                 err))
			return false;
	}
	v = stream(r, "tar member storages", &at, m, err);
	return v && read_views(r, v, err) && at_end(at, m, "storages", err);
}

/* ---- tensors ---- */

static bool append(reader *r, ckpt_value *to, ckpt_value *item, ckpt_error *err)
{
	return (item && ckpt_value_append(&r->cp->arena, to, item)) || ckpt_fail_nomem(err);
}

static ckpt_value *numbers(reader *r, const uint8_t *bytes, size_t count, ckpt_error *err)
{
	ckpt_value *v = ckpt_value_new(&r->cp->arena, CKPT_VALUE_TUPLE);
	if (!v) ckpt_fail_nomem(err);
	for (size_t i = 0; v && i < count; i++)
		if (!append(r, v, ckpt_value_new_int(&r->cp->arena, (int64_t)ckpt_le64(bytes + 8 * i)), err))
			return NULL;
	return v;
}

static ckpt_value *global(reader *r, const char *module, const char *name)
{
	ckpt_value *v = ckpt_value_new_global(&r->cp->arena, module, name);
	if (v) v->object_kind = (uint8_t)ckpt_pickle_name_role(module, name, NULL);
	return v;
}

/* The call that torch of today would write for the same tensor. */
static bool make_shared(reader *r, ckpt_error *err)
{
	ckpt_arena *a = &r->cp->arena;
	ckpt_value *dict = global(r, "collections", "OrderedDict"), *none = ckpt_value_new(a, CKPT_VALUE_TUPLE);
	r->rebuild = global(r, "torch._utils", "_rebuild_tensor_v2");
	r->hooks = dict && none ? ckpt_value_new_object(a, CKPT_OBJECT_REDUCE, dict, none) : NULL;
	return (r->rebuild && r->hooks) || ckpt_fail_nomem(err);
}

/* places: sizes, strides, offset */
static bool add_tensor(reader *r, int64_t key, ckpt_value *storage, size_t rank, const uint8_t *places, ckpt_error *err)
{
	ckpt_arena *a = &r->cp->arena;
	ckpt_value *arguments = ckpt_value_new(a, CKPT_VALUE_TUPLE), *no = ckpt_value_new(a, CKPT_VALUE_BOOL);
	ckpt_value *size = numbers(r, places, rank, err), *stride = numbers(r, places + 8 * rank, rank, err);
	if (!arguments || !no || !size || !stride) return ckpt_fail_nomem(err);
	ckpt_value *offset = ckpt_value_new_int(a, (int64_t)ckpt_le64(places + 16 * rank));
	ckpt_value *parts[] = {storage, offset, size, stride, no, r->hooks};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (!append(r, arguments, parts[i], err)) return false;
	ckpt_value *tensor = ckpt_value_new_object(a, CKPT_OBJECT_REDUCE, r->rebuild, arguments);
	if (!tensor) return ckpt_fail_nomem(err);
	return add_key(r, key, tensor, err);
}

static bool read_tensors(reader *r, ckpt_error *err)
{
	const member *m = &r->members[2];
	uint64_t at = m->at, count = 0;
	const ckpt_value *v = stream(r, "tar member tensors", &at, m, err);
	if (!v || !get_count(v, "tensors", &count, err)) return false;
	for (uint64_t i = 0; i < count; i++) {
		uint8_t head[8], places[8 * (2 * CKPT_MAX_RANK + 1)];
		v = stream(r, "tar member tensors", &at, m, err);
		if (!v) return false;
		if (!is_entry(v, CKPT_VALUE_INT))
			return ckpt_fail(err, CKPT_E_FORMAT, "tensor %llu is no tuple of key, storage and class",
			                 (unsigned long long)i);
		if (!take(r, &at, m, sizeof head, head, err)) return false;
		size_t rank = ckpt_le32(head);
		if (rank > CKPT_MAX_RANK)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "tensor %llu has %zu dimensions, at most %d are supported",
			                 (unsigned long long)i, rank, CKPT_MAX_RANK);
		if (!take(r, &at, m, 8 * (2 * rank + 1), places, err)) return false;
		ckpt_value *storage = storage_of(r, v->u.list.items[1]->u.integer, err);
		if (!storage || !add_tensor(r, v->u.list.items[0]->u.integer, storage, rank, places, err)) return false;
	}
	return at_end(at, m, "tensors", err);
}

/* ---- the object ---- */

/* A key in decimal text; or (class, file, source) of a module, of which the class counts. */
static ckpt_value *persistent(void *user, ckpt_value *id, bool text, ckpt_error *err)
{
	const reader *r = user;
	(void)text;
	if (id->kind == CKPT_VALUE_TUPLE && id->u.list.count && id->u.list.items[0]->kind == CKPT_VALUE_GLOBAL)
		return id->u.list.items[0];
	if (id->kind != CKPT_VALUE_STRING) {
		ckpt_fail(err, CKPT_E_FORMAT, "a persistent id is the key of a tensor or storage, the type found is %s",
		          ckpt_pickle_kind_text(id));
		return NULL;
	}
	ckpt_value *v = find_key(r, id->u.text.bytes, id->u.text.length);
	if (!v)
		ckpt_fail(err, CKPT_E_FORMAT, "a persistent id names the key %.40s, which is missing",
		          id->u.text.bytes);
	return v;
}

static bool read_object(reader *r, ckpt_error *err)
{
	const member *m = &r->members[3];
	uint64_t at = m->at;
	ckpt_pickle_options options = {
		.arena = &r->cp->arena,
		.limits = r->context->limits,
		.record = "tar member pickle",
		.persistent = persistent,
		.user = r,
	};
	ckpt_pickle_result p;
	ckpt_torch_listing how = {.root = r->context->options->root, .pickle_bytes = m->size + r->members[2].size};
	if (!ckpt_torch_stream(r->context->file, &at, m->at + m->size, options, &p, err)) return false;
	if (!at_end(at, m, "pickle", err)) return false;
	if (!ckpt_torch_list(r->torch, p.root, &how, err)) return false;
	if (p.left)
		return ckpt_fail(err, CKPT_E_FORMAT, "pickle '%s': STOP leaves %zu values on the stack", options.record,
		                 p.left);
	return ckpt_checkpoint_set_detail(r->cp, err, "tar, torch 0.1.1 to 0.1.9%s",
	                                  how.from_module ? ", extracted from a module" : "");
}

static bool read_file(reader *r, ckpt_error *err)
{
	if (!read_tar(r, err)) return false;
	uint64_t at = r->members[0].at;
	if (!stream(r, "tar member sys_info", &at, &r->members[0], err)) return false;
	return at_end(at, &r->members[0], "sys_info", err) && make_shared(r, err) && read_storages(r, err) &&
	       read_tensors(r, err) && read_object(r, err);
}

static ckpt_checkpoint *open_tar(const ckpt_open_context *context, ckpt_error *err)
{
	reader r = {.context = context};
	bool ok = false;
	r.cp = ckpt_checkpoint_new(err);
	if (!r.cp) return NULL;
	r.cp->limits = context->limits;
	if (ckpt_text_index_init(&r.keys, 64, false, err)) r.torch = ckpt_torch_new(r.cp, CKPT_TORCH_ZIP, err);
	if (r.torch) ok = read_file(&r, err);
	ckpt_torch_free(r.torch);
	ckpt_text_index_free(&r.keys);
	free(r.values);
	if (ok) return r.cp;
	ckpt_checkpoint_free(r.cp);
	return NULL;
}

const ckpt_format ckpt_format_torch_tar = {
	.name = "torch-tar",
	.summary = "PyTorch checkpoint of releases 0.1.1 to 0.1.9: a tar archive",
	.probe = probe,
	.open = open_tar,
};
