/* convert_losses.c -- what a conversion leaves behind, said before it begins */
#include <inttypes.h>
#include <string.h>

#include "convert.h"
#include "graph.h"
#include "number.h"

#define NAMED 8 /* so many are named, the others counted */

/* A list "a, b, c and 12 more" that grows by its items. */
typedef struct enumeration {
	ckpt_buffer text;
	size_t count;
} enumeration;

static void enumerate(enumeration *e, const char *item, size_t length)
{
	if (e->count < NAMED) {
		if (e->count) ckpt_buffer_str(&e->text, ", ");
		ckpt_buffer_add(&e->text, item, length < 100 ? length : 100);
	}
	e->count++;
}

static const char *enumerated(enumeration *e)
{
	if (e->count > NAMED) ckpt_buffer_printf(&e->text, " and %zu more", e->count - NAMED);
	return e->text.data ? e->text.data : "";
}

/* Whether the entry `key` of the tree's top holds what root names: "state" does for "state.ema". */
static bool leads_to(const char *key, size_t length, const char *root)
{
	return strncmp(root, key, length) == 0 && (root[length] == 0 || root[length] == '.');
}

/* Entries at the top of the tree that hold more than tensors; with a root, all that do not lead to it. */
static bool lost_values(const ckpt_value *top, const char *root, enumeration *lost, ckpt_error *err)
{
	if (!ckpt_value_is_dict(top)) {
		const char *kind = ckpt_value_kind_text(top);
		enumerate(lost, kind, strlen(kind));
		return true;
	}
	for (size_t i = 0; i < ckpt_child_count(top); i++) {
		ckpt_child child = ckpt_child_at(top, i);
		bool string = ckpt_value_get_kind(child.key) == CKPT_VALUE_STRING, any = true;
		size_t length;
		const char *key = ckpt_value_text(child.key, &length);
		if (root && string && leads_to(key, length, root)) continue;
		if (!root && ckpt_value_get_kind(child.item) == CKPT_VALUE_TENSOR) continue;
		if (!root && !ckpt_values_any(child.item, &any, err)) return false;
		if (!any) continue;
		if (string)
			enumerate(lost, key, length);
		else
			enumerate(lost, "an entry whose key is no string", 31);
	}
	return true;
}

bool ckpt_convert_left_behind(const ckpt_call *call, const ckpt_checkpoint *whole, const char *root, ckpt_error *err)
{
	const ckpt_value *top = ckpt_checkpoint_value(whole);
	enumeration lost = {0};
	bool ok = !top || lost_values(top, root, &lost, err);
	if (ok && lost.count) ckpt_remark(call, "the part '%s' is converted, left out: %s", root, enumerated(&lost));
	ckpt_buffer_free(&lost.text);
	return ok;
}

static bool say_values(const ckpt_conversion *c, ckpt_error *err)
{
	const ckpt_value *top = ckpt_checkpoint_value(c->cp);
	enumeration lost = {0};
	bool holds = (c->format->holds & CKPT_HOLDS_VALUES) != 0, any = false, ok;
	if (!top || (holds && c->cp->value_is_whole)) return true;
	if (!ckpt_values_any(top, &any, err)) return false;
	ok = !any || lost_values(top, NULL, &lost, err);
	if (ok && lost.count) {
		if (holds)
			ckpt_remark(c->call, "only the tensors asked for are written, not: %s", enumerated(&lost));
		else
			ckpt_remark(c->call, "%s holds tensors alone, left out: %s", c->format->name, enumerated(&lost));
	}
	ckpt_buffer_free(&lost.text);
	return ok;
}

static void say_metadata(const ckpt_conversion *c)
{
	enumeration lost = {0};
	if (c->format->holds & CKPT_HOLDS_METADATA) return;
	for (size_t i = 0; i < ckpt_checkpoint_metadata_count(c->cp); i++) {
		const char *key = ckpt_checkpoint_metadata_key(c->cp, i);
		if (strcmp(key, "format") != 0) enumerate(&lost, key, strlen(key)); /* "format" only says who wrote the file */
	}
	if (lost.count) ckpt_remark(c->call, "%s holds no metadata, left out: %s", c->format->name, enumerated(&lost));
	ckpt_buffer_free(&lost.text);
}

static void say_aliases(const ckpt_conversion *c)
{
	enumeration lost = {0};
	size_t count = ckpt_checkpoint_tensor_count(c->cp), written = 0;
	for (size_t i = 0; i < ckpt_save_plan_file_count(c->plan); i++) written += ckpt_save_plan_file_tensors(c->plan, i);
	if (written >= count) return;
	for (size_t i = 0; i < count; i++) {
		const ckpt_tensor *t = ckpt_checkpoint_tensor_at(c->cp, i);
		char pair[300];
		if (!ckpt_tensor_alias_of(t)) continue;
		int length = snprintf(pair, sizeof pair, "%.140s (is %.140s)", ckpt_tensor_name(t), ckpt_tensor_alias_of(t));
		enumerate(&lost, pair, length < 0 ? 0 : strlen(pair));
	}
	if (lost.count)
		ckpt_remark(c->call, "%zu alias%s dropped%s: %s", lost.count, lost.count == 1 ? "" : "es",
		            c->format->holds & CKPT_HOLDS_METADATA ? ", recorded in the metadata" : "", enumerated(&lost));
	ckpt_buffer_free(&lost.text);
}

bool ckpt_convert_losses(const ckpt_conversion *c, ckpt_error *err)
{
	if (c->call->quiet) return true;
	if (!say_values(c, err)) return false;
	say_metadata(c);
	say_aliases(c);
	for (size_t i = 0; i < ckpt_save_plan_note_count(c->plan); i++)
		ckpt_remark(c->call, "%s", ckpt_save_plan_note_at(c->plan, i));
	return true;
}
