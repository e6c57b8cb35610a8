/* torch_walk.c -- finds the tensors in the value tree of a torch pickle and names them by their path
 *
 * Two walks, both with a stack of their own. The first visits every value once and finds out which containers hold
 * tensors by a road that has a name. The second follows these roads and adds the tensors; its work is bounded by the
 * size of the pickle, so that values that are shared over and over cannot make it explode.
 */
#include "../lib/buffer.h"
#include "../lib/error.h"
#include "../lib/utf8.h"
#include "torch_inner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* `mark` of a value during the walks. */
enum { UNSEEN, OPEN, OPEN_AGAIN, EMPTY, HOLDS, TENSOR_SEEN, TENSOR_LISTED };

enum {
	NAMES_PER_BYTE = 16,      /* names may take this many times the bytes of the pickle, */
	NAMES_AT_LEAST = 1 << 20, /* or this much */
	FRAMES_PER_LEVEL = 4      /* a module, its dict of modules, a tag around it */
};

typedef enum way {
	BY_KEY,
	BY_INDEX,
	THROUGH, /* the child has its parent's name */
	ASIDE    /* no name leads there */
} way;

typedef struct edge {
	ckpt_value *child;
	const ckpt_value *key;
	size_t index;
	way way;
} edge;

typedef struct frame {
	ckpt_value *v;
	torch_shape shape;
	bool holds, named;       /* named: it was entered by a road with a name */
	size_t next;             /* edge */
	size_t path;             /* length of the name of v, */
	size_t level;            /* made of so many components */
	const ckpt_value *owner; /* the object that hides it, or NULL */
	ckpt_text_index *skip;   /* keys that are not followed: buffers that are not persistent */
} frame;

typedef struct touched {
	ckpt_value *v;
	const ckpt_value *owner;
} touched;

typedef struct walk {
	ckpt_torch *t;
	frame *frames;
	size_t depth, frame_capacity;
	touched *touched;
	size_t touched_count, touched_capacity;
	torch_top *tops;
	size_t top_count, top_capacity;
	ckpt_buffer path;
	uint64_t budget; /* of the second walk */
	bool from_module;
	ckpt_error *err;
} walk;

static bool reserve(void *array, size_t item, size_t count, size_t *capacity, ckpt_error *err)
{
	if (count < *capacity) return true;
	size_t more = *capacity ? *capacity * 2 : 64;
	void *grown = reallocarray(*(void **)array, more, item);
	if (!grown) return ckpt_fail_nomem(err);
	*(void **)array = grown;
	*capacity = more;
	return true;
}

/* ---- edges ---- */

/* Names in a set of strings: a set of protocol 4, or the call set([...]) of protocol 2. */
static bool skip_names(walk *w, const ckpt_value *set, ckpt_text_index **out)
{
	ckpt_value *const *items;
	size_t count;
	*out = NULL;
	if (set && ckpt_pickle_role_of(set) == CKPT_ROLE_SET && set->kind == CKPT_VALUE_OBJECT) {
		const ckpt_value *arguments = set->u.object.parts->arguments;
		set = arguments->u.list.count ? arguments->u.list.items[0] : NULL;
	}
	if (!set || (ckpt_torch_shape(set) != TORCH_SET && ckpt_torch_shape(set) != TORCH_LIST)) return true;
	ckpt_torch_items(set, &items, &count);
	if (!count) return true;
	ckpt_text_index *names = malloc(sizeof *names);
	if (!names) return ckpt_fail_nomem(w->err);
	if (!ckpt_text_index_init(names, count, false, w->err)) {
		free(names);
		return false;
	}
	*out = names;
	for (size_t i = 0; i < count; i++) {
		uint32_t found;
		if (items[i]->kind == CKPT_VALUE_STRING &&
		    !ckpt_text_index_add(names, items[i]->u.text.bytes, items[i]->u.text.length, 0, &found, w->err))
			return false;
	}
	return true;
}

/* Edge i of an object beyond its items: arguments, state. */
static bool object_edge(const ckpt_value *v, size_t i, edge *e)
{
	if (v->kind != CKPT_VALUE_OBJECT || i > 1) return false;
	const ckpt_object *o = v->u.object.parts;
	*e = (edge){.child = i == 0 ? o->arguments : o->state, .way = ASIDE};
	return true;
}

static bool module_edge(const ckpt_value *v, size_t i, edge *e)
{
	static const char *const parts[] = {"_parameters", "_buffers", "_modules"};
	if (i >= 3) return object_edge(v, i - 3, e);
	*e = (edge){.child = ckpt_torch_entry(v->u.object.parts->state, parts[i]), .way = THROUGH};
	return true;
}

/* Edge number `next` of the frame; false past the last one. A child may be NULL. */
static bool edge_of(const frame *f, edge *e)
{
	const ckpt_value *v = f->v;
	ckpt_value *const *items;
	size_t count, i = f->next;
	switch (f->shape) {
	case TORCH_DICT:
		ckpt_torch_pairs(v, &items, &count);
		if (i >= 2 * count) return object_edge(v, i - 2 * count, e);
		*e = (edge){.child = items[i], .key = items[i & ~(size_t)1], .way = i % 2 ? BY_KEY : ASIDE};
		if (f->skip && e->key->kind == CKPT_VALUE_STRING &&
		    ckpt_text_index_find(f->skip, e->key->u.text.bytes, e->key->u.text.length) != UINT32_MAX)
			e->child = NULL;
		return true;
	case TORCH_LIST:
		ckpt_torch_items(v, &items, &count);
		if (i >= count) return object_edge(v, i - count, e);
		*e = (edge){.child = items[i], .index = i, .way = BY_INDEX};
		return true;
	case TORCH_SET:
		ckpt_torch_items(v, &items, &count);
		if (i >= count) return false;
		*e = (edge){.child = items[i], .way = ASIDE};
		return true;
	case TORCH_MODULE:
		return module_edge(v, i, e);
	case TORCH_SCRIPT:
		if (i) return object_edge(v, i == 1 ? 0 : 2, e);
		*e = (edge){.child = v->u.object.parts->state, .way = THROUGH};
		return true;
	case TORCH_INSIDE:
		if (i) return false;
		*e = (edge){.child = v->u.object.parts->arguments->u.list.items[0], .way = THROUGH};
		return true;
	case TORCH_OPAQUE:
		return object_edge(v, i, e);
	default:
		return false;
	}
}

/* ---- frames ---- */

static void pop(walk *w)
{
	frame *f = &w->frames[--w->depth];
	if (!f->skip) return;
	ckpt_text_index_free(f->skip);
	free(f->skip);
}

/* e is the edge of the top frame by which v is entered, NULL for the first one. */
static bool push(walk *w, ckpt_value *v, const edge *e)
{
	if (!reserve(&w->frames, sizeof *w->frames, w->depth, &w->frame_capacity, w->err)) return false;
	frame *parent = w->depth ? &w->frames[w->depth - 1] : NULL;
	frame *f = &w->frames[w->depth++];
	*f = (frame){.v = v, .shape = ckpt_torch_shape(v), .named = !e || e->way != ASIDE, .path = w->path.length};
	if (!parent) return true;
	f->owner = e->way == ASIDE ? parent->v : parent->owner;
	f->level = parent->level + (e->way == BY_KEY || e->way == BY_INDEX);
	if (parent->shape != TORCH_MODULE || parent->next != 2) return true; /* _buffers: next is behind it */
	return skip_names(w, ckpt_torch_entry(parent->v->u.object.parts->state, "_non_persistent_buffers_set"),
	                  &f->skip);
}

/* ---- first walk ---- */

static bool touch(walk *w, ckpt_value *v, uint8_t mark, const ckpt_value *owner)
{
	if (!reserve(&w->touched, sizeof *w->touched, w->touched_count, &w->touched_capacity, w->err)) return false;
	w->touched[w->touched_count++] = (touched){v, owner};
	v->mark = mark;
	return true;
}

static bool visit(walk *w, const edge *e)
{
	frame *f = &w->frames[w->depth - 1];
	ckpt_value *child = e->child;
	bool named = e->way != ASIDE;
	if (!child) return true;
	if (ckpt_torch_is_tensor(child)) {
		f->holds |= named;
		return child->mark != UNSEEN || touch(w, child, TENSOR_SEEN, named ? f->owner : f->v);
	}
	switch (child->mark) {
	case HOLDS:
		f->holds |= named;
		return true;
	case OPEN:
		if (named) child->mark = OPEN_AGAIN;
		return true;
	case UNSEEN:
		if (ckpt_torch_shape(child) == TORCH_LEAF) return true;
		return touch(w, child, OPEN, NULL) && push(w, child, e);
	default:
		return true;
	}
}

static bool find_tensors(walk *w, ckpt_value *root)
{
	if (!touch(w, root, OPEN, NULL) || !push(w, root, NULL)) return false;
	while (w->depth) {
		frame *f = &w->frames[w->depth - 1];
		edge e;
		if (edge_of(f, &e)) {
			f->next++;
			if (!visit(w, &e)) return false;
			continue;
		}
		bool holds = f->holds, named = f->named;
		if (holds && f->v->mark == OPEN_AGAIN)
			return ckpt_fail(w->err, CKPT_E_FORMAT, "the tensors lie in a cycle: %s contains itself",
			                 ckpt_pickle_kind_text(f->v));
		f->v->mark = holds ? HOLDS : EMPTY;
		pop(w);
		if (w->depth && named) w->frames[w->depth - 1].holds |= holds;
	}
	return true;
}

static bool holds_tensors(const ckpt_value *v)
{
	return v->mark == HOLDS || v->mark >= TENSOR_SEEN;
}

/* ---- second walk ---- */

static bool has_ascii_only(const char *s, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (s[i] & 0x80) return false;
	return true;
}

static bool append_key(walk *w, const ckpt_value *key)
{
	char number[24];
	const char *text = number;
	size_t length;
	const char *above = w->path.length ? w->path.data : "";
	if (key->kind == CKPT_VALUE_INT) {
		length = (size_t)snprintf(number, sizeof number, "%lld", (long long)key->u.integer);
	} else if (key->kind == CKPT_VALUE_STRING || key->kind == CKPT_VALUE_BIGINT) {
		text = key->u.text.bytes;
		length = key->u.text.length;
	} else {
		return ckpt_fail(
			w->err, CKPT_E_UNSUPPORTED,
			"a tensor below '%.200s' has %s as its key: names are made of strings and integers, not of "
			"that type",
			above, ckpt_pickle_kind_text(key));
	}
	if (memchr(text, '\0', length))
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED, "the name of a tensor below '%.200s' holds a NUL", above);
	if (!has_ascii_only(text, length) && ckpt_utf8_check(text, length) != SIZE_MAX)
		return ckpt_fail(w->err, CKPT_E_UNSUPPORTED, "the name of a tensor below '%.200s' is no valid UTF-8",
		                 above);
	ckpt_buffer_add(&w->path, text, length);
	return ckpt_buffer_ok(&w->path, w->err);
}

/* Puts the component of the edge behind the path. */
static bool append_name(walk *w, const frame *f, const edge *e)
{
	if (e->way == THROUGH) return true;
	if (f->level) ckpt_buffer_char(&w->path, '.'); /* also below a component that is "" */
	if (e->way == BY_KEY) return append_key(w, e->key);
	ckpt_buffer_printf(&w->path, "%zu", e->index);
	return ckpt_buffer_ok(&w->path, w->err);
}

static void cut_path(walk *w, size_t length)
{
	w->path.length = length;
	if (w->path.data) w->path.data[length] = '\0';
}

static bool spend(walk *w, uint64_t cost)
{
	if (cost <= w->budget) {
		w->budget -= cost;
		return true;
	}
	return ckpt_fail(
		w->err, CKPT_E_LIMIT,
		"the tensors would get far more names than a pickle of its size can hold: values that are shared "
		"over and over expand to something too large");
}

static bool too_deep(walk *w)
{
	uint64_t most = w->t->cp->limits.depth;
	if (w->depth <= most * FRAMES_PER_LEVEL) return false;
	return !ckpt_fail_limit(w->err, "the nesting of the values that hold a tensor:", w->depth / FRAMES_PER_LEVEL,
	                        "depth", most);
}

/* Follows one edge of the top frame: lists a tensor, or enters a container. */
static bool follow(walk *w, const edge *e)
{
	frame *f = &w->frames[w->depth - 1];
	ckpt_value *child = e->child;
	size_t length = w->path.length;
	bool tensor = child && child->mark >= TENSOR_SEEN;
	if (!spend(w, 1)) return false;
	if (!child || e->way == ASIDE || (!tensor && child->mark != HOLDS)) return true;
	if (!append_name(w, f, e)) return false;
	if (tensor) {
		if (!spend(w, w->path.length + 8)) return false;
		if (!ckpt_torch_add(w->t, child, w->path.data ? w->path.data : "", w->err)) return false;
		child->mark = TENSOR_LISTED;
		cut_path(w, length);
		return true;
	}
	if (!push(w, child, e)) return false;
	f = &w->frames[w->depth - 1];
	if (f->shape == TORCH_MODULE || f->shape == TORCH_SCRIPT) w->from_module = true;
	return !too_deep(w);
}

static bool note_top(walk *w, const edge *e, size_t first)
{
	if (e->way != BY_KEY || !e->child) return true;
	if (!reserve(&w->tops, sizeof *w->tops, w->top_count, &w->top_capacity, w->err)) return false;
	w->tops[w->top_count++] = (torch_top){e->key, e->child, first, first};
	return true;
}

static bool name_tensors(walk *w, ckpt_value *root)
{
	if (!push(w, root, NULL)) return false;
	w->from_module = w->frames[0].shape == TORCH_MODULE || w->frames[0].shape == TORCH_SCRIPT;
	while (w->depth) {
		frame *f = &w->frames[w->depth - 1];
		edge e;
		cut_path(w, f->path);
		if (w->depth == 1 && w->top_count) w->tops[w->top_count - 1].last = w->t->cp->count;
		if (!edge_of(f, &e)) {
			pop(w);
			continue;
		}
		f->next++;
		if (w->depth == 1 && !note_top(w, &e, w->t->cp->count)) return false;
		if (!follow(w, &e)) return false;
	}
	return true;
}

/* ---- the rest ---- */

static const char *class_of(const ckpt_value *v)
{
	const ckpt_value *callable = v->kind == CKPT_VALUE_OBJECT ? v->u.object.parts->callable : NULL;
	return callable && callable->kind == CKPT_VALUE_GLOBAL ? callable->u.text.bytes : ckpt_pickle_kind_text(v);
}

/* Tensors that no name leads to. */
static bool note_unlisted(walk *w, bool *whole)
{
	size_t count = 0;
	const ckpt_value *owner = NULL;
	for (size_t i = 0; i < w->touched_count; i++) {
		if (w->touched[i].v->mark != TENSOR_SEEN) continue;
		if (!count++) owner = w->touched[i].owner;
	}
	*whole = count == 0;
	if (count == 0) return true;
	return ckpt_checkpoint_note(w->t->cp, w->err, "%zu tensor%s not listed: inside of %s of the type %.100s", count,
	                            count == 1 ? " is" : "s are", count == 1 ? "a value" : "values",
	                            owner ? class_of(owner) : "unknown");
}

/* What holds no tensor must at least be something that could. */
static bool check_empty(walk *w, const ckpt_value *root)
{
	torch_shape shape = ckpt_torch_shape(root);
	for (size_t i = 0; i < w->touched_count; i++)
		if (w->touched[i].v->mark == TENSOR_SEEN && shape == TORCH_OPAQUE)
			return ckpt_fail(
				w->err, CKPT_E_UNSUPPORTED,
				"the pickle holds an object of the class %.200s, whose tensors have no names that ckpt "
				"could follow",
				class_of(root));
	if (shape == TORCH_OPAQUE)
		return ckpt_checkpoint_note(
			w->t->cp, w->err,
			"the pickle holds an object of the class %.200s and no tensor", class_of(root));
	if (shape == TORCH_DICT || shape == TORCH_MODULE || shape == TORCH_SCRIPT) return true;
	if (root->kind == CKPT_VALUE_GLOBAL)
		return ckpt_fail(w->err, CKPT_E_FORMAT,
		                 "the pickle holds the global %.200s alone, not a dict of tensors", root->u.text.bytes);
	return ckpt_fail(w->err, CKPT_E_FORMAT, "the pickle holds %s without any tensor, not a dict of tensors",
	                 ckpt_pickle_kind_text(root));
}

static bool list_below(walk *w, ckpt_value *root, bool *whole)
{
	ckpt_torch *t = w->t;
	if (ckpt_torch_is_tensor(root)) {
		*whole = true;
		return ckpt_torch_add(t, root, root->kind == CKPT_VALUE_STORAGE ? "storage" : "tensor", w->err);
	}
	if (ckpt_torch_shape(root) == TORCH_LEAF) return check_empty(w, root);
	if (!find_tensors(w, root)) return false;
	if (root->mark == HOLDS ? !name_tensors(w, root) : !check_empty(w, root)) return false;
	if (!note_unlisted(w, whole)) return false;
	return ckpt_torch_find_roots(t, root, w->tops, w->top_count, holds_tensors, w->err);
}

/* Views of legacy storages get their range of the base; all values of storages get what they stand for. */
static bool bind_storages(ckpt_torch *t, ckpt_error *err)
{
	for (size_t i = 0; i < t->count; i++) {
		ckpt_torch_storage *s = &t->storages[i];
		const ckpt_storage *base = s->is_view ? t->storages[s->base].storage : NULL;
		if (!base) continue;
		uint64_t item = s->numel ? s->bytes / s->numel : 1;
		ckpt_source *source = ckpt_source_slice(base->source, s->view_at * item, s->bytes, err);
		if (!source) return false;
		s->storage = ckpt_checkpoint_add_storage(t->cp, source, s->dtype, s->untyped, err);
		if (!s->storage) return false;
	}
	for (size_t i = 0; i < t->node_count; i++)
		t->nodes[i]->u.persid.storage = t->storages[t->nodes[i]->tensor].storage;
	return true;
}

static bool list(walk *w, ckpt_value *root, const char *part)
{
	ckpt_torch *t = w->t;
	bool whole = false;
	if (!bind_storages(t, w->err)) return false;
	if (part) {
		root = ckpt_torch_resolve(root, part, w->err);
		if (!root) return false;
	}
	if (!list_below(w, root, &whole)) return false;
	if (t->missing_storage != SIZE_MAX) {
		*w->err = t->missing;
		return false;
	}
	if (part) t->cp->root_count = 0;
	t->cp->value = root;
	t->cp->value_is_whole = whole && !w->from_module;
	return ckpt_checkpoint_find_aliases(t->cp, w->err);
}

/* Until now `tensor` of the value of a storage was the number of the storage; from here on it is as for any other
 * value. */
static void release_storages(ckpt_torch *t)
{
	for (size_t i = 0; i < t->node_count; i++) t->nodes[i]->tensor = CKPT_NO_TENSOR;
	for (size_t i = t->cp->count; i-- > 0;) {
		ckpt_value *v = t->cp->tensors[i].value;
		if (v && v->kind == CKPT_VALUE_STORAGE) v->tensor = (uint32_t)i;
	}
}

bool ckpt_torch_list(ckpt_torch *t, ckpt_value *root, ckpt_torch_listing *how, ckpt_error *err)
{
	ckpt_error why = {0};
	walk w = {.t = t, .err = &why, .budget = NAMES_AT_LEAST};
	if (how->pickle_bytes < (uint64_t)1 << 40) w.budget += how->pickle_bytes * NAMES_PER_BYTE;
	bool ok = list(&w, root, how->root);
	if (!ok && err) *err = why;
	how->from_module = w.from_module;
	release_storages(t);
	while (w.depth) pop(&w);
	for (size_t i = 0; i < w.touched_count; i++) w.touched[i].v->mark = UNSEEN;
	free(w.frames);
	free(w.touched);
	free(w.tops);
	ckpt_buffer_free(&w.path);
	return ok;
}
