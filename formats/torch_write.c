/* torch_write.c -- plans files as torch.save writes them
 *
 * Zip, in this order (every record stored, see zip_plan.c; PREFIX is the file's name without its last suffix):
 *  1. PREFIX/data.pkl: the object, protocol 2
 *  2. PREFIX/.format_version "1", PREFIX/.storage_alignment "64", PREFIX/byteorder "little"
 *  3. PREFIX/data/0, data/1, ...: storages in the order in which the pickle first names them
 *  4. PREFIX/version "3\n", PREFIX/.data/serialization_id (40 digits)
 * Legacy:
 *  1. five pickles: magic number, protocol version 1001, system information, the object, the sorted list of keys
 *  2. for each key its number of elements (64 bits) and its bytes
 */
#include "torch_write.h"
#include "../lib/checked.h"
#include "../lib/error.h"
#include "../lib/limits.h"
#include "torch_pickle.h"
#include "zip_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEGACY_VERSION = 1001, BATCH = 1000 };

static bool start(ckpt_torch_pickle *w, const ckpt_checkpoint *cp, const ckpt_save_options *options, bool legacy,
                  ckpt_error *err)
{
	ckpt_limits limits = ckpt_limits_resolve(options ? &options->limits : NULL);
	*w = (ckpt_torch_pickle){.cp = cp, .legacy = legacy};
	w->copy_aliases = options && options->aliases == CKPT_ALIASES_COPY;
	w->p = ckpt_pickler_new(limits.pickle_bytes, err);
	return w->p != NULL;
}

/* ---- zip ---- */

/* As torch does: "archive" for a name that is no ASCII or nothing but a suffix. */
static char *archive_prefix(const char *path, ckpt_error *err)
{
	const char *name = strrchr(path, '/');
	name = name ? name + 1 : path;
	bool ascii = true;
	for (const char *c = name; *c; c++) ascii = ascii && (signed char)*c > 0;
	const char *behind = strrchr(name, '\\');
	if (behind) name = behind + 1;
	const char *dot = strrchr(name, '.');
	size_t length = dot ? (size_t)(dot - name) : strlen(name);
	char *prefix = ascii && length ? strndup(name, length) : strdup("archive");
	if (!prefix) ckpt_fail_nomem(err);
	return prefix;
}

static bool add_records(ckpt_zip_plan *z, const ckpt_torch_pickle *w, ckpt_error *err)
{
	const ckpt_buffer *pickle = ckpt_pickler_bytes(w->p);
	bool ok = ckpt_zip_plan_bytes(z, "data.pkl", pickle->data, pickle->length, err) &&
	          ckpt_zip_plan_bytes(z, ".format_version", "1", 1, err) &&
	          ckpt_zip_plan_bytes(z, ".storage_alignment", "64", 2, err) &&
	          ckpt_zip_plan_bytes(z, "byteorder", "little", 6, err);
	for (size_t i = 0; ok && i < w->storage_count; i++) {
		char name[32];
		snprintf(name, sizeof name, "data/%" PRIu64, ckpt_torch_key(w, i));
		ok = ckpt_zip_plan_source(z, name, w->storages[i].source, w->storages[i].label, err);
	}
	return ok && ckpt_zip_plan_bytes(z, "version", "3\n", 2, err) && ckpt_zip_plan_identity(z, err);
}

ckpt_layout *ckpt_torch_plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                             ckpt_error *err)
{
	ckpt_torch_pickle w = {0};
	ckpt_layout *layout = NULL;
	char *prefix = archive_prefix(path, err);
	ckpt_zip_plan *z = prefix ? ckpt_zip_plan_new(prefix, err) : NULL;
	if (z && start(&w, cp, options, false, err) && ckpt_torch_pickle_object(&w, err) && add_records(z, &w, err))
		layout = ckpt_zip_plan_finish(z, err);
	if (layout) layout->tensors = cp->count;
	ckpt_zip_plan_free(z);
	ckpt_torch_pickle_clear(&w);
	free(prefix);
	return layout;
}

/* ---- legacy ---- */

static void write_size(ckpt_pickler *p, const char *name, int64_t size)
{
	ckpt_pickle_word(p, name);
	ckpt_pickle_int(p, size);
}

/* Magic number, version, system information: what stands before the object. */
static bool write_legacy_head(ckpt_pickler *p, ckpt_error *err)
{
	static const uint8_t magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
	ckpt_pickle_start(p);
	ckpt_pickle_long(p, magic, sizeof magic);
	if (!ckpt_pickle_stop(p, err)) return false;
	ckpt_pickle_start(p);
	ckpt_pickle_int(p, LEGACY_VERSION);
	if (!ckpt_pickle_stop(p, err)) return false;
	ckpt_pickle_start(p);
	ckpt_pickle_op(p, CKPT_OP_EMPTY_DICT);
	ckpt_pickle_memoize(p);
	ckpt_pickle_op(p, CKPT_OP_MARK);
	write_size(p, "protocol_version", LEGACY_VERSION);
	ckpt_pickle_word(p, "little_endian");
	ckpt_pickle_bool(p, true);
	ckpt_pickle_word(p, "type_sizes");
	ckpt_pickle_op(p, CKPT_OP_EMPTY_DICT);
	ckpt_pickle_memoize(p);
	ckpt_pickle_op(p, CKPT_OP_MARK);
	write_size(p, "short", 2);
	write_size(p, "int", 4);
	write_size(p, "long", 4);
	ckpt_pickle_op(p, CKPT_OP_SETITEMS);
	ckpt_pickle_op(p, CKPT_OP_SETITEMS);
	return ckpt_pickle_stop(p, err);
}

static bool write_legacy_keys(const ckpt_torch_pickle *w, ckpt_error *err)
{
	size_t left = w->storage_count;
	ckpt_pickle_start(w->p);
	ckpt_pickle_op(w->p, CKPT_OP_EMPTY_LIST);
	ckpt_pickle_memoize(w->p);
	for (size_t i = 0, batch; left; left -= batch) {
		bool single = w->storage_count == 1;
		batch = left < BATCH ? left : BATCH;
		if (!single) ckpt_pickle_op(w->p, CKPT_OP_MARK);
		for (size_t k = 0; k < batch; k++, i++) {
			char key[24];
			int length = snprintf(key, sizeof key, "%" PRIu64, ckpt_torch_key(w, i));
			ckpt_pickle_string(w->p, key, (size_t)length);
		}
		ckpt_pickle_op(w->p, single ? CKPT_OP_APPEND : CKPT_OP_APPENDS);
	}
	return ckpt_pickle_stop(w->p, err);
}

static bool add_legacy(ckpt_layout *layout, const ckpt_torch_pickle *w, ckpt_error *err)
{
	const ckpt_buffer *pickles = ckpt_pickler_bytes(w->p);
	if (!ckpt_layout_bytes(layout, pickles->data, pickles->length, err)) return false;
	for (size_t i = 0; i < w->storage_count; i++) {
		const ckpt_torch_saved *s = &w->storages[i];
		uint8_t elements[8];
		ckpt_put64(elements, ckpt_torch_saved_elements(s));
		if (!ckpt_layout_bytes(layout, elements, sizeof elements, err)) return false;
		if (s->source->length && !ckpt_layout_source(layout, s->source, s->label, err)) return false;
	}
	layout->tensors = w->cp->count;
	return true;
}

ckpt_layout *ckpt_torch_legacy_plan(const ckpt_checkpoint *cp, const char *path, const ckpt_save_options *options,
                                    ckpt_error *err)
{
	ckpt_torch_pickle w = {0};
	ckpt_layout *layout = ckpt_layout_new(err);
	(void)path; /* the name of the file does not stand in it */
	bool ok = layout && start(&w, cp, options, true, err) && write_legacy_head(w.p, err) &&
	          ckpt_torch_pickle_object(&w, err) && write_legacy_keys(&w, err) && add_legacy(layout, &w, err);
	ckpt_torch_pickle_clear(&w);
	if (ok) return layout;
	ckpt_layout_free(layout);
	return NULL;
}
