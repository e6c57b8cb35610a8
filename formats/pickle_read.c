/* pickle_read.c -- the pickle machine: its run, and the opcodes that move values between stack and memo */
#include "pickle_read.h"
#include "../lib/checked.h"
#include "../lib/error.h"
#include "pickle_inner.h"

#include <stdlib.h>
#include <string.h>

/* What a pickler throws away are parts of a tuple that holds itself; a call is thrown away to hide it. */
static bool dropped(pickle_machine *m, ckpt_value *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (items[i]->kind == CKPT_VALUE_OBJECT &&
		    !ckpt_pickle_note_event(m, (pickle_event){.kind = CKPT_PICKLE_DROPPED}))
			return false;
	return true;
}

static bool op_pop(pickle_machine *m)
{
	if (m->mark_count && m->marks[m->mark_count - 1] == m->depth) {
		m->mark_count--;
		return true;
	}
	ckpt_value *v = ckpt_pickle_pop(m);
	return v && dropped(m, &v, 1);
}

static bool op_pop_mark(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	return ckpt_pickle_pop_mark(m, &items, &count) && dropped(m, items, count);
}

static bool op_dup(pickle_machine *m)
{
	return ckpt_pickle_push(m, ckpt_pickle_top(m));
}

/* ---- memo ---- */

static bool get(pickle_machine *m, uint32_t number)
{
	if (m->lost) return ckpt_pickle_push(m, ckpt_pickle_make(m, CKPT_VALUE_NONE));
	ckpt_value *v = ckpt_pickle_memo_get(&m->memo, number);
	if (!v) return ckpt_pickle_fail(m, "the memo has no entry %u", number);
	return ckpt_pickle_push(m, v);
}

static bool put(pickle_machine *m, uint32_t number)
{
	if (m->depth <= ckpt_pickle_fence(m))
		return ckpt_pickle_fail(m, "stack underflow: nothing to store at memo index %u", number);
	if (number >= m->options->limits.pickle_values)
		return ckpt_fail_limit(m->err, "a memo index of a pickle,", number, "pickle-values",
		                       m->options->limits.pickle_values);
	if (!ckpt_pickle_memo_room(&m->memo, number))
		return ckpt_pickle_fail(m, "memo index %u is too large for a memo of %llu entries", number,
		                        (unsigned long long)m->memo.entries);
	return ckpt_pickle_memo_put(&m->memo, number, m->stack[m->depth - 1]) || ckpt_fail_nomem(m->err);
}

static bool op_binget(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 1);
	return p && get(m, *p);
}

static bool op_long_binget(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 4);
	return p && get(m, ckpt_le32(p));
}

static bool op_binput(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 1);
	return p && put(m, *p);
}

static bool op_long_binput(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 4);
	return p && put(m, ckpt_le32(p));
}

static bool op_memoize(pickle_machine *m)
{
	if (m->memo.entries > UINT32_MAX) return ckpt_pickle_fail(m, "the memo is full");
	return put(m, (uint32_t)m->memo.entries);
}

/* A memo index in text. */
static bool line_number(pickle_machine *m, uint32_t *out)
{
	const char *line;
	size_t length;
	uint64_t number = 0;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	if (length == 0 || length > 10)
		return ckpt_pickle_fail(m, "the memo index is no number of 32 bits (%zu digits)", length);
	for (size_t i = 0; i < length; i++) {
		if (line[i] < '0' || line[i] > '9') return ckpt_pickle_fail(m, "the memo index is no number");
		number = number * 10 + (uint64_t)(line[i] - '0');
	}
	if (number > UINT32_MAX)
		return ckpt_pickle_fail(m, "memo index %llu is out of range", (unsigned long long)number);
	*out = (uint32_t)number;
	return true;
}

static bool op_get(pickle_machine *m)
{
	uint32_t number;
	return line_number(m, &number) && get(m, number);
}

static bool op_put(pickle_machine *m)
{
	uint32_t number;
	return line_number(m, &number) && put(m, number);
}

/* ---- framing ---- */

static bool op_proto(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 1);
	if (!p) return false;
	if (*p > 5)
		return ckpt_pickle_fail_as(m, CKPT_E_UNSUPPORTED, "protocol %u is unsupported (0 to 5 are supported)",
		                           *p);
	m->result.protocol = *p;
	return true;
}

static bool op_frame(pickle_machine *m)
{
	const uint8_t *p = ckpt_pickle_take(m, 8);
	if (!p) return false;
	uint64_t length = ckpt_le64(p);
	size_t left = m->length - m->next;
	if (m->frame_end > m->next) return ckpt_pickle_fail(m, "a frame starts inside of another frame");
	if (length > left)
		return ckpt_pickle_fail(m, "a frame of %llu bytes runs past the end, %zu are left",
		                        (unsigned long long)length, left);
	m->frame_end = m->next + (size_t)length;
	return true;
}

static bool op_stop(pickle_machine *m)
{
	if (m->mark_count) return ckpt_pickle_fail(m, "%zu marks are left on the stack", m->mark_count);
	m->result.root = ckpt_pickle_pop(m);
	if (!m->result.root) return false;
	m->result.left = m->depth;
	m->result.consumed = m->next;
	m->stopped = true;
	return true;
}

static bool op_unsupported(pickle_machine *m)
{
	return ckpt_pickle_fail_as(m, CKPT_E_UNSUPPORTED,
	                           "this opcode is unsupported: it refers to data outside of the file");
}

static const pickle_op machine_ops[] = {
	{'(', "MARK", ckpt_pickle_mark},
	{'0', "POP", op_pop},
	{'1', "POP_MARK", op_pop_mark},
	{'2', "DUP", op_dup},
	{'h', "BINGET", op_binget},
	{'j', "LONG_BINGET", op_long_binget},
	{'q', "BINPUT", op_binput},
	{'r', "LONG_BINPUT", op_long_binput},
	{0x94, "MEMOIZE", op_memoize},
	{'g', "GET", op_get},
	{'p', "PUT", op_put},
	{0x80, "PROTO", op_proto},
	{0x95, "FRAME", op_frame},
	{'.', "STOP", op_stop},
	{0x97, "NEXT_BUFFER", op_unsupported},
	{0x98, "READONLY_BUFFER", op_unsupported},
	{0},
};

static const pickle_op *const op_lists[] = {machine_ops, ckpt_pickle_scalar_ops, ckpt_pickle_text_ops,
                                            ckpt_pickle_build_ops};

static const char *op_name(uint8_t code)
{
	for (size_t i = 0; i < sizeof op_lists / sizeof *op_lists; i++)
		for (const pickle_op *op = op_lists[i]; op->name; op++)
			if (op->code == code) return op->name;
	return NULL;
}

/* ---- events ---- */

static void tell_events(const pickle_machine *m)
{
	for (size_t i = 0; i < m->event_count; i++) {
		const pickle_event *e = &m->events[i];
		ckpt_pickle_event out = {e->kind, m->options->record, e->offset, op_name(e->opcode), NULL,
		                         NULL,    e->class,           e->called, e->odd};
		if (e->global) {
			out.module = ckpt_value_global_module(e->global, NULL);
			out.name = ckpt_value_global_name(e->global);
		}
		m->options->record_event(m->options->user, &out);
	}
}

/* ---- the run ---- */

/* Opcodes that leave no value of their own on the stack. */
static bool pushes_nothing(uint8_t code)
{
	return code && strchr("01(aesub\x90pqr\x94\x80\x95.", code);
}

/* Record mode, after a fault: what this machine refuses another may take, and run what stands behind it. The first error
 * stays the result. */
static bool go_on(pickle_machine *m)
{
	const uint8_t code = m->data[m->at];
	if (m->ran_out || m->err->code == CKPT_E_NOMEM || m->values > m->options->limits.pickle_values) return false;
	if (!ckpt_pickle_pass_over(m)) return false;
	if (code && strchr("pqr\x94", code)) m->lost = true;
	if (code == '.') m->stopped = true;
	if (m->stopped) m->result.consumed = m->next;
	return pushes_nothing(code) || ckpt_pickle_push(m, ckpt_pickle_make(m, CKPT_VALUE_NONE));
}

static bool run(pickle_machine *m)
{
	const pickle_op *ops[256] = {0};
	for (size_t i = 0; i < sizeof op_lists / sizeof *op_lists; i++)
		for (const pickle_op *op = op_lists[i]; op->name; op++) ops[op->code] = op;
	while (!m->stopped) {
		m->at = m->next;
		m->name = NULL;
		if (m->frame_end == m->next) m->frame_end = 0;
		m->ran_out = m->at == m->length;
		if (m->ran_out) return ckpt_pickle_fail(m, "the stream is truncated: it ends without STOP");
		const uint8_t *code = ckpt_pickle_take(m, 1);
		if (!code) return false;
		if (!ops[*code]) return ckpt_pickle_fail(m, "0x%02x is no opcode", *code);
		m->name = ops[*code]->name;
		m->result.opcodes++;
		if (!ops[*code]->run(m) && !go_on(m)) return false;
	}
	return true;
}

bool ckpt_pickle_read(const uint8_t *data, size_t length, const ckpt_pickle_options *options, ckpt_pickle_result *out,
                      ckpt_error *err)
{
	ckpt_error reason = {0};
	uint64_t most = options->limits.pickle_bytes;
	pickle_machine m = {
		.data = data, .length = length, .there = options->ensure ? 0 : length, .options = options, .arena = options->arena, .err = &reason};
	bool cut = length > most;
	if (cut) m.length = (size_t)most;
	bool ok = run(&m) && m.faults == 0;
	if (m.faults) reason = m.first;
	if (!ok && cut && m.ran_out)
		ckpt_fail_limit(&reason, "bytes of a pickle: more than", most, "pickle-bytes", most);
	if (options->record_event) tell_events(&m);
	if (options->ran_out) *options->ran_out = !ok && m.ran_out;
	if (ok)
		*out = m.result;
	else
		out->consumed = m.result.consumed;
	if (!ok && err) *err = reason;
	free(m.stack);
	free(m.marks);
	free(m.events);
	ckpt_pickle_memo_free(&m.memo);
	return ok;
}

const char *ckpt_pickle_kind_text(const ckpt_value *v)
{
	static const char *const texts[] = {
		[CKPT_VALUE_NONE] = "None",         [CKPT_VALUE_BOOL] = "a bool",
		[CKPT_VALUE_INT] = "an int",        [CKPT_VALUE_BIGINT] = "an int",
		[CKPT_VALUE_FLOAT] = "a float",     [CKPT_VALUE_STRING] = "a string",
		[CKPT_VALUE_BYTES] = "bytes",       [CKPT_VALUE_BYTEARRAY] = "a bytearray",
		[CKPT_VALUE_LIST] = "a list",       [CKPT_VALUE_TUPLE] = "a tuple",
		[CKPT_VALUE_SET] = "a set",         [CKPT_VALUE_FROZENSET] = "a frozenset",
		[CKPT_VALUE_DICT] = "a dict",       [CKPT_VALUE_GLOBAL] = "a global",
		[CKPT_VALUE_OBJECT] = "an object",  [CKPT_VALUE_TENSOR] = "a tensor",
		[CKPT_VALUE_STORAGE] = "a storage", [CKPT_VALUE_PERSID] = "a persistent id",
	};
	return v && v->kind < sizeof texts / sizeof *texts ? texts[v->kind] : "nothing";
}

ckpt_pickle_role ckpt_pickle_role_of(const ckpt_value *v)
{
	if (!v) return CKPT_ROLE_NONE;
	if (v->kind == CKPT_VALUE_OBJECT || v->kind == CKPT_VALUE_TENSOR) v = v->u.object.parts->callable;
	return v && v->kind == CKPT_VALUE_GLOBAL ? (ckpt_pickle_role)v->object_kind : CKPT_ROLE_NONE;
}
