/* node.c -- a JSON value that can be changed, kept in order, and printed as Python's json module prints it */
#include "node.h"
#include "../error.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ckpt_node *ckpt_node_new(ckpt_arena *a, ckpt_node_kind kind)
{
	ckpt_node *node = ckpt_arena_alloc(a, sizeof *node);
	if (node) node->kind = kind;
	return node;
}

ckpt_node *ckpt_node_new_bool(ckpt_arena *a, bool value)
{
	ckpt_node *node = ckpt_node_new(a, CKPT_NODE_BOOL);
	if (node) node->boolean = value;
	return node;
}

static ckpt_node *new_text(ckpt_arena *a, ckpt_node_kind kind, const char *text)
{
	ckpt_node *node = ckpt_node_new(a, kind);
	if (node) node->text = ckpt_arena_copy(a, text, strlen(text));
	return node && node->text ? node : NULL;
}

ckpt_node *ckpt_node_new_int(ckpt_arena *a, uint64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRIu64, value);
	return new_text(a, CKPT_NODE_INT, text);
}

ckpt_node *ckpt_node_new_float(ckpt_arena *a, double value)
{
	ckpt_node *node = ckpt_node_new(a, CKPT_NODE_FLOAT);
	if (node) node->real = value;
	return node;
}

ckpt_node *ckpt_node_new_string(ckpt_arena *a, const char *text) { return new_text(a, CKPT_NODE_STRING, text); }

/* ---- building -------------------------------------------------------------------------------------------------- */

void ckpt_node_append(ckpt_node *list, ckpt_node *item)
{
	item->parent = list;
	item->next = NULL;
	if (list->last)
		list->last->next = item;
	else
		list->child = item;
	list->last = item;
	list->count++;
}

static ckpt_node *from_number(ckpt_arena *a, const ckpt_json *json, ckpt_error *err)
{
	const char *text = ckpt_json_number(json);
	ckpt_node *node;
	double real;
	if (!text[strcspn(text, ".eE")]) {
		node = new_text(a, CKPT_NODE_INT, text);
	} else {
		if (!ckpt_json_f64(json, &real) || !isfinite(real)) {
			ckpt_fail(err, CKPT_E_FORMAT, "the number %s is beyond the range of a double", text);
			return NULL;
		}
		node = ckpt_node_new_float(a, real);
	}
	if (!node) ckpt_fail_nomem(err);
	return node;
}

/* One value without its children. */
static ckpt_node *from_one(ckpt_arena *a, const ckpt_json *json, ckpt_error *err)
{
	ckpt_node *node = NULL;
	switch (ckpt_json_get_kind(json)) {
	case CKPT_JSON_NULL: node = ckpt_node_new(a, CKPT_NODE_NULL); break;
	case CKPT_JSON_BOOL: node = ckpt_node_new_bool(a, ckpt_json_is_true(json)); break;
	case CKPT_JSON_NUMBER: return from_number(a, json, err);
	case CKPT_JSON_STRING: node = ckpt_node_new_string(a, ckpt_json_string(json)); break;
	case CKPT_JSON_ARRAY: node = ckpt_node_new(a, CKPT_NODE_LIST); break;
	case CKPT_JSON_OBJECT: node = ckpt_node_new(a, CKPT_NODE_DICT); break;
	}
	if (!node) ckpt_fail_nomem(err);
	return node;
}

ckpt_node *ckpt_node_from_json(ckpt_arena *a, const ckpt_json *json, ckpt_error *err)
{
	const ckpt_json *waiting[CKPT_NODE_DEPTH + 1]; /* next sibling to take on each level */
	size_t depth = 0;
	ckpt_node *root = from_one(a, json, err), *parent = root;
	if (!root) return NULL;
	waiting[0] = ckpt_json_child(json);
	for (;;) {
		const ckpt_json *at = waiting[depth];
		if (!at) {
			if (depth-- == 0) return root;
			parent = parent->parent;
			continue;
		}
		waiting[depth] = ckpt_json_next(at);
		ckpt_node *node = from_one(a, at, err);
		if (!node) return NULL;
		if (parent->kind == CKPT_NODE_DICT) {
			const char *key = ckpt_json_key(at);
			node->key = ckpt_arena_copy(a, key, strlen(key));
			if (!node->key) return ckpt_fail_nomem(err), NULL;
		}
		ckpt_node_append(parent, node);
		if (!ckpt_json_child(at)) continue;
		if (++depth > CKPT_NODE_DEPTH) {
			ckpt_fail(err, CKPT_E_LIMIT, "JSON is nested deeper than %d levels", CKPT_NODE_DEPTH);
			return NULL;
		}
		waiting[depth] = ckpt_json_child(at);
		parent = node;
	}
}

ckpt_node *ckpt_node_parse(ckpt_arena *a, const char *text, size_t length, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_json *json = ckpt_json_parse(text, length, CKPT_NODE_DEPTH, &why);
	if (!json && why.code == CKPT_E_LIMIT)
		ckpt_fail(err, CKPT_E_LIMIT, "the JSON is nested deeper than %d levels", CKPT_NODE_DEPTH);
	else if (!json && err)
		*err = why;
	ckpt_node *node = json ? ckpt_node_from_json(a, json, err) : NULL;
	ckpt_json_free(json);
	return node;
}

/* The node after this one in a walk of everything below root, or NULL. */
static const ckpt_node *following(const ckpt_node *node, const ckpt_node *root)
{
	if (node->child) return node->child;
	while (node != root && !node->next) node = node->parent;
	return node == root ? NULL : node->next;
}

ckpt_node *ckpt_node_copy(ckpt_arena *a, const ckpt_node *root)
{
	ckpt_node *copy = NULL, *parent = NULL;
	const ckpt_node *before = NULL;
	for (const ckpt_node *at = root; at; before = at, at = following(at, root)) {
		ckpt_node *node = ckpt_node_new(a, at->kind);
		if (!node) return NULL;
		node->boolean = at->boolean;
		node->real = at->real;
		if (at->text && !(node->text = ckpt_arena_copy(a, at->text, strlen(at->text)))) return NULL;
		if (!copy) {
			copy = parent = node;
			continue;
		}
		if (at->key && !(node->key = ckpt_arena_copy(a, at->key, strlen(at->key)))) return NULL;
		/* parent is the copy of `before`; climb as the walk did */
		for (const ckpt_node *up = before; up != at->parent; up = up->parent) parent = parent->parent;
		ckpt_node_append(parent, node);
		parent = node;
	}
	return copy;
}

/* ---- members --------------------------------------------------------------------------------------------------- */

ckpt_node *ckpt_node_get(const ckpt_node *dict, const char *key)
{
	if (!dict || dict->kind != CKPT_NODE_DICT) return NULL;
	for (ckpt_node *n = dict->child; n; n = n->next)
		if (!strcmp(n->key, key)) return n;
	return NULL;
}

bool ckpt_node_put(ckpt_arena *a, ckpt_node *dict, const char *key, ckpt_node *value, ckpt_error *err)
{
	ckpt_node *before = NULL, *old = NULL;
	if (!value) return ckpt_fail_nomem(err);
	value->key = ckpt_arena_copy(a, key, strlen(key));
	if (!value->key) return ckpt_fail_nomem(err);
	for (old = dict->child; old && strcmp(old->key, key); old = old->next) before = old;
	if (!old) {
		ckpt_node_append(dict, value);
		return true;
	}
	value->parent = dict;
	value->next = old->next;
	if (before)
		before->next = value;
	else
		dict->child = value;
	if (dict->last == old) dict->last = value;
	return true;
}

void ckpt_node_remove(ckpt_node *dict, const char *key)
{
	ckpt_node *before = NULL;
	for (ckpt_node *n = dict->child; n; before = n, n = n->next) {
		if (strcmp(n->key, key) != 0) continue;
		if (before)
			before->next = n->next;
		else
			dict->child = n->next;
		if (dict->last == n) dict->last = before;
		dict->count--;
		return;
	}
}

bool ckpt_node_equal(const ckpt_node *a, const ckpt_node *b)
{
	const ckpt_node *x = a, *y = b;
	while (x && y) {
		if (x->kind != y->kind || x->boolean != y->boolean || x->count != y->count) return false;
		if (x->kind == CKPT_NODE_FLOAT && memcmp(&x->real, &y->real, sizeof x->real)) return false;
		if (x->text && strcmp(x->text, y->text)) return false;
		if (x != a && x->key && strcmp(x->key, y->key)) return false;
		x = following(x, a);
		y = following(y, b);
	}
	return x == y;
}

/* ---- numbers --------------------------------------------------------------------------------------------------- */

bool ckpt_node_u64(const ckpt_node *node, uint64_t *out)
{
	uint64_t value = 0;
	if (!node || node->kind != CKPT_NODE_INT) return false;
	for (const char *p = node->text; *p; p++) {
		if (*p < '0' || *p > '9') return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value)) return false;
	}
	*out = value;
	return true;
}

bool ckpt_node_i64(const ckpt_node *node, int64_t *out)
{
	if (!node || node->kind != CKPT_NODE_INT) return false;
	bool negative = node->text[0] == '-';
	ckpt_node digits = *node;
	uint64_t value;
	digits.text += negative;
	if (!ckpt_node_u64(&digits, &value) || value > (uint64_t)INT64_MAX) return false;
	*out = negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool ckpt_node_f64(const ckpt_node *node, double *out)
{
	if (!node) return false;
	if (node->kind == CKPT_NODE_FLOAT) *out = node->real;
	if (node->kind == CKPT_NODE_INT) *out = strtod(node->text, NULL);
	return node->kind == CKPT_NODE_FLOAT || node->kind == CKPT_NODE_INT;
}

/* ---- sorting --------------------------------------------------------------------------------------------------- */

static bool is_decimal(const char *key) { return *key && !key[strspn(key, "0123456789")]; }

static int by_text(const void *a, const void *b)
{
	const ckpt_node *const *x = a, *const *y = b;
	return strcmp((*x)->key, (*y)->key);
}

static int by_number(const void *a, const void *b)
{
	const ckpt_node *const *x = a, *const *y = b;
	size_t m = strlen((*x)->key), n = strlen((*y)->key);
	return m != n ? (m > n) - (m < n) : strcmp((*x)->key, (*y)->key);
}

static bool sort_members(ckpt_node *dict, ckpt_error *err)
{
	size_t count = dict->count, i = 0;
	ckpt_node **members = calloc(count ? count : 1, sizeof(ckpt_node *));
	bool numbers = true;
	if (!members) return ckpt_fail_nomem(err);
	for (ckpt_node *n = dict->child; n; n = n->next) {
		numbers = numbers && is_decimal(n->key);
		members[i++] = n;
	}
	qsort(members, count, sizeof *members, numbers ? by_number : by_text);
	dict->child = dict->last = NULL;
	dict->count = 0;
	for (i = 0; i < count; i++) ckpt_node_append(dict, members[i]);
	free(members);
	return true;
}

bool ckpt_node_sort(ckpt_node *root, ckpt_error *err)
{
	for (ckpt_node *at = root; at;) {
		if (at->kind == CKPT_NODE_DICT && !sort_members(at, err)) return false;
		if (at->child) {
			at = at->child;
			continue;
		}
		while (at != root && !at->next) at = at->parent;
		at = at == root ? NULL : at->next;
	}
	return true;
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

/* Significant digits of |value| without trailing zeros, and its decimal exponent (of the first digit). */
static size_t shortest_digits(double value, char digits[32], int *exponent)
{
	char text[48];
	size_t n = 0;
	for (int precision = 0; precision < 17; precision++) {
		snprintf(text, sizeof text, "%.*e", precision, fabs(value));
		if (strtod(text, NULL) == fabs(value)) break;
	}
	char *e = strchr(text, 'e');
	*exponent = (int)strtol(e + 1, NULL, 10);
	/* whatever stands for the decimal point in this locale is skipped */
	for (char *p = text; p < e; p++)
		if (*p >= '0' && *p <= '9') digits[n++] = *p;
	while (n > 1 && digits[n - 1] == '0') n--;
	digits[n] = '\0';
	return n;
}

void ckpt_float_repr(ckpt_buffer *b, double value)
{
	char digits[32];
	int exponent;
	if (!isfinite(value)) {
		ckpt_buffer_str(b, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
		return;
	}
	size_t n = shortest_digits(value, digits, &exponent);
	if (signbit(value)) ckpt_buffer_char(b, '-');
	if (exponent < -4 || exponent >= 16) {
		ckpt_buffer_char(b, digits[0]);
		if (n > 1) ckpt_buffer_printf(b, ".%s", digits + 1);
		ckpt_buffer_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
	} else if (exponent < 0) {
		ckpt_buffer_str(b, "0.");
		ckpt_buffer_fill(b, '0', (size_t)(-exponent - 1));
		ckpt_buffer_str(b, digits);
	} else {
		size_t whole = (size_t)exponent + 1;
		ckpt_buffer_add(b, digits, n < whole ? n : whole);
		if (n < whole) ckpt_buffer_fill(b, '0', whole - n);
		ckpt_buffer_printf(b, ".%s", n > whole ? digits + whole : "0");
	}
}

static void print_scalar(ckpt_buffer *b, const ckpt_node *node)
{
	switch (node->kind) {
	case CKPT_NODE_NULL: ckpt_buffer_str(b, "null"); break;
	case CKPT_NODE_BOOL: ckpt_buffer_str(b, node->boolean ? "true" : "false"); break;
	case CKPT_NODE_INT: ckpt_buffer_str(b, node->text); break;
	case CKPT_NODE_FLOAT: ckpt_float_repr(b, node->real); break;
	case CKPT_NODE_STRING: ckpt_json_write_string(b, node->text, strlen(node->text), true); break;
	case CKPT_NODE_LIST: ckpt_buffer_char(b, '['); break;
	case CKPT_NODE_DICT: ckpt_buffer_char(b, '{'); break;
	}
	if (node->kind >= CKPT_NODE_LIST && !node->child) ckpt_buffer_char(b, node->kind == CKPT_NODE_LIST ? ']' : '}');
}

static void print_break(ckpt_buffer *b, size_t depth, bool indented)
{
	if (!indented) return;
	ckpt_buffer_char(b, '\n');
	ckpt_buffer_fill(b, ' ', 2 * depth);
}

void ckpt_node_print(ckpt_buffer *b, const ckpt_node *root, bool indented)
{
	size_t depth = 0;
	for (const ckpt_node *at = root; at;) {
		if (at != root && at->key) {
			ckpt_json_write_string(b, at->key, strlen(at->key), true);
			ckpt_buffer_str(b, ": ");
		}
		print_scalar(b, at);
		if (at->child) {
			print_break(b, ++depth, indented);
			at = at->child;
			continue;
		}
		while (at != root && !at->next) {
			at = at->parent;
			print_break(b, --depth, indented);
			ckpt_buffer_char(b, at->kind == CKPT_NODE_LIST ? ']' : '}');
		}
		if (at == root) return;
		ckpt_buffer_str(b, indented ? "," : ", ");
		print_break(b, depth, indented);
		at = at->next;
	}
}

const char *ckpt_node_kind_name(const ckpt_node *node)
{
	static const char *const names[] = {"null", "a boolean", "an integer", "a float", "a string", "a list", "an object"};
	return names[node->kind];
}
