/* convert_check.c -- ckpt convert --check: the output read again, tensor by tensor, before it gets its name */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/dtype.h"
#include "convert.h"
#include "number.h"
#include "progress.h"

#define SAID 10 /* differences that are named */

static size_t index_of(const ckpt_checkpoint *cp, const ckpt_tensor *t)
{
	return (size_t)(t - cp->tensors);
}

/* The tensor of the output that stands for t: its namesake, the one that t is an alias of when t was dropped, or
 * the only one where names get lost. */
static const ckpt_tensor *counterpart(const ckpt_checkpoint *out, const ckpt_checkpoint *cp, const ckpt_tensor *t)
{
	const ckpt_tensor *found = ckpt_checkpoint_tensor_find(out, ckpt_tensor_name(t));
	if (found) return found;
	if (ckpt_tensor_alias_of(t)) return ckpt_checkpoint_tensor_find(out, ckpt_tensor_alias_of(t));
	bool alone = ckpt_checkpoint_tensor_count(out) == 1 && ckpt_checkpoint_tensor_count(cp) == 1;
	return alone ? ckpt_checkpoint_tensor_at(out, 0) : NULL;
}

static bool same_kind(const ckpt_tensor *a, const ckpt_tensor *b)
{
	return a->dtype == b->dtype && a->rank == b->rank &&
	       (a->rank == 0 || memcmp(a->shape, b->shape, a->rank * sizeof *a->shape) == 0);
}

static void say_difference(const ckpt_tensor *t, const char *what)
{
	fputs("different: ", stdout);
	ckpt_text_print(stdout, ckpt_tensor_name(t));
	printf(" %s\n", what);
}

/* Compares and prints; returns the number of differences. */
static size_t compare(const ckpt_checkpoint *cp, char (*hashes)[65], const ckpt_checkpoint *out, char (*out_hashes)[65])
{
	size_t different = 0, count = ckpt_checkpoint_tensor_count(cp), extra = 0;
	for (size_t i = 0; i < count; i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(cp, i), *o = counterpart(out, cp, t);
		const char *what = !o                                                             ? "is not in the output"
		                   : !same_kind(t, o)                                             ? "has another dtype or shape"
		                   : strcmp(hashes[i], out_hashes[index_of(out, o)]) != 0 ? "has other values"
		                                                                                  : NULL;
		if (what && different++ < SAID) say_difference(t, what);
	}
	for (size_t i = 0; i < ckpt_checkpoint_tensor_count(out); i++) {
		const ckpt_tensor *o = ckpt_checkpoint_tensor_at(out, i);
		if (ckpt_checkpoint_tensor_find(cp, ckpt_tensor_name(o)) || counterpart(cp, out, o)) continue;
		if (different + extra++ < SAID) say_difference(o, "is in the output alone");
	}
	if (different + extra > SAID) printf("different: %zu more\n", different + extra - SAID);
	return different + extra;
}

static bool hash_both(const ckpt_conversion *c, const ckpt_checkpoint *out, char (*hashes)[65], char (*out_hashes)[65],
                      char fingerprint[65], ckpt_error *err)
{
	ckpt_progress progress;
	ckpt_progress_begin(&progress, c->call, "checking");
	ckpt_work work = ckpt_progress_work(&progress);
	bool ok = ckpt_checkpoint_sha256(c->cp, &work, hashes, fingerprint, err) &&
	          ckpt_checkpoint_sha256(out, &work, out_hashes, NULL, err);
	ckpt_progress_end(&progress);
	return ok;
}

bool ckpt_convert_check(const ckpt_conversion *c, const ckpt_checkpoint *written, size_t *different, char fingerprint[65],
                        ckpt_error *err)
{
	size_t count = ckpt_checkpoint_tensor_count(c->cp);
	char(*hashes)[65] = calloc(count + 1, sizeof *hashes);
	char(*out_hashes)[65] = calloc(ckpt_checkpoint_tensor_count(written) + 1, sizeof *out_hashes);
	bool ok = hashes && out_hashes ? hash_both(c, written, hashes, out_hashes, fingerprint, err) : ckpt_fail_nomem(err);
	if (ok) *different = compare(c->cp, hashes, written, out_hashes);
	if (ok && *different)
		printf("check: %zu difference%s in %zu tensor%s, so nothing was kept\n", *different, ckpt_plural(*different), count,
		       ckpt_plural(count));
	free(out_hashes);
	free(hashes);
	return ok;
}
