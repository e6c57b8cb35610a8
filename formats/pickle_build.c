/* pickle_build.c -- opcodes of the pickle machine that build: globals, calls, instances, containers */
#include "../lib/checked.h"
#include "../lib/error.h"
#include "pickle_inner.h"

#include <string.h>

enum { UNHASHABLE = 1 }; /* object_kind of a tuple */

/* ---- globals ---- */

static ckpt_value *new_global(pickle_machine *m, const char *module, size_t module_length, const char *name,
                              size_t name_length)
{
	if (memchr(module, '\0', module_length) || memchr(name, '\0', name_length)) {
		ckpt_pickle_fail(m, "the name of the global to import holds a NUL");
		return NULL;
	}
	if (!ckpt_pickle_is_utf8((const uint8_t *)module, module_length) ||
	    !ckpt_pickle_is_utf8((const uint8_t *)name, name_length)) {
		ckpt_pickle_fail(m, "the name of the global to import is no UTF-8");
		return NULL;
	}
	if (++m->values > m->options->limits.pickle_values) {
		ckpt_fail_limit(m->err, "values of a pickle:", m->values, "pickle-values",
		                m->options->limits.pickle_values);
		return NULL;
	}
	const char *module_text = ckpt_arena_copy(m->arena, module, module_length);
	const char *name_text = ckpt_arena_copy(m->arena, name, name_length);
	ckpt_value *v = module_text && name_text ? ckpt_value_new_global(m->arena, module_text, name_text) : NULL;
	if (!v) {
		ckpt_fail_nomem(m->err);
		return NULL;
	}
	v->object_kind = (uint8_t)ckpt_pickle_name_role(module_text, name_text, NULL);
	pickle_event event = {
		.kind = CKPT_PICKLE_GLOBAL, .class = ckpt_pickle_classify(module_text, name_text), .global = v};
	v->tensor = (uint32_t)m->event_count;
	return ckpt_pickle_note_event(m, event) ? v : NULL;
}

static ckpt_value *global_of_lines(pickle_machine *m)
{
	const char *module, *name;
	size_t module_length, name_length;
	if (!ckpt_pickle_line(m, &module, &module_length) || !ckpt_pickle_line(m, &name, &name_length)) return NULL;
	return new_global(m, module, module_length, name, name_length);
}

static bool op_global(pickle_machine *m)
{
	return ckpt_pickle_push(m, global_of_lines(m));
}

static bool op_stack_global(pickle_machine *m)
{
	ckpt_value *name = ckpt_pickle_pop(m), *module = name ? ckpt_pickle_pop(m) : NULL;
	if (!module) return false;
	if (name->kind == CKPT_VALUE_STRING && module->kind == CKPT_VALUE_STRING)
		return ckpt_pickle_push(m, new_global(m, module->u.text.bytes, module->u.text.length,
		                                      name->u.text.bytes, name->u.text.length));
	if (!ckpt_pickle_note_event(m, (pickle_event){.kind = CKPT_PICKLE_UNRESOLVED})) return false;
	return ckpt_pickle_push(m, ckpt_pickle_make(m, CKPT_VALUE_NONE));
}

static bool push_extension(pickle_machine *m, unsigned width)
{
	if (!ckpt_pickle_take(m, width)) return false;
	if (!ckpt_pickle_note_event(m, (pickle_event){.kind = CKPT_PICKLE_EXTENSION})) return false;
	return ckpt_pickle_push(m, ckpt_pickle_make(m, CKPT_VALUE_NONE));
}

static bool op_ext1(pickle_machine *m)
{
	return push_extension(m, 1);
}
static bool op_ext2(pickle_machine *m)
{
	return push_extension(m, 2);
}
static bool op_ext4(pickle_machine *m)
{
	return push_extension(m, 4);
}

/* ---- persistent ids ---- */

static bool is_storage_id(const ckpt_value *id)
{
	if (id->kind != CKPT_VALUE_TUPLE || id->u.list.count == 0) return false;
	const ckpt_value *tag = id->u.list.items[0];
	return tag->kind == CKPT_VALUE_STRING && strcmp(tag->u.text.bytes, "storage") == 0;
}

static bool push_persistent(pickle_machine *m, ckpt_value *id, bool text)
{
	if (m->options->persistent) {
		ckpt_error why = {0};
		ckpt_value *v = m->options->persistent(m->options->user, id, text, &why);
		if (v) return ckpt_pickle_push(m, v);
		if (why.code != CKPT_OK) return ckpt_pickle_fail_as(m, why.code, "%s", why.text);
	}
	if ((m->options->persistent || !is_storage_id(id)) && !ckpt_pickle_note_event(m, (pickle_event){.kind = CKPT_PICKLE_PERSISTENT}))
		return false;
	ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_PERSID);
	if (v) v->u.persid.id = id;
	return ckpt_pickle_push(m, v);
}

static bool op_persid(pickle_machine *m)
{
	const char *line;
	size_t length;
	if (!ckpt_pickle_line(m, &line, &length)) return false;
	ckpt_value *id = ckpt_pickle_make_str2(m, line, length);
	return id && push_persistent(m, id, true);
}

static bool op_binpersid(pickle_machine *m)
{
	ckpt_value *id = ckpt_pickle_pop(m);
	return id && push_persistent(m, id, false);
}

/* ---- containers ---- */

static bool hashable(const ckpt_value *v)
{
	switch (v->kind) {
	case CKPT_VALUE_LIST:
	case CKPT_VALUE_DICT:
	case CKPT_VALUE_SET:
	case CKPT_VALUE_BYTEARRAY:
		return false;
	case CKPT_VALUE_TUPLE:
		return v->object_kind != UNHASHABLE;
	default:
		return true;
	}
}

static bool check_keys(pickle_machine *m, ckpt_value *const *items, size_t count, size_t step, const char *what)
{
	for (size_t i = 0; i < count; i += step)
		if (!hashable(items[i]))
			return ckpt_pickle_fail(m, "a %s cannot be %s: its type cannot be hashed", what,
			                        ckpt_pickle_kind_text(items[i]));
	return true;
}

/* Appends items to a list of items in the arena. */
static bool extend(pickle_machine *m, ckpt_value ***list, uint32_t *count, uint32_t *capacity, ckpt_value *const *items,
                   size_t n)
{
	if (n > UINT32_MAX / 2 - *count) return ckpt_pickle_fail(m, "a container of %zu more items is too large", n);
	if (n > *capacity - *count) {
		size_t more = *capacity ? (size_t)*count * 2 : n;
		if (more < *count + n) more = *count + n;
		ckpt_value **grown = ckpt_arena_alloc(m->arena, more * sizeof *grown);
		if (!grown) return ckpt_fail_nomem(m->err);
		if (*count) memcpy(grown, *list, *count * sizeof *grown);
		*list = grown;
		*capacity = (uint32_t)more;
	}
	if (n) memcpy(*list + *count, items, n * sizeof *items);
	*count += (uint32_t)n;
	return true;
}

static bool extend_list(pickle_machine *m, ckpt_value *v, ckpt_value *const *items, size_t n)
{
	return extend(m, &v->u.list.items, &v->u.list.count, &v->u.list.capacity, items, n);
}

static bool extend_object(pickle_machine *m, ckpt_value *v, ckpt_value *const *items, size_t n)
{
	ckpt_object *o = v->u.object.parts;
	return extend(m, &o->items, &o->count, &o->capacity, items, n);
}

/* A new container with these items. */
static ckpt_value *collect(pickle_machine *m, ckpt_value_kind kind, ckpt_value *const *items, size_t n)
{
	ckpt_value *v = ckpt_pickle_make(m, kind);
	if (!v || !extend_list(m, v, items, n)) return NULL;
	if (kind == CKPT_VALUE_TUPLE)
		for (size_t i = 0; i < n; i++)
			if (!hashable(items[i])) v->object_kind = UNHASHABLE;
	return v;
}

static bool push_new(pickle_machine *m, ckpt_value_kind kind)
{
	return ckpt_pickle_push(m, ckpt_pickle_make(m, kind));
}
static bool op_empty_list(pickle_machine *m)
{
	return push_new(m, CKPT_VALUE_LIST);
}
static bool op_empty_dict(pickle_machine *m)
{
	return push_new(m, CKPT_VALUE_DICT);
}
static bool op_empty_set(pickle_machine *m)
{
	return push_new(m, CKPT_VALUE_SET);
}

static bool push_short_tuple(pickle_machine *m, size_t n)
{
	ckpt_value *items[3];
	for (size_t i = n; i-- > 0;)
		if (!(items[i] = ckpt_pickle_pop(m))) return false;
	return ckpt_pickle_push(m, collect(m, CKPT_VALUE_TUPLE, items, n));
}

static bool op_tuple1(pickle_machine *m)
{
	return push_short_tuple(m, 1);
}
static bool op_tuple2(pickle_machine *m)
{
	return push_short_tuple(m, 2);
}
static bool op_tuple3(pickle_machine *m)
{
	return push_short_tuple(m, 3);
}

static bool push_marked(pickle_machine *m, ckpt_value_kind kind)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	if (!ckpt_pickle_pop_mark(m, &items, &count)) return false;
	if (kind == CKPT_VALUE_DICT) {
		if (count % 2) return ckpt_pickle_fail(m, "an odd number of items (%zu) does not make pairs", count);
		if (!check_keys(m, items, count, 2, "key")) return false;
	}
	if (kind == CKPT_VALUE_FROZENSET && !check_keys(m, items, count, 1, "member of a set")) return false;
	return ckpt_pickle_push(m, collect(m, kind, items, count));
}

static bool op_tuple(pickle_machine *m)
{
	return push_marked(m, CKPT_VALUE_TUPLE);
}
static bool op_list(pickle_machine *m)
{
	return push_marked(m, CKPT_VALUE_LIST);
}
static bool op_dict(pickle_machine *m)
{
	return push_marked(m, CKPT_VALUE_DICT);
}
static bool op_frozenset(pickle_machine *m)
{
	return push_marked(m, CKPT_VALUE_FROZENSET);
}

static bool op_additems(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	if (!ckpt_pickle_pop_mark(m, &items, &count)) return false;
	ckpt_value *set = ckpt_pickle_top(m);
	if (!set) return false;
	if (set->kind != CKPT_VALUE_SET)
		return ckpt_pickle_fail(m, "items are added to a set, the type found is %s",
		                        ckpt_pickle_kind_text(set));
	return check_keys(m, items, count, 1, "member of a set") && extend_list(m, set, items, count);
}

/* What a call of the role makes, when it is something that takes no items. */
static const char *closed_type(const ckpt_value *v)
{
	ckpt_pickle_role role = ckpt_pickle_role_of(v);
	if (role >= CKPT_ROLE_REBUILD && role <= CKPT_ROLE_REBUILD_LAST) return "a tensor";
	switch (role) {
	case CKPT_ROLE_TENSOR_CLASS:
	case CKPT_ROLE_PARAMETER:
		return "a tensor";
	case CKPT_ROLE_STORAGE:
		return "a storage";
	case CKPT_ROLE_SIZE:
		return "a torch.Size";
	case CKPT_ROLE_DTYPE:
		return "a dtype";
	case CKPT_ROLE_ENCODE:
		return "bytes";
	case CKPT_ROLE_SET:
		return "a set";
	default:
		return NULL;
	}
}

static bool append_items(pickle_machine *m, ckpt_value *target, ckpt_value *const *items, size_t count)
{
	if (!target) return false;
	if (target->kind == CKPT_VALUE_LIST) return extend_list(m, target, items, count);
	const char *closed = target->kind == CKPT_VALUE_OBJECT ? closed_type(target) : ckpt_pickle_kind_text(target);
	if (closed) return ckpt_pickle_fail(m, "items are appended to a list, the type found is %s", closed);
	ckpt_pickle_role role = ckpt_pickle_role_of(target);
	if (target->dict_items || role == CKPT_ROLE_ORDERED_DICT || role == CKPT_ROLE_DICT)
		return ckpt_pickle_fail(m, "items are appended to a list, the type found is a dict");
	return extend_object(m, target, items, count);
}

static bool set_items(pickle_machine *m, ckpt_value *target, ckpt_value *const *items, size_t count)
{
	if (!target) return false;
	if (count % 2) return ckpt_pickle_fail(m, "an odd number of items (%zu) does not make pairs", count);
	if (!check_keys(m, items, count, 2, "key")) return false;
	if (target->kind == CKPT_VALUE_DICT) return extend_list(m, target, items, count);
	const char *closed = target->kind == CKPT_VALUE_OBJECT ? closed_type(target) : ckpt_pickle_kind_text(target);
	if (closed) return ckpt_pickle_fail(m, "pairs are set in a dict, the type found is %s", closed);
	if (!target->dict_items && target->u.object.parts->count)
		return ckpt_pickle_fail(m, "pairs are set in a dict, the type found is a list");
	if (count) target->dict_items = 1;
	return extend_object(m, target, items, count);
}

static bool op_append(pickle_machine *m)
{
	ckpt_value *item = ckpt_pickle_pop(m);
	return item && append_items(m, ckpt_pickle_top(m), &item, 1);
}

static bool op_appends(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	return ckpt_pickle_pop_mark(m, &items, &count) && append_items(m, ckpt_pickle_top(m), items, count);
}

static bool op_setitem(pickle_machine *m)
{
	ckpt_value *pair[2] = {NULL, ckpt_pickle_pop(m)};
	pair[0] = pair[1] ? ckpt_pickle_pop(m) : NULL;
	return pair[0] && set_items(m, ckpt_pickle_top(m), pair, 2);
}

static bool op_setitems(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	return ckpt_pickle_pop_mark(m, &items, &count) && set_items(m, ckpt_pickle_top(m), items, count);
}

/* ---- calls ---- */

static void mark_called(pickle_machine *m, const ckpt_value *v)
{
	if (v->kind == CKPT_VALUE_GLOBAL && v->tensor < m->event_count) m->events[v->tensor].called = true;
}

/* _codecs.encode with another codec than Latin-1 is no way to write bytes. */
static bool is_latin1_call(const ckpt_value *arguments)
{
	if (arguments->u.list.count != 2) return false;
	const ckpt_value *codec = arguments->u.list.items[1];
	return codec->kind == CKPT_VALUE_STRING &&
	       (strcmp(codec->u.text.bytes, "latin1") == 0 || strcmp(codec->u.text.bytes, "latin-1") == 0);
}

static bool note_call(pickle_machine *m, const ckpt_value *callable, const ckpt_value *arguments)
{
	if (callable->kind != CKPT_VALUE_GLOBAL)
		return ckpt_pickle_note_event(m, (pickle_event){.kind = CKPT_PICKLE_COMPUTED});
	mark_called(m, callable);
	if (callable->object_kind == CKPT_ROLE_REBUILD_FROM_TYPE && arguments->u.list.count)
		mark_called(m, arguments->u.list.items[0]);
	if (callable->object_kind == CKPT_ROLE_ENCODE && !is_latin1_call(arguments) &&
	    callable->tensor < m->event_count)
		m->events[callable->tensor].class = CKPT_PICKLE_SUSPICIOUS;
	return true;
}

static ckpt_value *new_object(pickle_machine *m, ckpt_object_kind kind, ckpt_value *callable, ckpt_value *arguments)
{
	ckpt_value *v = ckpt_pickle_make(m, CKPT_VALUE_OBJECT);
	if (!v) return NULL;
	ckpt_object *o = ckpt_arena_alloc(m->arena, sizeof *o);
	if (!o) {
		ckpt_fail_nomem(m->err);
		return NULL;
	}
	o->callable = callable;
	o->arguments = arguments;
	v->object_kind = (uint8_t)kind;
	v->u.object.parts = o;
	return v;
}

static bool is_pair(const ckpt_value *v)
{
	return (v->kind == CKPT_VALUE_LIST || v->kind == CKPT_VALUE_TUPLE) && v->u.list.count == 2;
}

/* Python 2 writes OrderedDict([[key, value], ...]): the same as an empty one whose items are set. */
static ckpt_value *ordered_dict2(pickle_machine *m, ckpt_value *callable, const ckpt_value *list)
{
	ckpt_value *empty = m->empty_tuple ? m->empty_tuple : ckpt_pickle_make(m, CKPT_VALUE_TUPLE);
	ckpt_value *v = empty ? new_object(m, CKPT_OBJECT_REDUCE, callable, empty) : NULL;
	for (uint32_t i = 0; v && i < list->u.list.count; i++) {
		const ckpt_value *pair = list->u.list.items[i];
		if (!is_pair(pair)) {
			ckpt_pickle_fail(m, "item %u of an OrderedDict is no pair", i);
			return NULL;
		}
		if (!set_items(m, v, pair->u.list.items, 2)) return NULL;
	}
	return v;
}

static bool op_reduce(pickle_machine *m)
{
	ckpt_value *arguments = ckpt_pickle_pop(m), *callable = arguments ? ckpt_pickle_pop(m) : NULL;
	if (!callable) return false;
	if (arguments->kind != CKPT_VALUE_TUPLE)
		return ckpt_pickle_fail(m, "the arguments of a call are a tuple, the type found is %s",
		                        ckpt_pickle_kind_text(arguments));
	if (!note_call(m, callable, arguments)) return false;
	if (ckpt_pickle_role_of(callable) == CKPT_ROLE_ORDERED_DICT && arguments->u.list.count == 1 &&
	    arguments->u.list.items[0]->kind == CKPT_VALUE_LIST)
		return ckpt_pickle_push(m, ordered_dict2(m, callable, arguments->u.list.items[0]));
	return ckpt_pickle_push(m, new_object(m, CKPT_OBJECT_REDUCE, callable, arguments));
}

static bool push_instance(pickle_machine *m, ckpt_object_kind kind, ckpt_value *class, ckpt_value *arguments,
                          ckpt_value *all)
{
	if (arguments->kind != CKPT_VALUE_TUPLE)
		return ckpt_pickle_fail(m, "the arguments of a new object are a tuple, the type found is %s",
		                        ckpt_pickle_kind_text(arguments));
	return note_call(m, class, arguments) && ckpt_pickle_push(m, new_object(m, kind, class, all));
}

static bool op_newobj(pickle_machine *m)
{
	ckpt_value *arguments = ckpt_pickle_pop(m), *class = arguments ? ckpt_pickle_pop(m) : NULL;
	return class && push_instance(m, CKPT_OBJECT_NEWOBJ, class, arguments, arguments);
}

static bool op_newobj_ex(pickle_machine *m)
{
	ckpt_value *both[2] = {NULL, ckpt_pickle_pop(m)};
	both[0] = both[1] ? ckpt_pickle_pop(m) : NULL;
	ckpt_value *class = both[0] ? ckpt_pickle_pop(m) : NULL;
	if (!class) return false;
	if (both[1]->kind != CKPT_VALUE_DICT)
		return ckpt_pickle_fail(m, "the keyword arguments of a new object are a dict, the type found is %s",
		                        ckpt_pickle_kind_text(both[1]));
	ckpt_value *all = collect(m, CKPT_VALUE_TUPLE, both, 2);
	return all && push_instance(m, CKPT_OBJECT_NEWOBJ_EX, class, both[0], all);
}

static bool op_obj(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	if (!ckpt_pickle_pop_mark(m, &items, &count)) return false;
	if (count == 0) return ckpt_pickle_fail(m, "stack underflow: there is no class above the mark");
	ckpt_value *class = items[0], *arguments = collect(m, CKPT_VALUE_TUPLE, items + 1, count - 1);
	return arguments && push_instance(m, CKPT_OBJECT_INST, class, arguments, arguments);
}

static bool op_inst(pickle_machine *m)
{
	ckpt_value **items = NULL;
	size_t count = 0;
	ckpt_value *class = global_of_lines(m);
	if (!class || !ckpt_pickle_pop_mark(m, &items, &count)) return false;
	ckpt_value *arguments = collect(m, CKPT_VALUE_TUPLE, items, count);
	return arguments && push_instance(m, CKPT_OBJECT_INST, class, arguments, arguments);
}

/* numpy believes the flags in the state of a dtype: without those of objects it would take bytes for addresses, and the
 * other way round. Fields and parts have flags of their own. */
static void judge_dtype(pickle_machine *m, const ckpt_object *o, const ckpt_value *state)
{
	enum { SUBARRAY = 2, NAMES, FIELDS, FLAGS = 7, OF_OBJECTS = 3 };
	const ckpt_value *class = o->callable, *type = NULL, *const *items = (const ckpt_value *const *)state->u.list.items;
	if (class->kind != CKPT_VALUE_GLOBAL || class->tensor >= m->event_count) return;
	if (strcmp(ckpt_value_global_module(class, NULL), "numpy") != 0 || strcmp(ckpt_value_global_name(class), "dtype") != 0) return;
	pickle_event *e = &m->events[class->tensor];
	if (o->arguments->u.list.count) type = o->arguments->u.list.items[0];
	bool simple = type && type->kind == CKPT_VALUE_STRING && state->kind == CKPT_VALUE_TUPLE && state->u.list.count > FLAGS &&
	              items[FLAGS]->kind == CKPT_VALUE_INT;
	for (int i = SUBARRAY; simple && i <= FIELDS; i++) simple = items[i]->kind == CKPT_VALUE_NONE;
	if (!simple)
		e->odd = true;
	else if ((items[FLAGS]->u.integer & OF_OBJECTS) != (strchr(type->u.text.bytes, 'O') ? OF_OBJECTS : 0))
		e->class = CKPT_PICKLE_DANGEROUS;
}

static bool op_build(pickle_machine *m)
{
	ckpt_value *state = ckpt_pickle_pop(m), *target = state ? ckpt_pickle_top(m) : NULL;
	if (!target) return false;
	if (target->kind != CKPT_VALUE_OBJECT)
		return ckpt_pickle_fail(m, "BUILD sets the state of an object, the type found is %s",
		                        ckpt_pickle_kind_text(target));
	judge_dtype(m, target->u.object.parts, state);
	ckpt_pickle_role role = ckpt_pickle_role_of(target);
	const char *closed = closed_type(target);
	if (closed && role != CKPT_ROLE_TENSOR_CLASS && role != CKPT_ROLE_PARAMETER)
		return ckpt_pickle_fail(m, "BUILD on %s is not allowed", closed);
	if (target->u.object.parts->state) return ckpt_pickle_fail(m, "the object has its state already");
	target->u.object.parts->state = state;
	return true;
}

const pickle_op ckpt_pickle_build_ops[] = {
	{'c', "GLOBAL", op_global},
	{0x93, "STACK_GLOBAL", op_stack_global},
	{0x82, "EXT1", op_ext1},
	{0x83, "EXT2", op_ext2},
	{0x84, "EXT4", op_ext4},
	{'P', "PERSID", op_persid},
	{'Q', "BINPERSID", op_binpersid},
	{']', "EMPTY_LIST", op_empty_list},
	{'}', "EMPTY_DICT", op_empty_dict},
	{0x8f, "EMPTY_SET", op_empty_set},
	{0x85, "TUPLE1", op_tuple1},
	{0x86, "TUPLE2", op_tuple2},
	{0x87, "TUPLE3", op_tuple3},
	{'t', "TUPLE", op_tuple},
	{'l', "LIST", op_list},
	{'d', "DICT", op_dict},
	{0x91, "FROZENSET", op_frozenset},
	{0x90, "ADDITEMS", op_additems},
	{'a', "APPEND", op_append},
	{'e', "APPENDS", op_appends},
	{'s', "SETITEM", op_setitem},
	{'u', "SETITEMS", op_setitems},
	{'R', "REDUCE", op_reduce},
	{0x81, "NEWOBJ", op_newobj},
	{0x92, "NEWOBJ_EX", op_newobj_ex},
	{'o', "OBJ", op_obj},
	{'i', "INST", op_inst},
	{'b', "BUILD", op_build},
	{0},
};
