/* pair.c -- which tensors of two checkpoints stand for each other */
#include "pair.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

/* How deep a prefix goes ("model.", "model.bert.", "state.model.bert."), and how many are tried on each side. */
enum { DEPTH = 3, CANDIDATES = 24 };

typedef struct candidates {
	char *items[CANDIDATES]; /* the first is "" */
	size_t count;
} candidates;

static void free_candidates(candidates *c)
{
	for (size_t i = 0; i < c->count; i++) free(c->items[i]);
}

static bool add_candidate(candidates *c, const char *name, size_t length, ckpt_error *err)
{
	for (size_t i = 0; i < c->count; i++)
		if (strlen(c->items[i]) == length && memcmp(c->items[i], name, length) == 0) return true;
	if (c->count == CANDIDATES) return true;
	char *copy = strndup(name, length);
	if (!copy) return ckpt_fail_nomem(err);
	c->items[c->count++] = copy;
	return true;
}

/* The first dotted parts of names without a partner. */
static bool collect(const ckpt_checkpoint *cp, const bool *taken, candidates *c, ckpt_error *err)
{
	if (!add_candidate(c, "", 0, err)) return false;
	for (size_t i = 0; i < cp->count; i++) {
		const char *name = cp->tensors[i].name, *dot = name;
		for (int depth = 0; !taken[i] && depth < DEPTH && (dot = strchr(dot, '.')); depth++, dot++)
			if (!add_candidate(c, name, (size_t)(dot - name) + 1, err)) return false;
	}
	return true;
}

/* Pairs names under a prefix on each side; only counts unless `keep`. */
static size_t try_prefixes(const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_pairs *p, bool *taken, const char *pa,
                           const char *pb, bool keep, char *text)
{
	size_t count = 0, n = strlen(pa), m = strlen(pb);
	memcpy(text, pb, m);
	for (size_t i = 0; i < a->count; i++) {
		const char *name = a->tensors[i].name;
		if (taken[i] || strncmp(name, pa, n) != 0) continue;
		strcpy(text + m, name + n);
		size_t j = ckpt_checkpoint_index_of(b, text);
		if (j == SIZE_MAX || p->paired[j]) continue;
		count++;
		if (!keep) continue;
		p->partner[i] = j;
		p->paired[j] = taken[i] = true;
	}
	return count;
}

static size_t longest(const ckpt_checkpoint *cp)
{
	size_t most = 0;
	for (size_t i = 0; i < cp->count; i++) {
		size_t n = strlen(cp->tensors[i].name);
		most = n > most ? n : most;
	}
	return most;
}

static bool any(const bool *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (taken[i]) return true;
	return false;
}

/* The two prefixes that make most pairs; the shortest of equals. *found is false when none makes any. Once there are pairs only
 * one side may have a prefix more: what is left of an encoder is no decoder. */
static bool best_prefixes(const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_pairs *p, bool *taken, char *text, bool *found,
                          ckpt_error *err)
{
	candidates x = {0}, y = {0};
	size_t best = 0, best_a = 0, best_b = 0;
	bool both = !any(taken, a->count);
	bool ok = collect(a, taken, &x, err) && collect(b, p->paired, &y, err);
	for (size_t i = 0; ok && i < x.count; i++)
		for (size_t j = 0; j < y.count; j++) {
			size_t n = (i && j ? both : i || j) ? try_prefixes(a, b, p, taken, x.items[i], y.items[j], false, text) : 0;
			size_t length = strlen(x.items[i]) + strlen(y.items[j]);
			if (n < best || n == 0) continue;
			if (n == best && length >= strlen(x.items[best_a]) + strlen(y.items[best_b])) continue;
			best = n, best_a = i, best_b = j;
		}
	*found = ok && best > 0;
	if (*found) {
		try_prefixes(a, b, p, taken, x.items[best_a], y.items[best_b], true, text);
		p->prefixes[p->prefix_count].a = x.items[best_a];
		p->prefixes[p->prefix_count].b = y.items[best_b];
		p->prefixes[p->prefix_count++].count = best;
		x.items[best_a] = y.items[best_b] = NULL;
	}
	free_candidates(&x);
	free_candidates(&y);
	return ok;
}

/* Aliases without a namesake: what they are an alias of counts. */
static void follow_aliases(const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_pairs *p)
{
	for (size_t i = 0; i < a->count; i++) {
		size_t of = a->tensors[i].alias_of;
		p->dropped[i] = p->partner[i] == SIZE_MAX && of != SIZE_MAX && p->partner[of] != SIZE_MAX;
	}
	for (size_t j = 0; j < b->count; j++) {
		size_t of = b->tensors[j].alias_of;
		if (!p->paired[j] && of != SIZE_MAX && p->paired[of]) p->paired[j] = true;
	}
}

bool ckpt_pairs_find(const ckpt_checkpoint *a, const ckpt_checkpoint *b, ckpt_pairs *p, ckpt_error *err)
{
	*p = (ckpt_pairs){0};
	p->partner = calloc(a->count + 1, sizeof *p->partner);
	p->paired = calloc(b->count + 1, sizeof *p->paired);
	p->dropped = calloc(a->count + 1, sizeof *p->dropped);
	bool *taken = calloc(a->count + 1, sizeof *taken), found = true;
	char *text = malloc(longest(a) + longest(b) + 2);
	bool ok = (p->partner && p->paired && p->dropped && taken && text) || ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < a->count; i++) p->partner[i] = SIZE_MAX;
	if (ok) try_prefixes(a, b, p, taken, "", "", true, text);
	while (ok && found && p->prefix_count < CKPT_PAIR_PREFIXES) ok = best_prefixes(a, b, p, taken, text, &found, err);
	if (ok) follow_aliases(a, b, p);
	free(taken);
	free(text);
	return ok;
}

void ckpt_pairs_free(ckpt_pairs *p)
{
	free(p->partner);
	free(p->paired);
	free(p->dropped);
	for (size_t i = 0; i < p->prefix_count; i++) {
		free(p->prefixes[i].a);
		free(p->prefixes[i].b);
	}
}
