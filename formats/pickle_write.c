/* pickle_write.c -- the parts of which a protocol 2 pickle is made
 *
 * The memo counts from 0 in order of writing. Strings, tuples that are not empty, lists, dicts, globals and the results
 * of calls enter it; numbers, None, booleans, empty tuples and persistent ids do not.
 */
#include "pickle_write.h"
#include "../lib/checked.h"
#include "../lib/error.h"

#include <stdlib.h>
#include <string.h>

typedef struct memo_slot {
	const void *key;
	uint32_t index;
} memo_slot;

/* A global (module and name) or a word (module NULL). */
typedef struct name_slot {
	const char *module, *name;
	uint32_t index;
} name_slot;

struct ckpt_pickler {
	ckpt_buffer out;
	uint64_t limit;
	uint32_t next; /* number of the next memo entry */
	memo_slot *memo;
	size_t memo_size, memo_count; /* hash tables; sizes are powers of two */
	name_slot *names;
	size_t names_size, names_count;
};

ckpt_pickler *ckpt_pickler_new(uint64_t limit, ckpt_error *err)
{
	ckpt_pickler *p = calloc(1, sizeof *p);
	if (!p) {
		ckpt_fail_nomem(err);
		return NULL;
	}
	p->limit = limit;
	return p;
}

void ckpt_pickler_free(ckpt_pickler *p)
{
	if (!p) return;
	ckpt_buffer_free(&p->out);
	free(p->memo);
	free(p->names);
	free(p);
}

const ckpt_buffer *ckpt_pickler_bytes(const ckpt_pickler *p) { return &p->out; }

bool ckpt_pickle_check(const ckpt_pickler *p, ckpt_error *err)
{
	if (p->out.failed) return ckpt_fail_nomem(err);
	if (p->out.length <= p->limit) return true;
	return ckpt_fail_limit(err, "size of the pickle to write", p->out.length, "pickle-bytes", p->limit);
}

/* ---- memo by node ---- */

/* The slot that holds key, or the empty one where it belongs; the table has room. */
static memo_slot *memo_at(memo_slot *memo, size_t size, const void *key)
{
	uint64_t hash = (uint64_t)(uintptr_t)key * UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(hash ^ hash >> 32) & (size - 1);
	while (memo[i].key && memo[i].key != key) i = (i + 1) & (size - 1);
	return &memo[i];
}

static bool memo_grow(ckpt_pickler *p)
{
	size_t size = p->memo_size ? p->memo_size * 2 : 1024;
	memo_slot *grown = calloc(size, sizeof *grown);
	if (!grown) return false;
	for (size_t i = 0; i < p->memo_size; i++)
		if (p->memo[i].key) *memo_at(grown, size, p->memo[i].key) = p->memo[i];
	free(p->memo);
	p->memo = grown;
	p->memo_size = size;
	return true;
}

bool ckpt_pickle_known(const ckpt_pickler *p, const ckpt_value *v, uint32_t *index)
{
	if (!p->memo_size) return false;
	const memo_slot *slot = memo_at(p->memo, p->memo_size, v);
	if (slot->key && index) *index = slot->index;
	return slot->key != NULL;
}

void ckpt_pickle_remember(ckpt_pickler *p, const ckpt_value *v, uint32_t index)
{
	if (p->memo_count >= p->memo_size / 2 && !memo_grow(p)) {
		p->out.failed = true;
		return;
	}
	memo_slot *slot = memo_at(p->memo, p->memo_size, v);
	if (!slot->key) p->memo_count++;
	*slot = (memo_slot){v, index};
}

/* ---- memo by name ---- */

static size_t hash_name(const char *module, const char *name)
{
	const uint64_t prime = UINT64_C(0x100000001b3); /* FNV-1a */
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	for (const char *c = module ? module : ""; *c; c++) h = (h ^ (uint8_t)*c) * prime;
	h = (h ^ (module ? '\n' : 0)) * prime;
	for (const char *c = name; *c; c++) h = (h ^ (uint8_t)*c) * prime;
	return (size_t)(h ^ h >> 32);
}

static bool same_name(const name_slot *slot, const char *module, const char *name)
{
	if (!module != !slot->module) return false;
	return (!module || strcmp(module, slot->module) == 0) && strcmp(name, slot->name) == 0;
}

static name_slot *name_at(name_slot *names, size_t size, const char *module, const char *name)
{
	size_t i = hash_name(module, name) & (size - 1);
	while (names[i].name && !same_name(&names[i], module, name)) i = (i + 1) & (size - 1);
	return &names[i];
}

static const name_slot *name_find(const ckpt_pickler *p, const char *module, const char *name)
{
	if (!p->names_size) return NULL;
	const name_slot *slot = name_at(p->names, p->names_size, module, name);
	return slot->name ? slot : NULL;
}

static bool names_grow(ckpt_pickler *p)
{
	size_t size = p->names_size ? p->names_size * 2 : 64;
	name_slot *grown = calloc(size, sizeof *grown);
	if (!grown) return false;
	for (size_t i = 0; i < p->names_size; i++)
		if (p->names[i].name) *name_at(grown, size, p->names[i].module, p->names[i].name) = p->names[i];
	free(p->names);
	p->names = grown;
	p->names_size = size;
	return true;
}

static uint32_t name_add(ckpt_pickler *p, const char *module, const char *name, uint32_t index)
{
	if (p->names_count >= p->names_size / 2 && !names_grow(p)) {
		p->out.failed = true;
		return index;
	}
	*name_at(p->names, p->names_size, module, name) = (name_slot){module, name, index};
	p->names_count++;
	return index;
}

/* ---- primitives ---- */

void ckpt_pickle_start(ckpt_pickler *p)
{
	if (p->memo_size) memset(p->memo, 0, p->memo_size * sizeof *p->memo);
	if (p->names_size) memset(p->names, 0, p->names_size * sizeof *p->names);
	p->memo_count = p->names_count = 0;
	p->next = 0;
	ckpt_buffer_add(&p->out, "\x80\x02", 2);
}

bool ckpt_pickle_stop(ckpt_pickler *p, ckpt_error *err)
{
	ckpt_pickle_op(p, '.');
	return ckpt_pickle_check(p, err);
}

void ckpt_pickle_op(ckpt_pickler *p, int op) { ckpt_buffer_char(&p->out, (char)op); }

/* An opcode with a little-endian number of `bytes` bytes behind it. */
static void op_number(ckpt_pickler *p, int op, uint32_t number, size_t bytes)
{
	uint8_t text[5] = {(uint8_t)op};
	ckpt_put32(text + 1, number);
	ckpt_buffer_add(&p->out, text, 1 + bytes);
}

void ckpt_pickle_bool(ckpt_pickler *p, bool value) { ckpt_pickle_op(p, value ? 0x88 : 0x89); }

void ckpt_pickle_long(ckpt_pickler *p, const void *bytes, size_t length)
{
	if (length > INT32_MAX) p->out.failed = true;
	if (length < 256)
		op_number(p, 0x8a, (uint32_t)length, 1);
	else
		op_number(p, 0x8b, (uint32_t)length, 4);
	ckpt_buffer_add(&p->out, bytes, length);
}

void ckpt_pickle_int(ckpt_pickler *p, int64_t value)
{
	if (value >= 0 && value <= 0xff) {
		op_number(p, 'K', (uint32_t)value, 1);
	} else if (value >= 0 && value <= 0xffff) {
		op_number(p, 'M', (uint32_t)value, 2);
	} else if (value >= INT32_MIN && value <= INT32_MAX) {
		op_number(p, 'J', (uint32_t)value, 4);
	} else {
		uint8_t bytes[8], sign = value < 0 ? 0xff : 0;
		size_t length = 8;
		ckpt_put64(bytes, (uint64_t)value);
		while (bytes[length - 1] == sign && (bytes[length - 2] & 0x80) == (sign & 0x80)) length--;
		ckpt_pickle_long(p, bytes, length);
	}
}

void ckpt_pickle_float(ckpt_pickler *p, double value)
{
	uint64_t bits;
	uint8_t text[9] = {'G'};
	memcpy(&bits, &value, sizeof bits);
	for (unsigned i = 0; i < 8; i++) text[1 + i] = (uint8_t)(bits >> (56 - 8 * i));
	ckpt_buffer_add(&p->out, text, sizeof text);
}

void ckpt_pickle_tuple(ckpt_pickler *p, size_t count)
{
	static const uint8_t ops[] = {')', 0x85, 0x86, 0x87};
	ckpt_pickle_op(p, count <= 3 ? ops[count] : 't');
}

void ckpt_pickle_ints(ckpt_pickler *p, const uint64_t *values, size_t count)
{
	if (count > 3) ckpt_pickle_op(p, CKPT_OP_MARK);
	for (size_t i = 0; i < count; i++) ckpt_pickle_int(p, (int64_t)values[i]);
	ckpt_pickle_tuple(p, count);
	if (count) ckpt_pickle_memoize(p);
}

uint32_t ckpt_pickle_memoize(ckpt_pickler *p)
{
	if (p->next < 256)
		op_number(p, 'q', p->next, 1);
	else
		op_number(p, 'r', p->next, 4);
	if (p->next == UINT32_MAX) p->out.failed = true;
	return p->next++;
}

void ckpt_pickle_get(ckpt_pickler *p, uint32_t index)
{
	if (index < 256)
		op_number(p, 'h', index, 1);
	else
		op_number(p, 'j', index, 4);
}

uint32_t ckpt_pickle_string(ckpt_pickler *p, const char *utf8, size_t length)
{
	if (length > UINT32_MAX) p->out.failed = true;
	op_number(p, 'X', (uint32_t)length, 4);
	ckpt_buffer_add(&p->out, utf8, length);
	return ckpt_pickle_memoize(p);
}

uint32_t ckpt_pickle_word(ckpt_pickler *p, const char *word)
{
	const name_slot *slot = name_find(p, NULL, word);
	if (!slot) return name_add(p, NULL, word, ckpt_pickle_string(p, word, strlen(word)));
	ckpt_pickle_get(p, slot->index);
	return slot->index;
}

void ckpt_pickle_same(ckpt_pickler *p, const ckpt_value *v, const char *word)
{
	const name_slot *slot = name_find(p, NULL, word);
	uint32_t index;
	bool known = ckpt_pickle_known(p, v, &index);
	if (slot && !known) ckpt_pickle_remember(p, v, slot->index);
	if (!slot && known) name_add(p, NULL, word, index);
}

static void op_global(ckpt_pickler *p, const char *module, const char *name)
{
	ckpt_pickle_op(p, 'c');
	ckpt_buffer_str(&p->out, module);
	ckpt_pickle_op(p, '\n');
	ckpt_buffer_str(&p->out, name);
	ckpt_pickle_op(p, '\n');
}

uint32_t ckpt_pickle_global(ckpt_pickler *p, const char *module, const char *name)
{
	const name_slot *slot = name_find(p, module, name);
	if (slot) {
		ckpt_pickle_get(p, slot->index);
		return slot->index;
	}
	op_global(p, module, name);
	return name_add(p, module, name, ckpt_pickle_memoize(p));
}
