/* scan_pickle.c -- the loader's pickle machine in record mode, over one stream, a run of streams, or bytes in between */
#include "scan.h"

#include "../../formats/npy_header.h"
#include "../../formats/pickle_names.h"
#include "../../formats/pickle_read.h"
#include "../checked.h"
#include "../error.h"
#include "../utf8.h"

#include <stdlib.h>
#include <string.h>

typedef struct recorder {
	ckpt_scan *scan;
	bool probing;
	bool storages; /* persistent ids that are storages are expected */
	size_t imports; /* names seen */
	size_t harmful; /* of these, dangerous */
} recorder;

static bool plain_name(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7f) return false;
	return true;
}

/* How numpy stores the arrays and scalars that training states hold: bytes and a dtype, no code. */
static bool plain_numpy(const ckpt_pickle_event *e)
{
	static const char *const names[][2] = {
		{"multiarray", "scalar"}, {"multiarray", "_reconstruct"}, {"numeric", "_frombuffer"}};
	if (e->odd) return false;
	if (strcmp(e->module, "numpy") == 0) return strcmp(e->name, "ndarray") == 0 || (e->called && strcmp(e->name, "dtype") == 0);
	size_t n = strncmp(e->module, "numpy.core.", 11) == 0 ? 11 : strncmp(e->module, "numpy._core.", 12) == 0 ? 12 : 0;
	for (size_t i = 0; n && e->called && i < sizeof names / sizeof *names; i++)
		if (strcmp(e->module + n, names[i][0]) == 0 && strcmp(e->name, names[i][1]) == 0) return true;
	return false;
}

static void remember(ckpt_scan *s, const ckpt_pickle_event *e)
{
	for (size_t i = 0; i < s->name_count; i++)
		if (strcmp(s->names[i].module, e->module) == 0 && strcmp(s->names[i].name, e->name) == 0) {
			s->names[i].called |= e->called;
			return;
		}
	if (s->name_count == s->name_capacity) {
		size_t capacity = s->name_capacity ? s->name_capacity * 2 : 16;
		ckpt_scan_name *names = reallocarray(s->names, capacity, sizeof *names);
		if (!names) {
			s->failed = true;
			return;
		}
		s->names = names;
		s->name_capacity = capacity;
	}
	char *module = strdup(e->module), *name = strdup(e->name), *record = strdup(e->record);
	if (!module || !name || !record) {
		s->failed = true;
		free(module);
		free(name);
		free(record);
		return;
	}
	s->names[s->name_count++] = (ckpt_scan_name){module, name, record, e->offset, e->called};
}

static void imported(recorder *r, const ckpt_pickle_event *e)
{
	ckpt_scan *s = r->scan;
	r->imports++;
	bool inert = ckpt_pickle_name_inert(e->module, e->name);
	bool forged_dtype = strcmp(e->module, "numpy") == 0 && strcmp(e->name, "dtype") == 0;
	if (e->class == CKPT_PICKLE_DANGEROUS && !inert) r->harmful++;
	if (r->probing) return;
	if (!plain_name(e->module) || !plain_name(e->name))
		ckpt_scan_add(s, CKPT_FOUND_ODD_NAME, e->record, e->offset, e->opcode, e->module, e->name, e->called,
		              "imports %s.%s, a name with odd characters", e->module, e->name);
	if (e->class == CKPT_PICKLE_DANGEROUS && !inert && s->unread)
		ckpt_scan_add(s, CKPT_FOUND_HIDDEN_PICKLE, e->record, e->offset, e->opcode, e->module, e->name, e->called,
		              "a hidden pickle %s %s.%s", e->called ? "calls" : "imports", e->module, e->name);
	else if (e->class == CKPT_PICKLE_DANGEROUS && !inert)
		ckpt_scan_add(s, e->called ? CKPT_FOUND_DANGEROUS_CALL : CKPT_FOUND_DANGEROUS_NAME, e->record, e->offset, e->opcode,
		              e->module, e->name, e->called, "%s %s.%s%s", e->called ? "calls" : "imports", e->module, e->name,
		              forged_dtype ? " and forges its state, so that numbers would be taken for addresses" : "");
	else if (e->class == CKPT_PICKLE_KNOWN || plain_numpy(e))
		remember(s, e);
	else
		ckpt_scan_add(s, CKPT_FOUND_UNKNOWN_NAME, e->record, e->offset, e->opcode, e->module, e->name, e->called, "%s %s.%s",
		              e->called ? "calls" : "imports", e->module, e->name);
}

static void on_event(void *user, const ckpt_pickle_event *e)
{
	recorder *r = user;
	if (e->kind == CKPT_PICKLE_GLOBAL) {
		imported(r, e);
		return;
	}
	if (e->kind == CKPT_PICKLE_UNRESOLVED) r->harmful++;
	if (r->probing) return;
	static const struct {
		ckpt_finding_kind kind;
		const char *text;
	} table[] = {
		[CKPT_PICKLE_UNRESOLVED] = {CKPT_FOUND_UNRESOLVED, "imports a name that is computed"},
		[CKPT_PICKLE_COMPUTED] = {CKPT_FOUND_COMPUTED_CALL, "calls something that is no imported name"},
		[CKPT_PICKLE_DROPPED] = {CKPT_FOUND_DROPPED_CALL, "throws the result of a call away"},
		[CKPT_PICKLE_EXTENSION] = {CKPT_FOUND_EXTENSION, "uses an extension code"},
		[CKPT_PICKLE_PERSISTENT] = {CKPT_FOUND_PERSISTENT, "refers to something outside that is no storage"},
	};
	ckpt_scan_add(r->scan, table[e->kind].kind, e->record, e->offset, e->opcode, NULL, NULL, false, "%s", table[e->kind].text);
}

static bool is_word(const ckpt_value *v, const char *word)
{
	bool string = v->kind == CKPT_VALUE_STRING || v->kind == CKPT_VALUE_BYTES;
	return string && v->u.text.length == strlen(word) && memcmp(v->u.text.bytes, word, v->u.text.length) == 0;
}

/* Keeps the key of a storage, which is the name of its record in an archive. */
static void note_storage(ckpt_scan *s, const ckpt_value *key)
{
	if (key->kind != CKPT_VALUE_STRING) return;
	size_t n = key->u.text.length;
	uint32_t found;
	const char *text = ckpt_arena_copy(&s->arena, key->u.text.bytes, n);
	if (!text || (!s->keys.slots && !ckpt_text_index_init(&s->keys, 16, false, NULL)) ||
	    !ckpt_text_index_add(&s->keys, text, n, 0, &found, NULL))
		s->failed = true;
}

/* ("storage", class, key, location, count[, view]), in old files ("module", class, file, source) too, whose source is
 * only compared; the tar files of torch 0.1 refer to tensors by their number. */
static ckpt_value *on_persistent(void *user, ckpt_value *id, bool text, ckpt_error *err)
{
	const recorder *r = user;
	if (!text && id->kind == CKPT_VALUE_TUPLE && id->u.list.count >= 5 && is_word(id->u.list.items[0], "storage")) {
		note_storage(r->scan, id->u.list.items[2]);
		return id;
	}
	if (!text && id->kind == CKPT_VALUE_TUPLE && id->u.list.count == 4 && is_word(id->u.list.items[0], "module"))
		return id->u.list.items[1];
	(void)err;
	bool number = id->kind == CKPT_VALUE_INT || id->kind == CKPT_VALUE_STRING || id->kind == CKPT_VALUE_BYTES;
	return r->scan->tar && number ? id : NULL;
}

bool ckpt_scan_pickle(ckpt_scan *s, const uint8_t *data, size_t length, const char *record, uint64_t base, bool probing,
                      size_t *consumed)
{
	recorder r = {.scan = s, .probing = true};
	ckpt_arena arena = {0};
	ckpt_pickle_result result = {0};
	ckpt_error err = {0};
	ckpt_pickle_options options = {.arena = &arena, .limits = s->limits, .record = record, .base = base,
	                               .persistent = on_persistent, .record_event = on_event, .user = &r, .ran_out = &s->ran_out};
	*consumed = 0;
	s->ran_out = false;
	bool ok = false, worth = true;
	if (probing) { /* once in silence: most bytes that look like a pickle are none */
		ok = ckpt_pickle_read(data, length, &options, &result, &err);
		worth = (ok && r.imports > 0) || r.harmful > 0;
		ckpt_arena_free(&arena);
		arena = (ckpt_arena){0};
		r = (recorder){.scan = s};
	}
	if (worth) {
		r.probing = false;
		err = (ckpt_error){0};
		ok = ckpt_pickle_read(data, length, &options, &result, &err);
		if (!ok && !probing)
			ckpt_scan_add(s, err.code == CKPT_E_LIMIT ? CKPT_FOUND_LIMIT : CKPT_FOUND_BAD_PICKLE, record, UINT64_MAX, NULL, NULL,
			              NULL, false, "%s", err.text);
		if (ok && result.left)
			ckpt_scan_add(s, CKPT_FOUND_TRAILING, record, UINT64_MAX, NULL, NULL, NULL, false,
			              "STOP leaves %zu values on the stack", result.left);
		s->opcodes += result.opcodes;
		if (result.protocol > s->protocol) s->protocol = result.protocol;
	}
	ckpt_arena_free(&arena);
	s->broke = !ok;
	if (ok || !probing) *consumed = result.consumed;
	return worth && (ok || r.harmful > 0);
}

/* An array whose header makes no plain one may be of objects, however its dtype is spelt. */
bool ckpt_scan_array(ckpt_scan *s, const uint8_t *data, size_t length, uint64_t size, const char *record)
{
	ckpt_npy_header h;
	size_t consumed = 0;
	if (length < CKPT_NPY_PREFIX || memcmp(data, CKPT_NPY_MAGIC, CKPT_NPY_MAGIC_LENGTH) != 0) return true;
	uint64_t header = data[6] == 1 ? (uint64_t)(data[8] | data[9] << 8) + 10 : (uint64_t)ckpt_le32(data + 8) + 12;
	if (header > length) {
		if (length < size) return false;
		header = length;
	}
	if (ckpt_npy_header_parse(data, (size_t)header, size, &h, NULL)) return true;
	if (length < size) return false;
	bool objects = memmem(data, (size_t)header, "'|O'", 4) || memmem(data, (size_t)header, "'O'", 3);
	data += header;
	length -= (size_t)header;
	if (ckpt_scan_pickle(s, data, length, record, header, !objects, &consumed)) objects = true;
	if (objects)
		ckpt_scan_add(s, CKPT_FOUND_OBJECT_ARRAY, record, header, NULL, NULL, NULL, false, "an array of objects: a pickle follows its header");
	if (objects && consumed && consumed < length)
		ckpt_scan_add(s, CKPT_FOUND_TRAILING, record, header + consumed, NULL, NULL, NULL, false, "%zu bytes follow the end of the pickle",
		              length - consumed);
	return true;
}

/* ---- streams in a file ---- */

/* A window of the file in memory: mapped; a file that shrinks meanwhile makes the scan incomplete. */
static ckpt_mapping *window(ckpt_scan *s, ckpt_file *f, uint64_t offset, uint64_t end, uint64_t most, size_t *length)
{
	ckpt_error err = {0};
	uint64_t n = end - offset < most ? end - offset : most;
	ckpt_mapping *m = ckpt_mapping_new(f, offset, n, &err);
	if (!m) ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, NULL, offset, NULL, NULL, NULL, false, "%s", err.text);
	*length = (size_t)n;
	return m;
}

static void close_window(ckpt_scan *s, ckpt_mapping *m)
{
	ckpt_error err = {0};
	if (m && !ckpt_mapping_check(m, &err))
		ckpt_scan_add(s, CKPT_FOUND_NOT_LOOKED_AT, NULL, UINT64_MAX, NULL, NULL, NULL, false, "%s", err.text);
	ckpt_mapping_free(m);
}

static bool binary_start(const uint8_t *p)
{
	return p[0] == 0x80 && p[1] >= 1 && p[1] <= 5;
}

uint64_t ckpt_scan_stacked(ckpt_scan *s, ckpt_file *f, uint64_t offset, uint64_t end, const char *record)
{
	enum { STREAMS = 5 };
	uint64_t broken = 0; /* behind the start of the first that broke */
	for (int i = 0; i < STREAMS && offset < end; i++) {
		size_t length, consumed;
		ckpt_mapping *m = window(s, f, offset, end, s->limits.pickle_bytes, &length);
		if (!m) return offset;
		ckpt_scan_pickle(s, ckpt_mapping_data(m), length, record, offset, i > 0 && !binary_start(ckpt_mapping_data(m)), &consumed);
		close_window(s, m);
		if (s->broke && !broken) broken = offset + 1;
		if (consumed == 0) break;
		offset += consumed;
	}
	return broken ? broken : offset;
}

void ckpt_scan_search(ckpt_scan *s, ckpt_file *f, uint64_t offset, uint64_t end, const char *record)
{
	enum { TRIES = 20000, FOUND = 4096, LONG = 16 };
	const uint64_t most = (uint64_t)256 << 20;
	size_t length, tries = 0, found = 0, longer = 0;
	if (offset >= end) return;
	ckpt_mapping *m = window(s, f, offset, end, most, &length);
	if (!m) return;
	const uint8_t *data = ckpt_mapping_data(m);
	for (size_t i = 0; i + 4 < length && tries < TRIES && found < FOUND;) {
		const uint8_t *p = memchr(data + i, 0x80, length - i - 2);
		if (!p) break;
		i = (size_t)(p - data);
		size_t consumed = 0;
		if (binary_start(p)) {
			size_t rest = length - i < ((size_t)1 << 20) ? length - i : (size_t)1 << 20;
			tries++;
			bool is = ckpt_scan_pickle(s, p, rest, record, offset + i, true, &consumed);
			if (s->ran_out && rest < length - i && longer++ < LONG)
				is = ckpt_scan_pickle(s, p, length - i, record, offset + i, true, &consumed);
			if (is) {
				found++;
				if (!s->tar) /* whose members are pickles with data between them */
					ckpt_scan_add(s, CKPT_FOUND_HIDDEN_PICKLE, record, offset + i, NULL, NULL, NULL, false,
					              "a pickle stands at offset %llu, where none is expected", (unsigned long long)(offset + i));
			}
		}
		i += consumed ? consumed : 1;
	}
	close_window(s, m);
	if (tries == TRIES || found == FOUND || longer > LONG || end - offset > most)
		ckpt_scan_add(s, CKPT_FOUND_LIMIT, record, UINT64_MAX, NULL, NULL, NULL, false,
		              "%llu unaccounted bytes are too many to search all of them", (unsigned long long)(end - offset));
}
