/* expected.c -- outputs that a model should have */
#include "expected.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../lib/buffer.h"
#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "../lib/file.h"
#include "../lib/json.h"
#include "published.h"

enum { DEPTH = 16 };
#define JSON_MOST (256u << 20)

static const char *const input_names[] = {"input_ids",    "attention_mask",    "token_type_ids",
                                          "position_ids", "decoder_input_ids", "decoder_attention_mask"};

static bool is_input(const char *name)
{
	for (size_t i = 0; i < sizeof input_names / sizeof *input_names; i++)
		if (strcmp(input_names[i], name) == 0) return true;
	return false;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

static ckpt_expected_case *add_case(ckpt_expected *e, ckpt_error *err)
{
	ckpt_expected_case *cases = reallocarray(e->cases, e->count + 1, sizeof *cases);
	if (!cases) return ckpt_fail_nomem(err), NULL;
	e->cases = cases;
	cases[e->count] = (ckpt_expected_case){.atol = -1, .rtol = -1};
	cases[e->count].holder = ckpt_checkpoint_new(err);
	return cases[e->count].holder ? &cases[e->count++] : NULL;
}

static ckpt_wanted *add_wanted(ckpt_expected_case *c, const char *field, ckpt_error *err)
{
	if (c->count == c->capacity) {
		size_t capacity = c->capacity ? c->capacity * 2 : 8;
		ckpt_wanted *wanted = reallocarray(c->wanted, capacity, sizeof *wanted);
		if (!wanted) return ckpt_fail_nomem(err), NULL;
		c->wanted = wanted;
		c->capacity = capacity;
	}
	ckpt_wanted *w = &c->wanted[c->count++];
	*w = (ckpt_wanted){.field = strdup(field)};
	if (strstr(field, "hidden_states.")) c->hidden = true;
	return w->field ? w : (ckpt_fail_nomem(err), NULL);
}

void ckpt_expected_free(ckpt_expected *e)
{
	for (size_t i = 0; i < e->count; i++) {
		ckpt_expected_case *c = &e->cases[i];
		for (size_t k = 0; k < c->count; k++) {
			free(c->wanted[k].field);
			free(c->wanted[k].slice);
			free(c->wanted[k].values);
		}
		free(c->wanted);
		free(c->class_name);
		ckpt_inputs_free(&c->inputs);
		ckpt_checkpoint_free(c->holder);
	}
	free(e->cases);
	free(e->from);
}

/* ---- numbers of JSON --------------------------------------------------------------------------------------------- */

typedef struct numbers {
	double *values;
	size_t count, capacity;
} numbers;

static bool number_of(const ckpt_json *v, double *out)
{
	const char *text = ckpt_json_get_kind(v) == CKPT_JSON_STRING ? ckpt_json_string(v) : "";
	if (ckpt_json_get_kind(v) == CKPT_JSON_NUMBER) return ckpt_json_f64(v, out);
	*out = strcmp(text, "NaN") == 0 ? NAN : strcmp(text, "-Infinity") == 0 ? -INFINITY : INFINITY;
	return strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 || strcmp(text, "-Infinity") == 0;
}

static bool push(numbers *n, double value, ckpt_error *err)
{
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? n->capacity * 2 : 64;
		double *values = reallocarray(n->values, capacity, sizeof *values);
		if (!values) return ckpt_fail_nomem(err);
		n->values = values;
		n->capacity = capacity;
	}
	n->values[n->count++] = value;
	return true;
}

/* All numbers of nested lists, in order; the text was parsed with DEPTH. */
static bool flatten(const ckpt_json *root, const char *what, numbers *out, ckpt_error *err)
{
	const ckpt_json *stack[DEPTH + 1] = {root};
	size_t depth = 1;
	double value;
	while (depth > 0) {
		const ckpt_json *v = stack[depth - 1];
		if (!v) {
			depth--;
			continue;
		}
		stack[depth - 1] = depth == 1 ? NULL : ckpt_json_next(v);
		if (ckpt_json_get_kind(v) == CKPT_JSON_ARRAY && depth <= DEPTH)
			stack[depth++] = ckpt_json_child(v);
		else if (!number_of(v, &value))
			return ckpt_fail(err, CKPT_E_FORMAT, "%s holds %s where a number should be", what, ckpt_json_kind_name(v));
		else if (!push(out, value, err))
			return false;
	}
	return true;
}

/* The shape of nested lists, as far as their first items show it. */
static size_t shape_of(const ckpt_json *v, uint64_t shape[DEPTH])
{
	size_t rank = 0;
	for (; v && ckpt_json_get_kind(v) == CKPT_JSON_ARRAY && rank < DEPTH; v = ckpt_json_child(v), rank++) {
		shape[rank] = 0;
		for (const ckpt_json *i = ckpt_json_child(v); i; i = ckpt_json_next(i)) shape[rank]++;
	}
	return rank;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* values: nested lists, kept as a tensor. */
static bool want_values(ckpt_expected_case *c, const char *field, const char *slice, const ckpt_json *values, bool argmax,
                        ckpt_error *err)
{
	numbers n = {0};
	uint64_t shape[DEPTH], product = 1;
	char name[32];
	size_t rank = shape_of(values, shape);
	ckpt_wanted *w = add_wanted(c, field, err);
	bool ok = w && flatten(values, field, &n, err);
	for (size_t i = 0; i < rank; i++) product *= shape[i];
	if (ok && product != n.count) ok = ckpt_fail(err, CKPT_E_FORMAT, "%s: the lists are ragged", field);
	if (ok && slice) ok = (w->slice = strdup(slice)) || ckpt_fail_nomem(err);
	if (ok && argmax) {
		w->argmax = true;
		w->values = n.values;
		w->count = n.count;
		return true;
	}
	snprintf(name, sizeof name, "%zu", c->count);
	float *narrow = ok ? malloc(n.count * sizeof *narrow + 1) : NULL; /* as the outputs are */
	if (ok && !narrow) ok = ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < n.count; i++) narrow[i] = (float)n.values[i];
	ok = ok && ckpt_checkpoint_add_bytes(c->holder, name, CKPT_F32, rank, shape, narrow, n.count * sizeof *narrow, err);
	if (w) w->shaped = !slice;
	free(narrow);
	free(n.values);
	return ok;
}

static bool read_ids(const ckpt_call *call, const ckpt_json *object, ckpt_inputs *out, ckpt_error *err)
{
	const char *texts[6] = {0};
	ckpt_buffer buffers[6] = {0};
	bool ok = true;
	for (size_t i = 0; ok && i < 6; i++) {
		const ckpt_json *v = object ? ckpt_json_member(object, input_names[i]) : NULL;
		numbers n = {0};
		uint64_t shape[DEPTH];
		if (!v) continue;
		size_t rank = shape_of(v, shape);
		ok = flatten(v, input_names[i], &n, err);
		for (size_t k = 0; ok && k < n.count; k++) { /* written again, so that it is read as strictly as an option */
			bool first = rank == 2 && shape[1] && k % shape[1] == 0;
			ckpt_buffer_str(&buffers[i], k == 0 ? rank == 2 ? "[[" : "[" : first ? "],[" : ",");
			ckpt_buffer_printf(&buffers[i], "%.17g", n.values[k]);
		}
		ckpt_buffer_str(&buffers[i], n.count == 0 ? "[]" : rank == 2 ? "]]" : "]");
		free(n.values);
		ok = ok && ckpt_buffer_ok(&buffers[i], err);
		texts[i] = buffers[i].data;
	}
	const ckpt_input_options options = {texts[0], texts[1], texts[2], texts[3], texts[4], texts[5]};
	ok = ok && ckpt_inputs_read(call, &options, out, err);
	for (size_t i = 0; i < 6; i++) ckpt_buffer_free(&buffers[i]);
	return ok;
}

/* [{"field","slice","values" or "argmax"}] */
static bool read_list(const ckpt_json *list, ckpt_expected_case *c, ckpt_error *err)
{
	for (const ckpt_json *v = list ? ckpt_json_child(list) : NULL; v; v = ckpt_json_next(v)) {
		const ckpt_json *field = ckpt_json_member(v, "field"), *slice = ckpt_json_member(v, "slice");
		const ckpt_json *values = ckpt_json_member(v, "values"), *argmax = ckpt_json_member(v, "argmax");
		if (!field || ckpt_json_get_kind(field) != CKPT_JSON_STRING || !(values || argmax))
			return ckpt_fail(err, CKPT_E_FORMAT, "what is expected has field, and values or argmax");
		const char *text = slice && ckpt_json_get_kind(slice) == CKPT_JSON_STRING ? ckpt_json_string(slice) : NULL;
		if (!want_values(c, ckpt_json_string(field), text, values ? values : argmax, !values, err)) return false;
	}
	return true;
}

/* {"last_hidden_state": [...]} or {"last_hidden_state": {"data": [...]}} */
static bool read_fields(const ckpt_json *object, ckpt_expected_case *c, ckpt_error *err)
{
	for (const ckpt_json *v = ckpt_json_child(object); v; v = ckpt_json_next(v)) {
		const ckpt_json *data = ckpt_json_get_kind(v) == CKPT_JSON_OBJECT ? ckpt_json_member(v, "data") : v;
		if (is_input(ckpt_json_key(v)) || !data || ckpt_json_get_kind(data) != CKPT_JSON_ARRAY) continue;
		if (!want_values(c, ckpt_json_key(v), NULL, data, false, err)) return false;
	}
	return true;
}

static bool read_case(const ckpt_call *call, const ckpt_json *object, ckpt_expected *e, ckpt_error *err)
{
	ckpt_expected_case *c = add_case(e, err);
	if (!c) return false;
	if (ckpt_json_get_kind(object) != CKPT_JSON_OBJECT) return ckpt_fail(err, CKPT_E_FORMAT, "an object is wanted");
	const ckpt_json *class = ckpt_json_member(object, "class"), *inputs = ckpt_json_member(object, "inputs");
	const ckpt_json *atol = ckpt_json_member(object, "atol"), *rtol = ckpt_json_member(object, "rtol");
	const ckpt_json *list = ckpt_json_member(object, "expected"), *outputs = ckpt_json_member(object, "outputs");
	if (class && ckpt_json_get_kind(class) == CKPT_JSON_STRING && !(c->class_name = strdup(ckpt_json_string(class))))
		return ckpt_fail_nomem(err);
	if (atol) ckpt_json_f64(atol, &c->atol);
	if (rtol) ckpt_json_f64(rtol, &c->rtol);
	if (!read_ids(call, inputs ? inputs : object, &c->inputs, err)) return false;
	bool ok = list ? read_list(list, c, err) : read_fields(outputs ? outputs : object, c, err);
	if (ok && c->count == 0) ok = ckpt_fail(err, CKPT_E_FORMAT, "there is no output in it");
	for (size_t i = 0, k = 0; ok && i < c->count; i++)
		if (!c->wanted[i].argmax) c->wanted[i].tensor = &c->holder->tensors[k++];
	return ok;
}

static bool read_json(const ckpt_call *call, const char *text, size_t length, ckpt_expected *e, ckpt_error *err)
{
	ckpt_json *root = ckpt_json_parse(text, length, DEPTH, err);
	const ckpt_json *cases = root && ckpt_json_get_kind(root) == CKPT_JSON_OBJECT ? ckpt_json_member(root, "cases") : NULL;
	bool ok = root != NULL;
	if (ok && !cases) ok = read_case(call, root, e, err);
	for (const ckpt_json *v = cases ? ckpt_json_child(cases) : NULL; ok && v; v = ckpt_json_next(v)) ok = read_case(call, v, e, err);
	if (ok && e->count == 0) ok = ckpt_fail(err, CKPT_E_FORMAT, "there is no case in it");
	ckpt_json_free(root);
	return ok;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static bool read_tensors(const ckpt_call *call, const char *path, ckpt_expected *e, ckpt_error *err)
{
	const ckpt_open_options options = {.limits = call->open.limits};
	ckpt_expected_case *c = add_case(e, err);
	if (!c) return false;
	ckpt_checkpoint_free(c->holder);
	c->holder = ckpt_open(path, &options, err);
	const char *given[6] = {0};
	char *at = NULL;
	bool ok = c->holder != NULL;
	if (ok && asprintf(&at, "@%s", path) < 0) ok = ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < c->holder->count; i++) {
		const ckpt_tensor *t = &c->holder->tensors[i];
		if (is_input(t->name)) {
			for (size_t k = 0; k < 6; k++)
				if (strcmp(input_names[k], t->name) == 0) given[k] = at;
			continue;
		}
		ckpt_wanted *w = add_wanted(c, t->name, err);
		ok = w != NULL;
		if (w) *w = (ckpt_wanted){.field = w->field, .tensor = t, .shaped = true, .only = c->holder->count == 1};
	}
	const ckpt_input_options ids = {given[0], given[1], given[2], given[3], given[4], given[5]};
	ok = ok && ckpt_inputs_read(call, &ids, &c->inputs, err);
	if (ok && c->count == 0) ok = ckpt_fail(err, CKPT_E_FORMAT, "%s: there is no output in it", path);
	free(at);
	return ok;
}

/* ---- where from -------------------------------------------------------------------------------------------------- */

/* Is NAME a part of the path, alone or behind the owner ("models--google-bert--bert-base-uncased")? */
static bool names(const char *path, const char *name)
{
	size_t n = strlen(name);
	for (const char *at = path; at && (at = strcasestr(at, name)); at++) {
		bool begins = at == path || at[-1] == '/' || (at - path >= 2 && at[-1] == '-' && at[-2] == '-');
		if (begins && (at[n] == '\0' || at[n] == '/')) return true;
	}
	return false;
}

static const ckpt_published *find_published(const char *wanted, const char *path, const char *name, ckpt_error *err)
{
	ckpt_buffer all = {0};
	char *real = wanted ? NULL : realpath(path, NULL);
	const ckpt_published *found = NULL;
	for (const ckpt_published *p = ckpt_published_table; p->name && !found; p++) {
		if (wanted ? strcasecmp(wanted, p->name) == 0 : names(path, p->name) || (real && names(real, p->name)) || (name && names(name, p->name)))
			found = p;
		ckpt_buffer_printf(&all, "%s%s", all.length ? ", " : "", p->name);
	}
	if (!found && ckpt_buffer_ok(&all, err))
		ckpt_fail(err, CKPT_E_USAGE, "--expect published: '%s' is none of the models with published values: %s%s", wanted ? wanted : path,
		          all.data, wanted ? "" : "; published:NAME takes one of them");
	ckpt_buffer_free(&all);
	free(real);
	return found;
}

static bool read_published(const ckpt_call *call, const ckpt_published *p, ckpt_expected *e, ckpt_error *err)
{
	if (asprintf(&e->from, "%s", p->name) < 0) return ckpt_fail_nomem(err);
	return read_json(call, p->text, strlen(p->text), e, err) || ckpt_error_prefix(err, "the published values of %s", p->name);
}

static bool read_file(const ckpt_call *call, const char *path, ckpt_expected *e, ckpt_error *err)
{
	char first = 0;
	size_t got = 0;
	char *text = NULL;
	ckpt_file *f = ckpt_file_open(path, err);
	if (!f) return ckpt_error_prefix(err, "%s", path);
	uint64_t length = ckpt_file_size(f);
	bool ok = (e->from = strdup(path)) || ckpt_fail_nomem(err);
	ok = ok && ckpt_file_read_some(f, 0, 1, &first, &got, err);
	bool json = ok && got == 1 && strchr("{ \t\r\n", first);
	if (ok && !json) ok = read_tensors(call, path, e, err);
	if (ok && json && length > JSON_MOST)
		ok = ckpt_fail(err, CKPT_E_LIMIT, "%s has %llu bytes, at most %u of JSON are read", path, (unsigned long long)length, JSON_MOST);
	if (ok && json) ok = (text = malloc((size_t)length + 1)) || ckpt_fail_nomem(err);
	if (ok && json) ok = ckpt_file_read(f, 0, (size_t)length, text, err);
	if (ok && json) ok = read_json(call, text, (size_t)length, e, err) || ckpt_error_prefix(err, "%s", path);
	free(text);
	ckpt_file_unref(f);
	return ok;
}

bool ckpt_expected_read(const ckpt_call *call, const char *what, const char *path, const char *name, ckpt_expected *out,
                        ckpt_error *err)
{
	const char prefix[] = "published:";
	bool named = strncmp(what, prefix, sizeof prefix - 1) == 0;
	if (!named && strcmp(what, "published") != 0) return read_file(call, what, out, err);
	const ckpt_published *p = find_published(named ? what + sizeof prefix - 1 : NULL, path, name, err);
	return p && read_published(call, p, out, err);
}
