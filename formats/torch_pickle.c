/* torch_pickle.c -- the pickle that torch.save makes of a checkpoint, and the storages that it names
 *
 * A tensor is _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, OrderedDict()); for dtypes without a
 * storage class it is _rebuild_tensor_v3 over an UntypedStorage, with the dtype behind. A storage is the persistent id
 * ('storage', class, key, 'cpu', elements), in legacy with None behind. Keys count up in the order in which the pickle
 * first names the storages.
 */
#include "torch_pickle.h"
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "../lib/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 1000, ID_ITEMS = 5 };

/* Legacy keys are all of one length, so that their order as strings is that of the numbers. */
#define FIRST_LEGACY_KEY UINT64_C(10000000000000)
#define NO_MEMO UINT32_MAX

/* ---- storages ---- */

static bool add_entry(ckpt_torch_pickle *w, ckpt_torch_saved e, size_t *slot, ckpt_error *err)
{
	if (w->storage_count == w->storage_capacity) {
		size_t capacity = w->storage_capacity ? w->storage_capacity * 2 : 64;
		ckpt_torch_saved *grown = reallocarray(w->storages, capacity, sizeof *grown);
		if (!grown) return ckpt_fail_nomem(err);
		w->storages = grown;
		w->storage_capacity = capacity;
	}
	e.key_memo = NO_MEMO;
	w->storages[w->storage_count++] = e;
	*slot = w->storage_count;
	return true;
}

uint64_t ckpt_torch_key(const ckpt_torch_pickle *w, size_t index)
{
	return index + (w->legacy ? FIRST_LEGACY_KEY : 0);
}

uint64_t ckpt_torch_saved_elements(const ckpt_torch_saved *e)
{
	return e->untyped ? e->source->length : e->source->length / ckpt_dtype_get(e->dtype)->torch_bytes;
}

/* The key: in an archive one string object for all who use the storage, in legacy a new one each time. */
static void write_key(ckpt_torch_pickle *w, size_t index, const ckpt_value *was)
{
	char key[24];
	ckpt_torch_saved *e = &w->storages[index];
	int length = snprintf(key, sizeof key, "%" PRIu64, ckpt_torch_key(w, index));
	bool same = !w->legacy && was && was->kind == CKPT_VALUE_STRING && strcmp(was->u.text.bytes, key) == 0;
	if (same && e->key_memo == NO_MEMO) ckpt_pickle_known(w->p, was, &e->key_memo);
	if (!w->legacy && e->key_memo != NO_MEMO)
		ckpt_pickle_get(w->p, e->key_memo);
	else
		e->key_memo = ckpt_pickle_string(w->p, key, (size_t)length);
	if (same) ckpt_pickle_remember(w->p, was, e->key_memo);
}

/* A string that was written as this word, so that it still is one object with equal strings elsewhere in the tree. */
static void write_word(ckpt_torch_pickle *w, const char *word, const ckpt_value *was)
{
	bool same = was && was->kind == CKPT_VALUE_STRING && strcmp(was->u.text.bytes, word) == 0;
	if (same) ckpt_pickle_same(w->p, was, word);
	ckpt_pickle_word(w->p, word);
	if (same) ckpt_pickle_same(w->p, was, word);
}

/* id: what the storage's persistent id was, or NULL. */
static void write_storage(ckpt_torch_pickle *w, size_t index, const ckpt_value *id)
{
	static ckpt_value *const none[ID_ITEMS];
	const ckpt_torch_saved *e = &w->storages[index];
	bool tuple = id && id->kind == CKPT_VALUE_TUPLE && id->u.list.count >= ID_ITEMS;
	ckpt_value *const *was = tuple ? id->u.list.items : none;
	ckpt_pickle_op(w->p, CKPT_OP_MARK);
	write_word(w, "storage", was[0]);
	if (e->untyped)
		ckpt_pickle_global(w->p, "torch.storage", "UntypedStorage");
	else
		ckpt_pickle_global(w->p, "torch", ckpt_dtype_get(e->dtype)->storage);
	write_key(w, index, was[2]);
	write_word(w, "cpu", was[3]);
	ckpt_pickle_int(w->p, (int64_t)ckpt_torch_saved_elements(e));
	if (w->legacy) ckpt_pickle_op(w->p, CKPT_OP_NONE);
	ckpt_pickle_tuple(w->p, ID_ITEMS);
	ckpt_pickle_memoize(w->p);
	ckpt_pickle_op(w->p, CKPT_OP_PERSID);
}

static bool refuse_untyped(const char *dtype, ckpt_error *err)
{
	return ckpt_fail(err, CKPT_E_UNSUPPORTED,
	                 "torch cannot load %s back from a legacy file: write a zip archive (--to torch)", dtype);
}

/* A storage of the checkpoint, whole. */
static bool write_kept_storage(ckpt_torch_pickle *w, const ckpt_value *v, ckpt_error *err)
{
	const ckpt_storage *s = v->u.persid.storage;
	if (!s || s->number >= w->cp->storage_count || w->cp->storages[s->number] != s)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the pickle names a storage whose bytes are not known");
	bool untyped = s->untyped || !ckpt_dtype_get(s->dtype)->storage;
	if (untyped && w->legacy) return refuse_untyped("an untyped storage", err);
	if (!untyped && s->source->length % ckpt_dtype_get(s->dtype)->torch_bytes)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "a storage of %" PRIu64 " bytes holds no whole number of %s elements",
		                 s->source->length, ckpt_dtype_name(s->dtype));
	size_t *slot = &w->of_storage[s->number];
	const char *label = w->labels[s->number];
	ckpt_torch_saved e = {.source = s->source, .label = label, .dtype = s->dtype, .untyped = untyped};
	if (!*slot && !add_entry(w, e, slot, err)) return false;
	write_storage(w, *slot - 1, v->u.persid.id);
	return true;
}

/* ---- tensors ---- */

static bool check_dtype(const ckpt_torch_pickle *w, ckpt_dtype dtype, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	if (!info->torch) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "torch has no dtype for %s", info->name);
	if (info->kind == CKPT_CLASS_OPAQUE && info->storage)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED,
		                 "a quantised tensor (%s) cannot be written without its scales", info->name);
	if (!info->storage && w->legacy) return refuse_untyped(info->name, err);
	return true;
}

/* Shape and contiguous strides in elements of torch, which packs two F4 into one. */
static bool torch_shape(const ckpt_tensor *t, uint64_t *shape, uint64_t *stride, ckpt_error *err)
{
	char text[128];
	uint64_t step = 1;
	if (t->rank) memcpy(shape, t->shape, t->rank * sizeof *shape);
	if (t->dtype == CKPT_F4) {
		if (!t->rank || shape[t->rank - 1] % 2)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "torch packs two F4 into one element, which the shape %s does not allow",
			                 ckpt_shape_text(t->rank, t->shape, text, sizeof text));
		shape[t->rank - 1] /= 2;
	}
	for (size_t i = t->rank; i-- > 0;) {
		stride[i] = step;
		if (shape[i] > INT64_MAX || !ckpt_mul_u64(step, shape[i] ? shape[i] : 1, &step) || step > INT64_MAX)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the shape %s is larger than torch allows",
			                 ckpt_shape_text(t->rank, t->shape, text, sizeof text));
	}
	return true;
}

/* The slot of the storage that a tensor gets for itself, or shares with those that are the very same. */
static size_t *own_slot(ckpt_torch_pickle *w, size_t index)
{
	const ckpt_tensor *t = &w->cp->tensors[index];
	if (w->copy_aliases || t->alias_of == SIZE_MAX) return &w->of_tensor[index];
	const ckpt_tensor *first = &w->cp->tensors[t->alias_of];
	return &w->of_tensor[first->dtype == t->dtype && first->bytes == t->bytes ? t->alias_of : index];
}

static void write_hooks(ckpt_torch_pickle *w)
{
	ckpt_pickle_global(w->p, "collections", "OrderedDict");
	ckpt_pickle_tuple(w->p, 0);
	ckpt_pickle_op(w->p, CKPT_OP_REDUCE);
	ckpt_pickle_memoize(w->p);
}

/* The slot, filled: a storage that holds the tensor's bytes alone. NULL with an error that names the tensor. */
static const size_t *own_storage(ckpt_torch_pickle *w, size_t index, ckpt_error *err)
{
	const ckpt_tensor *t = &w->cp->tensors[index];
	bool untyped = !ckpt_dtype_get(t->dtype)->storage;
	ckpt_torch_saved e = {.source = t->source, .label = t->name, .dtype = t->dtype, .untyped = untyped};
	size_t *slot = own_slot(w, index);
	bool ok = !t->unreadable || ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s", t->unreadable);
	if (ok && check_dtype(w, t->dtype, err) && (*slot || add_entry(w, e, slot, err))) return slot;
	ckpt_error_prefix(err, "tensor '%s'", t->name);
	return NULL;
}

/* The tensor as a contiguous one on a storage of its own. memo: where the memo holds it. */
static bool write_tensor(ckpt_torch_pickle *w, size_t index, bool requires_grad, uint32_t *memo, ckpt_error *err)
{
	const ckpt_tensor *t = &w->cp->tensors[index];
	const ckpt_dtype_info *info = ckpt_dtype_get(t->dtype);
	uint64_t shape[CKPT_MAX_RANK], stride[CKPT_MAX_RANK];
	const size_t *slot = own_storage(w, index, err);
	if (!slot) return false;
	if (!torch_shape(t, shape, stride, err)) return ckpt_error_prefix(err, "tensor '%s'", t->name);
	ckpt_pickle_global(w->p, "torch._utils", info->storage ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
	ckpt_pickle_op(w->p, CKPT_OP_MARK);
	write_storage(w, *slot - 1, NULL);
	ckpt_pickle_int(w->p, 0);
	ckpt_pickle_ints(w->p, shape, t->rank);
	ckpt_pickle_ints(w->p, stride, t->rank);
	ckpt_pickle_bool(w->p, requires_grad);
	write_hooks(w);
	if (!info->storage) ckpt_pickle_global(w->p, "torch", info->torch);
	ckpt_pickle_tuple(w->p, 6);
	ckpt_pickle_memoize(w->p);
	ckpt_pickle_op(w->p, CKPT_OP_REDUCE);
	*memo = ckpt_pickle_memoize(w->p);
	return true;
}

/* ---- the value tree ---- */

static const ckpt_value *argument(const ckpt_value *v, uint32_t i)
{
	const ckpt_value *arguments = v->u.object.parts->arguments;
	bool there = arguments && arguments->kind == CKPT_VALUE_TUPLE && i < arguments->u.list.count;
	return there ? arguments->u.list.items[i] : NULL;
}

static bool requires_grad(const ckpt_value *v)
{
	const ckpt_value *callable = v->u.object.parts->callable, *flag = argument(v, 4);
	if (!ckpt_value_is_global(callable, "torch._utils", "_rebuild_tensor_v2") &&
	    !ckpt_value_is_global(callable, "torch._utils", "_rebuild_tensor_v3"))
		return false;
	return flag && flag->kind == CKPT_VALUE_BOOL && flag->u.boolean;
}

/* A tensor of the tree: as the call that it was, unless an edit changed its bytes or it is to be a copy. */
static ckpt_pickle_answer tree_tensor(ckpt_torch_pickle *w, const ckpt_value *v, ckpt_error *err)
{
	uint32_t memo;
	const ckpt_value *inner = argument(v, 0);
	if (v->tensor >= w->cp->count || (inner && inner->kind == CKPT_VALUE_TENSOR)) return CKPT_PICKLE_WALK;
	const ckpt_tensor *t = &w->cp->tensors[v->tensor];
	bool copied = w->copy_aliases && t->storage && ckpt_dtype_get(t->dtype)->kind != CKPT_CLASS_OPAQUE;
	if (t->value && !copied) {
		const ckpt_storage *s = t->storage;
		if (!w->legacy || !s || (!s->untyped && ckpt_dtype_get(s->dtype)->storage)) return CKPT_PICKLE_WALK;
		refuse_untyped(ckpt_dtype_name(t->dtype), err);
		ckpt_error_prefix(err, "tensor '%s'", t->name);
		return CKPT_PICKLE_FAILED;
	}
	if (!write_tensor(w, v->tensor, requires_grad(v), &memo, err)) return CKPT_PICKLE_FAILED;
	if (!copied) ckpt_pickle_remember(w->p, v, memo);
	return CKPT_PICKLE_WRITTEN;
}

/* A storage of the tree; one that is listed as a tensor by itself may have been changed by an edit. */
static bool tree_storage(ckpt_torch_pickle *w, const ckpt_value *v, ckpt_error *err)
{
	if (v->tensor >= w->cp->count || w->cp->tensors[v->tensor].value) return write_kept_storage(w, v, err);
	const size_t *slot = own_storage(w, v->tensor, err);
	if (slot) write_storage(w, *slot - 1, v->u.persid.id);
	return slot != NULL;
}

/* Old files name the class of a module as ('module', class, file, source): an archive holds the class alone. */
static ckpt_pickle_answer tree_persid(ckpt_torch_pickle *w, const ckpt_value *v, ckpt_error *err)
{
	const ckpt_value *id = v->u.persid.id;
	bool module = id && id->kind == CKPT_VALUE_TUPLE && id->u.list.count >= 2 &&
	              id->u.list.items[0]->kind == CKPT_VALUE_STRING &&
	              strcmp(id->u.list.items[0]->u.text.bytes, "module") == 0 &&
	              id->u.list.items[1]->kind == CKPT_VALUE_GLOBAL;
	if (!module) {
		ckpt_fail(err, CKPT_E_UNSUPPORTED,
		          "the pickle holds a persistent id that is neither a storage nor a module");
		return CKPT_PICKLE_FAILED;
	}
	if (w->legacy) return CKPT_PICKLE_WALK;
	return ckpt_pickle_value(w->p, id->u.list.items[1], NULL, NULL, err) ? CKPT_PICKLE_WRITTEN : CKPT_PICKLE_FAILED;
}

static ckpt_pickle_answer tree_hook(void *user, ckpt_pickler *p, const ckpt_value *v, ckpt_error *err)
{
	ckpt_torch_pickle *w = user;
	(void)p;
	if (v->kind == CKPT_VALUE_TENSOR) return tree_tensor(w, v, err);
	if (v->kind == CKPT_VALUE_PERSID) return tree_persid(w, v, err);
	return tree_storage(w, v, err) ? CKPT_PICKLE_WRITTEN : CKPT_PICKLE_FAILED;
}

/* An object of TorchScript is of a class that lies in the archive as source and that torch.load does not know. */
static bool is_script(const ckpt_value *v)
{
	if (v->kind != CKPT_VALUE_OBJECT) return false;
	const ckpt_value *callable = v->u.object.parts->callable;
	return callable && callable->kind == CKPT_VALUE_GLOBAL &&
	       strncmp(ckpt_value_global_module(callable, NULL), "__torch__", strlen("__torch__")) == 0;
}

/* ---- the list of tensors ---- */

/* A name that torch's own code has as a literal is the same string there. */
static void write_name(ckpt_torch_pickle *w, const char *name)
{
	static const char *const literals[] = {"storage", "cpu"};
	for (size_t i = 0; i < sizeof literals / sizeof *literals; i++)
		if (strcmp(name, literals[i]) == 0) {
			ckpt_pickle_word(w->p, literals[i]);
			return;
		}
	ckpt_pickle_string(w->p, name, strlen(name));
}

/* OrderedDict of names and tensors, set in batches as CPython does for items of an object. */
static bool write_list(ckpt_torch_pickle *w, ckpt_error *err)
{
	size_t left = w->cp->count;
	uint32_t ignored;
	write_hooks(w); /* an empty OrderedDict */
	for (size_t i = 0, batch; left; left -= batch) {
		batch = left < BATCH ? left : BATCH;
		if (batch > 1) ckpt_pickle_op(w->p, CKPT_OP_MARK);
		for (size_t k = 0; k < batch; k++, i++) {
			write_name(w, w->cp->tensors[i].name);
			if (!write_tensor(w, i, false, &ignored, err) || !ckpt_pickle_check(w->p, err)) return false;
		}
		ckpt_pickle_op(w->p, batch > 1 ? CKPT_OP_SETITEMS : CKPT_OP_SETITEM);
	}
	return true;
}

bool ckpt_torch_pickle_object(ckpt_torch_pickle *w, ckpt_error *err)
{
	const ckpt_checkpoint *cp = w->cp;
	w->of_storage = calloc(cp->storage_count + 1, sizeof *w->of_storage);
	w->of_tensor = calloc(cp->count + 1, sizeof *w->of_tensor);
	w->labels = calloc(cp->storage_count + 1, sizeof *w->labels);
	if (!w->of_storage || !w->of_tensor || !w->labels) return ckpt_fail_nomem(err);
	for (size_t i = cp->count; i-- > 0;) {
		const ckpt_storage *s = cp->tensors[i].storage;
		if (s && s->number < cp->storage_count) w->labels[s->number] = cp->tensors[i].name;
	}
	bool tree = cp->value && cp->value_is_whole && !is_script(cp->value);
	ckpt_pickle_start(w->p);
	if (!(tree ? ckpt_pickle_value(w->p, cp->value, tree_hook, w, err) : write_list(w, err))) return false;
	return ckpt_pickle_stop(w->p, err);
}

void ckpt_torch_pickle_clear(ckpt_torch_pickle *w)
{
	ckpt_pickler_free(w->p);
	free(w->storages);
	free(w->of_storage);
	free(w->of_tensor);
	free(w->labels);
	*w = (ckpt_torch_pickle){0};
}
