/* verify_expect.c -- does the model give the outputs that a file, or the published values of a model, say it should */
#include <stdlib.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "../lib/json.h"
#include "../lib/model/model.h"
#include "../lib/slice.h"
#include "expected.h"
#include "number.h"
#include "verify.h"

/* As transformers' own tests have it. */
#define TOLERANCE 1e-4

/* ---- one expected tensor --------------------------------------------------------------------------------------- */

/* The output, or the part of it that is expected, as the only tensor of a checkpoint. */
static ckpt_checkpoint *part_of(const ckpt_tensor *t, const char *text, ckpt_error *err)
{
	ckpt_slice slice = {.rank = t->rank};
	ckpt_source *source = NULL;
	if (!text)
		source = ckpt_source_ref(t->source);
	else if (ckpt_slice_parse(text, t->rank, t->shape, &slice, err))
		source = ckpt_slice_source(&slice, t->source, t->dtype, err);
	ckpt_checkpoint *one = source ? ckpt_checkpoint_new(err) : NULL;
	if (!one) ckpt_source_unref(source);
	if (one && ckpt_checkpoint_add(one, t->name, t->dtype, slice.rank, text ? slice.shape : t->shape, source, NULL, err)) return one;
	ckpt_checkpoint_free(one);
	return NULL;
}

static bool same_shape(const ckpt_tensor *a, const ckpt_tensor *b)
{
	return a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static bool check_argmax(ckpt_check *c, const ckpt_tensor *t, const ckpt_wanted *w, ckpt_error *err)
{
	size_t columns = (size_t)t->shape[t->rank - 1], rows = columns ? (size_t)t->elements / columns : 0, wrong = 0;
	if (t->dtype != CKPT_F32 || rows != w->count) {
		ckpt_check_fail(c, "%s has %zu rows, %zu largest values are expected", w->field, rows, w->count);
		return true;
	}
	float *row = malloc(columns * sizeof *row + 1);
	bool ok = row || ckpt_fail_nomem(err);
	for (size_t r = 0; ok && r < rows; r++) {
		size_t best = 0;
		ok = ckpt_tensor_read(t, r * columns * sizeof *row, columns * sizeof *row, row, err);
		for (size_t i = 1; ok && i < columns; i++)
			if (row[i] > row[best]) best = i;
		if (ok && (double)best != w->values[r] && wrong++ == 0)
			ckpt_check_fail(c, "%s: the largest value of row %zu is at %zu, expected at %.0f", w->field, r, best, w->values[r]);
	}
	free(row);
	if (ok && !wrong) ckpt_check_detail(c, "%s: the largest value of %zu rows is where it should be", w->field, rows);
	return ok;
}

static bool check_values(ckpt_check *c, const ckpt_tensor *t, const ckpt_wanted *w, double atol, double rtol, ckpt_error *err)
{
	char found[128], wanted[128];
	const char *slice = w->slice ? w->slice : "", *gap = w->slice ? " " : "";
	ckpt_difference d;
	if (w->shaped && !same_shape(t, w->tensor)) {
		ckpt_check_fail(c, "%s has shape %s, expected %s", w->field, ckpt_shape_text(t->rank, t->shape, found, sizeof found),
		                ckpt_shape_text(w->tensor->rank, w->tensor->shape, wanted, sizeof wanted));
		return true;
	}
	if (t->elements != w->tensor->elements) {
		ckpt_check_fail(c, "%s%s%s has %llu values, expected %llu", w->field, gap, slice, (unsigned long long)t->elements,
		                (unsigned long long)w->tensor->elements);
		return true;
	}
	if (!ckpt_tensor_compare(t, w->tensor, atol, rtol, NULL, &d, err)) return false;
	if (d.different)
		ckpt_check_fail(c, "%s%s%s: %llu of %llu values differ, max abs %.3g (atol %g, rtol %g)", w->field, gap, slice,
		                (unsigned long long)d.different, (unsigned long long)d.elements, d.max_abs, atol, rtol);
	else
		ckpt_check_detail(c, "%s%s%s: %llu values, max abs %.3g", w->field, gap, slice, (unsigned long long)d.elements, d.max_abs);
	ckpt_buffer_printf(&c->json, "%s{\"field\":\"%s\",\"slice\":", c->json.data[c->json.length - 1] == '[' ? "\n" : ",\n", t->name);
	ckpt_json_write_string(&c->json, slice, strlen(slice), false);
	ckpt_buffer_printf(&c->json, ",\"values\":%llu,\"count\":%llu", (unsigned long long)d.elements, (unsigned long long)d.different);
	ckpt_json_real(&c->json, "max_abs", d.max_abs);
	ckpt_json_real(&c->json, "cosine", d.cosine);
	ckpt_buffer_char(&c->json, '}');
	return true;
}

/* ---- one case: a class, inputs, what should come out ----------------------------------------------------------- */

static const ckpt_tensor *output_of(const ckpt_checkpoint *outputs, const ckpt_wanted *w)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(outputs, w->field);
	if (t || !w->only) return t;
	for (size_t i = 0; i < outputs->count; i++) /* one array without a name of its own */
		if (same_shape(&outputs->tensors[i], w->tensor)) return &outputs->tensors[i];
	return &outputs->tensors[0];
}

static bool check_outputs(ckpt_verify *v, const ckpt_expected_case *e, const ckpt_checkpoint *outputs, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_EXPECT];
	double atol = v->options->atol, rtol = v->options->rtol;
	if (atol < 0) atol = e->atol < 0 ? TOLERANCE : e->atol;
	if (rtol < 0) rtol = e->rtol < 0 ? TOLERANCE : e->rtol;
	bool ok = true;
	for (size_t i = 0; ok && i < e->count; i++) {
		const ckpt_wanted *w = &e->wanted[i];
		const ckpt_tensor *t = output_of(outputs, w);
		if (!t) {
			ckpt_check_fail(c, "the model has no output %s", w->field);
			continue;
		}
		ckpt_checkpoint *part = part_of(t, w->slice, err);
		ok = part && (w->argmax ? check_argmax(c, &part->tensors[0], w, err) : check_values(c, &part->tensors[0], w, atol, rtol, err));
		ckpt_checkpoint_free(part);
	}
	return ok;
}

static bool run_case(ckpt_verify *v, const ckpt_expected_case *e, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_EXPECT];
	const ckpt_verify_options *o = v->options;
	const ckpt_model_options other = {.path = v->path, .config = o->config, .type = o->type, .class_name = e->class_name};
	bool own = e->class_name && !o->class_name && strcmp(e->class_name, ckpt_model_class(v->model.model)) != 0, ok = false;
	ckpt_error why = {0};
	ckpt_model *m = own ? ckpt_model_open(v->model.weights, &other, err) : v->model.model;
	const ckpt_forward_options options = {.threads = v->call->threads, .frugal = o->per_layer, .hidden_states = e->hidden};
	const ckpt_inputs *inputs = e->inputs.in.ids && !o->input.ids ? &e->inputs : &v->inputs;
	ckpt_forward *f = m ? ckpt_forward_new(m, &why) : NULL;
	ckpt_checkpoint *out = f ? ckpt_forward_run(f, &inputs->in, &options, &why) : NULL;
	if (out) {
		ok = check_outputs(v, e, out, err);
	} else if (m && (why.code == CKPT_E_IO || why.code == CKPT_E_NOMEM || why.code == CKPT_E_CHANGED)) {
		if (err) *err = why;
	} else if (m) { /* the model is not the one that is meant */
		ckpt_check_fail(c, "%s: %s", ckpt_model_class(m), why.text);
		ok = true;
	}
	ckpt_checkpoint_free(out);
	ckpt_forward_free(f);
	if (own) ckpt_model_free(m);
	return ok;
}

bool ckpt_verify_expect(ckpt_verify *v, ckpt_error *err)
{
	ckpt_check *c = &v->checks[CKPT_CHECK_EXPECT];
	ckpt_expected expected = {0};
	const char *name = ckpt_config_text(v->model.model->config, "_name_or_path");
	bool ok = ckpt_expected_read(v->call, v->options->expect, v->path, name, &expected, err);
	size_t values = 0;
	ckpt_buffer_str(&c->json, ",\"outputs\":[");
	for (size_t i = 0; ok && i < expected.count; i++) {
		values += expected.cases[i].count;
		ok = run_case(v, &expected.cases[i], err);
	}
	ckpt_buffer_char(&c->json, ']');
	if (ok) ckpt_buffer_printf(&c->summary, "%zu output%s as %s says", values, ckpt_plural(values), expected.from);
	ckpt_expected_free(&expected);
	ckpt_check_done(c);
	return ok;
}
