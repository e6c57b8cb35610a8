/* cmd_diff.c -- ckpt diff: two checkpoints, tensor by tensor */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"
#include "progress.h"
#include "rename.h"

typedef struct options {
	ckpt_list include, exclude, rename;
	double atol, rtol;
	uint64_t top;
	bool json;
} options;

static const options defaults = {.top = 20};

/* ---- what is compared ------------------------------------------------------------------------------------------ */

static ckpt_checkpoint *open_one(const ckpt_call *call, const char *path, bool rename, ckpt_error *err)
{
	const options *o = call->options;
	ckpt_checkpoint *cp = ckpt_call_open(call, path, err);
	bool ok = cp && ckpt_checkpoint_restore_aliases(cp, err);
	if (ok && rename) ok = ckpt_rename_all(call, cp, &o->rename, err);
	if (ok && o->include.count + o->exclude.count)
		ok = ckpt_checkpoint_select(cp, o->include.items, o->include.count, o->exclude.items, o->exclude.count, err);
	if (ok) return cp;
	if (cp) ckpt_error_prefix(err, "%s", path);
	ckpt_checkpoint_free(cp);
	return NULL;
}

static bool same_shape(const ckpt_tensor *a, const ckpt_tensor *b)
{
	return a->rank == b->rank && (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

/* Every tensor of either side once. */
static bool list_rows(ckpt_diff *d, const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_error *err)
{
	d->rows = calloc(a->count + b->count + 1, sizeof *d->rows);
	if (!d->rows) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < a->count; i++) {
		const ckpt_tensor *t = &a->tensors[i], *u = d->pairs.partner[i] == SIZE_MAX ? NULL : &b->tensors[d->pairs.partner[i]];
		if (!u && d->pairs.dropped[i]) continue;
		ckpt_diff_kind kind = !u ? CKPT_DIFF_ONLY_A : same_shape(t, u) ? CKPT_DIFF_SAME : CKPT_DIFF_SHAPE;
		d->rows[d->count++] = (ckpt_diff_row){.kind = kind, .a = t, .b = u};
	}
	for (size_t j = 0; j < b->count; j++)
		if (!d->pairs.paired[j]) d->rows[d->count++] = (ckpt_diff_row){.kind = CKPT_DIFF_ONLY_B, .b = &b->tensors[j]};
	return true;
}

static bool compare_rows(const ckpt_call *call, ckpt_diff *d, ckpt_error *err)
{
	const options *o = call->options;
	ckpt_progress progress;
	uint64_t total = 0, done = 0;
	bool ok = true;
	for (size_t i = 0; i < d->count; i++)
		if (d->rows[i].kind == CKPT_DIFF_SAME) total += d->rows[i].a->bytes + d->rows[i].b->bytes;
	ckpt_progress_begin(&progress, call, "comparing");
	for (size_t i = 0; ok && i < d->count; i++) {
		ckpt_diff_row *r = &d->rows[i];
		ckpt_error why = {0};
		if (r->kind != CKPT_DIFF_SAME) continue;
		ckpt_work work = ckpt_progress_part(&progress, done, total);
		ok = ckpt_tensor_compare(r->a, r->b, o->atol, o->rtol, &work, &r->values, &why);
		done += r->a->bytes + r->b->bytes;
		if (!ok && why.code == CKPT_E_UNSUPPORTED) {
			ok = true;
			r->kind = CKPT_DIFF_DTYPE;
		} else if (!ok) {
			if (err) *err = why;
		} else {
			if (r->values.different) r->kind = CKPT_DIFF_VALUES;
			ckpt_difference_add(&d->sum, &r->values);
		}
	}
	ckpt_progress_end(&progress);
	return ok;
}

/* VALUES first, the furthest apart first; all others as they came. */
static int by_distance(const void *x, const void *y)
{
	const ckpt_diff_row *a = x, *b = y;
	bool p = a->kind == CKPT_DIFF_VALUES, q = b->kind == CKPT_DIFF_VALUES;
	if (p != q) return p ? -1 : 1;
	if (p && a->values.max_abs != b->values.max_abs) return a->values.max_abs < b->values.max_abs ? 1 : -1;
	if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
	return strverscmp((a->a ? a->a : a->b)->name, (b->a ? b->a : b->b)->name);
}

static bool compare(const ckpt_call *call, const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_diff *d, ckpt_error *err)
{
	if (!ckpt_pairs_find(a, b, &d->pairs, err) || !list_rows(d, a, b, err) || !compare_rows(call, d, err)) return false;
	if (!ckpt_checkpoint_unchanged(a, err) || !ckpt_checkpoint_unchanged(b, err)) return false;
	qsort(d->rows, d->count, sizeof *d->rows, by_distance);
	for (size_t i = 0; i < d->count; i++) d->kinds[d->rows[i].kind]++;
	return true;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const options *o = call->options;
	int code = CKPT_EXIT_BY_ERROR;
	ckpt_checkpoint *a = NULL, *b = NULL;
	ckpt_diff d = {.path_a = call->arguments[0], .path_b = call->arguments[1], .top = o->json && o->top == defaults.top ? 0 : (size_t)o->top};
	if (o->atol < 0 || o->rtol < 0) {
		ckpt_fail(err, CKPT_E_USAGE, "a tolerance is not negative");
		return code;
	}
	a = open_one(call, d.path_a, true, err);
	if (a) b = open_one(call, d.path_b, false, err);
	if (b && compare(call, a, b, &d, err) && (o->json ? ckpt_diff_print_json(&d, err) : ckpt_diff_print_text(call, &d, err)))
		code = ckpt_diff_equal(&d) ? CKPT_EXIT_OK : CKPT_EXIT_NEGATIVE;
	ckpt_pairs_free(&d.pairs);
	free(d.rows);
	ckpt_checkpoint_free(a);
	ckpt_checkpoint_free(b);
	return code;
}

/* ---- the row --------------------------------------------------------------------------------------------------- */

static const char *const synopsis[] = {"A B [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Compares two checkpoints: names, shapes, and the values of every tensor, streaming, whatever their formats, shards and "
	       "dtypes. Values are compared as numbers, so BF16 equals the F32 that it was widened to; NaN equals NaN. Where names agree but "
	       "for a prefix (`bert.`, `module.`, `model.`) they are paired without it, and a remark says so. A tied weight that one side "
	       "lists as an alias of another one and the other side leaves out is no difference."},
	{NULL, "Tensors that differ are listed with the number of differing elements, the largest |a - b| and its place, the largest "
	       "|a - b| / max(|a|, |b|), the root of the mean square of a - b, the cosine of the angle between both, and the largest distance "
	       "in representable numbers (ulps) of the coarser of the two dtypes, to which both are rounded for this: 0 ulps "
	       "means that they differ by that rounding alone."},
	{"JSON", "An object: `a`, `b`, `equal`, `compared` (tensors), `elements`, `count` (of differing elements), `max_abs`, `max_rel`, `rms`, "
	         "`cosine`, `max_ulps` over all of them, `prefixes`, and lists of objects with `name`: `different` (in values, the furthest apart "
	         "first, with the same figures and `worst`, the place of `max_abs`), `shapes`, `dtypes` (that cannot be compared), "
	         "`only_in_a`, `only_in_b`. What is infinite is the string \"Infinity\"."},
	{0},
};

#define AT(field) offsetof(options, field)

static const ckpt_option table[] = {
	{"atol", 0, CKPT_OPTION_REAL, AT(atol), "X", "elements are equal when |a - b| <= atol + rtol |b| (default: 0)", 0, 0},
	{"rtol", 0, CKPT_OPTION_REAL, AT(rtol), "X", "see `--atol` (default: 0)", 0, 0},
	{"rename", 0, CKPT_OPTION_LIST, AT(rename), "REGEX/REPLACEMENT", "change names of A first, as `ckpt convert` does; may be repeated", 0, 0},
	{"include", 0, CKPT_OPTION_LIST, AT(include), "GLOB", "only tensors whose name matches; may be repeated", 0, 0},
	{"exclude", 0, CKPT_OPTION_LIST, AT(exclude), "GLOB", "without tensors whose name matches; may be repeated", 0, 0},
	{"top", 0, CKPT_OPTION_COUNT, AT(top), "N", "list the N tensors that are furthest apart, 0 for all (default: 20; with `--json` all)", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, AT(json), NULL, "print JSON", 0, 0},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt diff model.safetensors pytorch_model.bin", "Do both hold the same?"},
	{"ckpt diff model.safetensors bert --rename '^bert\\./' --include '*.weight' --rtol 1e-3", "Weights, within a tolerance."},
	{0},
};

static const ckpt_exit_code exits[] = {{0, "equal, or within the tolerance"}, {1, "different"}, {0, NULL}};

const ckpt_tool ckpt_tool_diff = {
	.name = "diff",
	.summary = "compare two checkpoints, tensor by tensor",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.defaults = &defaults,
	.options_size = sizeof(options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_BOTH,
	.arguments_min = 2,
	.arguments_max = 2,
	.examples = examples,
	.exits = exits,
	.run = run,
};
