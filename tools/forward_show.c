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

static void print_labels(const ckpt_labels *l)
{
	for (size_t r = 0; r < l->rows; r++) {
		printf("row %zu:", r);
		size_t count = l->length * l->each, shown = l->tokens || count < LABELS_SHOWN ? count : LABELS_SHOWN;
		for (size_t i = 0; i < shown; i++) {
			const ckpt_label *label = &l->items[r * count + i];
			fputs(!l->tokens && i ? ", " : " ", stdout);
			ckpt_text_print(stdout, label->name);
			if (!l->tokens) printf(" %.4f", label->score);
		}
		puts(shown < count ? ", ..." : "");
	}
	if (l->rows) puts("");
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
	if (ok) print_labels(&labels);
	ok = ok && ckpt_said_print(r->said, err);
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
	if (!l->rows) return true;
	ckpt_buffer_str(&b, ",\n\"labels\":[");
	for (size_t i = 0; i < l->rows * count; i++) {
		const ckpt_label *label = &l->items[i];
		ckpt_buffer_str(&b, i % count ? "," : i ? ",\n[" : "[");
		if (!l->tokens) ckpt_buffer_str(&b, "{\"label\":");
		ckpt_json_write_string(&b, label->name, strlen(label->name), false);
		if (!l->tokens) ckpt_buffer_printf(&b, ",\"score\":%.6f}", label->score);
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
