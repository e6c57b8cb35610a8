/* inspect_text.c -- ckpt inspect for people: head, tensors, values, totals */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "graph.h"
#include "inspect.h"
#include "number.h"
#include "table.h"
#include "values.h"

enum { SHAPE_TEXT = 1400 }; /* 64 dimensions of 20 digits */

static const ckpt_column plain_columns[] = {{"name", false, 24, true, 0, CKPT_STYLE_PLAIN},
                                            {"dtype", false, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"shape", false, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"bytes", true, 0, false, 3, CKPT_STYLE_PLAIN},
                                            {"alias of", false, 12, true, 2, CKPT_STYLE_DIM},
                                            {"sha256", false, 12, false, 1, CKPT_STYLE_PLAIN}};

static const ckpt_column stats_columns[] = {{"name", false, 28, true, 0, CKPT_STYLE_PLAIN},
                                            {"dtype", false, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"shape", false, 0, false, 4, CKPT_STYLE_PLAIN},
                                            {"bytes", true, 0, false, 3, CKPT_STYLE_PLAIN},
                                            {"min", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"max", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"mean", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"std", true, 0, false, 0, CKPT_STYLE_PLAIN},
                                            {"absmax", true, 0, false, 5, CKPT_STYLE_PLAIN},
                                            {"zeros", true, 0, false, 6, CKPT_STYLE_PLAIN},
                                            {"nan", true, 0, false, 0, CKPT_STYLE_WARN},
                                            {"inf", true, 0, false, 0, CKPT_STYLE_WARN},
                                            {"alias of", false, 12, true, 2, CKPT_STYLE_DIM},
                                            {"sha256", false, 12, false, 1, CKPT_STYLE_PLAIN}};

/* ---- head ---- */

/* One fact: a short label and a value that stays on its line. */
static bool put_fact(const ckpt_inspection *in, const char *label, const char *text, size_t length, ckpt_style style,
                     ckpt_error *err)
{
	const ckpt_terminal *t = &in->call->terminal;
	ckpt_buffer escaped = {0}, b = {0};
	ckpt_text_append(&escaped, text, length);
	ckpt_buffer_printf(&b, "%s%-12s%s", ckpt_style_code(t, CKPT_STYLE_DIM), label, ckpt_style_code(t, CKPT_STYLE_PLAIN));
	if (style != CKPT_STYLE_PLAIN) ckpt_buffer_str(&b, ckpt_style_code(t, style));
	if (t->width > 20 && escaped.data)
		ckpt_text_fit(&b, escaped.data, escaped.length, t->width - 12, false);
	else if (escaped.data)
		ckpt_buffer_add(&b, escaped.data, escaped.length);
	if (style != CKPT_STYLE_PLAIN) ckpt_buffer_str(&b, ckpt_style_code(t, CKPT_STYLE_PLAIN));
	ckpt_buffer_char(&b, '\n');
	bool ok = ckpt_buffer_ok(&escaped, err) && ckpt_buffer_ok(&b, err);
	if (ok) fwrite(b.data, 1, b.length, stdout);
	ckpt_buffer_free(&escaped);
	ckpt_buffer_free(&b);
	return ok;
}

/* Each line of a text as a fact. */
static bool put_lines(const ckpt_inspection *in, const char *label, const char *text, ckpt_style style, ckpt_error *err)
{
	bool ok = true;
	for (const char *at = text; ok && at && *at;) {
		size_t length = strcspn(at, "\n");
		ok = put_fact(in, label, at, length, style, err);
		at += length + (at[length] == '\n');
	}
	return ok;
}

/* The report's lines begin with what they say in as many columns as a label has. */
static bool put_report(const ckpt_inspection *in, ckpt_error *err)
{
	bool ok = true;
	char label[13] = "";
	for (const char *at = in->model.report; ok && at && *at;) {
		size_t length = strcspn(at, "\n");
		memcpy(label, at, sizeof label - 1);
		ok = put_fact(in, label, at + sizeof label - 1, length - (sizeof label - 1), CKPT_STYLE_WARN, err);
		at += length + (at[length] == '\n');
	}
	return ok;
}

static bool put_model(const ckpt_inspection *in, ckpt_error *err)
{
	const ckpt_model_facts *m = &in->model;
	if (m->name && !put_fact(in, "model", m->name, strlen(m->name), CKPT_STYLE_PLAIN, err)) return false;
	if (m->name && !put_fact(in, "parameters", m->parameters, strlen(m->parameters), CKPT_STYLE_PLAIN, err)) return false;
	return put_lines(in, "note", m->notes, CKPT_STYLE_WARN, err) && put_report(in, err);
}

static bool put_head(const ckpt_inspection *in, ckpt_error *err)
{
	const ckpt_checkpoint *cp = in->cp;
	const char *format = ckpt_checkpoint_format(cp), *detail = ckpt_checkpoint_detail(cp);
	ckpt_buffer b = {0};
	size_t roots = ckpt_checkpoint_root_count(cp);
	bool ok = put_fact(in, "path", in->path, strlen(in->path), CKPT_STYLE_BOLD, err);
	ckpt_buffer_printf(&b, "%s%s%s", format ? format : "", *detail ? ": " : "", detail);
	ok = ok && ckpt_buffer_ok(&b, err) && put_fact(in, "format", b.data, b.length, CKPT_STYLE_PLAIN, err);
	for (size_t i = 0; ok && i < ckpt_checkpoint_metadata_count(cp); i++) {
		b.length = 0;
		ckpt_buffer_printf(&b, "%s = %s", ckpt_checkpoint_metadata_key(cp, i), ckpt_checkpoint_metadata_value(cp, i));
		ok = ckpt_buffer_ok(&b, err) && put_fact(in, i ? "" : "metadata", b.data, b.length, CKPT_STYLE_PLAIN, err);
	}
	b.length = 0;
	for (size_t i = 0; i < roots; i++) ckpt_buffer_printf(&b, "%s%s", i ? ", " : "", ckpt_checkpoint_root_at(cp, i));
	if (roots) ckpt_buffer_printf(&b, " (--root shows one alone)");
	if (roots) ok = ok && ckpt_buffer_ok(&b, err) && put_fact(in, "parts", b.data, b.length, CKPT_STYLE_PLAIN, err);
	for (size_t i = 0; ok && i < ckpt_checkpoint_note_count(cp); i++) {
		const char *note = ckpt_checkpoint_note_at(cp, i);
		ok = put_fact(in, "note", note, strlen(note), CKPT_STYLE_WARN, err);
	}
	ckpt_buffer_free(&b);
	return ok && put_model(in, err);
}

/* ---- tensors ---- */

static void put_stats(ckpt_table *table, const ckpt_stats *s)
{
	char number[CKPT_NUMBER_TEXT];
	ckpt_table_format(table, "%.4g", s->min);
	ckpt_table_format(table, "%.4g", s->max);
	ckpt_table_format(table, "%.4g", s->mean);
	ckpt_table_format(table, "%.4g", s->std);
	ckpt_table_format(table, "%.4g", s->absmax);
	ckpt_table_text(table, ckpt_count_text(s->zeros, number, sizeof number));
	ckpt_table_text(table, s->nans ? ckpt_count_text(s->nans, number, sizeof number) : "");
	ckpt_table_text(table, s->infs ? ckpt_count_text(s->infs, number, sizeof number) : "");
}

static void put_tensor(ckpt_table *table, const ckpt_inspection *in, size_t i)
{
	const ckpt_tensor *t = ckpt_checkpoint_tensor_at(in->cp, i);
	char shape[SHAPE_TEXT], number[CKPT_NUMBER_TEXT];
	ckpt_table_text(table, ckpt_tensor_name(t));
	ckpt_table_text(table, ckpt_dtype_name(ckpt_tensor_dtype(t)));
	ckpt_table_text(table, ckpt_shape_text(ckpt_tensor_rank(t), ckpt_tensor_shape(t), shape, sizeof shape));
	ckpt_table_text(table, ckpt_count_text(ckpt_tensor_bytes(t), number, sizeof number));
	if (in->stats) put_stats(table, &in->stats[i]);
	ckpt_table_text(table, ckpt_tensor_alias_of(t) ? ckpt_tensor_alias_of(t) : "");
	ckpt_table_text(table, in->hashes ? in->hashes[i] : "");
}

static bool put_tensors(const ckpt_inspection *in, ckpt_error *err)
{
	size_t count = ckpt_checkpoint_tensor_count(in->cp);
	ckpt_table *table = in->stats ? ckpt_table_new(stats_columns, sizeof stats_columns / sizeof *stats_columns)
	                              : ckpt_table_new(plain_columns, sizeof plain_columns / sizeof *plain_columns);
	bool ok;
	if (!table) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < count; i++) put_tensor(table, in, i);
	ok = ckpt_table_print(table, stdout, &in->call->terminal, true, err);
	ckpt_table_free(table);
	return ok;
}

/* ---- values and totals ---- */

static bool put_values(const ckpt_inspection *in, ckpt_error *err)
{
	const ckpt_value *root = ckpt_checkpoint_value(in->cp);
	const ckpt_terminal *t = &in->call->terminal;
	ckpt_values_limits limits = {.depth = (size_t)in->cp->limits.depth, .lines = 500, .each = 64, .width = t->width};
	ckpt_buffer b = {0};
	ckpt_buffer_printf(&b, "\n%svalues%s", ckpt_style_code(t, CKPT_STYLE_BOLD), ckpt_style_code(t, CKPT_STYLE_PLAIN));
	if (ckpt_value_get_kind(root) == CKPT_VALUE_OBJECT) {
		ckpt_buffer_str(&b, " of ");
		ckpt_text_append(&b, ckpt_value_kind_text(root), strlen(ckpt_value_kind_text(root)));
	}
	ckpt_buffer_char(&b, '\n');
	bool ok = ckpt_values_text(root, &limits, &b, err) && ckpt_buffer_ok(&b, err);
	if (ok) fwrite(b.data, 1, b.length, stdout);
	ckpt_buffer_free(&b);
	return ok;
}

static void put_tally(ckpt_table *table, const char *label, const ckpt_tally *t)
{
	char number[CKPT_NUMBER_TEXT];
	ckpt_table_text(table, label);
	ckpt_table_text(table, ckpt_count_text(t->tensors, number, sizeof number));
	ckpt_table_text(table, t->aliases ? ckpt_count_text(t->aliases, number, sizeof number) : "");
	ckpt_table_text(table, ckpt_count_text(t->parameters, number, sizeof number));
	ckpt_table_text(table, ckpt_count_text(t->bytes, number, sizeof number));
	ckpt_table_text(table, ckpt_bytes_text((double)t->bytes, number, sizeof number));
}

static bool put_totals(const ckpt_inspection *in, ckpt_error *err)
{
	static const ckpt_column columns[] = {{"totals", false, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"tensors", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"aliases", true, 0, false, 1, CKPT_STYLE_PLAIN},
	                                      {"parameters", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"bytes", true, 0, false, 0, CKPT_STYLE_PLAIN},
	                                      {"", true, 0, false, 2, CKPT_STYLE_PLAIN}};
	ckpt_table *table = ckpt_table_new(columns, sizeof columns / sizeof *columns);
	size_t kinds = 0;
	bool ok;
	if (!table) return ckpt_fail_nomem(err);
	for (size_t d = 0; d < CKPT_DTYPE_COUNT; d++) {
		if (!in->by_dtype[d].tensors) continue;
		put_tally(table, ckpt_dtype_name((ckpt_dtype)d), &in->by_dtype[d]);
		kinds++;
	}
	if (kinds != 1) put_tally(table, "all", &in->all);
	putchar('\n');
	ok = ckpt_table_print(table, stdout, &in->call->terminal, true, err);
	ckpt_table_free(table);
	return ok;
}

bool ckpt_inspect_text(const ckpt_inspection *in, bool tree, ckpt_error *err)
{
	if (!put_head(in, err)) return false;
	if (ckpt_checkpoint_tensor_count(in->cp)) putchar('\n');
	if (!(tree ? ckpt_inspect_tree(in, err) : put_tensors(in, err))) return false;
	if (in->values && !put_values(in, err)) return false;
	if (!put_totals(in, err)) return false;
	if (!in->hashes) return true;
	putchar('\n');
	return put_fact(in, "fingerprint", in->fingerprint, strlen(in->fingerprint), CKPT_STYLE_PLAIN, err);
}
