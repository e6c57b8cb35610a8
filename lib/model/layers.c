/* layers.c -- lists of layers: which old layer each new one is */
#include "../error.h"
#include "reshape.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 10000 };

static bool append(ckpt_layer_map *map, uint64_t layer, ckpt_error *err)
{
	if (map->count == MOST_LAYERS)
		return ckpt_fail(err, CKPT_E_USAGE, "the list names more than %d layers", MOST_LAYERS);
	if (!(map->count & (map->count - 1))) {
		uint32_t *more = realloc(map->from, (map->count ? 2 * map->count : 1) * sizeof *more);
		if (!more) return ckpt_fail_nomem(err);
		map->from = more;
	}
	map->from[map->count++] = (uint32_t)layer;
	return true;
}

/* A number at *text; moves behind it. */
static bool number(const char **text, uint64_t *out)
{
	size_t digits = strspn(*text, "0123456789");
	if (!digits || digits > 9) return false;
	*out = strtoul(*text, NULL, 10);
	*text += digits;
	return true;
}

bool ckpt_layers_parse(const char *text, uint64_t have, const char *what, ckpt_layer_map *out, ckpt_error *err)
{
	const char *at = text;
	uint64_t first, last;
	for (;;) {
		if (!number(&at, &first)) break;
		last = first;
		if (*at == '-') {
			at++;
			if (!number(&at, &last)) break;
		}
		uint64_t missing = first >= have ? first : last;
		if (missing >= have)
			return ckpt_fail(err, CKPT_E_USAGE, "%s %s: there is no layer %llu; the model has layers 0 to %llu", what, text,
			                 (unsigned long long)missing, (unsigned long long)have - 1);
		for (uint64_t i = first;; i += first <= last ? 1 : (uint64_t)-1) {
			if (!append(out, i, err)) return ckpt_error_prefix(err, "%s %s", what, text);
			if (i == last) break;
		}
		if (!*at) return true;
		if (*at++ != ',') break;
	}
	return ckpt_fail(err, CKPT_E_USAGE, "%s %s: numbers and ranges with commas between them are wanted (0,2,4-7)", what, text);
}

bool ckpt_layers_first(uint64_t want, uint64_t have, ckpt_layer_map *out, ckpt_error *err)
{
	for (uint64_t i = 0; i < want; i++)
		if (!append(out, i < have ? i : CKPT_NEW_LAYER, err)) return false;
	return true;
}
