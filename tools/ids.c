/* ids.c -- arrays of whole numbers from the command line: inline JSON, or files */
#include "ids.h"

#include <stdlib.h>
#include <string.h>

#include "../lib/cast.h"
#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "../lib/file.h"
#include "../lib/json.h"

#define MOST (64u << 20) /* numbers in one array */

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static size_t count_of(const ckpt_json *list)
{
	size_t n = 0;
	for (const ckpt_json *v = ckpt_json_child(list); v; v = ckpt_json_next(v)) n++;
	return n;
}

static bool number_of(const ckpt_json *v, int64_t *out)
{
	if (ckpt_json_get_kind(v) == CKPT_JSON_BOOL) *out = ckpt_json_is_true(v);
	return ckpt_json_get_kind(v) == CKPT_JSON_BOOL || ckpt_json_i64(v, out);
}

/* One row of numbers into place. */
static bool fill(const ckpt_json *row, size_t index, size_t columns, int64_t *to, ckpt_error *err)
{
	size_t i = 0;
	if (ckpt_json_get_kind(row) != CKPT_JSON_ARRAY)
		return ckpt_fail(err, CKPT_E_USAGE, "row %zu is %s, rows of whole numbers are wanted", index, ckpt_json_kind_name(row));
	if (count_of(row) != columns)
		return ckpt_fail(err, CKPT_E_USAGE, "the rows are ragged: row %zu has length %zu, row 0 has %zu (pad them to one length)", index,
		                 count_of(row), columns);
	for (const ckpt_json *v = ckpt_json_child(row); v; v = ckpt_json_next(v), i++)
		if (!number_of(v, &to[i])) {
			const char *text = ckpt_json_get_kind(v) == CKPT_JSON_NUMBER ? ckpt_json_number(v) : ckpt_json_kind_name(v);
			return ckpt_fail(err, CKPT_E_USAGE, "row %zu, position %zu is %s, no whole number of 64 bits", index, i, text);
		}
	return true;
}

static bool from_rows(const ckpt_json *root, ckpt_ids *out, ckpt_error *err)
{
	const ckpt_json *first = ckpt_json_child(root);
	bool nested = first && ckpt_json_get_kind(first) == CKPT_JSON_ARRAY;
	size_t rows = nested ? count_of(root) : 1, columns = nested ? count_of(first) : count_of(root), i = 0;
	if (columns == 0) return ckpt_fail(err, CKPT_E_USAGE, "there are no numbers");
	if (columns > MOST || rows > MOST / columns) return ckpt_fail(err, CKPT_E_USAGE, "more than %u numbers", MOST);
	int64_t *values = calloc(rows * columns, sizeof *values);
	if (!values) return ckpt_fail_nomem(err);
	*out = (ckpt_ids){values, rows, columns};
	if (!nested) return fill(root, 0, columns, values, err);
	for (const ckpt_json *row = first; row; row = ckpt_json_next(row), i++)
		if (!fill(row, i, columns, values + i * columns, err)) return false;
	return true;
}

/* The list itself, or the member of that name, as tokenizers give all inputs in one object. */
static bool from_json(const char *text, size_t length, const char *name, ckpt_ids *out, ckpt_error *err)
{
	ckpt_json *root = ckpt_json_parse(text, length, 4, err);
	const ckpt_json *list = root;
	bool ok = root != NULL;
	if (!ok && err) err->code = CKPT_E_USAGE;
	if (ok && ckpt_json_get_kind(root) == CKPT_JSON_OBJECT && !(list = ckpt_json_member(root, name)))
		ok = ckpt_fail(err, CKPT_E_USAGE, "[[1,2,3],...] is wanted, found an object without %s", name);
	if (ok && ckpt_json_get_kind(list) != CKPT_JSON_ARRAY)
		ok = ckpt_fail(err, CKPT_E_USAGE, "[[1,2,3],...] is wanted, found %s", ckpt_json_kind_name(list));
	ok = ok && from_rows(list, out, err);
	ckpt_json_free(root);
	return ok;
}

/* ---- files --------------------------------------------------------------------------------------------------- */

static const ckpt_tensor *choose(const ckpt_checkpoint *cp, const char *name, ckpt_error *err)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, name);
	if (t || cp->count == 1) return t ? t : &cp->tensors[0];
	ckpt_fail(err, CKPT_E_USAGE, "it holds %zu tensors and none is called %s", cp->count, name);
	return NULL;
}

static bool from_tensor(const ckpt_tensor *t, ckpt_ids *out, ckpt_error *err)
{
	char shape[96];
	ckpt_dtype_class kind = ckpt_dtype_get(t->dtype)->kind;
	bool whole = kind == CKPT_CLASS_INT || kind == CKPT_CLASS_UINT || kind == CKPT_CLASS_BOOL;
	if (!whole) return ckpt_fail(err, CKPT_E_USAGE, "'%s' is %s, whole numbers are wanted", t->name, ckpt_dtype_name(t->dtype));
	if (t->rank < 1 || t->rank > 2 || t->elements == 0 || t->elements > MOST)
		return ckpt_fail(err, CKPT_E_USAGE, "'%s' has shape %s, [rows,length] is wanted", t->name,
		                 ckpt_shape_text(t->rank, t->shape, shape, sizeof shape));
	void *raw = malloc((size_t)t->bytes);
	int64_t *values = calloc((size_t)t->elements, sizeof *values);
	bool ok = (raw && values) || ckpt_fail_nomem(err);
	if (ok) ok = ckpt_tensor_read(t, 0, (size_t)t->bytes, raw, err);
	if (ok && t->dtype == CKPT_I64) memcpy(values, raw, (size_t)t->bytes);
	if (ok && t->dtype != CKPT_I64) ckpt_cast(t->dtype, CKPT_I64, raw, values, (size_t)t->elements);
	free(raw);
	size_t columns = (size_t)t->shape[t->rank - 1];
	*out = (ckpt_ids){values, (size_t)t->elements / columns, columns};
	return ok;
}

static bool from_checkpoint(const ckpt_call *call, const char *path, const char *name, ckpt_ids *out, ckpt_error *err)
{
	const ckpt_open_options options = {.limits = call->open.limits};
	ckpt_checkpoint *cp = ckpt_open(path, &options, err);
	const ckpt_tensor *t = cp ? choose(cp, name, err) : NULL;
	bool ok = t && from_tensor(t, out, err);
	if (cp && !ok) ckpt_error_prefix(err, "%s", path);
	ckpt_checkpoint_free(cp);
	return ok;
}

/* JSON begins with a bracket, perhaps behind white space; no other file does. */
static bool looks_like_json(ckpt_file *f, bool *json, ckpt_error *err)
{
	char head[64];
	size_t got = 0, i = 0;
	if (!ckpt_file_read_some(f, 0, sizeof head, head, &got, err)) return false;
	while (i < got && strchr(" \t\r\n", head[i]) && head[i]) i++;
	*json = i == got || head[i] == '[' || head[i] == '{' || head[i] == '"';
	return true;
}

static bool from_file(const ckpt_call *call, const char *path, const char *name, ckpt_ids *out, ckpt_error *err)
{
	bool json = false, ok = false;
	char *text = NULL;
	ckpt_file *f = ckpt_file_open(path, err);
	if (!f) ckpt_error_prefix(err, "%s", path);
	if (!f || !looks_like_json(f, &json, err)) goto done;
	if (!json) {
		ok = from_checkpoint(call, path, name, out, err);
		goto done;
	}
	uint64_t length = ckpt_file_size(f);
	text = length <= MOST ? malloc((size_t)length + 1) : NULL;
	if (length > MOST)
		ckpt_fail(err, CKPT_E_USAGE, "%s has %llu bytes, at most %u of JSON are read", path, (unsigned long long)length, MOST);
	else if (!text)
		ckpt_fail_nomem(err);
	else if (ckpt_file_read(f, 0, (size_t)length, text, err))
		ok = from_json(text, (size_t)length, name, out, err) || ckpt_error_prefix(err, "%s", path);
done:
	free(text);
	ckpt_file_unref(f);
	return ok;
}

/* ---- all of them --------------------------------------------------------------------------------------------- */

static bool read_one(const ckpt_call *call, const char *given, const char *option, const char *name, ckpt_ids *out, ckpt_error *err)
{
	if (!given) return true;
	bool ok = given[0] == '@' ? from_file(call, given + 1, name, out, err) : from_json(given, strlen(given), name, out, err);
	return ok || ckpt_error_prefix(err, "--%s", option);
}

/* The mask of ids must have their shape; one row of positions serves all rows. */
static bool check_shape(ckpt_ids *a, const ckpt_ids *ids, const char *option, const char *of, bool repeat, ckpt_error *err)
{
	if (!a->values) return true;
	if (!ids->values) return ckpt_fail(err, CKPT_E_USAGE, "--%s goes with --%s", option, of);
	if (repeat && a->rows == 1 && ids->rows > 1 && a->columns == ids->columns) {
		int64_t *more = reallocarray(a->values, ids->rows * a->columns, sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		for (size_t i = 1; i < ids->rows; i++) memcpy(more + i * a->columns, more, a->columns * sizeof *more);
		a->values = more;
		a->rows = ids->rows;
	}
	if (a->rows == ids->rows && a->columns == ids->columns) return true;
	return ckpt_fail(err, CKPT_E_USAGE, "--%s has shape [%zu,%zu], --%s has [%zu,%zu]", option, a->rows, a->columns, of, ids->rows,
	                 ids->columns);
}

bool ckpt_inputs_read(const ckpt_call *call, const ckpt_input_options *o, ckpt_inputs *out, ckpt_error *err)
{
	ckpt_ids *a = out->arrays;
	bool ok = read_one(call, o->ids, "input-ids", "input_ids", &a[0], err) &&
	          read_one(call, o->mask, "attention-mask", "attention_mask", &a[1], err) &&
	          read_one(call, o->types, "token-type-ids", "token_type_ids", &a[2], err) &&
	          read_one(call, o->positions, "position-ids", "position_ids", &a[3], err) &&
	          read_one(call, o->decoder_ids, "decoder-input-ids", "decoder_input_ids", &a[4], err) &&
	          read_one(call, o->decoder_mask, "decoder-attention-mask", "decoder_attention_mask", &a[5], err) &&
	          check_shape(&a[1], &a[0], "attention-mask", "input-ids", false, err) &&
	          check_shape(&a[2], &a[0], "token-type-ids", "input-ids", false, err) &&
	          check_shape(&a[3], &a[0], "position-ids", "input-ids", true, err) &&
	          check_shape(&a[5], &a[4], "decoder-attention-mask", "decoder-input-ids", false, err);
	if (ok && a[4].values && a[0].values && a[4].rows != a[0].rows)
		ok = ckpt_fail(err, CKPT_E_USAGE, "--decoder-input-ids has %zu rows, --input-ids has %zu", a[4].rows, a[0].rows);
	out->in = (ckpt_forward_input){.batch = a[0].rows, .length = a[0].columns, .ids = a[0].values, .mask = a[1].values,
	                               .token_type_ids = a[2].values, .position_ids = a[3].values,
	                               .decoder_length = a[4].columns, .decoder_ids = a[4].values, .decoder_mask = a[5].values};
	return ok;
}

void ckpt_inputs_free(ckpt_inputs *inputs)
{
	for (size_t i = 0; i < 6; i++) free(inputs->arrays[i].values);
}
