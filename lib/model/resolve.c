/* resolve.c -- from the keys that a file has to every field of the model under today's name, checked */
#include "../error.h"
#include "config.h"
#include "fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fields that every type has, with what they are when nothing is said; transformers writes them only when they
 * differ. */
static const char base_defaults[] = "{\"architectures\": null, \"chunk_size_feed_forward\": 0, \"dtype\": null, "
                                    "\"id2label\": {\"0\": \"LABEL_0\", \"1\": \"LABEL_1\"}, "
                                    "\"is_encoder_decoder\": false, "
                                    "\"label2id\": {\"LABEL_0\": 0, \"LABEL_1\": 1}, "
                                    "\"output_attentions\": false, \"output_hidden_states\": false, "
                                    "\"problem_type\": null, \"return_dict\": true}";

static bool check_key(const ckpt_config *config, const ckpt_node *n, ckpt_error *err)
{
	const ckpt_field *field = ckpt_config_known(config, n->key) ? ckpt_field_find(n->key) : NULL;
	if (field) return ckpt_field_check(field, n, err);
	/* keys that mean something wherever they stand */
	if (!strcmp(n->key, "pruned_heads") || !strcmp(n->key, "position_embedding_type"))
		return ckpt_field_check(ckpt_field_find(n->key), n, err);
	return true;
}

static bool put_copy(ckpt_config *config, const char *key, const ckpt_node *value, ckpt_error *err)
{
	return ckpt_node_put(&config->arena, config->full, key, ckpt_node_copy(&config->arena, value), err);
}

/* A name that is another word for a field counts more than the field, as with transformers; where the alias would
 * stand for half of the model, the two must agree. */
static bool take_alias(ckpt_config *config, const ckpt_node *n, const char *key, ckpt_error *err)
{
	const ckpt_node *own = ckpt_node_get(config->raw, key);
	uint64_t a = 0, b = 0;
	if (!strcmp(key, "dtype")) return own && own->kind != CKPT_NODE_NULL ? true : put_copy(config, key, n, err);
	for (const ckpt_arch_alias *x = config->arch->aliases; own && x && x->alias; x++) {
		if (strcmp(x->alias, n->key) != 0 || !x->instead) continue;
		if (!ckpt_node_u64(own, &a) || !ckpt_node_u64(n, &b) || a == b) continue;
		return ckpt_fail(err, CKPT_E_USAGE, "%s is %" PRIu64 " and %s is %" PRIu64 ": they disagree, and which one counts "
		                                    "depends on the reader; set %s", n->key, b, key, a, key);
	}
	return put_copy(config, key, n, err);
}

static bool merge(ckpt_config *config, ckpt_error *err)
{
	const ckpt_arch *arch = config->arch;
	for (const ckpt_node *n = config->raw->child; n; n = n->next) {
		if (!check_key(config, n, err)) return false;
		if (!strcmp(ckpt_config_canonical(arch, n->key), n->key) && !put_copy(config, n->key, n, err)) return false;
	}
	for (const ckpt_node *n = config->raw->child; n; n = n->next) {
		const char *key = ckpt_config_canonical(arch, n->key);
		if (strcmp(key, n->key) && !take_alias(config, n, key, err)) return false;
	}
	return true;
}

bool ckpt_config_make_labels(ckpt_config *config, ckpt_node *dict, uint64_t count, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *names = ckpt_node_new(a, CKPT_NODE_DICT), *ids = ckpt_node_new(a, CKPT_NODE_DICT);
	char key[32], label[32];
	for (uint64_t i = 0; names && ids && i < count; i++) {
		snprintf(key, sizeof key, "%" PRIu64, i);
		snprintf(label, sizeof label, "LABEL_%" PRIu64, i);
		ckpt_node *name = ckpt_node_new_string(a, label), *id = ckpt_node_new_int(a, i);
		if (!name || !id) return ckpt_fail_nomem(err);
		name->key = ckpt_arena_copy(a, key, strlen(key));
		id->key = name->text;
		if (!name->key) return ckpt_fail_nomem(err);
		ckpt_node_append(names, name);
		ckpt_node_append(ids, id);
	}
	return ckpt_node_put(a, dict, "id2label", names, err) && ckpt_node_put(a, dict, "label2id", ids, err);
}

/* id2label counts; num_labels only where there is none. */
static bool find_labels(ckpt_config *config, uint64_t *count, ckpt_error *err)
{
	const ckpt_node *own = ckpt_node_get(config->raw, "id2label");
	const ckpt_node *number = ckpt_node_get(config->raw, "num_labels");
	const ckpt_node *names = ckpt_node_get(config->full, "id2label");
	ckpt_node_remove(config->full, "num_labels");
	bool named = own && own->kind == CKPT_NODE_DICT;
	if (named) {
		*count = own->count;
		if (!ckpt_node_get(config->raw, "label2id")) ckpt_node_remove(config->full, "label2id");
		return true;
	}
	*count = names && names->kind == CKPT_NODE_DICT ? names->count : 2;
	if (!names || names->kind != CKPT_NODE_DICT) { /* null in the file */
		names = ckpt_node_get(config->defaults, "id2label");
		*count = names ? names->count : 2;
	}
	if (number) ckpt_node_u64(number, count);
	return ckpt_config_make_labels(config, config->full, *count, err);
}

bool ckpt_config_derive(ckpt_config *config, const char *key, ckpt_node *value, ckpt_error *err)
{
	const ckpt_node *old = ckpt_node_get(config->full, key);
	if (old && old->kind != CKPT_NODE_NULL) return true;
	return ckpt_node_put(&config->arena, config->full, key, value, err);
}

bool ckpt_config_divides(const ckpt_config *config, const char *a, const char *b, ckpt_error *err)
{
	uint64_t x = 0, y = 0;
	if (ckpt_config_u64(config, a, &x) && ckpt_config_u64(config, b, &y) && y && x % y == 0) return true;
	return ckpt_fail(err, CKPT_E_USAGE, "%s is %" PRIu64 ", which is not divisible by %s, %" PRIu64, a, x, b, y);
}

static bool find_dims(ckpt_config *config, uint64_t labels, ckpt_error *err)
{
	uint64_t *dims = config->dims;
	memset(dims, 0, sizeof config->dims);
	dims[CKPT_SYMBOL('N')] = labels;
	for (const ckpt_arch_symbol *s = config->arch->symbols; s->letter; s++) {
		uint64_t *dim = &dims[CKPT_SYMBOL(s->letter)];
		if (s->key && ckpt_config_u64(config, s->key, dim)) continue;
		if (!s->otherwise) return ckpt_fail(err, CKPT_E_FORMAT, "%s is missing", s->key);
		/* a division with a rest is found, and said better, by check */
		if (!ckpt_arch_eval(s->otherwise, strlen(s->otherwise), dims, dim)) *dim = 0;
	}
	return true;
}

/* torch refuses a padding id that lies outside the table. */
static bool check_padding(const ckpt_config *config, ckpt_error *err)
{
	int64_t pad;
	if (!ckpt_node_i64(ckpt_config_get(config, "pad_token_id"), &pad) || pad < 0) return true;
	for (const ckpt_arch_row *row = config->arch->rows; row->name; row++) {
		char symbol = ckpt_arch_axis(row->shape, 'V') == 0 ? 'V' : 'P';
		if (row->flags & CKPT_ROW_PAD && (uint64_t)pad >= ckpt_config_dim(config, symbol))
			return ckpt_fail(err, CKPT_E_USAGE, "pad_token_id is %" PRId64 ", outside %s, %" PRIu64 ": set it too", pad,
			                 symbol == 'V' ? "vocab_size" : "max_position_embeddings", ckpt_config_dim(config, symbol));
	}
	return true;
}

bool ckpt_config_resolve(ckpt_config *config, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	const ckpt_arch *arch = config->arch;
	const char *text = ckpt_arch_defaults(arch->type);
	uint64_t labels = 0;
	if (!config->base) config->base = ckpt_node_parse(a, base_defaults, sizeof base_defaults - 1, err);
	if (!config->defaults) config->defaults = ckpt_node_parse(a, text, strlen(text), err);
	if (!config->base || !config->defaults) return false;
	config->full = ckpt_node_copy(a, config->base);
	if (!config->full) return ckpt_fail_nomem(err);
	for (const ckpt_node *n = config->defaults->child; n; n = n->next)
		if (!put_copy(config, n->key, n, err)) return false;
	if (!merge(config, err) || !find_labels(config, &labels, err)) return false;
	if (arch->derive && !arch->derive(config, err)) return false;
	if (!find_dims(config, labels, err)) return false;
	config->tied = ckpt_config_bool(config, "tie_word_embeddings", true);
	config->when = arch->when ? arch->when(config) : 0;
	return (!arch->check || arch->check(config, err)) && check_padding(config, err);
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

/* What transformers keeps to itself. */
static const char *const hidden[] = {"_name_or_path", "_commit_hash", "_attn_implementation_internal",
                                     "_attn_implementation", "_auto_class", "num_labels"};

/* A field that every type has is written when it is not what every type starts with, or not what this type starts
 * with. Labels are also written where leaving them out would mean another number of them. */
static bool is_default(const ckpt_config *config, const ckpt_node *base, const ckpt_node *n)
{
	const ckpt_node *plain = ckpt_node_get(base, n->key), *own = ckpt_node_get(config->defaults, n->key);
	return plain && ckpt_node_equal(plain, n) && (!own || ckpt_node_equal(own, n));
}

/* Defaults that transformers 4 spelt otherwise. */
static bool old_defaults(ckpt_config *config, ckpt_node *out, ckpt_error *err)
{
	static const struct {
		const char *type, *key, *value;
	} rows[] = {{"albert", "attention_probs_dropout_prob", "0"},
	            {"albert", "hidden_dropout_prob", "0"},
	            {"albert", "position_embedding_type", "\"absolute\""},
	            {"bert", "position_embedding_type", "\"absolute\""},
	            {"electra", "position_embedding_type", "\"absolute\""},
	            {"roberta", "position_embedding_type", "\"absolute\""},
	            {"mistral", "head_dim", "null"}};
	ckpt_arena *a = &config->arena;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].type, config->arch->type) || ckpt_node_get(config->raw, rows[i].key)) continue;
		ckpt_node *value = ckpt_node_parse(a, rows[i].value, strlen(rows[i].value), err);
		if (!value || !ckpt_node_put(a, out, rows[i].key, value, err)) return false;
	}
	return true;
}

/* What transformers 4 wrote instead. */
static bool to_version_4(ckpt_config *config, ckpt_node *out, unsigned minor, ckpt_error *err)
{
	static const char base[] = "{\"add_cross_attention\": false, \"bos_token_id\": null, "
	                           "\"decoder_start_token_id\": null, \"eos_token_id\": null, \"is_decoder\": false, "
	                           "\"pad_token_id\": null, \"tie_word_embeddings\": true}";
	ckpt_arena *a = &config->arena;
	ckpt_node *rope = ckpt_node_get(out, "rope_parameters"), *dtype = ckpt_node_get(out, "dtype");
	ckpt_node *defaults = ckpt_node_parse(a, base, sizeof base - 1, err);
	if (!defaults) return false;
	for (ckpt_node *n = out->child, *next; n; n = next) {
		next = n->next;
		if (is_default(config, defaults, n)) ckpt_node_remove(out, n->key);
	}
	if (rope) {
		ckpt_node *scaling = ckpt_node_copy(a, rope), *theta = ckpt_node_copy(a, ckpt_node_get(rope, "rope_theta"));
		if (!scaling || !theta) return ckpt_fail_nomem(err);
		const ckpt_node *type = ckpt_node_get(rope, "rope_type");
		bool plain = !strcmp(type->text, "default");
		ckpt_node_remove(scaling, "rope_theta");
		ckpt_node_remove(out, "rope_parameters");
		if (!ckpt_node_put(a, out, "rope_theta", theta, err)) return false;
		if (strcmp(config->arch->type, "mistral") || !plain) {
			if (plain) scaling = ckpt_node_new(a, CKPT_NODE_NULL);
			if (!ckpt_node_put(a, out, "rope_scaling", scaling, err)) return false;
		}
	}
	if (!strcmp(config->arch->type, "bart") &&
	    !ckpt_node_put(a, out, "num_hidden_layers", ckpt_node_new_int(a, ckpt_config_dim(config, 'L')), err))
		return false;
	if (!old_defaults(config, out, err)) return false;
	ckpt_node_remove(out, "scale_decoder_outputs");
	if (dtype && minor < 56) {
		ckpt_node *old = ckpt_node_copy(a, dtype);
		ckpt_node_remove(out, "dtype");
		return ckpt_node_put(a, out, "torch_dtype", old, err);
	}
	return true;
}

bool ckpt_config_print(ckpt_config *config, const char *version, ckpt_buffer *b, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *out = ckpt_node_copy(a, config->full);
	unsigned major = 5, minor = 0;
	if (!out) return ckpt_fail_nomem(err);
	if (!version) version = CKPT_TRANSFORMERS_VERSION;
	if (sscanf(version, "%u.%u", &major, &minor) < 1)
		return ckpt_fail(err, CKPT_E_USAGE, "\"%s\" is no version of transformers (5.24.0)", version);
	for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) ckpt_node_remove(out, hidden[i]);
	for (ckpt_node *n = out->child, *next; n; n = next) {
		next = n->next;
		if (is_default(config, config->base, n)) ckpt_node_remove(out, n->key);
	}
	if (!ckpt_node_put(a, out, "model_type", ckpt_node_new_string(a, config->arch->type), err)) return false;
	if (!ckpt_node_put(a, out, "transformers_version", ckpt_node_new_string(a, version), err)) return false;
	if (major < 5 && !to_version_4(config, out, minor, err)) return false;
	if (!ckpt_node_sort(out, err)) return false;
	ckpt_node_print(b, out, true);
	ckpt_buffer_char(b, '\n');
	return ckpt_buffer_ok(b, err);
}
