/* reshape.c -- another shape of a model: plans it, makes its tensors, rewrites its config */
#include "reshape.h"
#include "../checked.h"
#include "../dtype.h"
#include "../error.h"
#include "init.h"
#include "resize.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ckpt_reshape_free(ckpt_reshape *r)
{
	if (!r) return;
	ckpt_checkpoint_free(r->made);
	ckpt_model_free(r->model);
	ckpt_config_free(r->config);
	ckpt_buffer_free(&r->config_text);
	for (size_t s = 0; s < 2; s++) free(r->maps[s].from);
	free(r->origins);
	free(r->used);
	free(r->text);
	free(r);
}

/* ---- the config ------------------------------------------------------------------------------------------------ */

/* Everything that is set: what was asked for, and what follows from layers, vocabulary and positions. */
typedef struct changes {
	const char **keys, **values;
	size_t count, capacity;
	ckpt_arena arena;
} changes;

static bool change(changes *c, const char *key, const char *value, ckpt_error *err)
{
	char *copy = ckpt_arena_copy(&c->arena, value, strlen(value));
	if (!copy || c->count == c->capacity) return ckpt_fail_nomem(err);
	c->keys[c->count] = key;
	c->values[c->count++] = copy;
	return true;
}

static bool change_number(changes *c, const char *key, uint64_t value, ckpt_error *err)
{
	char text[32];
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	return change(c, key, text, err);
}

static bool is_set(const changes *c, const ckpt_arch *arch, const char *key)
{
	for (size_t i = 0; i < c->count; i++)
		if (!strcmp(ckpt_config_canonical(arch, c->keys[i]), key)) return true;
	return false;
}

/* The config key of a symbol, or NULL. */
static const char *key_of(const ckpt_arch *arch, char symbol)
{
	for (const ckpt_arch_symbol *s = arch->symbols; s->letter; s++)
		if (s->letter == symbol) return s->key;
	return NULL;
}

static bool change_tables(changes *c, const ckpt_reshape *r, const ckpt_reshape_options *o, ckpt_error *err)
{
	const ckpt_arch *arch = r->old->arch;
	uint64_t rows = o->vocab_size ? o->vocab_size : ckpt_config_dim(r->config, 'V'), rest;
	if (o->multiple_of && (rest = rows % o->multiple_of) && !ckpt_add_u64(rows, o->multiple_of - rest, &rows))
		return ckpt_fail(err, CKPT_E_USAGE, "the vocabulary does not fit 64 bits");
	if ((o->vocab_size || o->multiple_of) && !change_number(c, key_of(arch, 'V'), rows, err)) return false;
	if (!o->positions) return true;
	const char *key = key_of(arch, 'P');
	if (!key) return ckpt_fail(err, CKPT_E_USAGE, "a model of type %s has no table of positions", arch->type);
	return change_number(c, key, o->positions, err);
}

static bool read_layers(ckpt_reshape *r, const ckpt_reshape_options *o, ckpt_error *err)
{
	static const char *const names[] = {"--encoder-layers", "--decoder-layers"};
	const ckpt_arch *arch = r->old->arch;
	for (size_t s = 0; s < 2; s++) {
		const char *name = arch->layers[1] ? names[s] : "--layers";
		if (!o->layers[s]) continue;
		if (!arch->layers[s] && s)
			return ckpt_fail(err, CKPT_E_USAGE, "a model of type %s has no second stack of layers", arch->type);
		if (!arch->layers[s])
			return ckpt_fail(err, CKPT_E_USAGE, "the layers of %s share their weights and cannot be picked; set %s", arch->type,
			                 arch->layer_keys[0]);
		if (!ckpt_layers_parse(o->layers[s], ckpt_config_dim(r->old->config, arch->layers[s]), name, &r->maps[s], err))
			return false;
	}
	return true;
}

/* Types of layers go with their layers. New layers are as the last one. */
static bool change_layer_types(changes *c, const ckpt_reshape *r, ckpt_error *err)
{
	const ckpt_node *types = ckpt_config_get(r->old->config, "layer_types");
	ckpt_buffer b = {0};
	bool ok = true;
	if (!types || types->kind != CKPT_NODE_LIST || !r->maps[0].count || is_set(c, r->old->arch, "layer_types")) return true;
	for (uint64_t i = 0; i < r->maps[0].count; i++) {
		const ckpt_node *type = types->child;
		for (uint32_t k = r->maps[0].from[i]; k && type; k--) type = type->next;
		if (!type) type = types->last;
		ckpt_buffer_printf(&b, "%s\"%s\"", i ? ", " : "[", type->text);
	}
	ckpt_buffer_char(&b, ']');
	ok = ckpt_buffer_ok(&b, err) && change(c, "layer_types", b.data, err);
	ckpt_buffer_free(&b);
	return ok;
}

static bool collect(changes *c, ckpt_reshape *r, const ckpt_reshape_options *o, ckpt_error *err)
{
	const ckpt_arch *arch = r->old->arch;
	c->capacity = o->count + 8;
	c->keys = calloc(c->capacity, sizeof *c->keys);
	c->values = calloc(c->capacity, sizeof *c->values);
	if (!c->keys || !c->values) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < o->count; i++)
		if (!change(c, o->keys[i], o->values[i], err)) return false;
	if (!change_tables(c, r, o, err) || !read_layers(r, o, err)) return false;
	for (size_t s = 0; s < 2; s++)
		if (r->maps[s].count && !change_number(c, arch->layer_keys[s], r->maps[s].count, err)) return false;
	/* a decoder that was as deep as the encoder because nothing else was said stays as deep as it was */
	const char *decoder = arch->layers[1] ? arch->layer_keys[1] : NULL;
	if (decoder && is_set(c, arch, arch->layer_keys[0]) && !is_set(c, arch, decoder) &&
	    !change_number(c, decoder, ckpt_config_dim(r->old->config, arch->layers[1]), err))
		return false;
	return change_layer_types(c, r, err);
}

static bool is_sorted(const ckpt_node *dict)
{
	for (const ckpt_node *n = dict->child; n && n->next; n = n->next)
		if (strcmp(n->key, n->next->key) > 0) return false;
	return true;
}

static bool make_config(ckpt_reshape *r, const ckpt_reshape_options *o, const ckpt_arch_class *class, ckpt_error *err)
{
	changes c = {0};
	const ckpt_arch *arch = r->old->arch;
	r->config = ckpt_config_copy(r->old->config, err);
	bool ok = r->config && collect(&c, r, o, err) && ckpt_config_set(r->config, c.keys, c.values, c.count, err) &&
	          ckpt_init_mark_config(r->config, class, CKPT_DTYPE_NONE, err);
	for (size_t s = 0; ok && s < 2; s++)
		if (arch->layers[s] && !r->maps[s].count)
			ok = ckpt_layers_first(ckpt_config_dim(r->config, arch->layers[s]), ckpt_config_dim(r->old->config, arch->layers[s]),
			                       &r->maps[s], err);
	free(c.keys);
	free(c.values);
	ckpt_arena_free(&c.arena);
	/* new keys come last, unless the file was sorted */
	if (ok && is_sorted(r->old->config->raw)) ok = ckpt_node_sort(r->config->raw, err);
	return ok && ckpt_config_print_raw(r->config, &r->config_text, err);
}

ckpt_reshape *ckpt_reshape_new(const ckpt_model *model, const ckpt_reshape_options *o, ckpt_error *err)
{
	const ckpt_arch_class *class = o->class_name ? ckpt_arch_class_find(model->arch, o->class_name) : model->class;
	if (!class) return ckpt_model_refuse_class(model->arch, o->class_name, err), NULL;
	ckpt_reshape *r = calloc(1, sizeof *r);
	if (!r) return ckpt_fail_nomem(err), NULL;
	r->old = model;
	r->seed = o->seed;
	r->draw_new_rows = o->draw_new_rows;
	bool ok = make_config(r, o, class, err);
	if (ok) r->model = ckpt_model_new(r->config, class, err);
	if (r->model && ckpt_reshape_plan(r, o, err)) return r;
	ckpt_reshape_free(r);
	return NULL;
}

const char *ckpt_reshape_config(const ckpt_reshape *r) { return r->config_text.data; }

/* ---- the tensors ----------------------------------------------------------------------------------------------- */

/* Rows first .. first+count of a table that gets them: the mean of those that it had, or what a new model has there. */
static ckpt_source *new_rows(const ckpt_reshape *r, size_t i, uint64_t first, uint64_t count, uint64_t width,
                             ckpt_error *err)
{
	const ckpt_slot *slot = &r->model->slots[i];
	const ckpt_tensor *old = r->origins[i].tensor;
	uint64_t row_bytes = width * ckpt_dtype_bits(old->dtype) / 8, have = old->elements / width;
	bool words = ckpt_arch_axis(slot->row->shape, 'V') >= 0;
	if (words && have && !r->draw_new_rows && !(slot->row->flags & CKPT_ROW_BUFFER))
		return ckpt_source_mean_rows(old->source, old->dtype, have, width, count, err);
	ckpt_source *all = ckpt_init_source(r->model, i, r->seed, old->dtype, err);
	ckpt_source *rows = all ? ckpt_source_slice(all, first * row_bytes, count * row_bytes, err) : NULL;
	ckpt_source_unref(all);
	return rows;
}

/* The old table, cut or with new rows behind it. A table of distances has its middle at distance 0 and changes at both
 * ends. */
static ckpt_source *resized(const ckpt_reshape *r, size_t i, ckpt_error *err)
{
	const ckpt_slot *slot = &r->model->slots[i];
	const ckpt_tensor *old = r->origins[i].tensor;
	uint64_t width = 1, have, want, row_bytes;
	for (uint32_t k = (uint32_t)ckpt_reshape_axis(slot, old) + 1; k < slot->rank; k++) width *= slot->shape[k];
	have = old->elements / width;
	want = slot->elements / width;
	row_bytes = width * ckpt_dtype_bits(old->dtype) / 8;
	uint64_t ahead = slot->row->when & CKPT_WHEN_RELATIVE ? (have < want ? want - have : have - want) / 2 : 0;
	if (r->origins[i].fate == CKPT_CUT)
		return ckpt_source_slice(old->source, ahead * row_bytes, want * row_bytes, err);
	ckpt_source *parts[3] = {new_rows(r, i, 0, ahead, width, err), ckpt_source_ref(old->source),
	                         new_rows(r, i, ahead + have, want - have - ahead, width, err)};
	ckpt_source *whole = parts[0] && parts[2] ? ckpt_source_concat(parts, 3, err) : NULL;
	for (size_t k = 0; k < 3; k++) ckpt_source_unref(parts[k]);
	return whole;
}

/* New tensors are of the dtype of what they stand for. */
static ckpt_dtype dtype_of(const ckpt_reshape *r, size_t i)
{
	const ckpt_slot *slot = &r->model->slots[i];
	const ckpt_tensor *old = r->origins[i].tensor;
	if (old) return old->dtype;
	for (size_t k = 0; k < r->old->count; k++)
		if (r->old->slots[k].row == slot->row && r->old->slots[k].tensor) return r->old->slots[k].tensor->dtype;
	return r->dtype;
}

static bool add_tensor(ckpt_reshape *r, ckpt_checkpoint *cp, size_t i, bool aliases, ckpt_error *err)
{
	const ckpt_slot *slot = &r->model->slots[i];
	const ckpt_origin *origin = &r->origins[i];
	ckpt_dtype dtype = dtype_of(r, i);
	ckpt_source *source = NULL;
	ckpt_tensor *t;
	switch (origin->fate) {
	case CKPT_KEPT:
	case CKPT_MOVED: source = ckpt_source_ref(origin->tensor->source); break;
	case CKPT_CUT:
	case CKPT_GROWN: source = resized(r, i, err); break;
	case CKPT_TIED: {
		if (!aliases) return true;
		size_t target = ckpt_checkpoint_index_of(cp, r->model->slots[slot->tied].name);
		source = ckpt_source_ref(cp->tensors[target].source);
		dtype = cp->tensors[target].dtype;
		if (!ckpt_checkpoint_add(cp, slot->name, dtype, slot->rank, slot->shape, source, &t, err)) return false;
		t->alias_of = target;
		return true;
	}
	default: source = ckpt_init_source(r->model, i, r->seed, dtype, err); break;
	}
	return source && ckpt_checkpoint_add(cp, slot->name, dtype, slot->rank, slot->shape, source, NULL, err);
}

const ckpt_checkpoint *ckpt_reshape_checkpoint(ckpt_reshape *r, bool aliases, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(err);
	bool ok = cp;
	for (size_t i = 0; ok && i < r->model->count; i++) ok = add_tensor(r, cp, i, aliases, err);
	if (!ok) {
		ckpt_checkpoint_free(cp);
		return NULL;
	}
	ckpt_checkpoint_free(r->made);
	r->made = cp;
	return cp;
}
