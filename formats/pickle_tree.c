/* pickle_tree.c -- walks a value tree and writes it as CPython's pickler would
 *
 * What decides the bytes, beyond the opcodes:
 *   1. Items are set in batches of 1000 between MARK and SETITEMS or APPENDS. One item alone has no MARK. A dict of a
 *      multiple of 1000 items ends in an empty batch; the items of an object end without MARK when one is left over.
 *   2. A tuple or call that holds itself is in the memo once its parts are written: the parts are popped again.
 *   3. Bytes, byte arrays and sets have no opcode: they are calls of _codecs.encode, __builtin__.set and so on.
 *   4. An object is its callable, its arguments, the call, its items, its state, BUILD.
 */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "../lib/utf8.h"
#include "pickle_write.h"

#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000, MOST_DIGITS = 4300 };

typedef enum frame_kind { FRAME_TUPLE, FRAME_BATCHES, FRAME_OBJECT, FRAME_SET, FRAME_PERSID } frame_kind;

/* A node that is half written. Items are counted singly, or by pairs in a dict. */
typedef struct frame {
	const ckpt_value *v;
	ckpt_value *const *items;
	uint32_t count, next, batch;
	uint8_t kind, step;
	bool pairs; /* BATCHES: keys and values in turn */
	bool exact; /* BATCHES: of a real dict or list, not of an object */
	bool open;  /* BATCHES: a MARK waits for its end */
} frame;

typedef struct walk {
	ckpt_pickler *p;
	ckpt_pickle_hook hook;
	void *user;
	frame *frames;
	size_t depth, capacity;
	ckpt_error *err;
} walk;

static bool push(walk *w, frame f)
{
	if (w->depth == w->capacity) {
		size_t capacity = w->capacity ? w->capacity * 2 : 64;
		frame *grown = realloc(w->frames, capacity * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(w->err);
		w->frames = grown;
		w->capacity = capacity;
	}
	w->frames[w->depth++] = f;
	return true;
}

static bool pop(walk *w)
{
	w->depth--;
	return true;
}

static void memo_node(walk *w, const ckpt_value *v) { ckpt_pickle_remember(w->p, v, ckpt_pickle_memoize(w->p)); }

/* ---- values without parts ---- */

/* What Python's "surrogatepass" takes: strict UTF-8, and surrogates as three bytes. */
static bool is_python_text(const char *text, size_t length)
{
	uint32_t ignored;
	for (size_t i = 0, n; i < length; i += n) {
		const uint8_t *b = (const uint8_t *)text + i;
		n = ckpt_utf8_decode(text + i, length - i, &ignored);
		if (!n && length - i >= 3 && b[0] == 0xed && b[1] >= 0xa0 && b[1] <= 0xbf && b[2] >> 6 == 2) n = 3;
		if (!n) return false;
	}
	return true;
}

/* Each byte as the character of that number; returns the memo entry. */
static bool write_latin1(walk *w, const ckpt_value *v, uint32_t *index)
{
	ckpt_buffer text = {0};
	for (size_t i = 0; i < v->u.text.length; i++) {
		char c[4];
		ckpt_buffer_add(&text, c, ckpt_utf8_encode((uint8_t)v->u.text.bytes[i], c));
	}
	bool ok = ckpt_buffer_ok(&text, w->err);
	if (ok) *index = ckpt_pickle_string(w->p, text.data ? text.data : "", text.length);
	ckpt_buffer_free(&text);
	return ok;
}

/* A byte string of Python 2 that is no text becomes the text that it is in Latin-1. */
static bool write_string(walk *w, const ckpt_value *v)
{
	uint32_t index;
	if (is_python_text(v->u.text.bytes, v->u.text.length))
		index = ckpt_pickle_string(w->p, v->u.text.bytes, v->u.text.length);
	else if (!write_latin1(w, v, &index))
		return false;
	ckpt_pickle_remember(w->p, v, index);
	return true;
}

/* The bytes object: bytes() or _codecs.encode(text, 'latin1'), called but not in the memo yet. */
static bool write_bytes_call(walk *w, const ckpt_value *v)
{
	uint32_t ignored;
	if (!v->u.text.length) {
		ckpt_pickle_global(w->p, "__builtin__", "bytes");
		ckpt_pickle_tuple(w->p, 0);
	} else {
		ckpt_pickle_global(w->p, "_codecs", "encode");
		if (!write_latin1(w, v, &ignored)) return false;
		ckpt_pickle_word(w->p, "latin1");
		ckpt_pickle_tuple(w->p, 2);
		ckpt_pickle_memoize(w->p);
	}
	ckpt_pickle_op(w->p, CKPT_OP_REDUCE);
	return true;
}

static bool write_bytes(walk *w, const ckpt_value *v)
{
	if (!write_bytes_call(w, v)) return false;
	memo_node(w, v);
	return true;
}

/* bytearray() or bytearray(bytes) */
static bool write_bytearray(walk *w, const ckpt_value *v)
{
	size_t arguments = v->u.text.length ? 1 : 0;
	ckpt_pickle_global(w->p, "__builtin__", "bytearray");
	if (arguments) {
		if (!write_bytes_call(w, v)) return false;
		ckpt_pickle_memoize(w->p);
	}
	ckpt_pickle_tuple(w->p, arguments);
	if (arguments) ckpt_pickle_memoize(w->p);
	ckpt_pickle_op(w->p, CKPT_OP_REDUCE);
	memo_node(w, v);
	return true;
}

static bool write_global(walk *w, const ckpt_value *v)
{
	const char *module = ckpt_value_global_module(v, NULL), *name = ckpt_value_global_name(v);
	if (strchr(module, '\n') || strchr(name, '\n'))
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED,
		                 "the global '%s.%s' holds a line break, which a protocol 2 pickle cannot name", module,
		                 name);
	if (strchr(name, '.')) /* it would be getattr(getattr(m, "A"), "B"), a call that no careful reader takes */
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED,
		                 "the global '%s.%s' lies inside of a class, which a protocol 2 pickle can reach by a call of getattr alone",
		                 module, name);
	ckpt_pickle_remember(w->p, v, ckpt_pickle_global(w->p, module, name));
	return true;
}

static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9') return (unsigned)(c - '0');
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static void parse_hexadecimal(const char *text, size_t digits, uint32_t *limbs)
{
	for (size_t i = 0; i < digits; i++) {
		size_t place = digits - 1 - i;
		limbs[place / 8] |= (uint32_t)digit_value(text[i]) << place % 8 * 4;
	}
}

static void parse_decimal(const char *text, size_t digits, uint32_t *limbs)
{
	size_t used = 0;
	for (size_t i = 0; i < digits;) {
		uint32_t chunk = 0, scale = 1;
		for (; i < digits && scale < 1000000000; i++, scale *= 10) chunk = chunk * 10 + digit_value(text[i]);
		uint64_t carry = chunk;
		for (size_t k = 0; k < used; k++) {
			carry += (uint64_t)limbs[k] * scale;
			limbs[k] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry) limbs[used++] = (uint32_t)carry;
	}
}

/* The shortest two's complement of a magnitude whose last byte is 0; returns its length, 0 for zero. */
static size_t to_signed(uint8_t *number, size_t length, bool negative)
{
	unsigned carry = 1;
	for (size_t i = 0; negative && i < length; i++) {
		carry += (uint8_t)~number[i];
		number[i] = (uint8_t)carry;
		carry >>= 8;
	}
	uint8_t sign = number[length - 1] & 0x80 ? 0xff : 0;
	while (length > 1 && number[length - 1] == sign && (number[length - 2] & 0x80) == (sign & 0x80)) length--;
	return length == 1 && !number[0] ? 0 : length;
}

/* A sign or none, then decimal digits, or 0x and hexadecimal ones. */
static bool write_bigint(walk *w, const ckpt_value *v)
{
	const char *text = v->u.text.bytes;
	bool negative = *text == '-';
	text += negative;
	bool hexadecimal = text[0] == '0' && (text[1] | 0x20) == 'x';
	if (hexadecimal) text += 2;
	size_t digits = strspn(text, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789");
	if (!digits || text[digits]) return ckpt_fail(w->err, CKPT_E_USAGE, "'%s' is no integer", v->u.text.bytes);
	if (!hexadecimal && digits > MOST_DIGITS)
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED,
		                 "an integer of %zu decimal digits is larger than Python reads (%d)", digits,
		                 MOST_DIGITS);
	size_t count = digits / 8 + 2; /* a decimal digit is fewer bits than a hexadecimal one; and one for the sign */
	uint32_t *limbs = calloc(count, sizeof *limbs);
	uint8_t *bytes = calloc(count, sizeof *limbs);
	bool ok = limbs && bytes ? true : ckpt_fail_nomem(w->err);
	if (ok) {
		(hexadecimal ? parse_hexadecimal : parse_decimal)(text, digits, limbs);
		for (size_t i = 0; i < count; i++) ckpt_put32(bytes + 4 * i, limbs[i]);
		ckpt_pickle_long(w->p, bytes, to_signed(bytes, 4 * count, negative));
	}
	free(limbs);
	free(bytes);
	return ok;
}

/* ---- values with parts ---- */

static bool begin(walk *w, const ckpt_value *v);

static bool push_batches(walk *w, const ckpt_value *v, ckpt_value *const *items, uint32_t count, bool pairs, bool exact)
{
	if (pairs) count /= 2;
	if (!count) return true;
	frame f = {.v = v, .items = items, .count = count, .kind = FRAME_BATCHES, .pairs = pairs, .exact = exact};
	return push(w, f);
}

static bool begin_container(walk *w, const ckpt_value *v)
{
	bool dict = v->kind == CKPT_VALUE_DICT;
	ckpt_pickle_op(w->p, dict ? CKPT_OP_EMPTY_DICT : CKPT_OP_EMPTY_LIST);
	memo_node(w, v);
	return push_batches(w, v, v->u.list.items, v->u.list.count, dict, true);
}

static bool begin_tuple(walk *w, const ckpt_value *v)
{
	uint32_t count = v->u.list.count;
	if (!count) {
		ckpt_pickle_tuple(w->p, 0);
		return true;
	}
	if (count > 3) ckpt_pickle_op(w->p, CKPT_OP_MARK);
	return push(w, (frame){.v = v, .items = v->u.list.items, .count = count, .kind = FRAME_TUPLE});
}

static bool begin_persid(walk *w, const ckpt_value *v)
{
	if (!v->u.persid.id)
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED, "a persistent id was not kept and cannot be written");
	return push(w, (frame){.v = v, .kind = FRAME_PERSID});
}

/* True when the arguments lie on the reader's stack one by one, not as a tuple. */
static bool is_spread(const ckpt_value *v)
{
	return v->object_kind == CKPT_OBJECT_INST || v->object_kind == CKPT_OBJECT_NEWOBJ_EX;
}

static bool begin_object(walk *w, const ckpt_value *v)
{
	const ckpt_object *o = v->u.object.parts;
	frame f = {.v = v, .kind = FRAME_OBJECT};
	if (!o->callable || !o->arguments || (is_spread(v) && o->arguments->kind != CKPT_VALUE_TUPLE))
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED,
		                 "an object without a class or a tuple of arguments cannot be written");
	if (is_spread(v)) {
		f.items = o->arguments->u.list.items;
		f.count = o->arguments->u.list.count;
	}
	if (v->object_kind == CKPT_OBJECT_INST) ckpt_pickle_op(w->p, CKPT_OP_MARK);
	return push(w, f);
}

/* Answers for a node that the hook wrote or refused; otherwise goes on as the kind wants. */
static bool begin_hooked(walk *w, const ckpt_value *v)
{
	ckpt_pickle_answer answer = w->hook ? w->hook(w->user, w->p, v, w->err) : CKPT_PICKLE_WALK;
	if (answer != CKPT_PICKLE_WALK) return answer == CKPT_PICKLE_WRITTEN;
	return v->kind == CKPT_VALUE_TENSOR ? begin_object(w, v) : begin_persid(w, v);
}

/* Writes what has no parts; of what has parts the start, and pushes a frame for the rest. */
static bool begin(walk *w, const ckpt_value *v)
{
	uint32_t index;
	if (ckpt_pickle_known(w->p, v, &index)) {
		ckpt_pickle_get(w->p, index);
		return true;
	}
	switch ((ckpt_value_kind)v->kind) {
	case CKPT_VALUE_NONE: ckpt_pickle_op(w->p, CKPT_OP_NONE); return true;
	case CKPT_VALUE_BOOL: ckpt_pickle_bool(w->p, v->u.boolean); return true;
	case CKPT_VALUE_INT: ckpt_pickle_int(w->p, v->u.integer); return true;
	case CKPT_VALUE_BIGINT: return write_bigint(w, v);
	case CKPT_VALUE_FLOAT: ckpt_pickle_float(w->p, v->u.real); return true;
	case CKPT_VALUE_STRING: return write_string(w, v);
	case CKPT_VALUE_BYTES: return write_bytes(w, v);
	case CKPT_VALUE_BYTEARRAY: return write_bytearray(w, v);
	case CKPT_VALUE_GLOBAL: return write_global(w, v);
	case CKPT_VALUE_LIST:
	case CKPT_VALUE_DICT: return begin_container(w, v);
	case CKPT_VALUE_TUPLE: return begin_tuple(w, v);
	case CKPT_VALUE_SET:
	case CKPT_VALUE_FROZENSET: return push(w, (frame){.v = v, .kind = FRAME_SET});
	case CKPT_VALUE_OBJECT: return begin_object(w, v);
	case CKPT_VALUE_TENSOR:
	case CKPT_VALUE_STORAGE:
	case CKPT_VALUE_PERSID: return begin_hooked(w, v);
	}
	return ckpt_fail(w->err, CKPT_E_USAGE, "a value of the unknown kind %u cannot be written", (unsigned)v->kind);
}

/* The parts lie on the stack of the reader. When one of them held the node itself, that one has made it already: the
 * parts are thrown away. Returns whether it was so. */
static bool made_by_its_parts(walk *w, const ckpt_value *v, size_t parts)
{
	uint32_t index;
	if (!ckpt_pickle_known(w->p, v, &index)) return false;
	if (parts > 3) ckpt_pickle_op(w->p, CKPT_OP_POP_MARK);
	for (size_t i = 0; parts <= 3 && i < parts; i++) ckpt_pickle_op(w->p, CKPT_OP_POP);
	ckpt_pickle_get(w->p, index);
	return true;
}

static bool step_tuple(walk *w, frame *f)
{
	if (f->next < f->count) return begin(w, f->items[f->next++]);
	if (!made_by_its_parts(w, f->v, f->count)) {
		ckpt_pickle_tuple(w->p, f->count);
		memo_node(w, f->v);
	}
	return pop(w);
}

/* One item, or a key and then its value. */
static bool step_item(walk *w, frame *f)
{
	const ckpt_value *v = f->items[f->pairs ? 2 * f->next + f->step : f->next];
	if (f->pairs && !f->step) {
		f->step = 1;
	} else {
		f->step = 0;
		f->next++;
		f->batch++;
	}
	return begin(w, v);
}

static bool step_batches(walk *w, frame *f)
{
	uint32_t left = f->count - f->next;
	if (f->step) return step_item(w, f);
	if (f->open && left && f->batch < BATCH) return step_item(w, f);
	if (f->open) {
		ckpt_pickle_op(w->p, f->pairs ? CKPT_OP_SETITEMS : CKPT_OP_APPENDS);
		f->open = false;
		if (left || (f->pairs && f->exact && f->batch == BATCH)) return true;
		return pop(w);
	}
	if (f->batch == 1) { /* the one without MARK */
		ckpt_pickle_op(w->p, f->pairs ? CKPT_OP_SETITEM : CKPT_OP_APPEND);
		return pop(w);
	}
	f->batch = 0;
	if (left == 1 && (!f->exact || !f->next)) return step_item(w, f);
	ckpt_pickle_op(w->p, CKPT_OP_MARK);
	f->open = true;
	return true;
}

/* The call itself; the object is then in the memo, so that its items and state may hold it. */
static bool step_call(walk *w, frame *f)
{
	static const int ops[] = {
		[CKPT_OBJECT_REDUCE] = CKPT_OP_REDUCE,
		[CKPT_OBJECT_NEWOBJ] = CKPT_OP_NEWOBJ,
		[CKPT_OBJECT_NEWOBJ_EX] = CKPT_OP_NEWOBJ_EX,
		[CKPT_OBJECT_INST] = CKPT_OP_OBJ,
	};
	ckpt_pickle_op(w->p, ops[f->v->object_kind]);
	if (made_by_its_parts(w, f->v, 1)) return pop(w);
	memo_node(w, f->v);
	return true;
}

static bool step_object(walk *w, frame *f)
{
	const ckpt_object *o = f->v->u.object.parts;
	switch (f->step) {
	case 0: f->step++; return begin(w, o->callable);
	case 1:
		if (f->next < f->count) return begin(w, f->items[f->next++]);
		f->step++;
		return is_spread(f->v) ? true : begin(w, o->arguments);
	case 2: f->step++; return step_call(w, f);
	case 3: f->step++; return push_batches(w, f->v, o->items, o->count, f->v->dict_items, false);
	case 4:
		f->step++;
		if (!o->state) return pop(w);
		return begin(w, o->state);
	default: ckpt_pickle_op(w->p, CKPT_OP_BUILD); return pop(w);
	}
}

/* set([...]) */
static bool step_set(walk *w, frame *f)
{
	if (!f->step) {
		f->step = 1;
		ckpt_pickle_global(w->p, "__builtin__", f->v->kind == CKPT_VALUE_SET ? "set" : "frozenset");
		ckpt_pickle_op(w->p, CKPT_OP_EMPTY_LIST);
		ckpt_pickle_memoize(w->p);
		return push_batches(w, f->v, f->v->u.list.items, f->v->u.list.count, false, true);
	}
	ckpt_pickle_tuple(w->p, 1);
	ckpt_pickle_memoize(w->p);
	ckpt_pickle_op(w->p, CKPT_OP_REDUCE);
	if (!made_by_its_parts(w, f->v, 1)) memo_node(w, f->v);
	return pop(w);
}

static bool step_persid(walk *w, frame *f)
{
	if (!f->step) {
		f->step = 1;
		return begin(w, f->v->u.persid.id);
	}
	ckpt_pickle_op(w->p, CKPT_OP_PERSID);
	return pop(w);
}

static bool step(walk *w, frame *f)
{
	switch ((frame_kind)f->kind) {
	case FRAME_TUPLE: return step_tuple(w, f);
	case FRAME_BATCHES: return step_batches(w, f);
	case FRAME_OBJECT: return step_object(w, f);
	case FRAME_SET: return step_set(w, f);
	case FRAME_PERSID: return step_persid(w, f);
	}
	return false;
}

bool ckpt_pickle_value(ckpt_pickler *p, const ckpt_value *v, ckpt_pickle_hook hook, void *user, ckpt_error *err)
{
	walk w = {.p = p, .hook = hook, .user = user, .err = err};
	bool ok = begin(&w, v);
	while (ok && w.depth) ok = step(&w, &w.frames[w.depth - 1]) && ckpt_pickle_check(p, err);
	free(w.frames);
	return ok;
}
