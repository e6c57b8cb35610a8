/* options.c -- command lines, parsed by a table */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../lib/error.h"

/* Values are shown in messages up to this many bytes. */
#define SHOWN "%.80s"

typedef struct parser {
	const ckpt_option_group *groups;
	size_t group_count;
	char **argv;
	int argc, next; /* next: index of the argument after the one at hand */
	bool *seen;     /* by running number of the option over all groups */
	ckpt_error *err;
} parser;

/* An option found in the tables: where it is, which struct it fills, its running number. */
typedef struct found {
	const ckpt_option *option;
	void *values;
	size_t number;
} found;

bool ckpt_parse_count(const char *text, uint64_t *out)
{
	uint64_t n = 0;
	if (!*text) return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9') return false;
		if (__builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return false;
	}
	*out = n;
	return true;
}

static bool unit_of(const char *text, uint64_t *unit)
{
	static const struct {
		const char *name;
		uint64_t bytes;
	} units[] = {{"", 1},
		     {"B", 1},
		     {"KB", 1000},
		     {"MB", 1000000},
		     {"GB", 1000000000},
		     {"TB", 1000000000000},
		     {"KiB", UINT64_C(1) << 10},
		     {"MiB", UINT64_C(1) << 20},
		     {"GiB", UINT64_C(1) << 30},
		     {"TiB", UINT64_C(1) << 40}};
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (strcasecmp(text, units[i].name) == 0) {
			*unit = units[i].bytes;
			return true;
		}
	return false;
}

bool ckpt_parse_size(const char *text, uint64_t *out)
{
	uint64_t whole = 0, part = 0, scale = 1, unit;
	const char *p = text;
	if (*p < '0' || *p > '9') return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(whole, 10u, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return false;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9') return false;
		for (p++; *p >= '0' && *p <= '9'; p++) {
			if (scale == 1000000) continue; /* a millionth of a TB is enough */
			part = part * 10 + (uint64_t)(*p - '0');
			scale *= 10;
		}
	}
	if (*p == ' ') p++;
	if (!unit_of(p, &unit)) return false;
	if (unit == 1 && scale != 1) return false;
	if (__builtin_mul_overflow(whole, unit, &whole)) return false;
	return !__builtin_add_overflow(whole, part * unit / scale, out);
}

size_t ckpt_edit_distance(const char *a, const char *b)
{
	enum { LIMIT = 64 };
	size_t rows[3][LIMIT] = {{0}}, n = strnlen(a, LIMIT), m = strnlen(b, LIMIT);
	size_t *before = rows[0], *last = rows[1], *now = rows[2];
	if (n == LIMIT || m == LIMIT) return SIZE_MAX;
	for (size_t j = 0; j <= m; j++) last[j] = j;
	for (size_t i = 1; i <= n; i++) {
		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < best) best = last[j] + 1;
			if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			now[j] = best;
		}
		size_t *spare = before;
		before = last;
		last = now;
		now = spare;
	}
	return last[m];
}

/* By name (letter 0) or by letter (name NULL). */
static bool find(const parser *p, const char *name, size_t length, char letter, found *out)
{
	size_t number = 0;
	for (size_t g = 0; g < p->group_count; g++)
		for (const ckpt_option *o = p->groups[g].options; o && o->name; o++, number++)
			if (name ? strncmp(o->name, name, length) == 0 && !o->name[length] : o->letter == letter) {
				*out = (found){o, p->groups[g].values, number};
				return true;
			}
	return false;
}

static bool unknown_option(const parser *p, const char *name, size_t length)
{
	char typed[64];
	const char *near = NULL;
	size_t best = length / 3 + 2; /* a third of the letters may be wrong */
	if (length < sizeof typed) {
		memcpy(typed, name, length);
		typed[length] = 0;
		for (size_t g = 0; g < p->group_count; g++)
			for (const ckpt_option *o = p->groups[g].options; o && o->name; o++) {
				size_t d = ckpt_edit_distance(typed, o->name);
				if (d < best) {
					best = d;
					near = o->name;
				}
			}
	}
	if (near) return ckpt_fail(p->err, CKPT_E_USAGE, "unknown option --%s, did you mean --%s?", typed, near);
	return ckpt_fail(p->err, CKPT_E_USAGE, "unknown option --%.*s", length < 80 ? (int)length : 80, name);
}

static bool bad_value(const parser *p, const ckpt_option *o, const char *want, const char *text)
{
	return ckpt_fail(p->err, CKPT_E_USAGE, "--%s wants %s, not '" SHOWN "'", o->name, want, text);
}

static bool set_list(const parser *p, ckpt_list *list, const char *text)
{
	/* Room grows in powers of two, so that 10,000 patterns are no problem. */
	if ((list->count & (list->count - 1)) == 0) {
		size_t room = list->count ? list->count * 2 : 1;
		const char **items = realloc(list->items, room * sizeof *items);
		if (!items) return ckpt_fail_nomem(p->err);
		list->items = items;
	}
	list->items[list->count++] = text;
	return true;
}

static bool set_choice(const parser *p, const ckpt_option *o, int *field, const char *text)
{
	size_t length = strlen(text);
	int place = 0;
	for (const char *word = o->value; word; place++) {
		size_t n = strcspn(word, "|");
		if (n == length && memcmp(word, text, n) == 0) {
			*field = place;
			return true;
		}
		word = word[n] ? word + n + 1 : NULL;
	}
	return ckpt_fail(p->err, CKPT_E_USAGE, "--%s is one of %s, not '" SHOWN "'", o->name, o->value, text);
}

static bool set_count(const parser *p, const ckpt_option *o, uint64_t *field, const char *text)
{
	uint64_t high = o->high ? o->high : UINT64_MAX, n;
	char want[80];
	if (ckpt_parse_count(text, &n) && n >= o->low && n <= high) {
		*field = n;
		return true;
	}
	if (o->high)
		snprintf(want, sizeof want, "a whole number from %llu to %llu", (unsigned long long)o->low,
		         (unsigned long long)high);
	else
		snprintf(want, sizeof want, "a whole number, %llu or more", (unsigned long long)o->low);
	return bad_value(p, o, want, text);
}

static bool set_real(const parser *p, const ckpt_option *o, double *field, const char *text)
{
	char *end;
	double d = strtod(text, &end);
	/* strtod also takes white space, hexadecimal, "inf" and "nan": none of them is meant. */
	if (!*text || *end || !isfinite(d) || text[strspn(text, "0123456789.eE+-")]) return bad_value(p, o, "a number", text);
	*field = d;
	return true;
}

static bool set_value(const parser *p, const found *f, const char *text)
{
	const ckpt_option *o = f->option;
	void *field = (char *)f->values + o->field;
	ckpt_dtype dtype;
	uint64_t size;
	switch (o->kind) {
	case CKPT_OPTION_FLAG:
		*(bool *)field = true;
		return true;
	case CKPT_OPTION_TEXT:
	case CKPT_OPTION_MODEL:
	case CKPT_OPTION_CONFIG:
		*(const char **)field = text;
		return true;
	case CKPT_OPTION_LIST:
		return set_list(p, field, text);
	case CKPT_OPTION_COUNT:
		return set_count(p, o, field, text);
	case CKPT_OPTION_SIZE:
		if (!ckpt_parse_size(text, &size) || size < o->low)
			return bad_value(p, o, "a size such as 500MB, 5GB or 1GiB", text);
		*(uint64_t *)field = size;
		return true;
	case CKPT_OPTION_REAL:
		return set_real(p, o, field, text);
	case CKPT_OPTION_CHOICE:
		return set_choice(p, o, field, text);
	case CKPT_OPTION_DTYPE:
		dtype = ckpt_dtype_parse(text);
		if (dtype == CKPT_DTYPE_NONE) return bad_value(p, o, "a dtype such as f32, f16 or bf16", text);
		*(ckpt_dtype *)field = dtype;
		return true;
	}
	return ckpt_fail(p->err, CKPT_E_USAGE, "--%s has no kind", o->name);
}

/* attached: the value behind = or behind the letter, or NULL. */
static bool take(parser *p, const found *f, const char *attached)
{
	const ckpt_option *o = f->option;
	if (p->seen[f->number] && o->kind != CKPT_OPTION_LIST)
		return ckpt_fail(p->err, CKPT_E_USAGE, "--%s was given twice", o->name);
	p->seen[f->number] = true;
	if (o->kind == CKPT_OPTION_FLAG) {
		if (attached) return ckpt_fail(p->err, CKPT_E_USAGE, "--%s takes no value", o->name);
	} else if (!attached) {
		if (p->next == p->argc)
			return ckpt_fail(p->err, CKPT_E_USAGE, "--%s wants a value: --%s %s", o->name, o->name, o->value);
		attached = p->argv[p->next++];
	}
	return set_value(p, f, attached);
}

static bool take_long(parser *p, const char *text)
{
	size_t length = strcspn(text, "=");
	found f;
	if (!find(p, text, length, 0, &f)) return unknown_option(p, text, length);
	return take(p, &f, text[length] ? text + length + 1 : NULL);
}

/* -q, -qh (flags together), -oPATH, -o PATH. */
static bool take_short(parser *p, const char *text)
{
	for (; *text; text++) {
		found f;
		if (!find(p, NULL, 0, *text, &f))
			return ckpt_fail(p->err, CKPT_E_USAGE,
			                 "unknown option -%.80s; put -- before an argument that begins with a dash", text);
		if (f.option->kind != CKPT_OPTION_FLAG) return take(p, &f, text[1] ? text + 1 : NULL);
		if (!take(p, &f, NULL)) return false;
	}
	return true;
}

bool ckpt_options_parse(const ckpt_option_group *groups, size_t group_count, int argc, char **argv,
                        const char **arguments, size_t *count, ckpt_error *err)
{
	parser p = {.groups = groups, .group_count = group_count, .argv = argv, .argc = argc, .err = err};
	bool ok = false;
	size_t options = 0, n = 0;
	for (size_t g = 0; g < group_count; g++)
		for (const ckpt_option *o = groups[g].options; o && o->name; o++) options++;
	p.seen = calloc(options + 1, sizeof *p.seen);
	if (!p.seen) return ckpt_fail_nomem(err);
	while (p.next < argc) {
		const char *text = argv[p.next++];
		if (strcmp(text, "--") == 0) {
			while (p.next < argc) arguments[n++] = argv[p.next++];
		} else if (text[0] == '-' && text[1] == '-') {
			if (!take_long(&p, text + 2)) goto done;
		} else if (text[0] == '-' && text[1]) {
			if (!take_short(&p, text + 1)) goto done;
		} else {
			arguments[n++] = text;
		}
	}
	*count = n;
	ok = true;
done:
	free(p.seen);
	return ok;
}

void ckpt_options_free(const ckpt_option_group *groups, size_t group_count)
{
	for (size_t g = 0; g < group_count; g++)
		for (const ckpt_option *o = groups[g].options; o && o->name; o++) {
			if (o->kind != CKPT_OPTION_LIST) continue;
			ckpt_list *list = (ckpt_list *)(void *)((char *)groups[g].values + o->field);
			free(list->items);
			*list = (ckpt_list){0};
		}
}
