/* torch_rebuild.c -- the rebuild functions of torch: from their arguments to a view of a storage
 *
 * Argument tuples:
 *   _rebuild_tensor                 storage, offset, size, stride
 *   _rebuild_tensor_v2              the same, requires_grad, hooks[, metadata]
 *   _rebuild_tensor_v3              the same, requires_grad, hooks, dtype[, metadata]
 *   _rebuild_qtensor                the same, quantiser parameters, requires_grad, hooks
 *   _rebuild_parameter[_with_state] tensor, requires_grad, hooks[, state]
 *   _rebuild_from_type_v2           function, type, its arguments, state
 *   class torch.FloatTensor         state: storage, offset, size, stride
 *   class Parameter                 tensor[, requires_grad]; or state: tensor, ...
 * The others make tensors that are no view of a storage: sparse, nested, on another device, without data.
 */
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include "torch_inner.h"

#include <string.h>

enum { HOPS = 32 }; /* wrappers around a tensor */

static bool is_tuple(const ckpt_value *v, size_t least)
{
	return v && v->kind == CKPT_VALUE_TUPLE && v->u.list.count >= least;
}

static const ckpt_value *item(const ckpt_value *tuple, size_t i)
{
	return i < tuple->u.list.count ? tuple->u.list.items[i] : NULL;
}

bool ckpt_torch_is_tensor(const ckpt_value *v)
{
	if (v->kind == CKPT_VALUE_STORAGE || v->kind == CKPT_VALUE_TENSOR) return true;
	if (v->kind != CKPT_VALUE_OBJECT) return false;
	ckpt_pickle_role role = ckpt_pickle_role_of(v);
	if (role >= CKPT_ROLE_REBUILD && role <= CKPT_ROLE_REBUILD_LAST) return true;
	return role == CKPT_ROLE_TENSOR_CLASS || role == CKPT_ROLE_PARAMETER;
}

/* A tensor without wrapper: what stands inside of another one may be no more than that, so nothing here recurses. */
static bool is_plain(const ckpt_value *v)
{
	if (v->kind != CKPT_VALUE_OBJECT && v->kind != CKPT_VALUE_TENSOR) return false;
	ckpt_pickle_role role = ckpt_pickle_role_of(v);
	return role == CKPT_ROLE_REBUILD_V1 || role == CKPT_ROLE_REBUILD_V2 || role == CKPT_ROLE_REBUILD_V3;
}

/* ---- integers ---- */

static bool get_number(const ckpt_value *v, const char *what, uint64_t *out, ckpt_error *err)
{
	if (v && v->kind == CKPT_VALUE_BIGINT)
		return ckpt_fail(err, CKPT_E_FORMAT, "its %s %.60s overflows 64 bits", what, v->u.text.bytes);
	if (!v || v->kind != CKPT_VALUE_INT)
		return ckpt_fail(err, CKPT_E_FORMAT, "its %s is no integer, the type found is %s", what,
		                 ckpt_pickle_kind_text(v));
	if (v->u.integer < 0)
		return ckpt_fail(err, CKPT_E_FORMAT, "its %s is negative: %lld", what, (long long)v->u.integer);
	*out = (uint64_t)v->u.integer;
	return true;
}

/* A tuple or list of integers, or a torch.Size around one. */
static bool get_numbers(const ckpt_value *v, const char *what, uint64_t *out, size_t *count, ckpt_error *err)
{
	if (v && v->kind == CKPT_VALUE_OBJECT &&
	    (ckpt_pickle_role_of(v) == CKPT_ROLE_SIZE || ckpt_pickle_role_of(v) == CKPT_ROLE_JIT_LIST))
		v = item(v->u.object.parts->arguments, 0);
	if (!v || (v->kind != CKPT_VALUE_TUPLE && v->kind != CKPT_VALUE_LIST))
		return ckpt_fail(err, CKPT_E_FORMAT, "its %s is no tuple, the type found is %s", what,
		                 ckpt_pickle_kind_text(v));
	if (v->u.list.count > CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "its %s has %u dimensions, at most %d are supported", what,
		                 v->u.list.count, CKPT_MAX_RANK);
	for (size_t i = 0; i < v->u.list.count; i++)
		if (!get_number(v->u.list.items[i], what, &out[i], err)) return false;
	*count = v->u.list.count;
	return true;
}

/* ---- views ---- */

/* storage, offset, size, stride at the start of a tuple */
static bool get_view(ckpt_torch *t, const ckpt_value *arguments, torch_view *out, ckpt_error *err)
{
	size_t strides;
	if (!is_tuple(arguments, 4)) return ckpt_fail(err, CKPT_E_FORMAT, "its rebuild function has too few arguments");
	const ckpt_value *storage = item(arguments, 0);
	if (storage->kind != CKPT_VALUE_STORAGE)
		return ckpt_fail(err, CKPT_E_FORMAT, "it is rebuilt from no storage, the type found is %s",
		                 ckpt_pickle_kind_text(storage));
	if (!get_number(item(arguments, 1), "storage offset", &out->offset, err)) return false;
	if (!get_numbers(item(arguments, 2), "size", out->size, &out->rank, err)) return false;
	if (!get_numbers(item(arguments, 3), "stride", out->stride, &strides, err)) return false;
	if (strides != out->rank)
		return ckpt_fail(err, CKPT_E_FORMAT, "its size has %zu dimensions and its stride %zu", out->rank,
		                 strides);
	out->dtype = t->storages[storage->tensor].dtype;
	out->storage = storage;
	out->sized = true;
	return true;
}

/* {'conj': True, 'neg': True}: bits that torch applies on reading */
static bool get_bits(const ckpt_value *metadata, torch_view *out, ckpt_error *err)
{
	if (!metadata || metadata->kind == CKPT_VALUE_NONE) return true;
	if (ckpt_torch_shape(metadata) != TORCH_DICT)
		return ckpt_fail(err, CKPT_E_FORMAT, "its metadata is no dict, the type found is %s",
		                 ckpt_pickle_kind_text(metadata));
	ckpt_value *const *pairs;
	size_t count;
	ckpt_torch_pairs(metadata, &pairs, &count);
	for (size_t i = 0; i < count; i++) {
		const ckpt_value *key = pairs[2 * i], *value = pairs[2 * i + 1];
		bool conj = key->kind == CKPT_VALUE_STRING && strcmp(key->u.text.bytes, "conj") == 0;
		bool neg = key->kind == CKPT_VALUE_STRING && strcmp(key->u.text.bytes, "neg") == 0;
		if (value->kind != CKPT_VALUE_BOOL || !value->u.boolean) continue;
		if (conj)
			out->conj = true;
		else if (neg)
			out->neg = true;
		else
			out->why = "its metadata has entries that ckpt does not know";
	}
	return true;
}

static bool get_v3(ckpt_torch *t, const ckpt_value *arguments, torch_view *out, ckpt_error *err)
{
	if (!is_tuple(arguments, 7)) return ckpt_fail(err, CKPT_E_FORMAT, "its rebuild function has too few arguments");
	if (!get_view(t, arguments, out, err)) return false;
	const ckpt_value *dtype = item(arguments, 6);
	out->dtype = ckpt_torch_dtype_of(t, dtype, CKPT_ROLE_DTYPE, NULL);
	if (out->dtype == CKPT_DTYPE_NONE)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "its dtype is unknown: %.80s",
		                 dtype->kind == CKPT_VALUE_GLOBAL ? dtype->u.text.bytes : ckpt_pickle_kind_text(dtype));
	return get_bits(item(arguments, 7), out, err);
}

static bool get_qtensor(ckpt_torch *t, const ckpt_value *arguments, torch_view *out, ckpt_error *err)
{
	if (!get_view(t, arguments, out, err)) return false;
	const ckpt_value *how = item(arguments, 4), *kind = how && is_tuple(how, 3) ? item(how, 0) : NULL;
	if (!kind || kind->kind != CKPT_VALUE_GLOBAL)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "its quantiser parameters are no tuple of a scheme and its numbers");
	out->quantised = true;
	if (item(how, 1)->kind == CKPT_VALUE_FLOAT) out->scale = item(how, 1)->u.real;
	if (!ckpt_value_is_global(kind, "torch", "per_tensor_affine"))
		out->why = "it is quantised by channel, with a scale for each";
	else if (out->dtype == CKPT_QUINT4X2 || out->dtype == CKPT_QUINT2X4)
		out->why = "its quantised elements are smaller than a byte";
	return true;
}

/* ---- tensors that are no view of a storage: dtype and size as far as they are told ---- */

static void get_size(const ckpt_value *v, torch_view *out)
{
	ckpt_error ignored = {0};
	out->sized = v && get_numbers(v, "size", out->size, &out->rank, &ignored);
}

static bool get_sparse(ckpt_torch *t, const ckpt_value *arguments, torch_view *out)
{
	ckpt_error ignored = {0};
	torch_view values = {0};
	out->why = "it is sparse: its indices and values are no block of bytes of that shape";
	const ckpt_value *data = is_tuple(arguments, 2) ? item(arguments, 1) : NULL;
	if (!data || data->kind != CKPT_VALUE_TUPLE) return true;
	size_t count = data->u.list.count;
	bool coo = count && count <= 4 && !ckpt_torch_is_tensor(item(data, count > 2 ? 2 : 0));
	const ckpt_value *of = item(data, coo ? 1 : 2);
	if (of && is_plain(of) && ckpt_torch_view_of(t, of, &values, &ignored)) out->dtype = values.dtype;
	get_size(item(data, coo ? 2 : 3), out);
	return true;
}

static bool get_other(ckpt_torch *t, ckpt_pickle_role role, const ckpt_value *arguments, torch_view *out)
{
	size_t dtype = SIZE_MAX, size = SIZE_MAX;
	out->dtype = CKPT_DTYPE_NONE;
	switch (role) {
	case CKPT_ROLE_REBUILD_SPARSE:
	case CKPT_ROLE_REBUILD_SPARSE_CSR:
		return get_sparse(t, arguments, out);
	case CKPT_ROLE_REBUILD_NESTED:
		out->why = "it is a nested tensor of rows with different sizes";
		break;
	case CKPT_ROLE_REBUILD_META:
		out->why = "it is on the device meta: it has a shape and no data";
		dtype = 0;
		size = 1;
		break;
	case CKPT_ROLE_REBUILD_FROM_NUMPY:
		out->why = "it was saved from another device as a numpy array";
		dtype = 1;
		break;
	case CKPT_ROLE_REBUILD_WRAPPER:
		out->why = "it is a tensor subclass around other tensors";
		dtype = 1;
		size = 2;
		break;
	default:
		out->why = "the function that rebuilds it is unknown";
	}
	if (!arguments || arguments->kind != CKPT_VALUE_TUPLE) return true;
	if (item(arguments, dtype)) out->dtype = ckpt_torch_dtype_of(t, item(arguments, dtype), CKPT_ROLE_DTYPE, NULL);
	get_size(item(arguments, size), out);
	return true;
}

/* ---- wrappers ---- */

/* What stands inside of a wrapper; role and arguments are those of a call. Returns false at a tensor proper. */
static bool unwrap(ckpt_pickle_role *role, const ckpt_value **arguments, const ckpt_value **state)
{
	const ckpt_value *inner = NULL;
	if (*role == CKPT_ROLE_REBUILD_FROM_TYPE && is_tuple(*arguments, 3)) {
		const ckpt_value *all = *arguments;
		*role = ckpt_pickle_role_of(item(all, 0));
		if (item(all, 0)->kind != CKPT_VALUE_GLOBAL) *role = CKPT_ROLE_NONE;
		*arguments = item(all, 2);
		*state = NULL;
		return true;
	}
	if ((*role == CKPT_ROLE_REBUILD_PARAMETER || *role == CKPT_ROLE_REBUILD_PARAMETER_STATE) &&
	    is_tuple(*arguments, 1))
		inner = item(*arguments, 0);
	else if (*role == CKPT_ROLE_PARAMETER && is_tuple(*arguments, 1))
		inner = item(*arguments, 0);
	else if (*role == CKPT_ROLE_PARAMETER && *state && is_tuple(*state, 1) && ckpt_torch_is_tensor(item(*state, 0)))
		inner = item(*state, 0);
	if (!inner || inner->kind == CKPT_VALUE_STORAGE || !ckpt_torch_is_tensor(inner)) return false;
	*role = ckpt_pickle_role_of(inner);
	*arguments = inner->u.object.parts->arguments;
	*state = inner->u.object.parts->state;
	return true;
}

/* (tensor, dtype, device, requires_grad): the tensor itself when the dtype is its own */
static bool get_from_cpu(ckpt_torch *t, const ckpt_value *arguments, torch_view *out, ckpt_error *err)
{
	const ckpt_value *inner = is_tuple(arguments, 2) ? item(arguments, 0) : NULL;
	if (!inner || !is_plain(inner)) return ckpt_fail(err, CKPT_E_FORMAT, "it is rebuilt from no plain tensor");
	ckpt_dtype dtype = ckpt_torch_dtype_of(t, item(arguments, 1), CKPT_ROLE_DTYPE, NULL);
	if (!ckpt_torch_view_of(t, inner, out, err)) return false;
	if (dtype != out->dtype) out->why = "it was saved with another dtype than its own";
	return true;
}

static bool bare_storage(const ckpt_torch *t, const ckpt_value *v, torch_view *out)
{
	const ckpt_torch_storage *s = &t->storages[v->tensor];
	out->storage = v;
	out->dtype = s->dtype;
	out->rank = 1;
	out->size[0] = s->numel;
	out->stride[0] = 1;
	out->sized = true;
	return true;
}

bool ckpt_torch_view_of(ckpt_torch *t, const ckpt_value *v, torch_view *out, ckpt_error *err)
{
	memset(out, 0, offsetof(torch_view, size));
	out->conj = out->neg = out->sized = out->quantised = false;
	out->scale = 0;
	out->why = NULL;
	if (v->kind == CKPT_VALUE_STORAGE) return bare_storage(t, v, out);
	ckpt_pickle_role role = ckpt_pickle_role_of(v);
	const ckpt_value *arguments = v->u.object.parts->arguments, *state = v->u.object.parts->state;
	int hops = 0;
	while (unwrap(&role, &arguments, &state))
		if (++hops > HOPS) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "it is wrapped more than %d times", HOPS);
	switch (role) {
	case CKPT_ROLE_REBUILD_V1:
		return get_view(t, arguments, out, err);
	case CKPT_ROLE_REBUILD_V2:
		return get_view(t, arguments, out, err) && get_bits(item(arguments, 6), out, err);
	case CKPT_ROLE_REBUILD_V3:
		return get_v3(t, arguments, out, err);
	case CKPT_ROLE_REBUILD_QTENSOR:
		return get_qtensor(t, arguments, out, err);
	case CKPT_ROLE_REBUILD_FROM_CPU:
		return get_from_cpu(t, arguments, out, err);
	case CKPT_ROLE_TENSOR_CLASS:
		if (state) return get_view(t, state, out, err);
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "it is a tensor class without a state");
	case CKPT_ROLE_PARAMETER:
	case CKPT_ROLE_REBUILD_PARAMETER:
	case CKPT_ROLE_REBUILD_PARAMETER_STATE:
		return ckpt_fail(err, CKPT_E_FORMAT, "it is a parameter around no tensor");
	default:
		return get_other(t, role, arguments, out);
	}
}

/* ---- into the checkpoint ---- */

typedef struct refusing_source {
	ckpt_source base;
	char text[];
} refusing_source;

static bool refuse(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)offset, (void)length, (void)destination;
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "%s", ((const refusing_source *)s)->text);
}

static const ckpt_source_ops refusing_ops = {"unreadable", refuse, NULL, NULL};

/* A tensor that is known to be there, and whose bytes cannot be had. */
static bool add_unreadable(ckpt_torch *t, const torch_view *v, const char *name, ckpt_tensor **out, ckpt_error *err)
{
	uint64_t elements, bytes;
	ckpt_error ignored = {0};
	*out = NULL;
	if (!ckpt_checkpoint_note(t->cp, err, "tensor '%.200s' cannot be read: %s", name, v->why)) return false;
	if (!v->sized || v->dtype == CKPT_DTYPE_NONE) return true;
	if (!ckpt_dtype_bytes(v->dtype, v->rank, v->size, &elements, &bytes, &ignored)) return true;
	size_t length = strlen(v->why) + 1;
	refusing_source *s = ckpt_source_new(&refusing_ops, sizeof *s + length, bytes, err);
	if (!s) return false;
	memcpy(s->text, v->why, length);
	if (!ckpt_checkpoint_add(t->cp, name, v->dtype, v->rank, v->size, &s->base, out, err)) return false;
	(*out)->unreadable = s->text;
	return true;
}

/* Elements between the first and the last one, both included; 0 when there is none. */
static bool view_extent(const torch_view *v, uint64_t *elements, uint64_t *extent)
{
	uint64_t last = 0, step;
	*extent = 0;
	for (size_t i = 0; i < v->rank; i++)
		if (v->size[i] == 0) { /* a zero wins over any overflow */
			*elements = 0;
			return true;
		}
	if (!ckpt_shape_elements(v->rank, v->size, elements)) return false;
	for (size_t i = 0; i < v->rank; i++)
		if (!ckpt_mul_u64(v->size[i] - 1, v->stride[i], &step) || !ckpt_add_u64(last, step, &last))
			return false;
	return ckpt_add_u64(last, 1, extent);
}

/* The view lies inside of its storage, and does not repeat it beyond reason. */
static bool check_view(const ckpt_torch *t, const torch_view *v, const ckpt_storage *s, ckpt_error *err)
{
	uint64_t item_bytes = ckpt_dtype_get(v->dtype)->torch_bytes, elements, extent, end, bytes;
	if (!view_extent(v, &elements, &extent) || !ckpt_add_u64(v->offset, extent, &end) ||
	    !ckpt_mul_u64(end, item_bytes, &end) || !ckpt_mul_u64(elements, item_bytes, &bytes))
		return ckpt_fail(err, CKPT_E_FORMAT, "its size times its stride overflows 64 bits");
	if (elements && end > s->bytes)
		return ckpt_fail(
			err, CKPT_E_FORMAT,
			"its size, stride and offset reach byte %llu, past the end of its storage of %llu bytes",
			(unsigned long long)end, (unsigned long long)s->bytes);
	if (bytes > s->bytes && bytes > t->cp->limits.view_bytes)
		return ckpt_fail_limit(err, "it repeats its storage: the size when written out, in bytes,", bytes,
		                       "view-bytes", t->cp->limits.view_bytes);
	return true;
}

/* The bytes of the view, contiguous; a reference of the caller's. */
static ckpt_source *view_source(const torch_view *v, const ckpt_storage *s, ckpt_error *err)
{
	unsigned item_bytes = ckpt_dtype_get(v->dtype)->torch_bytes;
	uint64_t elements, extent;
	if (view_extent(v, &elements, &extent) && elements == 0) return ckpt_source_slice(s->source, 0, 0, err);
	ckpt_source *view = ckpt_source_strided(s->source, item_bytes, v->offset, v->rank, v->size, v->stride, err);
	for (int i = 0; view && i < 2; i++) {
		if (i == 0 ? !v->conj : !v->neg) continue;
		ckpt_source *applied = ckpt_source_negate(view, v->dtype, i == 0, err);
		ckpt_source_unref(view);
		view = applied;
	}
	return view;
}

static bool add_readable(ckpt_torch *t, torch_view *v, const char *name, ckpt_tensor **out, ckpt_error *err)
{
	const ckpt_storage *s = v->storage->u.persid.storage;
	bool plain = !v->conj && !v->neg && v->dtype != CKPT_F4;
	if (!check_view(t, v, s, err)) return false;
	ckpt_source *source = view_source(v, s, err);
	if (!source) return false;
	uint64_t *stride = NULL;
	if (plain && v->rank) {
		stride = ckpt_arena_alloc(&t->cp->arena, v->rank * sizeof *stride);
		if (!stride) {
			ckpt_source_unref(source);
			return ckpt_fail_nomem(err);
		}
		memcpy(stride, v->stride, v->rank * sizeof *stride);
	}
	if (v->dtype == CKPT_F4) { /* two elements in one of torch's */
		if (v->rank == 0) v->size[v->rank++] = 1;
		if (!ckpt_mul_u64(v->size[v->rank - 1], 2, &v->size[v->rank - 1])) {
			ckpt_source_unref(source);
			return ckpt_fail(err, CKPT_E_FORMAT, "its size overflows 64 bits");
		}
	}
	if (!ckpt_checkpoint_add(t->cp, name, v->dtype, v->rank, v->size, source, out, err)) return false;
	if (!plain) return true;
	(*out)->storage = s;
	(*out)->storage_offset = v->offset;
	(*out)->stride = stride;
	return true;
}

/* v and what it wraps are that tensor. */
static void mark_tensor(ckpt_value *v, uint32_t index)
{
	for (int hops = 0; v && hops <= HOPS; hops++) {
		if (v->kind != CKPT_VALUE_OBJECT && v->kind != CKPT_VALUE_TENSOR) return;
		if (!ckpt_torch_is_tensor(v)) return;
		if (v->kind == CKPT_VALUE_TENSOR && v->tensor != CKPT_NO_TENSOR) return;
		v->kind = CKPT_VALUE_TENSOR;
		v->tensor = index;
		const ckpt_value *arguments = v->u.object.parts->arguments;
		ckpt_pickle_role role = ckpt_pickle_role_of(v);
		bool wraps = role == CKPT_ROLE_REBUILD_PARAMETER || role == CKPT_ROLE_REBUILD_PARAMETER_STATE ||
		             role == CKPT_ROLE_PARAMETER;
		v = wraps && is_tuple(arguments, 1) ? arguments->u.list.items[0] : NULL;
	}
}

bool ckpt_torch_add(ckpt_torch *t, ckpt_value *v, const char *name, ckpt_error *err)
{
	torch_view view;
	ckpt_tensor *added = NULL;
	bool ok = ckpt_torch_view_of(t, v, &view, err);
	if (ok && view.storage && !view.storage->u.persid.storage) {
		*err = t->missing;
		ok = false;
	}
	if (ok) ok = view.why ? add_unreadable(t, &view, name, &added, err) : add_readable(t, &view, name, &added, err);
	if (!ok) {
		if (!strstr(err->text, "tensor '")) ckpt_error_prefix(err, "tensor '%.200s'", name);
		return false;
	}
	if (!added) return true;
	if (view.quantised && !view.why &&
	    !ckpt_checkpoint_note(t->cp, err,
	                          "tensor '%.200s' is quantised: value = %.9g * (stored - zero point), "
	                          "which its object in the pickle holds",
	                          name, view.scale))
		return false;
	added->value = v;
	if (v->kind == CKPT_VALUE_STORAGE) return true;
	mark_tensor(v, (uint32_t)(added - t->cp->tensors));
	return true;
}
