/* config.h -- inside of a config: what a model is, in numbers
 *
 * A config holds two objects. `raw` is what was read, in its own order, changed only by what was set; it is what a
 * rewritten config.json starts from. `full` has every field of the type under today's name, with defaults filled in,
 * aliases and old names resolved and derived fields computed; everything that reads a config reads that.
 */
#ifndef CKPT_MODEL_CONFIG_H
#define CKPT_MODEL_CONFIG_H
#include "../arena.h"
#include "../ckpt.h"
#include "arch.h"
#include "node.h"

struct ckpt_config {
	ckpt_arena arena;
	ckpt_node *raw;
	ckpt_node *full;              /* NULL until the type is known */
	const ckpt_arch *arch;        /* NULL when model_type is missing */
	ckpt_node *defaults;          /* of the type */
	ckpt_node *base;              /* fields that every type has, with what they start with */
	uint64_t dims[CKPT_SYMBOLS];  /* sizes under the symbols of the architecture's table */
	uint32_t when;                /* CKPT_WHEN_ bits that hold */
	bool tied;                    /* tie_word_embeddings */
	char *text;                   /* what ckpt_config_json gave last */
};

/* Reads the text of a config.json. When it has no model_type, arch and full stay NULL until ckpt_config_use_type. */
ckpt_config *ckpt_config_read(const char *text, size_t length, ckpt_error *err);
/* The same for a file, or for config.json in a folder. CKPT_E_NOT_FOUND when there is none. */
ckpt_config *ckpt_config_read_path(const char *path, ckpt_error *err);
/* Says what the type is, when the file does not; writes it into raw. */
bool ckpt_config_use_type(ckpt_config *config, const char *type, ckpt_error *err);
ckpt_config *ckpt_config_copy(const ckpt_config *config, ckpt_error *err);

/* Members of full, by today's name or an alias. NULL when absent. */
const ckpt_node *ckpt_config_get(const ckpt_config *config, const char *key);
/* False when it is absent or null. */
bool ckpt_config_u64(const ckpt_config *config, const char *key, uint64_t *out);
bool ckpt_config_f64(const ckpt_config *config, const char *key, double *out);
/* The fallback when it is absent or no boolean. */
bool ckpt_config_bool(const ckpt_config *config, const char *key, bool fallback);
/* NULL when it is absent or no string. */
const char *ckpt_config_text(const ckpt_config *config, const char *key);
uint64_t ckpt_config_dim(const ckpt_config *config, char symbol);
/* The number after which rows of CKPT_INIT_NORMAL are drawn, before the division. */
double ckpt_config_std(const ckpt_config *config);
/* Name of label i from id2label, or NULL. */
const char *ckpt_config_label(const ckpt_config *config, uint64_t i);

/* Sets members of raw, without checks, and resolves again; for what the program itself writes (architectures, dtype). */
bool ckpt_config_put(ckpt_config *config, const char *key, ckpt_node *value, ckpt_error *err);

/* raw, in its own order, as a config.json: json.dumps(indent=2) and a newline. */
bool ckpt_config_print_raw(const ckpt_config *config, ckpt_buffer *b, ckpt_error *err);
/* full, sorted, as transformers of that version (NULL: the one the defaults are from) prints and saves it. */
bool ckpt_config_print(ckpt_config *config, const char *version, ckpt_buffer *b, ckpt_error *err);

/* resolve.c: computes full, dims, when and tied from raw; checks everything. */
bool ckpt_config_resolve(ckpt_config *config, ckpt_error *err);
/* full[key] = value unless it is there and not null; for derive functions. */
bool ckpt_config_derive(ckpt_config *config, const char *key, ckpt_node *value, ckpt_error *err);
/* Fails, naming both keys and values, unless b divides a. */
bool ckpt_config_divides(const ckpt_config *config, const char *a, const char *b, ckpt_error *err);
/* Puts id2label and label2id with LABEL_0 .. into an object. */
bool ckpt_config_make_labels(ckpt_config *config, ckpt_node *dict, uint64_t count, ckpt_error *err);
/* True for a field of the type, by any of its names, and for those that every type has. */
bool ckpt_config_known(const ckpt_config *config, const char *key);
/* Today's name of a key of the type. */
const char *ckpt_config_canonical(const ckpt_arch *arch, const char *key);
#define CKPT_TRANSFORMERS_VERSION "5.24.0"
#endif
