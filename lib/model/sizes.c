/* sizes.c -- sizes read off the shapes of tensors */
#include "sizes.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The place of the term among those seen, or the count of them. */
static size_t find_term(const ckpt_sizes *sizes, const char *text, size_t length)
{
	size_t i = 0;
	while (i < sizes->count && (sizes->terms[i].length != length || memcmp(sizes->terms[i].text, text, length))) i++;
	return i;
}

/* Goes through the axes: compares with what was seen, and with `keep` remembers what was not. A term that stands twice in
 * one shape is compared only once it is kept. */
static bool walk_axes(ckpt_sizes *sizes, const char *shape, const ckpt_tensor *t, bool keep)
{
	uint32_t axis = 0;
	for (const char *at = shape; *at; axis++) {
		size_t length = strcspn(at, ","), i = find_term(sizes, at, length);
		bool number = strspn(at, "0123456789") == length, seen = i < sizes->count;
		if (axis == t->rank || (!number && i == CKPT_MOST_TERMS)) return false;
		if (number ? strtoull(at, NULL, 10) != t->shape[axis] : seen && sizes->terms[i].value != t->shape[axis]) return false;
		if (keep && !number && !seen) {
			sizes->terms[i].text = at;
			sizes->terms[i].length = length;
			sizes->terms[i].value = t->shape[axis];
			sizes->count++;
		}
		at += length + (at[length] == ',');
	}
	return axis == t->rank;
}

bool ckpt_sizes_take(ckpt_sizes *sizes, const ckpt_arch_row *row, const uint32_t index[2], const ckpt_tensor *t)
{
	size_t before = sizes->count;
	if (!walk_axes(sizes, row->shape, t, false)) return false;
	if (!walk_axes(sizes, row->shape, t, true)) {
		sizes->count = before;
		return false;
	}
	const char *open = strchr(row->name, '{');
	for (unsigned level = 0; open && level < 2; level++, open = strchr(open + 1, '{')) {
		uint64_t *layers = &sizes->layers[CKPT_SYMBOL(open[1])];
		if (*layers <= index[level]) *layers = (uint64_t)index[level] + 1;
	}
	return true;
}

static uint64_t seen_value(const ckpt_sizes *sizes, const char *text)
{
	for (size_t i = 0; i < sizes->count; i++)
		if (sizes->terms[i].length == strlen(text) && !memcmp(sizes->terms[i].text, text, sizes->terms[i].length))
			return sizes->terms[i].value;
	return 0;
}

uint64_t ckpt_sizes_get(const ckpt_sizes *sizes, const char *term)
{
	char text[16];
	uint64_t value = seen_value(sizes, term);
	if (value || !term[0] || term[1]) return value;
	if (sizes->layers[CKPT_SYMBOL(term[0])]) return sizes->layers[CKPT_SYMBOL(term[0])];
	snprintf(text, sizeof text, "%c+2", term[0]);
	value = seen_value(sizes, text);
	return value > 2 ? value - 2 : 0;
}

static void known_dims(const ckpt_sizes *sizes, uint64_t dims[CKPT_SYMBOLS])
{
	for (char letter = 'A'; letter <= 'Z'; letter++) {
		char term[2] = {letter, '\0'};
		dims[CKPT_SYMBOL(letter)] = ckpt_sizes_get(sizes, term);
	}
}

static bool all_known(const char *text, size_t length, const uint64_t dims[CKPT_SYMBOLS])
{
	for (size_t i = 0; i < length; i++)
		if (text[i] >= 'A' && text[i] <= 'Z' && !dims[CKPT_SYMBOL(text[i])]) return false;
	return true;
}

bool ckpt_sizes_agree(const ckpt_sizes *sizes, const ckpt_arch *arch)
{
	uint64_t dims[CKPT_SYMBOLS], value;
	known_dims(sizes, dims);
	for (size_t i = 0; i < sizes->count; i++) {
		const char *text = sizes->terms[i].text;
		size_t length = sizes->terms[i].length;
		if (length == 1 || !all_known(text, length, dims)) continue;
		if (!ckpt_arch_eval(text, length, dims, &value) || value != sizes->terms[i].value) return false;
	}
	for (const ckpt_arch_symbol *s = arch->symbols; s->letter; s++) {
		if (s->key || strlen(s->otherwise) != 1) continue;
		uint64_t a = dims[CKPT_SYMBOL(s->letter)], b = dims[CKPT_SYMBOL(s->otherwise[0])];
		if (a && b && a != b) return false;
	}
	return true;
}
