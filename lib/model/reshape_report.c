/* reshape_report.c -- what becomes of each tensor of a reshaped model, in words and as JSON */
#include "../dtype.h"
#include "../error.h"
#include "report.h"
#include "reshape.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[CKPT_FATES] = {"kept", "moved", "cut", "grown", "new", "redrawn", "tied", "dropped"};

/* Everything that is said about one tensor, new or dropped. */
typedef struct line {
	ckpt_fate fate;
	const char *name;
	const char *from; /* another name that it had; or NULL */
	uint32_t rank, old_rank;
	const uint64_t *shape, *old_shape; /* NULL: none */
} line;

static line line_of_slot(const ckpt_reshape *r, size_t i)
{
	const ckpt_slot *slot = &r->model->slots[i];
	const ckpt_origin *origin = &r->origins[i];
	line l = {.fate = origin->fate, .name = slot->name, .rank = slot->rank, .shape = slot->shape};
	if (origin->fate == CKPT_TIED) l.from = r->model->slots[slot->tied].name;
	if (!origin->tensor) return l;
	l.old_rank = origin->tensor->rank;
	l.old_shape = origin->tensor->shape;
	if (origin->fate != CKPT_REDRAWN && strcmp(origin->tensor->name, slot->name)) l.from = origin->tensor->name;
	return l;
}

static line line_of_dropped(const ckpt_tensor *t)
{
	return (line){.fate = CKPT_DROPPED, .name = t->name, .old_rank = t->rank, .old_shape = t->shape};
}

/* All lines, in the order of the model, dropped ones behind; to be freed. */
static line *all_lines(const ckpt_reshape *r, size_t *count, ckpt_error *err)
{
	const ckpt_checkpoint *cp = r->old->source;
	line *lines = calloc(r->model->count + cp->count + 1, sizeof *lines);
	if (!lines) return ckpt_fail_nomem(err), NULL;
	*count = 0;
	for (size_t i = 0; i < r->model->count; i++) lines[(*count)++] = line_of_slot(r, i);
	for (size_t i = 0; i < cp->count; i++)
		if (!r->used[i]) lines[(*count)++] = line_of_dropped(&cp->tensors[i]);
	return lines;
}

/* ---- words ----------------------------------------------------------------------------------------------------- */

/* The number of the layer in a name, or NULL. */
static const char *layer_in(const char *name, size_t *digits)
{
	for (const char *at = strchr(name, '.'); at; at = strchr(at + 1, '.')) {
		*digits = strspn(at + 1, "0123456789");
		if (*digits && at[1 + *digits] == '.') return at + 1;
	}
	return NULL;
}

/* "[30522,768] to [30000,768]", "from layer 3", or nothing. */
static char *note_of(ckpt_arena *a, const line *l)
{
	char shape[96] = "", old[96] = "", text[512] = "";
	size_t digits;
	if (l->shape) ckpt_shape_text(l->rank, l->shape, shape, sizeof shape);
	if (l->old_shape) ckpt_shape_text(l->old_rank, l->old_shape, old, sizeof old);
	if (l->fate == CKPT_MOVED) {
		const char *layer = layer_in(l->from ? l->from : l->name, &digits);
		if (layer) snprintf(text, sizeof text, "from layer %.*s", (int)digits, layer);
	} else if (l->fate == CKPT_CUT || l->fate == CKPT_GROWN) {
		snprintf(text, sizeof text, "%s to %s", old, shape);
	} else if (l->fate == CKPT_REDRAWN && strcmp(old, shape)) {
		snprintf(text, sizeof text, "%s, was %s", shape, old);
	} else if (l->fate == CKPT_TIED) {
		snprintf(text, sizeof text, "to %s", l->from);
	} else if (l->fate == CKPT_DROPPED || l->fate == CKPT_NEW) {
		snprintf(text, sizeof text, "%s", l->fate == CKPT_NEW ? shape : old);
	}
	return ckpt_arena_copy(a, text, strlen(text));
}

static void emit(void *user, int fate, const char *pattern, const char *note, size_t count)
{
	ckpt_buffer *b = user;
	char name[1024], safe[1024];
	ckpt_escape(name, sizeof name, pattern, strlen(pattern));
	ckpt_escape(safe, sizeof safe, note, strlen(note));
	ckpt_buffer_printf(b, "%-8s  %s", names[fate], name);
	if (*safe) ckpt_buffer_printf(b, "  %s", safe);
	if (count > 1) ckpt_buffer_printf(b, "  (%zu tensors)", count);
	ckpt_buffer_char(b, '\n');
}

static bool fold_lines(const ckpt_reshape *r, const line *lines, size_t count, bool dropped, ckpt_buffer *b, ckpt_error *err)
{
	const ckpt_checkpoint *cp = r->old->source;
	size_t known = dropped ? cp->count : r->model->count, n = 0;
	ckpt_arena notes = {0};
	ckpt_fold_item *items = calloc(count + 1, sizeof *items);
	const char **universe = calloc(known + 1, sizeof *universe);
	bool ok = (items && universe) || ckpt_fail_nomem(err);
	for (size_t i = 0; ok && i < known; i++) universe[i] = dropped ? cp->tensors[i].name : r->model->slots[i].name;
	for (size_t i = 0; ok && i < count; i++) {
		if ((lines[i].fate == CKPT_DROPPED) != dropped) continue;
		items[n] = (ckpt_fold_item){lines[i].name, note_of(&notes, &lines[i]), (int)lines[i].fate};
		ok = items[n++].note || ckpt_fail_nomem(err);
	}
	ok = ok && ckpt_fold(items, n, universe, known, emit, b, err);
	free(items);
	free(universe);
	ckpt_arena_free(&notes);
	return ok;
}

static bool write_text(const ckpt_reshape *r, const line *lines, size_t count, ckpt_buffer *b, ckpt_error *err)
{
	size_t fates[CKPT_FATES] = {0};
	if (!fold_lines(r, lines, count, false, b, err) || !fold_lines(r, lines, count, true, b, err)) return false;
	for (size_t i = 0; i < count; i++) fates[lines[i].fate]++;
	for (size_t f = 0, first = 1; f < CKPT_FATES; f++) {
		if (!fates[f]) continue;
		ckpt_buffer_printf(b, "%s%zu %s", first ? "" : ", ", fates[f], names[f]);
		first = 0;
	}
	ckpt_buffer_str(b, count ? "\n" : "");
	return ckpt_buffer_ok(b, err);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static void write_name(ckpt_buffer *b, const char *key, const char *name)
{
	ckpt_buffer_printf(b, ",\"%s\":", key);
	if (name)
		ckpt_json_write_string(b, name, strlen(name), false);
	else
		ckpt_buffer_str(b, "null");
}

static void write_shape(ckpt_buffer *b, const char *key, uint32_t rank, const uint64_t *shape)
{
	ckpt_buffer_printf(b, ",\"%s\":%s", key, shape ? "[" : "null");
	for (uint32_t i = 0; shape && i < rank; i++) ckpt_buffer_printf(b, "%s%" PRIu64, i ? "," : "", shape[i]);
	if (shape) ckpt_buffer_char(b, ']');
}

static bool write_json(const line *lines, size_t count, ckpt_buffer *b, ckpt_error *err)
{
	ckpt_buffer_char(b, '[');
	for (size_t i = 0; i < count; i++) {
		const line *l = &lines[i];
		ckpt_buffer_printf(b, "%s{\"action\":\"%s\"", i ? ",\n " : "", names[l->fate]);
		write_name(b, "name", l->name);
		write_name(b, "from", l->from);
		write_shape(b, "shape", l->rank, l->shape);
		write_shape(b, "old_shape", l->old_rank, l->old_shape);
		ckpt_buffer_char(b, '}');
	}
	ckpt_buffer_str(b, "]\n");
	return ckpt_buffer_ok(b, err);
}

const char *ckpt_reshape_report(ckpt_reshape *r, bool json, ckpt_error *err)
{
	size_t count;
	ckpt_buffer b = {0};
	line *lines = all_lines(r, &count, err);
	bool ok = lines && (json ? write_json(lines, count, &b, err) : write_text(r, lines, count, &b, err));
	free(lines);
	if (!ok) {
		ckpt_buffer_free(&b);
		return NULL;
	}
	free(r->text);
	r->text = b.data;
	return r->text ? r->text : "";
}
