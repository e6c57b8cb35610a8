/* print.c -- a tensor's values as torch's repr writes them
 *
 * The rules are those of torch/_tensor_str.py: one formatter for the whole tensor (two for complex numbers), made from
 * the finite values that will be shown; long dimensions of tensors above the threshold show three items at each end;
 * innermost rows break at 80 columns. Everything shown is read first, so that widths are known before the first byte.
 */
#include "print.h"
#include "cast.h"
#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "limits.h"
#include "print_value.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 4, THRESHOLD = 1000, EDGE = 3, LINE_WIDTH = 80 };
#define PREFIX "tensor("

typedef struct formatter {
	bool floating, whole, scientific;
	int width;
} formatter;

typedef struct printer {
	ckpt_buffer *out;
	const ckpt_print_view *view;
	ckpt_print_kind kind;
	formatter formats[2]; /* [parts] */
	size_t rank;
	uint64_t shape[CKPT_MAX_RANK]; /* as torch counts: the last one halved for F4 */
	uint64_t shown[CKPT_MAX_RANK]; /* items of each dimension that are shown */
	bool summarize;
	size_t count;  /* elements shown: product of shown */
	uint8_t *raw;  /* [count] elements as read */
	double *reals; /* [count, parts] for floating kinds */
} printer;

/* ---- what is shown ------------------------------------------------------------------------------------------- */

static bool measure(printer *p, ckpt_error *err)
{
	const ckpt_print_view *v = p->view;
	uint64_t elements, count = 1;
	if (v->rank > CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_USAGE, "a tensor of %zu dimensions was to be printed, at most %d can be",
		                 v->rank, CKPT_MAX_RANK);
	p->rank = v->rank;
	for (size_t i = 0; i < v->rank; i++) p->shape[i] = v->shape[i];
	if (v->dtype == CKPT_F4) {
		if (!p->rank || p->shape[p->rank - 1] % 2)
			return ckpt_fail(err, CKPT_E_UNSUPPORTED,
			                 "F4 is printed as pairs, and the last dimension is not even");
		p->shape[p->rank - 1] /= 2;
	}
	if (!ckpt_shape_elements(p->rank, p->shape, &elements))
		return ckpt_fail(err, CKPT_E_USAGE, "the number of elements to print overflows");
	p->summarize = elements > THRESHOLD;
	for (size_t i = 0; i < p->rank; i++) {
		p->shown[i] = p->summarize && p->shape[i] > 2 * EDGE ? 2 * EDGE : p->shape[i];
		if (elements) count *= p->shown[i]; /* at most elements */
	}
	if (count > CKPT_PRINT_MAX)
		return ckpt_fail(err, CKPT_E_LIMIT,
		                 "%llu values would be shown, at most %d are: choose some of them with a slice",
		                 (unsigned long long)count, CKPT_PRINT_MAX);
	p->count = elements ? (size_t)count : 0;
	return true;
}

/* Where item i of the shown ones lies in its dimension. */
static uint64_t place(const printer *p, size_t dim, uint64_t i)
{
	return p->shown[dim] < p->shape[dim] && i >= EDGE ? p->shape[dim] - 2 * EDGE + i : i;
}

/* Reads the shown items of the innermost rows, one row after the other. */
static bool read_rows(printer *p, ckpt_error *err)
{
	uint64_t at[CKPT_MAX_RANK] = {0};
	const unsigned item = p->kind.item;
	const size_t last = p->rank - 1;
	const uint64_t length = p->shape[last];
	const bool cut = p->shown[last] < length;
	const size_t run = cut ? EDGE : (size_t)length, runs = cut ? 2 : 1;
	for (uint8_t *to = p->raw; to < p->raw + p->count * item;) {
		uint64_t row = 0;
		for (size_t d = 0; d < last; d++) row = row * p->shape[d] + place(p, d, at[d]);
		for (size_t i = 0; i < runs; i++, to += run * item) {
			uint64_t element = row * length + (i ? length - EDGE : 0);
			if (!ckpt_source_read(p->view->source, element * item, run * item, to, err)) return false;
		}
		for (size_t d = last; d-- && ++at[d] == p->shown[d];) at[d] = 0;
	}
	return true;
}

static bool read_shown(printer *p, ckpt_error *err)
{
	const size_t item = p->kind.item;
	p->raw = malloc(p->count * item + 1);
	if (!p->raw) return ckpt_fail_nomem(err);
	if (!p->summarize) {
		if (!ckpt_source_read(p->view->source, 0, p->count * item, p->raw, err)) return false;
	} else if (!read_rows(p, err)) {
		return false;
	}
	if (!p->kind.floating) return true;
	p->reals = malloc(p->count * p->kind.parts * sizeof *p->reals);
	if (!p->reals) return ckpt_fail_nomem(err);
	ckpt_cast_to_f64(p->kind.part, p->raw, p->reals, p->count * p->kind.parts);
	return true;
}

/* ---- one value ----------------------------------------------------------------------------------------------- */

static void wider(formatter *f, int width)
{
	if (width > f->width) f->width = width;
}

/* True when v takes part in the choice of a notation. In torch the smallest F8_E8M0 passes for a zero. */
static bool counts(double v, bool e8m0)
{
	return isfinite(v) && fabs(v) > (e8m0 ? 0x1p-127 : 0);
}

/* Chooses notation and width from every step-th of the values. NaN of F8_E8M0 passes for finite in torch, and as no
 * comparison with it holds, its presence means fixed notation. */
static void choose_real(formatter *f, const double *values, size_t count, unsigned step, bool e8m0)
{
	double low = INFINITY, high = 0;
	bool unordered = false;
	char text[400];
	for (size_t i = 0; i < count; i++) {
		double v = values[i * step], a = fabs(v);
		if (e8m0 && isnan(v)) unordered = true;
		if (!counts(v, e8m0)) continue;
		if (v != ceil(v)) f->whole = false;
		if (a < low) low = a;
		if (a > high) high = a;
	}
	if (unordered)
		f->whole = false;
	else if (high > 0)
		f->scientific = high / low > 1000.0 || high > 1.0e8 || low < 1.0e-4;
	for (size_t i = 0; i < count; i++) {
		double v = values[i * step];
		if (!counts(v, e8m0)) continue;
		if (f->scientific)
			wider(f, snprintf(text, sizeof text, "%.*e", PRECISION, v));
		else if (f->whole)
			wider(f, snprintf(text, sizeof text, "%.0f", v) + 1);
		else
			wider(f, snprintf(text, sizeof text, "%.*f", PRECISION, v));
	}
	if (unordered) wider(f, 3);
}

static void choose_formats(printer *p)
{
	char text[32];
	const bool e8m0 = p->kind.part == CKPT_F8_E8M0;
	for (unsigned part = 0; part < p->kind.parts; part++) {
		formatter *f = &p->formats[part];
		*f = (formatter){.floating = p->kind.floating, .whole = true, .width = 1};
		if (p->kind.floating) choose_real(f, p->reals + part, p->count, p->kind.parts, e8m0);
	}
	if (p->kind.floating) return;
	for (size_t i = 0; i < p->count; i++) {
		const uint8_t *at = p->raw + i * p->kind.item;
		wider(&p->formats[0],
		      p->kind.boolean ? (*at ? 4 : 5) : ckpt_print_integer(p->kind.part, at, text, sizeof text));
	}
}

/* As Python's format() writes v: NaN has no sign. */
static int real_text(const formatter *f, double v, char *text, size_t size)
{
	if (isnan(v)) return snprintf(text, size, "nan");
	if (isinf(v)) return snprintf(text, size, v < 0 ? "-inf" : "inf");
	if (f->scientific) return snprintf(text, size, "%.*e", PRECISION, v);
	if (f->whole) return snprintf(text, size, "%.0f.", v);
	return snprintf(text, size, "%.*f", PRECISION, v);
}

static void put_padded(ckpt_buffer *out, const char *text, int length, int width)
{
	if (length < width) ckpt_buffer_fill(out, ' ', (size_t)(width - length));
	ckpt_buffer_add(out, text, (size_t)length);
}

static void put_value(printer *p, size_t i)
{
	char text[400];
	int length;
	const uint8_t *raw = p->raw + i * p->kind.item;
	const int width = p->formats[0].width;
	if (p->kind.boolean) {
		put_padded(p->out, *raw ? "True" : "False", *raw ? 4 : 5, width);
	} else if (!p->kind.floating) {
		length = ckpt_print_integer(p->kind.part, raw, text, sizeof text);
		put_padded(p->out, text, length, width);
	} else {
		length = real_text(&p->formats[0], p->reals[i * p->kind.parts], text, sizeof text);
		put_padded(p->out, text, length, width);
	}
	if (p->kind.parts == 1) return;
	length = real_text(&p->formats[1], p->reals[i * 2 + 1], text, sizeof text);
	if (text[0] != '-') ckpt_buffer_char(p->out, '+');
	ckpt_buffer_add(p->out, text, (size_t)length);
	ckpt_buffer_char(p->out, 'j');
}

/* ---- rows and brackets --------------------------------------------------------------------------------------- */

/* One innermost row whose first shown value is number `first`; indent: columns left of its bracket. */
static void put_row(printer *p, size_t first, size_t indent)
{
	const size_t last = p->rank - 1;
	const bool cut = p->shown[last] < p->shape[last];
	const size_t items = (size_t)p->shown[last] + cut;
	size_t cell = (size_t)p->formats[0].width + 2;
	if (p->kind.parts == 2) cell += (size_t)p->formats[1].width + 1;
	size_t per_line = indent < LINE_WIDTH ? (LINE_WIDTH - indent) / cell : 0;
	if (!per_line) per_line = 1;
	ckpt_buffer_char(p->out, '[');
	for (size_t i = 0; i < items; i++) {
		if (i && i % per_line) {
			ckpt_buffer_str(p->out, ", ");
		} else if (i) {
			ckpt_buffer_str(p->out, ",\n");
			ckpt_buffer_fill(p->out, ' ', indent + 1);
		}
		if (cut && i == EDGE)
			ckpt_buffer_str(p->out, " ...");
		else
			put_value(p, first + i - (cut && i > EDGE));
	}
	ckpt_buffer_char(p->out, ']');
}

/* Between two items of dimension dim: one line end a dimension below it. */
static void put_separator(printer *p, size_t dim, size_t indent)
{
	ckpt_buffer_char(p->out, ',');
	ckpt_buffer_fill(p->out, '\n', p->rank - dim - 1);
	ckpt_buffer_fill(p->out, ' ', indent + dim + 1);
}

static void put_rows(printer *p, size_t indent)
{
	uint64_t at[CKPT_MAX_RANK] = {0};
	const size_t last = p->rank - 1;
	size_t first = 0, opened = last; /* brackets to open before the next row */
	for (;;) {
		ckpt_buffer_fill(p->out, '[', opened);
		put_row(p, first, indent + last);
		first += (size_t)p->shown[last];
		size_t d = last;
		while (d && ++at[d - 1] == p->shown[d - 1]) {
			at[--d] = 0;
			ckpt_buffer_char(p->out, ']');
		}
		if (!d) return;
		put_separator(p, d - 1, indent);
		if (p->shown[d - 1] < p->shape[d - 1] && at[d - 1] == EDGE) {
			ckpt_buffer_str(p->out, "...");
			put_separator(p, d - 1, indent);
		}
		opened = last - d;
	}
}

/* ---- the whole ----------------------------------------------------------------------------------------------- */

static void put_suffix(printer *p, const char *text, size_t *column)
{
	size_t length = strlen(text);
	if (*column + length + 2 > LINE_WIDTH) {
		ckpt_buffer_str(p->out, ",\n");
		ckpt_buffer_fill(p->out, ' ', strlen(PREFIX));
		*column = strlen(PREFIX) + length;
	} else {
		ckpt_buffer_str(p->out, ", ");
		*column += length + 2;
	}
	ckpt_buffer_add(p->out, text, length);
}

static void put_suffixes(printer *p, size_t begin)
{
	ckpt_buffer size = {0};
	char dtype[64];
	const ckpt_dtype d = p->view->dtype;
	const char *text = p->out->data + begin;
	const char *line = memrchr(text, '\n', p->out->length - begin);
	/* torch counts two columns more than there are when the text has one line */
	size_t column = p->out->length - begin + (line ? 1 : 2) - (line ? (size_t)(line - text) : 0);
	if (!p->count && p->rank != 1) {
		ckpt_buffer_str(&size, "size=(");
		for (size_t i = 0; i < p->rank; i++)
			ckpt_buffer_printf(&size, "%s%llu", i ? ", " : "", (unsigned long long)p->shape[i]);
		ckpt_buffer_char(&size, ')');
		if (!size.failed) put_suffix(p, size.data, &column);
		p->out->failed |= size.failed;
		ckpt_buffer_free(&size);
	}
	if (d == CKPT_F32 || (p->count && (d == CKPT_C64 || d == CKPT_I64 || d == CKPT_BOOL))) return;
	snprintf(dtype, sizeof dtype, "dtype=torch.%s", ckpt_dtype_get(d)->torch);
	put_suffix(p, dtype, &column);
}

static bool put_tensor(printer *p, ckpt_error *err)
{
	const size_t begin = p->out->length;
	ckpt_print_locale locale;
	if (!ckpt_print_locale_begin(&locale, err)) return false;
	choose_formats(p);
	ckpt_buffer_str(p->out, PREFIX);
	if (!p->count)
		ckpt_buffer_str(p->out, "[]");
	else if (!p->rank)
		put_value(p, 0);
	else
		put_rows(p, strlen(PREFIX));
	if (!p->out->failed) put_suffixes(p, begin);
	ckpt_buffer_char(p->out, ')');
	ckpt_print_locale_end(&locale);
	return ckpt_buffer_ok(p->out, err);
}

bool ckpt_print_torch(ckpt_buffer *out, const ckpt_print_view *view, ckpt_error *err)
{
	bool ok = false;
	printer p = {.out = out, .view = view};
	if (!ckpt_print_kind_of(view->dtype, &p.kind, err)) goto done;
	if (!measure(&p, err) || !read_shown(&p, err)) goto done;
	ok = put_tensor(&p, err);
done:
	free(p.raw);
	free(p.reals);
	return ok;
}

/* ---- elements in memory -------------------------------------------------------------------------------------- */

typedef struct borrowed {
	ckpt_source base;
	const uint8_t *data;
} borrowed;

static bool borrowed_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	(void)err;
	memcpy(destination, ((const borrowed *)s)->data + offset, length);
	return true;
}

bool ckpt_print_torch_memory(ckpt_buffer *out, ckpt_dtype dtype, size_t rank, const uint64_t *shape, const void *data,
                             ckpt_error *err)
{
	static const ckpt_source_ops ops = {.name = "borrowed", .read = borrowed_read};
	uint64_t elements, bytes;
	if (!ckpt_dtype_bytes(dtype, rank, shape, &elements, &bytes, err)) return false;
	borrowed source = {.base = {.ops = &ops, .length = bytes, .references = 1}, .data = data};
	ckpt_print_view view = {.dtype = dtype, .rank = rank, .shape = shape, .source = &source.base};
	return ckpt_print_torch(out, &view, err);
}
