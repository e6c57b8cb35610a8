/* forward_show.c -- what ckpt forward prints: tensors as torch prints them, or JSON */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/dtype.h"
#include "../lib/json.h"
#include "../lib/print.h"
#include "forward.h"
#include "labels.h"
#include "number.h"
#include "table.h"

enum { LABELS_SHOWN = 5 };

static double median_of(const ckpt_forward_timing *t)
{
	size_t half = t->count / 2;
	return t->count % 2 ? t->seconds[half] : (t->seconds[half - 1] + t->seconds[half]) / 2;
}

/* ---- text ---------------------------------------------------------------------------------------------------- */

static bool print_tensor(const ckpt_tensor *t, bool values, ckpt_error *err)
{
	const ckpt_print_view view = {t->dtype, t->rank, t->shape, t->source};
	char shape[128];
	ckpt_buffer text = {0};
	printf("%s %s\n", t->name, ckpt_shape_text(t->rank, t->shape, shape, sizeof shape));
	bool ok = !values || ckpt_print_torch(&text, &view, err);
	if (ok && values) printf("%s\n\n", text.data);
	ckpt_buffer_free(&text);
	return ok;
}

static void print_row_labels(const ckpt_labels *l, size_t row)
{
	size_t shown = l->each < LABELS_SHOWN ? l->each : LABELS_SHOWN;
	char room[CKPT_LABEL_NAME];
	if (l->items->name) printf("row %zu:", row);
	else fputs("choice:", stdout);
	for (size_t i = 0; i < shown; i++) {
		const ckpt_label *label = &l->items[row * l->each + i];
		fputs(i ? ", " : " ", stdout);
		ckpt_text_print(stdout, ckpt_label_name(label, room));
		printf(" %.4f", label->score);
	}
	if (shown < l->each) fputs(", ...", stdout);
	puts(l->scores == CKPT_SCORES_VALUES ? " (no probability: a regression)"
	     : l->scores == CKPT_SCORES_SINGLE && l->each > 1 ? " (each label by itself)" : "");
}

/* A line for each token; of texts without what is put around them, and without padding. */
static bool print_token_labels(const ckpt_forward_result *r, const ckpt_labels *l, ckpt_error *err)
{
	static const ckpt_column columns[] = {{.title = "row", .right = true}, {.title = "position", .right = true},
	                                      {.title = "token", .least = 8}, {.title = "label"}, {.title = "score", .right = true}};
	const ckpt_texts *texts = r->said->texts && r->said->texts->count ? r->said->texts : NULL;
	ckpt_table *t = ckpt_table_new(columns, sizeof columns / sizeof *columns);
	ckpt_buffer token = {0};
	if (!t) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < l->rows * l->length; i++) {
		const ckpt_encoding *e = texts ? &texts->rows[i / l->length] : NULL;
		size_t at = i % l->length, length = 0;
		if (e && (at >= e->count || !e->items[at].sequence || !e->items[at].attention)) continue;
		const char *text = e ? ckpt_token_text(e, at, &length) : "";
		token.length = 0;
		ckpt_buffer_add(&token, text, length);
		ckpt_table_format(t, "%zu", i / l->length);
		ckpt_table_format(t, "%zu", at);
		ckpt_table_text(t, token.data ? token.data : "");
		ckpt_table_text(t, l->items[i].name);
		ckpt_table_format(t, "%.4f", l->items[i].score);
	}
	bool ok = ckpt_buffer_ok(&token, err) && ckpt_table_print(t, stdout, r->terminal, true, err);
	ckpt_table_free(t);
	ckpt_buffer_free(&token);
	return ok;
}

static bool print_labels(const ckpt_forward_result *r, const ckpt_labels *l, ckpt_error *err)
{
	if (!l->rows) return true;
	if (l->tokens && !print_token_labels(r, l, err)) return false;
	for (size_t row = 0; !l->tokens && row < l->rows; row++) print_row_labels(l, row);
	return puts("") >= 0;
}

static void print_times(const ckpt_forward_timing *t)
{
	double sum = 0;
	printf("%.6f s", median_of(t));
	if (t->count > 1) printf(" (median of %zu, %.6f to %.6f)", t->count, t->seconds[0], t->seconds[t->count - 1]);
	printf(", %" PRIu64 " token%s, %.0f tokens/s\n", t->tokens, ckpt_plural(t->tokens), (double)t->tokens / median_of(t));
	for (size_t i = 0; i < t->part_count; i++) sum += t->parts[i].seconds;
	for (size_t i = 0; i < t->part_count; i++)
		if (t->parts[i].seconds > 0)
			printf("  %-20s %10.6f s %5.1f %%\n", t->parts[i].name, t->parts[i].seconds, 100 * t->parts[i].seconds / sum);
}

bool ckpt_forward_print_text(const ckpt_forward_result *r, ckpt_error *err)
{
	ckpt_labels labels;
	bool ok = ckpt_labels_find(r->model, r->outputs, &labels, err);
	if (ok && r->said->texts && r->said->texts->count) ok = ckpt_said_print_texts(r->said, r->in, err);
	for (size_t i = 0; ok && i < r->outputs->count; i++) ok = print_tensor(&r->outputs->tensors[i], r->values, err);
	ok = ok && print_labels(r, &labels, err) && ckpt_said_print(r->said, err);
	if (ok && r->timing) print_times(r->timing);
	ckpt_labels_free(&labels);
	return ok;
}

/* ---- JSON ---------------------------------------------------------------------------------------------------- */

static bool to_stdout(void *sink, const void *data, size_t length, ckpt_error *err)
{
	(void)sink;
	return fwrite(data, 1, length, stdout) == length || ckpt_fail_errno(err, errno, "cannot write to standard output");
}

static bool json_tensor(const ckpt_tensor *t, bool values, ckpt_error *err)
{
	const ckpt_print_view view = {t->dtype, t->rank, t->shape, t->source};
	printf("\"%s\":{\"dtype\":\"%s\",\"shape\":[", t->name, ckpt_dtype_name(t->dtype));
	for (size_t i = 0; i < t->rank; i++) printf("%s%" PRIu64, i ? "," : "", t->shape[i]);
	fputs(values ? "],\"data\":" : "]", stdout);
	bool ok = !values || ckpt_print_json(&view, to_stdout, NULL, err);
	putchar('}');
	return ok;
}

static bool json_labels(const ckpt_labels *l, ckpt_error *err)
{
	ckpt_buffer b = {0};
	size_t count = l->length * l->each;
	char room[CKPT_LABEL_NAME];
	if (!l->rows) return true;
	ckpt_buffer_str(&b, ",\n\"labels\":[");
	for (size_t i = 0; i < l->rows * count; i++) {
		const ckpt_label *label = &l->items[i];
		const char *name = ckpt_label_name(label, room);
		ckpt_buffer_str(&b, i % count ? "," : i ? ",\n[" : "[");
		ckpt_buffer_str(&b, "{\"label\":");
		ckpt_json_write_string(&b, name, strlen(name), false);
		ckpt_buffer_printf(&b, ",\"score\":%.*f}", l->scores == CKPT_SCORES_VALUES ? 9 : 6, label->score);
		if (i % count == count - 1) ckpt_buffer_char(&b, ']');
	}
	ckpt_buffer_char(&b, ']');
	bool ok = ckpt_buffer_ok(&b, err) && to_stdout(NULL, b.data, b.length, err);
	ckpt_buffer_free(&b);
	return ok;
}

static void json_times(const ckpt_forward_timing *t)
{
	printf(",\n\"seconds\":{\"min\":%.9f,\"median\":%.9f,\"max\":%.9f},\"passes\":%zu,\"tokens\":%" PRIu64
	       ",\"tokens_per_second\":%.3f,\n\"parts\":{",
	       t->seconds[0], median_of(t), t->seconds[t->count - 1], t->count, t->tokens, (double)t->tokens / median_of(t));
	for (size_t i = 0; i < t->part_count; i++) printf("%s\"%s\":%.9f", i ? "," : "", t->parts[i].name, t->parts[i].seconds);
	putchar('}');
}

bool ckpt_forward_print_json(const ckpt_forward_result *r, ckpt_error *err)
{
	ckpt_labels labels;
	bool ok = ckpt_labels_find(r->model, r->outputs, &labels, err);
	printf("{\"type\":\"%s\",\"class\":\"%s\",\"precision\":\"%s\",\n\"outputs\":{", ckpt_model_type(r->model),
	       ckpt_model_class(r->model), r->f64 ? "f64" : "f32");
	for (size_t i = 0; ok && i < r->outputs->count; i++) {
		fputs(i ? ",\n" : "\n", stdout);
		ok = json_tensor(&r->outputs->tensors[i], r->values, err);
	}
	putchar('}');
	ok = ok && json_labels(&labels, err) && ckpt_said_print_json(r->said, err);
	if (ok && r->timing) json_times(r->timing);
	puts("}");
	ckpt_labels_free(&labels);
	return ok;
}
