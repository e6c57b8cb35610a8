/* diff_show.c -- what ckpt diff prints: tables for people, JSON */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../lib/dtype.h"
#include "../lib/json.h"
#include "../lib/limits.h"
#include "diff.h"
#include "number.h"
#include "table.h"

enum { SHAPE_TEXT = 256 };

/* The place of element i in a tensor: [0,3,5]. */
static const char *place(const ckpt_tensor *t, uint64_t i, char *text, size_t size)
{
	uint64_t at[CKPT_MAX_RANK];
	for (size_t k = t->rank; k-- > 0;) {
		at[k] = t->shape[k] ? i % t->shape[k] : 0;
		i /= t->shape[k] ? t->shape[k] : 1;
	}
	return ckpt_shape_text(t->rank, at, text, size);
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

static const ckpt_column value_columns[] = {{"name", false, 24, true, 0, CKPT_STYLE_PLAIN},
                                            {"dtype", false, 0, false, 4, CKPT_STYLE_PLAIN},
                                            {"different", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"of", true, 0, false, 5, CKPT_STYLE_PLAIN},
                                            {"max abs", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"at", false, 0, false, 1, CKPT_STYLE_PLAIN},
                                            {"max rel", true, 0, false, 6, CKPT_STYLE_PLAIN},
                                            {"rms", true, 0, false, 7, CKPT_STYLE_PLAIN},
                                            {"cosine", true, 0, false, 3, CKPT_STYLE_PLAIN},
                                            {"ulps", true, 0, false, 2, CKPT_STYLE_PLAIN}};

static void dtype_cell(ckpt_table *table, const ckpt_tensor *a, const ckpt_tensor *b)
{
	if (a->dtype == b->dtype)
		ckpt_table_text(table, ckpt_dtype_name(a->dtype));
	else
		ckpt_table_format(table, "%s/%s", ckpt_dtype_name(a->dtype), ckpt_dtype_name(b->dtype));
}

static void value_row(ckpt_table *table, const ckpt_tensor *a, const ckpt_tensor *b, const ckpt_difference *v)
{
	char text[SHAPE_TEXT];
	dtype_cell(table, a, b);
	ckpt_table_format(table, "%" PRIu64, v->different);
	ckpt_table_format(table, "%" PRIu64, v->elements);
	ckpt_table_format(table, "%.4g", v->max_abs);
	ckpt_table_text(table, place(a, v->worst, text, sizeof text));
	ckpt_table_format(table, "%.3g", v->max_rel);
	ckpt_table_format(table, "%.3g", v->rms);
	ckpt_table_format(table, "%.9f", v->cosine);
	ckpt_table_format(table, "%" PRIu64, v->max_ulps);
}

static bool print_values(const ckpt_call *call, const ckpt_diff *d, ckpt_error *err)
{
	size_t n = d->kinds[CKPT_DIFF_VALUES], shown = d->top && d->top < n ? d->top : n;
	if (n == 0) return true;
	ckpt_table *table = ckpt_table_new(value_columns, sizeof value_columns / sizeof *value_columns);
	if (!table) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < shown; i++) {
		ckpt_table_text(table, d->rows[i].a->name);
		value_row(table, d->rows[i].a, d->rows[i].b, &d->rows[i].values);
	}
	bool ok = ckpt_table_print(table, stdout, &call->terminal, true, err);
	ckpt_table_free(table);
	if (ok && shown < n) printf("... and %zu more (--top 0 shows all)\n", n - shown);
	return ok;
}

/* The other ways to differ, a line each. */
static void print_row(const ckpt_diff_row *r)
{
	static const char *const words[] = {"", "", "shape", "dtype", "only in A", "only in B"};
	const ckpt_tensor *t = r->a ? r->a : r->b;
	char one[SHAPE_TEXT], two[SHAPE_TEXT];
	printf("%-9s  ", words[r->kind]);
	ckpt_text_print(stdout, t->name);
	ckpt_shape_text(t->rank, t->shape, one, sizeof one);
	if (r->kind == CKPT_DIFF_SHAPE)
		printf("  %s and %s\n", one, ckpt_shape_text(r->b->rank, r->b->shape, two, sizeof two));
	else if (r->kind == CKPT_DIFF_DTYPE)
		printf("  %s and %s\n", ckpt_dtype_name(r->a->dtype), ckpt_dtype_name(r->b->dtype));
	else
		printf("  %s %s\n", ckpt_dtype_name(t->dtype), one);
}

static void remark_on_pairs(const ckpt_call *call, const ckpt_diff *d)
{
	size_t dtypes = 0;
	for (size_t i = 0; i < d->pairs.prefix_count; i++) {
		const char *a = d->pairs.prefixes[i].a, *b = d->pairs.prefixes[i].b;
		size_t n = d->pairs.prefixes[i].count;
		if (*a && *b)
			ckpt_remark(call, "%zu name%s begin with '%s' in A and with '%s' in B", n, ckpt_plural(n), a, b);
		else
			ckpt_remark(call, "%zu name%s begin with '%s' in %s alone", n, ckpt_plural(n), *a ? a : b, *a ? "A" : "B");
	}
	for (size_t i = 0; i < d->count; i++)
		dtypes += d->rows[i].kind <= CKPT_DIFF_VALUES && d->rows[i].a->dtype != d->rows[i].b->dtype;
	if (dtypes) ckpt_remark(call, "%zu tensor%s of different dtypes, compared by value", dtypes, ckpt_plural(dtypes));
}

static void print_sum(const ckpt_diff *d)
{
	char number[2][CKPT_NUMBER_TEXT];
	const ckpt_difference *s = &d->sum;
	size_t compared = d->kinds[CKPT_DIFF_SAME] + d->kinds[CKPT_DIFF_VALUES];
	ckpt_count_text(s->elements, number[0], sizeof number[0]);
	if (ckpt_diff_equal(d)) {
		printf("equal: %zu tensor%s, %s element%s", compared, ckpt_plural(compared), number[0], ckpt_plural(s->elements));
		if (s->max_abs > 0) printf(" (max abs %.4g, max rel %.3g, within the tolerance)", s->max_abs, s->max_rel);
		puts("");
		return;
	}
	ckpt_count_text(s->different, number[1], sizeof number[1]);
	printf("different: %zu of %zu tensors in values (%s of %s elements)", d->kinds[CKPT_DIFF_VALUES], compared, number[1], number[0]);
	static const char *const words[] = {"", "", "in shape", "in dtype", "only in A", "only in B"};
	for (int k = CKPT_DIFF_SHAPE; k <= CKPT_DIFF_ONLY_B; k++)
		if (d->kinds[k]) printf(", %zu %s", d->kinds[k], words[k]);
	printf("; max abs %.4g, max rel %.3g, rms %.3g, cosine %.9f\n", s->max_abs, s->max_rel, s->rms, s->cosine);
}

bool ckpt_diff_print_text(const ckpt_call *call, const ckpt_diff *d, ckpt_error *err)
{
	remark_on_pairs(call, d);
	if (!print_values(call, d, err)) return false;
	for (size_t i = 0; i < d->count; i++)
		if (d->rows[i].kind > CKPT_DIFF_VALUES) print_row(&d->rows[i]);
	print_sum(d);
	return true;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static void put_string(ckpt_buffer *b, const char *text)
{
	ckpt_json_write_string(b, text, strlen(text), false);
}

static void put_real(ckpt_buffer *b, const char *key, double d)
{
	char text[CKPT_NUMBER_TEXT];
	ckpt_real_text(d, text, sizeof text);
	if (isnan(d)) /* the cosine of numbers whose squares overflow */
		ckpt_buffer_printf(b, ",\"%s\":null", key);
	else
		ckpt_buffer_printf(b, isinf(d) ? ",\"%s\":\"Infinity\"" : ",\"%s\":%s", key, text);
}

static void put_shape(ckpt_buffer *b, const char *key, size_t rank, const uint64_t *shape)
{
	ckpt_buffer_printf(b, ",\"%s\":[", key);
	for (size_t i = 0; i < rank; i++) ckpt_buffer_printf(b, "%s%" PRIu64, i ? "," : "", shape[i]);
	ckpt_buffer_char(b, ']');
}

static void put_difference(ckpt_buffer *b, const ckpt_difference *v)
{
	ckpt_buffer_printf(b, ",\"elements\":%" PRIu64 ",\"count\":%" PRIu64, v->elements, v->different);
	put_real(b, "max_abs", v->max_abs);
	put_real(b, "max_rel", v->max_rel);
	put_real(b, "rms", v->rms);
	put_real(b, "cosine", v->cosine);
	ckpt_buffer_printf(b, ",\"max_ulps\":%" PRIu64, v->max_ulps);
}

static void put_row(ckpt_buffer *b, const ckpt_diff_row *r)
{
	const ckpt_tensor *t = r->a ? r->a : r->b;
	ckpt_buffer_str(b, "{\"name\":");
	put_string(b, t->name);
	if (r->a && r->b && strcmp(r->a->name, r->b->name) != 0) {
		ckpt_buffer_str(b, ",\"name_b\":");
		put_string(b, r->b->name);
	}
	ckpt_buffer_printf(b, ",\"dtype\":\"%s\"", ckpt_dtype_name(t->dtype));
	if (r->a && r->b) ckpt_buffer_printf(b, ",\"dtype_b\":\"%s\"", ckpt_dtype_name(r->b->dtype));
	put_shape(b, "shape", t->rank, t->shape);
	if (r->kind == CKPT_DIFF_SHAPE) put_shape(b, "shape_b", r->b->rank, r->b->shape);
	if (r->kind == CKPT_DIFF_VALUES) {
		char text[SHAPE_TEXT];
		put_difference(b, &r->values);
		ckpt_buffer_printf(b, ",\"worst\":%s", place(r->a, r->values.worst, text, sizeof text));
	}
	ckpt_buffer_char(b, '}');
}

static void put_rows(ckpt_buffer *b, const ckpt_diff *d, const char *key, ckpt_diff_kind kind, size_t most)
{
	size_t n = 0;
	ckpt_buffer_printf(b, ",\n\"%s\":[", key);
	for (size_t i = 0; i < d->count && (!most || n < most); i++) {
		if (d->rows[i].kind != kind) continue;
		ckpt_buffer_str(b, n++ ? ",\n" : "\n");
		put_row(b, &d->rows[i]);
	}
	ckpt_buffer_char(b, ']');
}

static void put_prefixes(ckpt_buffer *b, const ckpt_pairs *p)
{
	ckpt_buffer_str(b, ",\n\"prefixes\":[");
	for (size_t i = 0; i < p->prefix_count; i++) {
		ckpt_buffer_str(b, i ? ",{\"a\":" : "{\"a\":");
		put_string(b, p->prefixes[i].a);
		ckpt_buffer_str(b, ",\"b\":");
		put_string(b, p->prefixes[i].b);
		ckpt_buffer_printf(b, ",\"tensors\":%zu}", p->prefixes[i].count);
	}
	ckpt_buffer_char(b, ']');
}

bool ckpt_diff_print_json(const ckpt_diff *d, ckpt_error *err)
{
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "{\"a\":");
	put_string(&b, d->path_a);
	ckpt_buffer_str(&b, ",\"b\":");
	put_string(&b, d->path_b);
	ckpt_buffer_printf(&b, ",\"equal\":%s,\"compared\":%zu", ckpt_diff_equal(d) ? "true" : "false",
	                   d->kinds[CKPT_DIFF_SAME] + d->kinds[CKPT_DIFF_VALUES]);
	put_difference(&b, &d->sum);
	put_prefixes(&b, &d->pairs);
	put_rows(&b, d, "different", CKPT_DIFF_VALUES, d->top);
	put_rows(&b, d, "shapes", CKPT_DIFF_SHAPE, 0);
	put_rows(&b, d, "dtypes", CKPT_DIFF_DTYPE, 0);
	put_rows(&b, d, "only_in_a", CKPT_DIFF_ONLY_A, 0);
	put_rows(&b, d, "only_in_b", CKPT_DIFF_ONLY_B, 0);
	ckpt_buffer_str(&b, "}\n");
	bool ok = ckpt_buffer_ok(&b, err) && (fwrite(b.data, 1, b.length, stdout) == b.length ||
	                                      ckpt_fail_errno(err, errno, "cannot write to standard output"));
	ckpt_buffer_free(&b);
	return ok;
}
