/* values_json.c -- the value tree of a pickle as one JSON value
 *
 * None, bool, int, float, str, list and tuple, dict with string or integer keys become what JSON has for them. Everything
 * else is an object whose first key begins with a dollar sign:
 *   {"$tensor":"name"}        a tensor (null: not among those listed)
 *   {"$float":"nan"}          a number that JSON has not: nan, inf, -inf; {"$int":"0x1f..."}: one written in hexadecimal
 *   {"$bytes":"00ff"}         bytes, bytearray, hexadecimal
 *   {"$set":[...]}            set, frozenset
 *   {"$dict":[[k,v],...]}     a dictionary with other keys, or keys that would read alike or begin with $
 *   {"$global":"torch.int8"}  a name that Python would import
 *   {"$object":"class","arguments":...,"items":[...],"state":...}   a call or instance that Python would make
 *   {"$id":1,"$value":...}    a container that is referenced again as {"$ref":1}
 *   {"$storage":null}, {"$persistent_id":null}, {"$deep":"dict"} (nested deeper than the limit)
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/error.h"
#include "../lib/json.h"
#include "graph.h"
#include "number.h"
#include "values.h"

typedef enum shape { AS_ARRAY, AS_OBJECT, AS_PAIRS, AS_PARTS } shape;

/* A container whose entries are being written. */
typedef struct frame {
	const ckpt_value *value;
	size_t next, count;
	shape shape;
	const char *close;  /* what ends it */
	bool in_items;      /* AS_PARTS: inside "items":[ */
} frame;

typedef struct printer {
	ckpt_graph *graph;
	const ckpt_checkpoint *cp;
	ckpt_buffer *out;
	frame *stack;
	size_t depth, capacity, limit;
	bool failed;
} printer;

static void put_text(ckpt_buffer *b, const ckpt_value *v)
{
	size_t length;
	const char *text = ckpt_value_text(v, &length);
	ckpt_json_write_string(b, text, length, false);
}

static void put_bytes(ckpt_buffer *b, const ckpt_value *v)
{
	static const char digits[] = "0123456789abcdef";
	size_t length;
	const unsigned char *bytes = (const unsigned char *)ckpt_value_text(v, &length);
	ckpt_buffer_str(b, "{\"$bytes\":\"");
	for (size_t i = 0; i < length; i++) {
		ckpt_buffer_char(b, digits[bytes[i] >> 4]);
		ckpt_buffer_char(b, digits[bytes[i] & 15]);
	}
	ckpt_buffer_str(b, "\"}");
}

static void put_float(ckpt_buffer *b, double d)
{
	char text[CKPT_NUMBER_TEXT];
	ckpt_real_text(d, text, sizeof text);
	if (isfinite(d))
		ckpt_buffer_str(b, text);
	else
		ckpt_buffer_printf(b, "{\"$float\":\"%s\"}", text);
}

static void put_bigint(ckpt_buffer *b, const ckpt_value *v)
{
	const char *text = ckpt_value_text(v, NULL);
	if (text[text[0] == '-'] && text[strspn(text, "-0123456789")] == 0)
		ckpt_buffer_str(b, text);
	else
		ckpt_buffer_printf(b, "{\"$int\":\"%s\"}", text);
}

static void put_tensor(const printer *p, ckpt_buffer *b, const ckpt_value *v)
{
	size_t i = ckpt_value_tensor(v);
	const ckpt_tensor *t = i < ckpt_checkpoint_tensor_count(p->cp) ? ckpt_checkpoint_tensor_at(p->cp, i) : NULL;
	ckpt_buffer_str(b, "{\"$tensor\":");
	if (t)
		ckpt_json_write_string(b, ckpt_tensor_name(t), strlen(ckpt_tensor_name(t)), false);
	else
		ckpt_buffer_str(b, "null");
	ckpt_buffer_char(b, '}');
}

static void put_scalar(ckpt_buffer *b, const ckpt_value *v)
{
	switch (ckpt_value_get_kind(v)) {
	case CKPT_VALUE_BOOL:
		ckpt_buffer_str(b, ckpt_value_bool(v) ? "true" : "false");
		break;
	case CKPT_VALUE_INT:
		ckpt_buffer_printf(b, "%" PRId64, ckpt_value_int(v));
		break;
	case CKPT_VALUE_BIGINT:
		put_bigint(b, v);
		break;
	case CKPT_VALUE_FLOAT:
		put_float(b, ckpt_value_float(v));
		break;
	case CKPT_VALUE_STRING:
		put_text(b, v);
		break;
	case CKPT_VALUE_BYTES:
	case CKPT_VALUE_BYTEARRAY:
		put_bytes(b, v);
		break;
	case CKPT_VALUE_GLOBAL:
		ckpt_buffer_str(b, "{\"$global\":");
		put_text(b, v);
		ckpt_buffer_char(b, '}');
		break;
	case CKPT_VALUE_STORAGE:
		ckpt_buffer_str(b, "{\"$storage\":null}");
		break;
	case CKPT_VALUE_PERSID:
		ckpt_buffer_str(b, "{\"$persistent_id\":null}");
		break;
	default:
		ckpt_buffer_str(b, "null");
	}
}

/* The text that a key becomes in a JSON object; false: it has none. */
static bool key_text(const ckpt_value *key, char number[CKPT_NUMBER_TEXT], const char **text, size_t *length)
{
	*text = number;
	if (ckpt_value_get_kind(key) == CKPT_VALUE_STRING) {
		*text = ckpt_value_text(key, length);
		return *length == 0 || (*text)[0] != '$';
	}
	if (ckpt_value_get_kind(key) != CKPT_VALUE_INT) return false;
	*length = (size_t)snprintf(number, CKPT_NUMBER_TEXT, "%" PRId64, ckpt_value_int(key));
	return true;
}

static int by_key(const void *a, const void *b)
{
	char numbers[2][CKPT_NUMBER_TEXT];
	const char *texts[2];
	size_t lengths[2];
	key_text(*(ckpt_value *const *)a, numbers[0], &texts[0], &lengths[0]);
	key_text(*(ckpt_value *const *)b, numbers[1], &texts[1], &lengths[1]);
	size_t shorter = lengths[0] < lengths[1] ? lengths[0] : lengths[1];
	int order = memcmp(texts[0], texts[1], shorter);
	return order ? order : (lengths[0] > lengths[1]) - (lengths[0] < lengths[1]);
}

/* Whether all keys have a text, and no two the same. */
static bool plain_keys(printer *p, const ckpt_value *v, size_t count)
{
	const ckpt_value **keys = calloc(count + 1, sizeof *keys);
	char number[CKPT_NUMBER_TEXT];
	const char *text;
	size_t length;
	bool plain = keys != NULL;
	if (!keys) p->failed = true;
	for (size_t i = 0; i < count && plain; i++) {
		keys[i] = ckpt_child_at(v, i).key;
		plain = key_text(keys[i], number, &text, &length);
	}
	if (plain) qsort(keys, count, sizeof *keys, by_key);
	for (size_t i = 1; i < count && plain; i++) plain = by_key(&keys[i - 1], &keys[i]) != 0;
	free(keys);
	return plain;
}

static bool push(printer *p, frame f)
{
	if (p->depth == p->capacity) {
		size_t capacity = p->capacity ? p->capacity * 2 : 16;
		frame *stack = realloc(p->stack, capacity * sizeof *stack);
		if (!stack) return false;
		p->stack = stack;
		p->capacity = capacity;
	}
	p->stack[p->depth++] = f;
	return true;
}

/* Writes what begins a container and pushes the frame that writes the rest. */
static bool open_container(printer *p, const ckpt_value *v)
{
	static const char *const ends[][2] = {{"]", "]}"}, {"}", "}}"}, {"]}", "]}}"}, {"}", "}}"}};
	frame f = {.value = v, .count = ckpt_child_count(v)};
	size_t number = ckpt_graph_number(p->graph, v);
	ckpt_value_kind kind = ckpt_value_get_kind(v);
	bool set = kind == CKPT_VALUE_SET || kind == CKPT_VALUE_FROZENSET;
	if (number) ckpt_buffer_printf(p->out, "{\"$id\":%zu,\"$value\":", number);
	if (ckpt_value_is_dict(v)) {
		f.shape = plain_keys(p, v, f.count) ? AS_OBJECT : AS_PAIRS;
		ckpt_buffer_str(p->out, f.shape == AS_OBJECT ? "{" : "{\"$dict\":[");
	} else if (kind == CKPT_VALUE_OBJECT) {
		const char *name = ckpt_value_kind_text(v);
		f.shape = AS_PARTS;
		ckpt_buffer_str(p->out, "{\"$object\":");
		ckpt_json_write_string(p->out, name, strlen(name), false);
	} else {
		ckpt_buffer_str(p->out, set ? "{\"$set\":[" : "[");
	}
	f.close = set ? (number ? "]}}" : "]}") : ends[f.shape][number != 0];
	ckpt_graph_show(p->graph, v);
	return push(p, f);
}

static bool put_value(printer *p, const ckpt_value *v)
{
	size_t number;
	if (ckpt_value_get_kind(v) == CKPT_VALUE_TENSOR) {
		put_tensor(p, p->out, v);
		return true;
	}
	if (ckpt_value_is_scalar(v)) {
		put_scalar(p->out, v);
		return true;
	}
	number = ckpt_graph_number(p->graph, v);
	if (number && ckpt_graph_shown(p->graph, v)) {
		ckpt_buffer_printf(p->out, "{\"$ref\":%zu}", number);
		return true;
	}
	if (p->depth >= p->limit) {
		const char *name = ckpt_value_kind_text(v);
		ckpt_buffer_str(p->out, "{\"$deep\":");
		ckpt_json_write_string(p->out, name, strlen(name), false);
		ckpt_buffer_char(p->out, '}');
		return true;
	}
	return open_container(p, v);
}

/* A key of a pair of AS_PAIRS: a scalar, or the name of what it is (tuples of scalars are written out). */
static void put_key_value(printer *p, const ckpt_value *key)
{
	if (ckpt_value_is_scalar(key)) {
		put_scalar(p->out, key);
		return;
	}
	bool tuple = ckpt_value_get_kind(key) == CKPT_VALUE_TUPLE;
	for (size_t i = 0; tuple && i < ckpt_value_count(key); i++) tuple = ckpt_value_is_scalar(ckpt_value_item(key, i));
	if (!tuple) {
		const char *name = ckpt_value_kind_text(key);
		ckpt_buffer_str(p->out, "{\"$object\":");
		ckpt_json_write_string(p->out, name, strlen(name), false);
		ckpt_buffer_char(p->out, '}');
		return;
	}
	ckpt_buffer_char(p->out, '[');
	for (size_t i = 0; i < ckpt_value_count(key); i++) {
		if (i) ckpt_buffer_char(p->out, ',');
		put_scalar(p->out, ckpt_value_item(key, i));
	}
	ckpt_buffer_char(p->out, ']');
}

/* What stands before entry c of the container on top. */
static void put_before(printer *p, frame *f, const ckpt_child *c, bool first)
{
	char number[CKPT_NUMBER_TEXT];
	const char *text;
	size_t length;
	switch (f->shape) {
	case AS_ARRAY:
		if (!first) ckpt_buffer_char(p->out, ',');
		break;
	case AS_OBJECT:
		if (!first) ckpt_buffer_char(p->out, ',');
		key_text(c->key, number, &text, &length);
		ckpt_json_write_string(p->out, text, length, false);
		ckpt_buffer_char(p->out, ':');
		break;
	case AS_PAIRS:
		ckpt_buffer_str(p->out, first ? "[" : "],[");
		put_key_value(p, c->key);
		ckpt_buffer_char(p->out, ',');
		break;
	case AS_PARTS:
		if (c->role) {
			ckpt_buffer_str(p->out, f->in_items ? "]," : ",");
			ckpt_buffer_printf(p->out, "\"%s\":", c->role);
			f->in_items = false;
			break;
		}
		ckpt_buffer_str(p->out, f->in_items ? "," : ",\"items\":[");
		f->in_items = true;
		if (!c->key) break;
		ckpt_buffer_char(p->out, '[');
		put_key_value(p, c->key);
		ckpt_buffer_char(p->out, ',');
		break;
	}
}

static void close_container(printer *p)
{
	frame *f = &p->stack[--p->depth];
	if (f->shape == AS_PAIRS && f->count) ckpt_buffer_char(p->out, ']');
	if (f->in_items) ckpt_buffer_char(p->out, ']');
	ckpt_buffer_str(p->out, f->close);
}

static bool run(printer *p, const ckpt_value *root)
{
	if (!put_value(p, root)) return false;
	while (p->depth) {
		size_t at = p->depth - 1;
		frame *f = &p->stack[at];
		if (f->next == f->count) {
			close_container(p);
			/* An item of an object that is a pair ends with its value. */
			if (p->depth && p->stack[p->depth - 1].shape == AS_PARTS) {
				frame *outer = &p->stack[p->depth - 1];
				ckpt_child last = ckpt_child_at(outer->value, outer->next - 1);
				if (last.key) ckpt_buffer_char(p->out, ']');
			}
			continue;
		}
		ckpt_child c = ckpt_child_at(f->value, f->next);
		put_before(p, f, &c, f->next == 0);
		f->next++;
		bool pair = f->shape == AS_PARTS && c.key;
		if (!put_value(p, c.item)) return false;
		if (pair && p->depth == at + 1) ckpt_buffer_char(p->out, ']');
	}
	return true;
}

bool ckpt_values_json(const ckpt_value *root, const ckpt_checkpoint *cp, size_t depth, ckpt_buffer *out, ckpt_error *err)
{
	printer p = {.cp = cp, .out = out, .limit = depth};
	bool ok;
	p.graph = ckpt_graph_new(root, err);
	if (!p.graph) return false;
	ok = run(&p, root) && !p.failed && !out->failed;
	if (!ok) ckpt_fail_nomem(err);
	free(p.stack);
	ckpt_graph_free(p.graph);
	return ok;
}
