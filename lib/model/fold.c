/* fold.c -- many names in few lines: layers that are alike are written once */
#include "../error.h"
#include "report.h"
#include <stdlib.h>
#include <string.h>

/* A name cut at its first component that is a number. */
typedef struct cut {
	const ckpt_fold_item *item;
	size_t stem;      /* bytes before the number; the whole name when there is none */
	uint32_t number;
	const char *tail; /* behind the number: ".output.bias"; NULL: no number */
} cut;

/* Items that differ in their number alone, and later several such with the same numbers. */
typedef struct line {
	const cut *first;
	const uint32_t *numbers;
	size_t count;   /* numbers (at least 1) */
	size_t stands;  /* items */
	bool whole;     /* tail is ".*" */
	bool alike;     /* and all had the same note */
	bool gone;      /* folded into an earlier line */
} line;

static cut cut_name(const ckpt_fold_item *item)
{
	cut c = {item, strlen(item->name), 0, NULL};
	for (const char *at = item->name; at; at = strchr(at, '.') ? strchr(at, '.') + 1 : NULL) {
		size_t digits = strspn(at, "0123456789");
		if (!digits || digits > 9 || at == item->name || at[digits] != '.') continue;
		c.stem = (size_t)(at - item->name);
		c.number = (uint32_t)strtoul(at, NULL, 10);
		c.tail = at + digits;
		break;
	}
	return c;
}

static int by_stem(const cut *x, const cut *y)
{
	size_t n = x->stem < y->stem ? x->stem : y->stem;
	int order = memcmp(x->item->name, y->item->name, n);
	return order ? order : (x->stem > y->stem) - (x->stem < y->stem);
}

static int by_place(const void *a, const void *b)
{
	const cut *x = a, *y = b;
	if (x->item->kind != y->item->kind) return (x->item->kind > y->item->kind) - (x->item->kind < y->item->kind);
	int order = by_stem(x, y);
	if (!order && (!x->tail || !y->tail)) return (x->tail != NULL) - (y->tail != NULL);
	if (!order) order = strcmp(x->tail, y->tail);
	if (!order) order = strcmp(x->item->note, y->item->note);
	return order ? order : (x->number > y->number) - (x->number < y->number);
}

static bool folds_with(const cut *x, const cut *y)
{
	return x->tail && y->tail && x->item->kind == y->item->kind && !by_stem(x, y) && !strcmp(x->tail, y->tail) &&
	       !strcmp(x->item->note, y->item->note);
}

static bool same_numbers(const line *x, const line *y)
{
	return x->count == y->count && !memcmp(x->numbers, y->numbers, x->count * sizeof *x->numbers);
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

/* How many names of the universe (sorted) lie under the stem and numbers of the line. */
static size_t count_under(const line *l, const cut *universe, size_t count)
{
	size_t low = 0, high = count, under = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_stem(&universe[middle], l->first) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t i = low; i < count && !by_stem(&universe[i], l->first); i++)
		under += universe[i].tail && bsearch(&universe[i].number, l->numbers, l->count, sizeof *l->numbers, by_value);
	return under;
}

/* The end of the run of lines of one kind and stem. */
static size_t stem_end(const line *lines, size_t from, size_t count)
{
	size_t to = from + 1;
	while (to < count && lines[to].first->item->kind == lines[from].first->item->kind &&
	       !by_stem(lines[to].first, lines[from].first))
		to++;
	return to;
}

/* Lines from .. to share kind and stem: those with the same numbers become one, when nothing else lies there. */
static void fold_layers(line *lines, size_t from, size_t to, const cut *universe, size_t universe_count)
{
	for (size_t i = from; i < to; i++) {
		line *l = &lines[i];
		size_t together = 0, stands = 0;
		bool alike = true;
		if (l->gone || !l->first->tail) continue;
		for (size_t j = i; j < to; j++) {
			if (lines[j].gone || !lines[j].first->tail || !same_numbers(&lines[j], l)) continue;
			together++;
			alike = alike && !strcmp(lines[j].first->item->note, l->first->item->note);
			stands += lines[j].stands;
		}
		if (together < 2 || count_under(l, universe, universe_count) != stands) continue;
		for (size_t j = i + 1; j < to; j++)
			if (lines[j].first->tail && same_numbers(&lines[j], l)) lines[j].gone = true;
		l->whole = true;
		l->alike = alike;
		l->stands = stands;
	}
}

/* Layers have dozens of tensors; what has more under one stem is no layer, and would take long. */
#define MOST_LINES 1024

/* "{0..3,5}", or the bare number. */
static void write_numbers(ckpt_buffer *b, const line *l)
{
	if (l->count == 1) {
		ckpt_buffer_printf(b, "%u", l->numbers[0]);
		return;
	}
	ckpt_buffer_char(b, '{');
	for (size_t i = 0; i < l->count;) {
		size_t j = i;
		while (j + 1 < l->count && l->numbers[j + 1] == l->numbers[j] + 1) j++;
		ckpt_buffer_printf(b, "%s%u", i ? "," : "", l->numbers[i]);
		if (j > i) ckpt_buffer_printf(b, "%s%u", j == i + 1 ? "," : "..", l->numbers[j]);
		i = j + 1;
	}
	ckpt_buffer_char(b, '}');
}

static bool emit_line(const line *l, ckpt_fold_fn emit, void *user, ckpt_error *err)
{
	ckpt_buffer b = {0};
	const ckpt_fold_item *item = l->first->item;
	ckpt_buffer_add(&b, item->name, l->first->stem);
	if (l->first->tail) {
		write_numbers(&b, l);
		ckpt_buffer_str(&b, l->whole ? ".*" : l->first->tail);
	}
	bool ok = ckpt_buffer_ok(&b, err);
	if (ok) emit(user, item->kind, b.data ? b.data : "", l->whole && !l->alike ? "" : item->note, l->stands);
	ckpt_buffer_free(&b);
	return ok;
}

/* The names of the universe, cut and sorted. The items that the cuts point at come behind them. */
static cut *cut_universe(const char *const *universe, size_t count)
{
	cut *cuts = calloc(count + 1, sizeof *cuts + sizeof(ckpt_fold_item));
	ckpt_fold_item *items = (ckpt_fold_item *)(cuts + count + 1);
	for (size_t i = 0; cuts && i < count; i++) {
		items[i] = (ckpt_fold_item){universe[i], "", 0};
		cuts[i] = cut_name(&items[i]);
	}
	if (cuts) qsort(cuts, count, sizeof *cuts, by_place);
	return cuts;
}

bool ckpt_fold(ckpt_fold_item *items, size_t count, const char *const *universe, size_t universe_count,
               ckpt_fold_fn emit, void *user, ckpt_error *err)
{
	bool ok = false;
	size_t lines_count = 0;
	cut *cuts = calloc(count + 1, sizeof *cuts), *known = cut_universe(universe, universe_count);
	line *lines = calloc(count + 1, sizeof *lines);
	uint32_t *numbers = calloc(count + 1, sizeof *numbers);
	if (!cuts || !lines || !numbers || !known) {
		ckpt_fail_nomem(err);
		goto done;
	}
	for (size_t i = 0; i < count; i++) cuts[i] = cut_name(&items[i]);
	qsort(cuts, count, sizeof *cuts, by_place);
	for (size_t i = 0; i < count; i++) {
		numbers[i] = cuts[i].number;
		line *last = lines_count ? &lines[lines_count - 1] : NULL;
		if (last && folds_with(last->first, &cuts[i])) {
			last->count++;
			last->stands++;
		} else {
			lines[lines_count++] = (line){&cuts[i], &numbers[i], 1, 1, false, false, false};
		}
	}
	for (size_t from = 0, to; from < lines_count; from = to) {
		to = stem_end(lines, from, lines_count);
		if (to - from <= MOST_LINES) fold_layers(lines, from, to, known, universe_count);
	}
	ok = true;
	for (size_t i = 0; ok && i < lines_count; i++)
		if (!lines[i].gone) ok = emit_line(&lines[i], emit, user, err);
done:
	free(cuts);
	free(known);
	free(lines);
	free(numbers);
	return ok;
}
