/* verify_against.c -- do two models compute the same, and if not, from which block on */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/dtype.h"
#include "../lib/json.h"
#include "../lib/model/model.h"
#include "number.h"
#include "verify.h"

/* Equal weights give equal bits, so this is for what is all but equal. */
#define ATOL 1e-6
#define RTOL 1e-6

/* ---- the other model ------------------------------------------------------------------------------------------- */

/* Where MODEL's config is: beside its weights or in its folder, unless it was named. */
static bool config_place(const ckpt_verify *v, ckpt_buffer *out, ckpt_error *err)
{
	struct stat st;
	const char *slash = strrchr(v->path, '/');
	if (v->options->config)
		ckpt_buffer_str(out, v->options->config);
	else if (stat(v->path, &st) == 0 && S_ISDIR(st.st_mode))
		ckpt_buffer_str(out, v->path);
	else
		ckpt_buffer_printf(out, "%.*s/.", slash ? (int)(slash - v->path) : 1, slash ? v->path : ".");
	return ckpt_buffer_ok(out, err);
}

/* Weights without a config take MODEL's; another class of the same type takes MODEL's class. */
static bool open_other(ckpt_verify *v, ckpt_opened *other, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_buffer place = {0};
	ckpt_model_choice choice = {.path = v->options->against};
	const ckpt_model *m = v->model.model;
	bool ok = ckpt_opened_make(v->call, &choice, other, &why);
	if (!ok && other->weights && why.code == CKPT_E_NOT_FOUND && config_place(v, &place, &why)) {
		choice.config = place.data;
		ckpt_opened_free(other);
		*other = (ckpt_opened){0};
		ok = ckpt_opened_make(v->call, &choice, other, &why);
		if (ok) ckpt_remark(v->call, "%s has no config.json: it is read with that of %s", choice.path, v->path);
	}
	if (ok && other->model->arch == m->arch && other->model->class != m->class) {
		const ckpt_model_options options = {.path = choice.path, .config = choice.config, .class_name = ckpt_model_class(m)};
		ckpt_model_free(other->model);
		other->model = ckpt_model_open(other->weights, &options, &why);
		ok = other->model || ckpt_error_prefix(&why, "%s", choice.path);
	}
	ckpt_buffer_free(&place);
	if (!ok && err) *err = why;
	return ok;
}

/* ---- dtypes ---------------------------------------------------------------------------------------------------- */

/* The dtype that most of the weights have. */
static ckpt_dtype usual_dtype(const ckpt_model *m)
{
	uint64_t count[CKPT_DTYPE_COUNT + 1] = {0};
	ckpt_dtype usual = CKPT_F32;
	for (size_t i = 0; i < m->count; i++)
		if (m->slots[i].tensor) count[m->slots[i].tensor->dtype] += m->slots[i].elements;
	for (int d = 0; d < CKPT_DTYPE_COUNT; d++)
		if (count[d] > count[usual]) usual = (ckpt_dtype)d;
	return usual;
}

/* Rounds each weight of m to the dtype that its counterpart has, where that is narrower. Returns how many were. */
static bool round_to(ckpt_opened *wide, const ckpt_model *narrow, size_t *rounded, ckpt_error *err)
{
	const ckpt_model *m = wide->model;
	*rounded = 0;
	for (size_t i = 0; i < m->count; i++) {
		size_t j = ckpt_model_find(narrow, m->slots[i].local);
		const ckpt_tensor *t = m->slots[i].tensor, *u = j == CKPT_NO_SLOT ? NULL : narrow->slots[j].tensor;
		if (!t || !u || ckpt_dtype_bits(t->dtype) <= ckpt_dtype_bits(u->dtype)) continue;
		ckpt_tensor *own = &wide->weights->tensors[t - wide->weights->tensors];
		ckpt_source *source = ckpt_source_cast(t->source, t->dtype, u->dtype, err);
		if (!source) return false;
		ckpt_source_unref(own->source);
		own->source = source;
		own->dtype = u->dtype;
		own->bytes = source->length;
		++*rounded;
	}
	return true;
}

/* A model in BF16 is compared with one in F32 as if that one had been rounded; a layer that alone is narrower is not. */
static bool equalise(ckpt_verify *v, ckpt_opened *other, ckpt_check *c, ckpt_error *err)
{
	ckpt_dtype a = usual_dtype(v->model.model), b = usual_dtype(other->model);
	unsigned x = ckpt_dtype_bits(a), y = ckpt_dtype_bits(b);
	size_t rounded = 0;
	if (x > y && !round_to(&v->model, other->model, &rounded, err)) return false;
	if (x < y && !round_to(other, v->model.model, &rounded, err)) return false;
	if (rounded)
		ckpt_buffer_printf(&c->summary, ", %zu tensors of %s rounded to %s first", rounded, x > y ? "MODEL" : "OTHER",
		                   ckpt_dtype_name(x > y ? b : a));
	return true;
}

/* ---- configs --------------------------------------------------------------------------------------------------- */

/* What the two configs say otherwise, for the reader of a difference. */
static void compare_configs(ckpt_check *c, const ckpt_config *a, const ckpt_config *b)
{
	static const char *const ignored[] = {"architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path",
	                                      "use_cache", "id2label", "label2id", "gradient_checkpointing"};
	for (const ckpt_node *n = a->full->child; n; n = n->next) {
		const ckpt_node *other = ckpt_config_get(b, n->key);
		bool skip = !other || ckpt_node_equal(n, other) || strstr(n->key, "dropout") || strstr(n->key, "initializer");
		for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) skip |= strcmp(ignored[i], n->key) == 0;
		if (skip) continue;
		ckpt_buffer x = {0}, y = {0};
		ckpt_node_print(&x, n, false);
		ckpt_node_print(&y, other, false);
		if (x.data && y.data) ckpt_check_fail(c, "the configs differ: %s is %s and %s", n->key, x.data, y.data);
		ckpt_buffer_free(&x);
		ckpt_buffer_free(&y);
	}
}

/* ---- the comparison -------------------------------------------------------------------------------------------- */

/* Reasons for which OTHER cannot compute the same at all. */
static bool fits(ckpt_verify *v, ckpt_opened *other, ckpt_check *c)
{
	ckpt_error why = {0};
	const char *type = ckpt_model_type(v->model.model), *of = ckpt_model_type(other->model);
	if (strcmp(type, of) != 0) ckpt_check_fail(c, "MODEL is of type %s, OTHER of type %s", type, of);
	ckpt_forward *f = strcmp(type, of) == 0 ? ckpt_forward_new(other->model, &why) : NULL;
	if (why.code) ckpt_check_fail(c, "OTHER: %s", why.text);
	ckpt_forward_free(f);
	return c->state != CKPT_CHECK_FAILED;
}

static bool judge(ckpt_verify *v, ckpt_check *c, const ckpt_blocks *blocks, ckpt_error *err)
{
	const ckpt_block *first = NULL, *worst = NULL;
	size_t compared = 0;
	for (size_t i = 0; i < blocks->count; i++) {
		const ckpt_block *x = &blocks->items[i];
		compared += x->compared;
		if (!x->compared) {
			ckpt_check_fail(c, "OTHER has no block %s of that size", x->name);
			continue;
		}
		ckpt_check_detail(c, "%s: %s, max abs %.3g, relative %.3g, cosine %.9f", x->name, x->same ? "same" : "DIFFERENT", x->max_abs,
		                  x->relative, x->cosine);
		if (!x->same && !first) first = x;
		if (!worst || x->max_abs > worst->max_abs) worst = x;
	}
	if (first) {
		ckpt_check_fail(c, "the first block that differs is %s: max abs %.3g, relative %.3g, cosine %.9f", first->name,
		                first->max_abs, first->relative, first->cosine);
		v->first_block = strdup(first->name);
		if (!v->first_block) return ckpt_fail_nomem(err);
	}
	if (worst && worst->max_abs == 0)
		ckpt_buffer_printf(&c->summary, ": %zu blocks, equal to the bit", compared);
	else if (worst)
		ckpt_buffer_printf(&c->summary, ": %zu blocks, max abs %.3g in %s", compared, worst->max_abs, worst->name);
	return true;
}

static bool compare(ckpt_verify *v, ckpt_opened *other, ckpt_check *c, ckpt_error *err)
{
	const ckpt_verify_options *o = v->options;
	ckpt_blocks blocks = {0};
	ckpt_error why = {0};
	bool ok = equalise(v, other, c, err) && ckpt_blocks_record(v, v->model.model, &v->inputs, &blocks, NULL, err);
	bool same = ok && ckpt_blocks_compare(v, &blocks, other->model, &v->inputs, false, o->atol < 0 ? ATOL : o->atol,
	                                      o->rtol < 0 ? RTOL : o->rtol, &why);
	if (ok && !same && why.code != CKPT_E_USAGE) {
		if (err) *err = why;
		ok = ckpt_error_prefix(err, "%s", o->against);
	} else if (ok && !same) { /* it takes fewer words or positions */
		ckpt_check_fail(c, "OTHER: %s", why.text);
	} else if (ok) {
		ok = judge(v, c, &blocks, err);
		ckpt_blocks_json(&blocks, true, &c->json);
	}
	ckpt_blocks_free(&blocks);
	return ok;
}

bool ckpt_verify_against(ckpt_verify *v, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_AGAINST];
	ckpt_opened other = {0};
	if (!open_other(v, &other, err)) {
		ckpt_opened_free(&other);
		return false;
	}
	ckpt_buffer_str(&c->summary, v->options->against);
	ckpt_buffer_str(&c->json, ",\"path\":");
	ckpt_json_write_string(&c->json, v->options->against, strlen(v->options->against), false);
	bool ok = !fits(v, &other, c) || compare(v, &other, c, err);
	if (ok && c->state == CKPT_CHECK_FAILED && other.model->arch == v->model.model->arch)
		compare_configs(c, v->model.model->config, other.model->config);
	if (ok) {
		ckpt_buffer_str(&c->json, ",\"first_block\":");
		if (v->first_block)
			ckpt_json_write_string(&c->json, v->first_block, strlen(v->first_block), false);
		else
			ckpt_buffer_str(&c->json, "null");
	}
	ckpt_check_done(c);
	ckpt_opened_free(&other);
	return ok;
}
