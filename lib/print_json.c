/* print_json.c -- a tensor's values as nested JSON arrays, handed out in pieces */
#include "cast.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "limits.h"
#include "print.h"
#include "print_value.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 4096 /* elements read at once */, PIECE = 65536 /* bytes of text handed out at once */ };

typedef struct writer {
	const ckpt_print_view *view;
	ckpt_print_kind kind;
	size_t rank;   /* dimensions above the first empty one, or all */
	uint64_t rows; /* leaves: elements, or empty arrays when a dimension is 0 */
	bool empty;
	uint64_t at[CKPT_MAX_RANK];
	ckpt_buffer text;
	uint8_t raw[CHUNK * 16];
	double reals[CHUNK * 2];
	ckpt_emit_fn emit;
	void *sink;
} writer;

/* The shortest decimal that reads back as the same number, with a point or an exponent in it. */
static void put_real(ckpt_buffer *out, double v, bool wide)
{
	char text[64];
	if (isnan(v)) {
		ckpt_buffer_str(out, "\"NaN\"");
		return;
	}
	if (isinf(v)) {
		ckpt_buffer_str(out, v < 0 ? "\"-Infinity\"" : "\"Infinity\"");
		return;
	}
	const bool subnormal = fabs(v) < (wide ? DBL_MIN : FLT_MIN); /* fewer digits count there */
	for (int digits = subnormal ? 1 : wide ? 15 : 6; digits <= (wide ? 17 : 9); digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (wide ? strtod(text, NULL) == v : strtof(text, NULL) == (float)v) break;
	}
	ckpt_buffer_str(out, text);
	if (!strpbrk(text, ".e")) ckpt_buffer_str(out, ".0");
}

static void put_element(writer *w, size_t i)
{
	char text[32];
	const uint8_t *raw = w->raw + i * w->kind.item;
	const bool wide = w->kind.part == CKPT_F64;
	if (w->kind.boolean) {
		ckpt_buffer_str(&w->text, *raw ? "true" : "false");
	} else if (!w->kind.floating) {
		ckpt_print_integer(w->kind.part, raw, text, sizeof text);
		ckpt_buffer_str(&w->text, text);
	} else if (w->kind.parts == 1) {
		put_real(&w->text, w->reals[i], wide);
	} else {
		ckpt_buffer_char(&w->text, '[');
		put_real(&w->text, w->reals[2 * i], wide);
		ckpt_buffer_char(&w->text, ',');
		put_real(&w->text, w->reals[2 * i + 1], wide);
		ckpt_buffer_char(&w->text, ']');
	}
}

/* After a leaf: closes the arrays that it was the last of, and opens those that follow. */
static void step(writer *w, bool last)
{
	size_t d = w->rank;
	while (d && ++w->at[d - 1] == w->view->shape[d - 1]) {
		w->at[--d] = 0;
		ckpt_buffer_char(&w->text, ']');
	}
	if (last) return;
	ckpt_buffer_str(&w->text, d < w->rank || w->empty ? ",\n" : ",");
	ckpt_buffer_fill(&w->text, '[', w->rank - d);
}

static bool flush(writer *w, size_t above, ckpt_error *err)
{
	if (!ckpt_buffer_ok(&w->text, err)) return false;
	if (w->text.length <= above) return true;
	if (!w->emit(w->sink, w->text.data, w->text.length, err)) return false;
	w->text.length = 0;
	return true;
}

static bool read_chunk(writer *w, uint64_t first, size_t count, ckpt_error *err)
{
	if (!ckpt_source_read(w->view->source, first * w->kind.item, count * w->kind.item, w->raw, err)) return false;
	if (w->kind.floating) ckpt_cast_to_f64(w->kind.part, w->raw, w->reals, count * w->kind.parts);
	return true;
}

static bool put_leaves(writer *w, ckpt_error *err)
{
	for (uint64_t i = 0; i < w->rows; i++) {
		const size_t k = (size_t)(i % CHUNK);
		if (w->empty) {
			ckpt_buffer_str(&w->text, "[]");
		} else {
			uint64_t left = w->rows - i;
			if (!k && !read_chunk(w, i, left < CHUNK ? (size_t)left : CHUNK, err)) return false;
			put_element(w, k);
		}
		step(w, i + 1 == w->rows);
		if (!flush(w, PIECE, err)) return false;
	}
	return flush(w, 0, err);
}

/* Counts the leaves. An array without elements may still have rows, and their number is not backed by any byte. */
static bool measure(writer *w, ckpt_error *err)
{
	const ckpt_print_view *v = w->view;
	if (v->rank > CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_USAGE, "a tensor of %zu dimensions was to be printed, at most %d can be",
		                 v->rank, CKPT_MAX_RANK);
	while (w->rank < v->rank && v->shape[w->rank]) w->rank++;
	w->empty = w->rank < v->rank;
	if (!ckpt_shape_elements(w->rank, v->shape, &w->rows) || (w->empty && w->rows > CKPT_PRINT_MAX))
		return ckpt_fail(err, CKPT_E_LIMIT, "the tensor has more than %d rows without an element",
		                 CKPT_PRINT_MAX);
	return true;
}

bool ckpt_print_json(const ckpt_print_view *view, ckpt_emit_fn emit, void *sink, ckpt_error *err)
{
	bool ok = false;
	ckpt_print_kind kind;
	ckpt_print_locale locale;
	if (!ckpt_print_kind_of(view->dtype, &kind, err)) return false;
	if (view->dtype == CKPT_F4)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "F4 packs two elements in a byte, JSON has no such number");
	writer *w = calloc(1, sizeof *w);
	if (!w) return ckpt_fail_nomem(err);
	w->view = view, w->kind = kind, w->emit = emit, w->sink = sink;
	if (!measure(w, err) || !ckpt_print_locale_begin(&locale, err)) goto done;
	ckpt_buffer_fill(&w->text, '[', w->rank);
	ok = put_leaves(w, err);
	ckpt_print_locale_end(&locale);
done:
	ckpt_buffer_free(&w->text);
	free(w);
	return ok;
}
