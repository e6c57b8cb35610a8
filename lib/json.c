/* json.c -- strict JSON over cJSON: exact integers, no duplicate keys, bounded depth */
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "error.h"
#include "json.h"
#include "json_scan.h"
#include "utf8.h"

static size_t usable_depth(uint64_t depth)
{
	return depth < CKPT_JSON_MAX_DEPTH ? (size_t)depth : CKPT_JSON_MAX_DEPTH;
}

/* ---- duplicate keys -------------------------------------------------------------------------------------------- */

/* Sorted by a hash and then by text: names chosen to collide cost a string comparison, never a quadratic walk. */
typedef struct key_entry {
	uint64_t hash;
	const char *text;
} key_entry;

static uint64_t key_hash(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (; *text; text++) hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
	return hash;
}

static int compare_keys(const void *a, const void *b)
{
	const key_entry *x = a, *y = b;
	if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
	return strcmp(x->text, y->text);
}

static bool fail_duplicate(const char *key, ckpt_error *err)
{
	return ckpt_fail(err, CKPT_E_FORMAT, "invalid JSON: duplicate key '%s'", key);
}

static bool check_entries(key_entry *entries, size_t count, ckpt_error *err)
{
	if (count < 2) return true;
	qsort(entries, count, sizeof *entries, compare_keys);
	for (size_t i = 1; i < count; i++)
		if (compare_keys(&entries[i - 1], &entries[i]) == 0) return fail_duplicate(entries[i].text, err);
	return true;
}

static bool check_object(const cJSON *object, ckpt_error *err)
{
	enum { FEW = 8 };
	size_t count = 0;
	for (const cJSON *i = object->child; i; i = i->next) count++;
	if (count <= FEW) {
		for (const cJSON *i = object->child; i; i = i->next)
			for (const cJSON *k = i->next; k; k = k->next)
				if (strcmp(i->string, k->string) == 0) return fail_duplicate(i->string, err);
		return true;
	}
	key_entry *entries = malloc(count * sizeof *entries);
	if (!entries) return ckpt_fail_nomem(err);
	size_t n = 0;
	for (const cJSON *i = object->child; i; i = i->next) entries[n++] = (key_entry){key_hash(i->string), i->string};
	bool ok = check_entries(entries, count, err);
	free(entries);
	return ok;
}

/* Every object of the tree, in document order, without recursion. */
static bool check_tree(const cJSON *root, ckpt_error *err)
{
	const cJSON *parents[CKPT_JSON_MAX_DEPTH + 1];
	size_t level = 0;
	const cJSON *v = root;
	while (v) {
		if (cJSON_IsObject(v) && !check_object(v, err)) return false;
		if (v->child) {
			parents[level++] = v;
			v = v->child;
			continue;
		}
		while (level > 0 && !v->next) v = parents[--level];
		v = level > 0 ? v->next : NULL;
	}
	return true;
}

/* ---- parsing --------------------------------------------------------------------------------------------------- */

ckpt_json *ckpt_json_parse(const char *text, size_t length, uint64_t depth, ckpt_error *err)
{
	ckpt_buffer out = {0};
	ckpt_json_scanner s = {(const unsigned char *)text, length, 0, usable_depth(depth), &out, err};
	cJSON *root = NULL;
	if (!ckpt_json_scan_value(&s, s.depth) || !ckpt_json_scan_end(&s) || !ckpt_buffer_ok(&out, err)) goto done;
	root = cJSON_ParseWithLength(out.data, out.length);
	if (!root) {
		ckpt_fail_nomem(err); /* the text is known to be good */
	} else if (!check_tree(root, err)) {
		cJSON_Delete(root);
		root = NULL;
	}
done:
	ckpt_buffer_free(&out);
	return root;
}

void ckpt_json_free(ckpt_json *root)
{
	cJSON_Delete(root);
}

/* Keys of the members that were visited, decoded, and where each starts. */
typedef struct key_list {
	ckpt_buffer text;
	size_t *starts;
	size_t count, capacity;
} key_list;

/* Decodes the quoted key at text, a checked string, by cJSON unless nothing is to be decoded. */
static bool keep_key(key_list *keys, const char *text, size_t length, ckpt_error *err)
{
	if (keys->count == keys->capacity) {
		size_t capacity = keys->capacity ? keys->capacity * 2 : 8;
		size_t *grown = realloc(keys->starts, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		keys->starts = grown;
		keys->capacity = capacity;
	}
	keys->starts[keys->count++] = keys->text.length;
	if (!memchr(text, '\\', length)) {
		ckpt_buffer_add(&keys->text, text + 1, length - 2);
	} else {
		cJSON *decoded = cJSON_ParseWithLength(text, length);
		if (!decoded) return ckpt_fail_nomem(err);
		ckpt_buffer_str(&keys->text, decoded->valuestring);
		cJSON_Delete(decoded);
	}
	ckpt_buffer_char(&keys->text, '\0');
	return ckpt_buffer_ok(&keys->text, err);
}

static bool check_key_list(const key_list *keys, ckpt_error *err)
{
	if (keys->count < 2) return true;
	key_entry *entries = malloc(keys->count * sizeof *entries);
	if (!entries) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < keys->count; i++) {
		const char *key = keys->text.data + keys->starts[i];
		entries[i] = (key_entry){key_hash(key), key};
	}
	bool ok = check_entries(entries, keys->count, err);
	free(entries);
	return ok;
}

static bool visit_members(ckpt_json_scanner *s, key_list *keys, ckpt_json_visit_fn visit, void *user)
{
	ckpt_json_skip_space(s);
	if (ckpt_json_peek(s) != '{') return ckpt_json_fail_unexpected(s, "an object ('{')");
	s->at++;
	ckpt_json_skip_space(s);
	bool more = ckpt_json_peek(s) != '}';
	if (!more) s->at++;
	while (more) {
		ckpt_json_skip_space(s);
		const char *key = (const char *)s->text + s->at;
		if (!ckpt_json_scan_key(s)) return false;
		const char *key_end = (const char *)s->text + s->at - 1;
		while (*key_end != '"') key_end--;
		if (!keep_key(keys, key, (size_t)(key_end - key) + 1, s->err)) return false;
		ckpt_json_skip_space(s);
		size_t start = s->at;
		if (!ckpt_json_scan_value(s, s->depth - 1)) return false;
		if (!visit(user, keys->text.data + keys->starts[keys->count - 1], (const char *)s->text + start,
		           s->at - start, s->err))
			return false;
		if (!ckpt_json_scan_separator(s, '}', &more)) return false;
	}
	return ckpt_json_scan_end(s);
}

bool ckpt_json_each_member(const char *text, size_t length, uint64_t depth, ckpt_json_visit_fn visit, void *user,
                           ckpt_error *err)
{
	ckpt_json_scanner s = {(const unsigned char *)text, length, 0, usable_depth(depth), NULL, err};
	if (s.depth == 0) return ckpt_fail_limit(err, "the nesting of the JSON", 1, "depth", 0);
	key_list keys = {0};
	bool ok = visit_members(&s, &keys, visit, user) && check_key_list(&keys, err);
	ckpt_buffer_free(&keys.text);
	free(keys.starts);
	return ok;
}

const char *ckpt_json_text_kind(const char *value)
{
	switch (*value) {
	case '{':
		return "an object";
	case '[':
		return "an array";
	case '"':
		return "a string";
	case 'n':
		return "null";
	case 't':
	case 'f':
		return "a boolean";
	default:
		return "a number";
	}
}

/* ---- looking at nodes ------------------------------------------------------------------------------------------ */

ckpt_json_kind ckpt_json_get_kind(const ckpt_json *v)
{
	if (cJSON_IsObject(v)) return CKPT_JSON_OBJECT;
	if (cJSON_IsArray(v)) return CKPT_JSON_ARRAY;
	if (cJSON_IsString(v)) return v->valuestring[0] == 'n' ? CKPT_JSON_NUMBER : CKPT_JSON_STRING;
	return cJSON_IsBool(v) ? CKPT_JSON_BOOL : CKPT_JSON_NULL;
}

const char *ckpt_json_kind_name(const ckpt_json *v)
{
	static const char *const names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
	return names[ckpt_json_get_kind(v)];
}

const ckpt_json *ckpt_json_child(const ckpt_json *v)
{
	return v->child;
}

const ckpt_json *ckpt_json_next(const ckpt_json *v)
{
	return v->next;
}

const char *ckpt_json_key(const ckpt_json *v)
{
	return v->string;
}

const char *ckpt_json_string(const ckpt_json *v)
{
	return ckpt_json_get_kind(v) == CKPT_JSON_STRING ? v->valuestring + 1 : NULL;
}

const char *ckpt_json_number(const ckpt_json *v)
{
	return ckpt_json_get_kind(v) == CKPT_JSON_NUMBER ? v->valuestring + 1 : NULL;
}

bool ckpt_json_is_true(const ckpt_json *v)
{
	return cJSON_IsTrue(v);
}

bool ckpt_json_u64(const ckpt_json *v, uint64_t *out)
{
	const char *digits = ckpt_json_number(v);
	if (!digits) return false;
	uint64_t value = 0;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9') return false;
		if (__builtin_mul_overflow(value, (uint64_t)10, &value)) return false;
		if (__builtin_add_overflow(value, (uint64_t)(*digits - '0'), &value)) return false;
	}
	*out = value;
	return true;
}

bool ckpt_json_i64(const ckpt_json *v, int64_t *out)
{
	const char *digits = ckpt_json_number(v);
	if (!digits) return false;
	bool negative = *digits == '-';
	if (negative && strcmp(digits, "-0") == 0) return false;
	int64_t value = 0;
	for (digits += negative; *digits; digits++) {
		if (*digits < '0' || *digits > '9') return false;
		int64_t digit = negative ? -(*digits - '0') : *digits - '0';
		if (__builtin_mul_overflow(value, (int64_t)10, &value)) return false;
		if (__builtin_add_overflow(value, digit, &value)) return false;
	}
	*out = value;
	return true;
}

bool ckpt_json_f64(const ckpt_json *v, double *out)
{
	const char *digits = ckpt_json_number(v);
	if (!digits) return false;
	/* the decimal point of the process's locale must not matter */
	locale_t plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	if (!plain) return false;
	double value = strtod_l(digits, NULL, plain);
	freelocale(plain);
	if (!isfinite(value)) return false;
	*out = value;
	return true;
}

const ckpt_json *ckpt_json_member(const ckpt_json *object, const char *key)
{
	if (ckpt_json_get_kind(object) != CKPT_JSON_OBJECT) return NULL;
	for (const cJSON *i = object->child; i; i = i->next)
		if (strcmp(i->string, key) == 0) return i;
	return NULL;
}

const ckpt_json *ckpt_json_field(const ckpt_json *v, const char *key)
{
	const ckpt_json *m = v ? ckpt_json_member(v, key) : NULL;
	return m && ckpt_json_get_kind(m) != CKPT_JSON_NULL ? m : NULL;
}

const char *ckpt_json_field_string(const ckpt_json *v, const char *key)
{
	const ckpt_json *m = ckpt_json_field(v, key);
	return m && ckpt_json_get_kind(m) == CKPT_JSON_STRING ? ckpt_json_string(m) : NULL;
}

bool ckpt_json_field_flag(const ckpt_json *v, const char *key, bool missing)
{
	const ckpt_json *m = ckpt_json_field(v, key);
	return m && ckpt_json_get_kind(m) == CKPT_JSON_BOOL ? ckpt_json_is_true(m) : missing;
}

/* ---- writing --------------------------------------------------------------------------------------------------- */

static void write_unit(ckpt_buffer *b, uint32_t unit)
{
	ckpt_buffer_printf(b, "\\u%04x", unit);
}

/* The letter behind the backslash for characters that have a short escape, or 0. */
static char short_escape(unsigned char c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\t':
		return 't';
	case '\n':
		return 'n';
	case '\f':
		return 'f';
	case '\r':
		return 'r';
	default:
		return 0;
	}
}

void ckpt_json_write_string(ckpt_buffer *b, const char *text, size_t length, bool ascii)
{
	const unsigned char *p = (const unsigned char *)text;
	ckpt_buffer_char(b, '"');
	for (size_t i = 0, n; i < length; i += n) {
		size_t plain = i;
		while (plain < length && p[plain] >= 0x20 && p[plain] < 0x7f && p[plain] != '"' && p[plain] != '\\')
			plain++;
		n = plain - i;
		if (n > 0) {
			ckpt_buffer_add(b, p + i, n);
			continue;
		}
		uint32_t c;
		n = ckpt_utf8_decode(text + i, length - i, &c);
		if (n == 0) {
			write_unit(b, 0xdc00u + p[i]);
			n = 1;
		} else if (short_escape(p[i])) {
			ckpt_buffer_char(b, '\\');
			ckpt_buffer_char(b, short_escape(p[i]));
		} else if (p[i] >= 0x20 && !ascii) {
			ckpt_buffer_add(b, p + i, n);
		} else {
			if (c >= 0x10000) {
				write_unit(b, 0xd7c0u + (c >> 10));
				c = 0xdc00u | (c & 0x3ffu);
			}
			write_unit(b, c);
		}
	}
	ckpt_buffer_char(b, '"');
}
