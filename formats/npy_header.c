/* npy_header.c -- the header of one .npy array
 *
 *  1. 6 bytes  magic: 0x93 "NUMPY"
 *  2. 2 bytes  version: 1.0, 2.0 or 3.0
 *  3. 2 bytes (1.0) or 4 bytes (2.0, 3.0), little-endian: length of what follows up to the data
 *  4. text     a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, padded with blanks and one
 * line end so that the data begins at a multiple of 64 (older writers: 16)
 *  5. data     of the shape's elements, to the end
 *
 * The dict is read by a parser of this one shape: no nesting is followed, nothing is evaluated.
 */
#include "npy_header.h"
#include "../lib/checked.h"
#include "../lib/dtype.h"
#include "../lib/error.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, GROWTH_DIGITS = 21, SEEN_DESCR = 1, SEEN_FORTRAN = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

/* ---- in front of the dict ------------------------------------------------------------------------------------ */

bool ckpt_npy_header_length(const uint8_t *head, size_t got, uint64_t size, uint64_t limit, uint64_t *length,
                            ckpt_error *err)
{
	if (got < CKPT_NPY_MAGIC_LENGTH || memcmp(head, CKPT_NPY_MAGIC, CKPT_NPY_MAGIC_LENGTH))
		return ckpt_fail(err, CKPT_E_FORMAT, "the magic bytes \\x93NUMPY of a .npy array are missing");
	const size_t prefix = got > 6 && head[6] == 1 ? 10 : 12;
	if (got > 7 && (head[6] < 1 || head[6] > 3 || head[7]))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, ".npy version %u.%u is unknown, 1.0, 2.0 and 3.0 are known",
		                 head[6], head[7]);
	if (got < prefix)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the .npy array is truncated: %zu bytes, its header wants %zu at least", got, prefix);
	const uint64_t text = prefix == 10 ? ckpt_le16(head + 8) : ckpt_le32(head + 8);
	if (text > limit) return ckpt_fail_limit(err, "the .npy header's length", text, "header-bytes", limit);
	if (prefix + text > size)
		return ckpt_fail(err, CKPT_E_FORMAT,
		                 "the .npy header reaches past the end: %llu bytes of header, the array has %llu bytes",
		                 (unsigned long long)(prefix + text), (unsigned long long)size);
	*length = prefix + text;
	return true;
}

/* ---- the dict ------------------------------------------------------------------------------------------------ */

typedef struct reader {
	const char *p, *end;
	bool longs; /* integers may end in L, as Python 2 wrote them */
	ckpt_npy_header *out;
} reader;

static void skip_blanks(reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r')) r->p++;
}

/* Takes c, after blanks, when it is next. */
static bool take(reader *r, char c)
{
	skip_blanks(r);
	if (r->p == r->end || *r->p != c) return false;
	r->p++;
	return true;
}

static bool take_word(reader *r, const char *word)
{
	size_t length = strlen(word);
	skip_blanks(r);
	if ((size_t)(r->end - r->p) < length || memcmp(r->p, word, length)) return false;
	r->p += length;
	return true;
}

static bool expect(reader *r, char c, const char *where, ckpt_error *err)
{
	if (take(r, c)) return true;
	if (r->p == r->end) return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header ends %s, '%c' is missing", where, c);
	return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header has '%c' %s, '%c' is wanted", *r->p, where, c);
}

/* A plain string in either quote, without escapes. */
static bool take_string(reader *r, const char **text, size_t *length, const char *what, ckpt_error *err)
{
	skip_blanks(r);
	const char quote = r->p < r->end ? *r->p : 0;
	if (quote != '\'' && quote != '"')
		return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header is no dict of plain values: %s is no string",
		                 what);
	const char *begin = ++r->p;
	while (r->p < r->end && *r->p != quote && *r->p != '\\' && (unsigned char)*r->p >= ' ') r->p++;
	if (r->p == r->end || *r->p != quote)
		return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header has %s that is not a plain string", what);
	*text = begin;
	*length = (size_t)(r->p++ - begin);
	return true;
}

/* What the types that are not numbers are called. */
static const char *foreign_type(char kind)
{
	switch (kind) {
	case 'O':
		return "an object array (its data is a pickle, which is never loaded)";
	case 'U':
		return "text (unicode strings)";
	case 'S':
	case 'a':
		return "byte strings";
	case 'V':
		return "raw bytes (void; bfloat16 and float8 arrays saved by numpy lose their dtype like this)";
	case 'M':
		return "dates (datetime64)";
	case 'm':
		return "time spans (timedelta64)";
	case 'g':
	case 'G':
		return "long doubles";
	default:
		return NULL;
	}
}

static bool set_dtype(reader *r, const char *text, size_t length, ckpt_error *err)
{
	char name[32];
	const char order = length ? text[0] : 0;
	snprintf(name, sizeof name, "%.*s", length < sizeof name ? (int)length : (int)sizeof name - 1, text);
	if (order != '<' && order != '>' && order != '|') {
		const char *foreign = foreign_type(order);
		if (foreign) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "dtype '%s' is %s", name, foreign);
		return ckpt_fail(err, CKPT_E_FORMAT, "descr '%s' does not say its byte order with '<', '>' or '|'",
		                 name);
	}
	for (int i = 0; i < CKPT_DTYPE_COUNT; i++) {
		const ckpt_dtype_info *info = ckpt_dtype_get((ckpt_dtype)i);
		if (!info->numpy || strcmp(name + 1, info->numpy)) continue;
		if (order == '|' && info->swap > 1)
			return ckpt_fail(err, CKPT_E_FORMAT, "descr '%s' has %u-byte numbers without a byte order",
			                 name, info->swap);
		r->out->dtype = (ckpt_dtype)i;
		r->out->big_endian = order == '>' && info->swap > 1;
		return true;
	}
	const char *foreign = length > 1 ? foreign_type(text[1]) : NULL;
	if (!foreign && (!strcmp(name + 1, "f16") || !strcmp(name + 1, "c32") || !strcmp(name + 1, "f12")))
		foreign = "long doubles";
	if (foreign) return ckpt_fail(err, CKPT_E_UNSUPPORTED, "dtype '%s' is %s", name, foreign);
	return ckpt_fail(err, CKPT_E_FORMAT, "descr '%s' is no dtype", name);
}

static bool parse_descr(reader *r, ckpt_error *err)
{
	const char *text;
	size_t length;
	skip_blanks(r);
	if (r->p < r->end && (*r->p == '[' || *r->p == '(' || *r->p == '{'))
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "descr is a structured dtype (records of several fields)");
	return take_string(r, &text, &length, "descr", err) && set_dtype(r, text, length, err);
}

static bool parse_size(reader *r, ckpt_error *err)
{
	uint64_t n = 0;
	skip_blanks(r);
	const char *begin = r->p;
	if (begin < r->end && *begin == '-')
		return ckpt_fail(err, CKPT_E_FORMAT, "dimension %zu of the .npy shape is negative", r->out->rank);
	for (; r->p < r->end && *r->p >= '0' && *r->p <= '9'; r->p++)
		if (!ckpt_mul_u64(n, 10, &n) || !ckpt_add_u64(n, (uint64_t)(*r->p - '0'), &n))
			return ckpt_fail(err, CKPT_E_FORMAT, "dimension %zu of the .npy shape is above 64 bits",
			                 r->out->rank);
	if (r->p == begin || (*begin == '0' && r->p > begin + 1))
		return ckpt_fail(err, CKPT_E_FORMAT, "dimension %zu of the .npy shape is no plain integer",
		                 r->out->rank);
	if (r->longs && r->p < r->end && *r->p == 'L') r->p++;
	if (r->out->rank == CKPT_MAX_RANK)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the .npy shape has more than %d dimensions", CKPT_MAX_RANK);
	r->out->shape[r->out->rank++] = n;
	return true;
}

/* A tuple: (), (3,), (2, 3), (2, 3,). */
static bool parse_shape(reader *r, ckpt_error *err)
{
	bool comma = true;
	r->out->rank = 0;
	if (!expect(r, '(', "where the shape begins", err)) return false;
	while (!take(r, ')')) {
		if (!comma) return expect(r, ',', "in the shape", err);
		if (!parse_size(r, err)) return false;
		comma = take(r, ',');
	}
	if (r->out->rank == 1 && !comma)
		return ckpt_fail(err, CKPT_E_FORMAT, "the .npy shape (%llu) is a number, not a tuple",
		                 (unsigned long long)r->out->shape[0]);
	return true;
}

static bool parse_fortran(reader *r, ckpt_error *err)
{
	r->out->fortran = take_word(r, "True");
	if (r->out->fortran || take_word(r, "False")) return true;
	return ckpt_fail(err, CKPT_E_FORMAT, "fortran_order in the .npy header is neither True nor False");
}

static bool parse_member(reader *r, unsigned *seen, ckpt_error *err)
{
	static const struct {
		const char *name;
		unsigned bit;
		bool (*parse)(reader *r, ckpt_error *err);
	} keys[] = {{"descr", SEEN_DESCR, parse_descr},
	            {"fortran_order", SEEN_FORTRAN, parse_fortran},
	            {"shape", SEEN_SHAPE, parse_shape}};
	const char *text;
	size_t length;
	if (!take_string(r, &text, &length, "a key", err)) return false;
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strlen(keys[i].name) != length || memcmp(keys[i].name, text, length)) continue;
		if (*seen & keys[i].bit)
			return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header has the key '%s' twice", keys[i].name);
		*seen |= keys[i].bit;
		return expect(r, ':', "behind a key", err) && keys[i].parse(r, err);
	}
	return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header has the unknown key '%.*s'",
	                 length < 64 ? (int)length : 64, text);
}

static bool parse_dict(reader *r, ckpt_error *err)
{
	unsigned seen = 0;
	bool comma = true;
	if (!take(r, '{')) return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header is no dict");
	while (!take(r, '}')) {
		if (!comma) return expect(r, ',', "in the dict", err);
		if (!parse_member(r, &seen, err)) return false;
		comma = take(r, ',');
	}
	skip_blanks(r);
	if (r->p != r->end)
		return ckpt_fail(err, CKPT_E_FORMAT, "%zu bytes follow the dict in the .npy header",
		                 (size_t)(r->end - r->p));
	if (seen != SEEN_ALL)
		return ckpt_fail(err, CKPT_E_FORMAT, "the .npy header has no key '%s'",
		                 !(seen & SEEN_DESCR)     ? "descr"
		                 : !(seen & SEEN_FORTRAN) ? "fortran_order"
		                                          : "shape");
	return true;
}

bool ckpt_npy_header_parse(const uint8_t *head, size_t length, uint64_t size, ckpt_npy_header *out, ckpt_error *err)
{
	ckpt_npy_header h = {.length = length};
	char shape[128];
	const size_t prefix = head[6] == 1 ? 10 : 12;
	reader r = {
		.p = (const char *)head + prefix, .end = (const char *)head + length, .longs = head[6] < 3, .out = &h};
	if (!parse_dict(&r, err)) return false;
	if (!ckpt_dtype_bytes(h.dtype, h.rank, h.shape, &h.elements, &h.bytes, err)) return false;
	if (size - length != h.bytes)
		return ckpt_fail(err, CKPT_E_FORMAT, "%s: %llu bytes of data, dtype %s and shape %s want %llu",
		                 size - length < h.bytes ? "the .npy array is truncated" : "the .npy array is too long",
		                 (unsigned long long)(size - length), ckpt_dtype_name(h.dtype),
		                 ckpt_shape_text(h.rank, h.shape, shape, sizeof shape), (unsigned long long)h.bytes);
	*out = h;
	return true;
}

bool ckpt_npy_header_read(ckpt_npy_read_fn read, void *from, uint64_t size, uint64_t limit, ckpt_npy_header *out,
                          ckpt_error *err)
{
	uint8_t prefix[CKPT_NPY_PREFIX];
	uint64_t length;
	const size_t got = size < sizeof prefix ? (size_t)size : sizeof prefix;
	if (!read(from, got, prefix, err)) return false;
	if (!ckpt_npy_header_length(prefix, got, size, limit, &length, err)) return false;
	uint8_t *head = malloc((size_t)length);
	if (!head) return ckpt_fail_nomem(err);
	bool ok = read(from, (size_t)length, head, err) && ckpt_npy_header_parse(head, (size_t)length, size, out, err);
	free(head);
	return ok;
}

/* ---- data ---------------------------------------------------------------------------------------------------- */

ckpt_source *ckpt_npy_tensor_source(const ckpt_npy_header *h, ckpt_source *data, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(h->dtype);
	uint64_t stride[CKPT_MAX_RANK], step = 1;
	ckpt_source *bytes = h->big_endian ? ckpt_source_swap(data, info->swap, err) : ckpt_source_ref(data);
	if (!bytes || !h->fortran || h->rank < 2 || !h->elements) return bytes;
	for (size_t i = 0; i < h->rank; step *= h->shape[i++]) stride[i] = step;
	ckpt_source *rows = ckpt_source_strided(bytes, info->bits / 8, 0, h->rank, h->shape, stride, err);
	ckpt_source_unref(bytes);
	return rows;
}

/* ---- writing ------------------------------------------------------------------------------------------------- */

bool ckpt_npy_holds_dtype(ckpt_dtype dtype)
{
	return ckpt_dtype_get(dtype)->numpy != NULL;
}

static bool refuse_dtype(ckpt_dtype dtype, ckpt_error *err)
{
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "numpy has no dtype for %s%s", info->name,
	                 info->kind == CKPT_CLASS_FLOAT && info->bits >= 8 ? ": convert it with --dtype f32" : "");
}

bool ckpt_npy_header_write(ckpt_buffer *out, ckpt_dtype dtype, size_t rank, const uint64_t *shape, ckpt_error *err)
{
	ckpt_buffer text = {0};
	uint8_t prefix[CKPT_NPY_PREFIX] = CKPT_NPY_MAGIC "\x01";
	const ckpt_dtype_info *info = ckpt_dtype_get(dtype);
	if (!info->numpy) return refuse_dtype(dtype, err);
	ckpt_buffer_printf(&text, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", info->swap > 1 ? '<' : '|',
	                   info->numpy);
	for (size_t i = 0; i < rank; i++)
		ckpt_buffer_printf(&text, "%s%llu", i ? ", " : "", (unsigned long long)shape[i]);
	ckpt_buffer_str(&text, rank == 1 ? ",), }" : "), }");
	if (rank) { /* numpy leaves room for the first dimension to grow in place */
		int digits = snprintf(NULL, 0, "%llu", (unsigned long long)shape[0]);
		ckpt_buffer_fill(&text, ' ', (size_t)(GROWTH_DIGITS - digits));
	}
	/* numpy pads after prefix, text and line end, by a whole 64 when nothing is missing */
	ckpt_buffer_fill(&text, ' ', ALIGNMENT - (10 + text.length + 1) % ALIGNMENT);
	ckpt_buffer_char(&text, '\n');
	bool ok = ckpt_buffer_ok(&text, err);
	if (ok) {
		ckpt_put16(prefix + 8, (uint16_t)text.length); /* 64 dimensions of 20 digits stay below 2 KiB */
		ckpt_buffer_add(out, prefix, 10);
		ckpt_buffer_add(out, text.data, text.length);
		ok = ckpt_buffer_ok(out, err);
	}
	ckpt_buffer_free(&text);
	return ok;
}
