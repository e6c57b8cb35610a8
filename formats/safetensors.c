/* safetensors.c -- the safetensors format, read and written
 *
 * 1. Bytes 0..7: N, an unsigned 64-bit little-endian number.
 * 2. Bytes 8..8+N: one JSON object in UTF-8, white space around it allowed (written: spaces behind it, so that N is a
 *    multiple of 8). Each member is a tensor: "name": {"dtype": "F32", "shape": [2,3], "data_offsets": [begin, end]},
 *    the offsets relative to 8+N, end exclusive. "__metadata__", when present, is an object of strings.
 * 3. The data up to the end of the file: every byte belongs to exactly one tensor, row-major and little-endian.
 *
 * Written in the order of the reference writer: dtype descending, then name ascending by bytes; __metadata__ first.
 * Read in the order of the data; tensors of zero bytes at one place keep the header's order.
 */
#include <stdlib.h>
#include <string.h>
#include "../lib/buffer.h"
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "../lib/json.h"
#include "../lib/limits.h"
#include "../lib/utf8.h"
#include "format.h"

#define METADATA "__metadata__"

/* One tensor's entry, with whatever else a writer puts into it; bounds the tree that is in memory at a time. */
enum { MAX_ENTRY = 1 << 20 };

/* ---- reading --------------------------------------------------------------------------------------------------- */

typedef struct st_entry {
	const char *name;
	const uint64_t *shape;
	uint64_t begin, end;
	size_t position; /* in the header */
	ckpt_dtype dtype;
	uint32_t rank;
} st_entry;

typedef struct st_reader {
	ckpt_checkpoint *cp;
	ckpt_arena arena; /* names and shapes of the entries */
	st_entry *entries;
	size_t count, capacity;
	bool sorted; /* so far the entries came in the order of their data */
	uint64_t depth;
} st_reader;

/* One entry while its fields arrive. */
typedef struct st_fields {
	st_reader *reader;
	st_entry entry;
	bool has_dtype, has_shape, has_offsets;
} st_fields;

static bool read_dtype(st_fields *f, const ckpt_json *v, ckpt_error *err)
{
	const char *name = ckpt_json_string(v);
	if (!name) return ckpt_fail(err, CKPT_E_FORMAT, "dtype must be a string, found %s", ckpt_json_kind_name(v));
	f->entry.dtype = ckpt_dtype_from_name(name, strlen(name));
	f->has_dtype = f->entry.dtype != CKPT_DTYPE_NONE && ckpt_dtype_get(f->entry.dtype)->safetensors;
	if (f->has_dtype) return true;
	return ckpt_fail(err, CKPT_E_FORMAT,
	                 "unknown dtype '%s' (safetensors has BOOL, U8 ... U64, I8 ... I64, F4, F6_E2M3, "
	                 "F6_E3M2, F8_E4M3 and its kin, F16, BF16, F32, F64, C64)",
	                 name);
}

/* An array of unsigned integers into numbers[0..*count), of which there are at most `most`. */
static bool read_numbers(const ckpt_json *v, const char *what, uint64_t *numbers, size_t most, size_t *count,
                         ckpt_error *err)
{
	if (ckpt_json_get_kind(v) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_FORMAT, "%s must be an array of integers, found %s", what,
		                 ckpt_json_kind_name(v));
	size_t n = 0;
	for (const ckpt_json *i = ckpt_json_child(v); i; i = ckpt_json_next(i), n++) {
		if (n < most && !ckpt_json_u64(i, &numbers[n])) {
			const char *text = ckpt_json_number(i);
			return ckpt_fail(err, CKPT_E_FORMAT, "%s must hold integers from 0 to %llu, found %.40s", what,
			                 (unsigned long long)UINT64_MAX, text ? text : ckpt_json_kind_name(i));
		}
	}
	*count = n;
	return true;
}

static bool read_shape(st_fields *f, const ckpt_json *v, ckpt_error *err)
{
	uint64_t shape[CKPT_MAX_RANK];
	size_t rank;
	if (!read_numbers(v, "shape", shape, CKPT_MAX_RANK, &rank, err)) return false;
	if (rank > CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_LIMIT, "shape has %zu dimensions, at most %d are allowed", rank,
		                 CKPT_MAX_RANK);
	uint64_t *kept = ckpt_arena_alloc(&f->reader->arena, (rank ? rank : 1) * sizeof *kept);
	if (!kept) return ckpt_fail_nomem(err);
	memcpy(kept, shape, rank * sizeof *kept);
	f->entry.shape = kept;
	f->entry.rank = (uint32_t)rank;
	f->has_shape = true;
	return true;
}

static bool read_offsets(st_fields *f, const ckpt_json *v, ckpt_error *err)
{
	uint64_t pair[2];
	size_t count;
	if (!read_numbers(v, "data_offsets", pair, 2, &count, err)) return false;
	if (count != 2) return ckpt_fail(err, CKPT_E_FORMAT, "data_offsets must hold 2 integers, found %zu", count);
	f->entry.begin = pair[0];
	f->entry.end = pair[1];
	f->has_offsets = true;
	return true;
}

/* Other members than the three are allowed and mean nothing. */
static bool read_fields(st_fields *f, const ckpt_json *entry, ckpt_error *err)
{
	static const struct {
		const char *key;
		bool (*read)(st_fields *, const ckpt_json *, ckpt_error *);
	} fields[] = {{"dtype", read_dtype}, {"shape", read_shape}, {"data_offsets", read_offsets}};
	for (const ckpt_json *v = ckpt_json_child(entry); v; v = ckpt_json_next(v))
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			if (strcmp(ckpt_json_key(v), fields[i].key) == 0 && !fields[i].read(f, v, err)) return false;
	const char *missing = !f->has_dtype     ? "dtype"
	                      : !f->has_shape   ? "shape"
	                      : !f->has_offsets ? "data_offsets"
	                                        : NULL;
	return !missing || ckpt_fail(err, CKPT_E_FORMAT, "%s is missing", missing);
}

static bool parse_entry(st_fields *f, const char *value, size_t length, ckpt_error *err)
{
	if (*value != '{')
		return ckpt_fail(err, CKPT_E_FORMAT, "the entry must be an object, found %s",
		                 ckpt_json_text_kind(value));
	if (length > MAX_ENTRY)
		return ckpt_fail(err, CKPT_E_LIMIT, "the entry is %zu bytes of JSON, at most %d are allowed", length,
		                 MAX_ENTRY);
	ckpt_json *entry = ckpt_json_parse(value, length, f->reader->depth, err);
	bool ok = entry && read_fields(f, entry, err);
	ckpt_json_free(entry);
	return ok;
}

static bool in_order(const st_entry *a, const st_entry *b)
{
	return a->begin < b->begin || (a->begin == b->begin && a->end <= b->end);
}

static bool add_entry(st_reader *r, const st_entry *entry, ckpt_error *err)
{
	if (r->count >= r->cp->limits.tensors)
		return ckpt_fail_limit(err, "the number of tensors", r->count + 1, "tensors", r->cp->limits.tensors);
	if (r->count == r->capacity) {
		size_t capacity = r->capacity ? 2 * r->capacity : 64;
		st_entry *grown = realloc(r->entries, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		r->entries = grown;
		r->capacity = capacity;
	}
	if (r->count > 0 && !in_order(&r->entries[r->count - 1], entry)) r->sorted = false;
	r->entries[r->count++] = *entry;
	return true;
}

static bool visit_metadata(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	ckpt_checkpoint *cp = user;
	if (*value != '"')
		return ckpt_fail(err, CKPT_E_FORMAT, METADATA " must hold strings, found %s under '%s'",
		                 ckpt_json_text_kind(value), key);
	ckpt_json *v = ckpt_json_parse(value, length, 1, err);
	bool ok = v && ckpt_checkpoint_metadata_set(cp, key, ckpt_json_string(v), err);
	ckpt_json_free(v);
	return ok;
}

static bool read_metadata(st_reader *r, const char *value, size_t length, ckpt_error *err)
{
	if (*value == 'n') return true; /* MLX writes null for none */
	if (*value != '{')
		return ckpt_fail(err, CKPT_E_FORMAT, METADATA " must be an object of strings, found %s",
		                 ckpt_json_text_kind(value));
	if (ckpt_json_each_member(value, length, r->depth, visit_metadata, r->cp, err)) return true;
	return ckpt_error_prefix(err, METADATA);
}

static bool visit_header(void *user, const char *key, const char *value, size_t length, ckpt_error *err)
{
	st_reader *r = user;
	if (strcmp(key, METADATA) == 0) return read_metadata(r, value, length, err);
	st_fields f = {.reader = r, .entry = {.position = r->count}};
	if (!parse_entry(&f, value, length, err)) return ckpt_error_prefix(err, "tensor '%s'", key);
	f.entry.name = ckpt_arena_copy(&r->arena, key, strlen(key));
	if (!f.entry.name) return ckpt_fail_nomem(err);
	return add_entry(r, &f.entry, err);
}

static int compare_entries(const void *a, const void *b)
{
	const st_entry *x = a, *y = b;
	if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
	if (x->end != y->end) return x->end < y->end ? -1 : 1;
	return x->position < y->position ? -1 : x->position > y->position;
}

/* The entry must begin where the one before it ended, and hold exactly what its shape needs. */
static bool check_entry(const st_entry *e, const st_entry *before, ckpt_error *err)
{
	typedef unsigned long long ull;
	uint64_t from = before ? before->end : 0;
	char shape[128];
	uint64_t elements, bytes;
	if (e->end < e->begin)
		return ckpt_fail(err, CKPT_E_FORMAT, "data_offsets [%llu,%llu] run backwards", (ull)e->begin,
		                 (ull)e->end);
	if (e->begin < from)
		return ckpt_fail(err, CKPT_E_FORMAT, "data_offsets [%llu,%llu] overlap tensor '%s', which ends at %llu",
		                 (ull)e->begin, (ull)e->end, before->name, (ull)from);
	if (e->begin > from)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "data_offsets [%llu,%llu] leave a hole: the data in front of it %s %llu",
		                 (ull)e->begin, (ull)e->end, before ? "ends at" : "starts at", (ull)from);
	if (!ckpt_dtype_bytes(e->dtype, e->rank, e->shape, &elements, &bytes, err)) return false;
	if (bytes != e->end - e->begin)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "data_offsets [%llu,%llu] hold %llu bytes, dtype %s and shape %s need %llu",
		                 (ull)e->begin, (ull)e->end, (ull)(e->end - e->begin), ckpt_dtype_name(e->dtype),
		                 ckpt_shape_text(e->rank, e->shape, shape, sizeof shape), (ull)bytes);
	return true;
}

static bool check_size(const st_reader *r, uint64_t data, ckpt_error *err)
{
	typedef unsigned long long ull;
	uint64_t covered = r->count ? r->entries[r->count - 1].end : 0;
	if (covered == data) return true;
	if (covered > data)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "truncated: tensor '%s' ends at byte %llu of the data, the file has only "
		                 "%llu bytes of data",
		                 r->entries[r->count - 1].name, (ull)covered, (ull)data);
	return ckpt_fail(err, CKPT_E_FORMAT,
	                 "%llu trailing bytes that no tensor covers: the header describes %llu bytes of "
	                 "data, the file has %llu",
	                 (ull)(data - covered), (ull)covered, (ull)data);
}

static bool add_tensors(st_reader *r, ckpt_file *file, uint64_t start, ckpt_error *err)
{
	if (!r->sorted) qsort(r->entries, r->count, sizeof *r->entries, compare_entries);
	for (size_t i = 0; i < r->count; i++) {
		const st_entry *e = &r->entries[i];
		if (!check_entry(e, i ? e - 1 : NULL, err)) return ckpt_error_prefix(err, "tensor '%s'", e->name);
	}
	if (!check_size(r, ckpt_file_size(file) - start, err)) return false;
	for (size_t i = 0; i < r->count; i++) {
		const st_entry *e = &r->entries[i];
		ckpt_source *source = ckpt_source_file(file, start + e->begin, e->end - e->begin, err);
		if (!source) return false;
		if (!ckpt_checkpoint_add(r->cp, e->name, e->dtype, e->rank, e->shape, source, NULL, err)) return false;
	}
	return true;
}

/* The length of the header, of which 8 + N must lie in the file. */
static bool read_length(const ckpt_open_context *context, uint64_t *length, ckpt_error *err)
{
	typedef unsigned long long ull;
	uint64_t size = ckpt_file_size(context->file), limit = context->limits.header_bytes;
	uint8_t raw[8];
	if (size < sizeof raw)
		return ckpt_fail(err, CKPT_E_FORMAT, "%s: a safetensors file starts with 8 bytes, this one has %llu",
		                 size ? "too small" : "empty", (ull)size);
	if (!ckpt_file_read(context->file, 0, sizeof raw, raw, err)) return false;
	uint64_t n = ckpt_le64(raw);
	if (n > size - sizeof raw && n > limit)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the header length is %llu, but the file has %llu bytes: this is no "
		                 "safetensors file",
		                 (ull)n, (ull)size);
	if (n > limit) return ckpt_fail_limit(err, "the length of the safetensors header", n, "header-bytes", limit);
	if (n > size - sizeof raw)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "truncated: the header should be %llu bytes long, the file has only %llu "
		                 "bytes behind its length",
		                 (ull)n, (ull)(size - sizeof raw));
	*length = n;
	return true;
}

static ckpt_checkpoint *st_open(const ckpt_open_context *context, ckpt_error *err)
{
	st_reader r = {.sorted = true, .depth = context->limits.depth};
	ckpt_checkpoint *result = NULL;
	char *header = NULL;
	uint64_t length = 0;
	if (!read_length(context, &length, err)) goto done;
	header = malloc(length + 1);
	r.cp = ckpt_checkpoint_new(err);
	if (!header) ckpt_fail_nomem(err);
	if (!header || !r.cp) goto done;
	r.cp->limits = context->limits;
	if (!ckpt_file_read(context->file, 8, length, header, err)) goto done;
	if (!ckpt_json_each_member(header, length, r.depth, visit_header, &r, err)) {
		ckpt_error_prefix(err, "safetensors header");
		goto done;
	}
	free(header); /* not needed while the tensors are made */
	header = NULL;
	if (!add_tensors(&r, context->file, 8 + length, err)) goto done;
	result = r.cp;
	r.cp = NULL;
done:
	free(header);
	free(r.entries);
	ckpt_arena_free(&r.arena);
	ckpt_checkpoint_free(r.cp);
	return result;
}

static size_t st_probe(const ckpt_probe *probe)
{
	if (probe->is_folder || probe->head_length < 10) return 0;
	uint64_t n = ckpt_le64(probe->head);
	if (n < 2 || n > probe->size - 8) return 0;
	size_t at = 8;
	while (at < probe->head_length && at - 8 < n && strchr(" \t\r\n", probe->head[at]) && probe->head[at]) at++;
	if (at == probe->head_length) return at; /* padded in front: believed */
	return at - 8 < n && probe->head[at] == '{' ? at + 1 : 0;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static int compare_tensors(const void *a, const void *b)
{
	const ckpt_tensor *x = *(const ckpt_tensor *const *)a, *y = *(const ckpt_tensor *const *)b;
	if (x->dtype != y->dtype) return x->dtype > y->dtype ? -1 : 1;
	return strcmp(x->name, y->name);
}

typedef struct st_pair {
	const char *key, *value;
} st_pair;

static int compare_pairs(const void *a, const void *b)
{
	return strcmp(((const st_pair *)a)->key, ((const st_pair *)b)->key);
}

static bool write_metadata(ckpt_buffer *b, const ckpt_checkpoint *cp, ckpt_error *err)
{
	size_t count = ckpt_checkpoint_metadata_count(cp);
	st_pair *pairs = malloc((count + 1) * sizeof *pairs);
	if (!pairs) return ckpt_fail_nomem(err);
	bool ok = true, has_format = false;
	for (size_t i = 0; i < count && ok; i++) {
		pairs[i] = (st_pair){ckpt_checkpoint_metadata_key(cp, i), ckpt_checkpoint_metadata_value(cp, i)};
		has_format = has_format || strcmp(pairs[i].key, "format") == 0;
		ok = (ckpt_utf8_check(pairs[i].key, strlen(pairs[i].key)) == SIZE_MAX &&
		      ckpt_utf8_check(pairs[i].value, strlen(pairs[i].value)) == SIZE_MAX) ||
		     ckpt_fail(err, CKPT_E_UNSUPPORTED, "metadata '%s' is not valid UTF-8, safetensors cannot hold it",
		               pairs[i].key);
	}
	if (!has_format) pairs[count++] = (st_pair){"format", "pt"}; /* transformers wants to read it */
	if (ok) {
		qsort(pairs, count, sizeof *pairs, compare_pairs);
		ckpt_buffer_str(b, "{\"" METADATA "\":");
		for (size_t i = 0; i < count; i++) {
			ckpt_buffer_char(b, i ? ',' : '{');
			ckpt_json_write_string(b, pairs[i].key, strlen(pairs[i].key), false);
			ckpt_buffer_char(b, ':');
			ckpt_json_write_string(b, pairs[i].value, strlen(pairs[i].value), false);
		}
		ckpt_buffer_char(b, '}');
	}
	free(pairs);
	return ok;
}

static bool write_entry(ckpt_buffer *b, const ckpt_tensor *t, uint64_t *at, ckpt_error *err)
{
	typedef unsigned long long ull;
	if (strcmp(t->name, METADATA) == 0)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "a tensor named '" METADATA "' cannot be read back from "
		                 "safetensors: rename it or leave it out");
	if (ckpt_utf8_check(t->name, strlen(t->name)) != SIZE_MAX)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "tensor '%s': the name is not valid UTF-8, safetensors cannot hold "
		                 "it: rename the tensor or leave it out",
		                 t->name);
	uint64_t end;
	if (!ckpt_add_u64(*at, t->bytes, &end))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "tensor '%s': %llu bytes behind %llu are more than 2^64",
		                 t->name, (ull)t->bytes, (ull)*at);
	ckpt_buffer_char(b, ',');
	ckpt_json_write_string(b, t->name, strlen(t->name), false);
	ckpt_buffer_printf(b, ":{\"dtype\":\"%s\",\"shape\":[", ckpt_dtype_name(t->dtype));
	for (uint32_t i = 0; i < t->rank; i++) ckpt_buffer_printf(b, i ? ",%llu" : "%llu", (ull)t->shape[i]);
	ckpt_buffer_printf(b, "],\"data_offsets\":[%llu,%llu]}", (ull)*at, (ull)end);
	*at = end;
	return true;
}

static bool write_header(ckpt_buffer *b, const ckpt_checkpoint *cp, const ckpt_tensor *const *order, uint64_t limit,
                         ckpt_error *err)
{
	uint8_t length[8] = {0};
	ckpt_buffer_add(b, length, sizeof length);
	if (!write_metadata(b, cp, err)) return false;
	uint64_t at = 0;
	for (size_t i = 0; i < cp->count; i++)
		if (!write_entry(b, order[i], &at, err)) return false;
	ckpt_buffer_char(b, '}');
	ckpt_buffer_fill(b, ' ', -b->length % 8);
	if (!ckpt_buffer_ok(b, err)) return false;
	if (b->length - 8 > limit)
		return ckpt_fail_limit(err, "the length of the safetensors header", b->length - 8, "header-bytes",
		                       limit);
	ckpt_put64(length, b->length - 8);
	memcpy(b->data, length, sizeof length);
	return true;
}

static ckpt_layout *st_plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                            ckpt_error *err)
{
	(void)path;
	ckpt_limits limits = ckpt_limits_resolve(options ? &options->limits : NULL);
	ckpt_buffer header = {0};
	ckpt_layout *layout = ckpt_layout_new(err), *result = NULL;
	const ckpt_tensor **order = malloc((cp->count ? cp->count : 1) * sizeof *order);
	if (!order) ckpt_fail_nomem(err);
	if (!layout || !order) goto done;
	for (size_t i = 0; i < cp->count; i++) order[i] = &cp->tensors[i];
	qsort(order, cp->count, sizeof *order, compare_tensors);
	if (!write_header(&header, cp, order, limits.header_bytes, err)) goto done;
	if (!ckpt_layout_bytes(layout, header.data, header.length, err)) goto done;
	for (size_t i = 0; i < cp->count; i++)
		if (!ckpt_layout_source(layout, order[i]->source, order[i]->name, err)) goto done;
	layout->tensors = cp->count;
	result = layout;
	layout = NULL;
done:
	ckpt_buffer_free(&header);
	free(order);
	ckpt_layout_free(layout);
	return result;
}

static bool st_holds_dtype(ckpt_dtype dtype)
{
	return ckpt_dtype_get(dtype)->safetensors;
}

static const char *const st_suffixes[] = {".safetensors", NULL};

const ckpt_format ckpt_format_safetensors = {
	.name = "safetensors",
	.summary = "safetensors: a JSON header and plain tensor data",
	.suffixes = st_suffixes,
	.holds = CKPT_HOLDS_METADATA,
	.probe = st_probe,
	.open = st_open,
	.holds_dtype = st_holds_dtype,
	.plan = st_plan,
	.shard_stem = "model",
	.shard_suffix = "safetensors",
};
