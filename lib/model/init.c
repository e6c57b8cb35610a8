/* init.c -- the values that a model starts with, by the rules of its architecture's table */
#include "init.h"
#include "../checked.h"
#include "../dtype.h"
#include "../error.h"
#include "../rng.h"
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

/* ---- sine and cosine of positions ------------------------------------------------------------------------------ */

typedef struct sinusoid {
	ckpt_source source;
	uint64_t width;
} sinusoid;

/* Element i of a table of rows of `width`: position p, column j: p / 10000^(2 (j/2) / width), its sine for even j and its
 * cosine for odd j. */
static bool sinusoid_read(const ckpt_source *s, uint64_t offset, size_t length, void *destination, ckpt_error *err)
{
	const sinusoid *x = (const sinusoid *)s;
	uint8_t *out = destination;
	(void)err;
	while (length) {
		uint64_t element = offset / 4, p = element / x->width, j = element % x->width;
		double angle = (double)p / pow(10000, (double)(2 * (j / 2)) / (double)x->width);
		float value = (float)(j % 2 ? cos(angle) : sin(angle));
		uint8_t bytes[4];
		uint32_t bits;
		memcpy(&bits, &value, 4);
		ckpt_put32(bytes, bits);
		size_t skip = (size_t)(offset % 4), step = 4 - skip < length ? 4 - skip : length;
		memcpy(out, bytes + skip, step);
		out += step;
		offset += step;
		length -= step;
	}
	return true;
}

static const ckpt_source_ops sinusoid_ops = {"sinusoid", sinusoid_read, NULL, NULL};

static ckpt_source *sinusoid_new(const ckpt_slot *slot, ckpt_error *err)
{
	sinusoid *x = ckpt_source_new(&sinusoid_ops, sizeof *x, slot->elements * 4, err);
	if (!x) return NULL;
	x->width = slot->shape[1];
	return &x->source;
}

/* ---- one tensor ------------------------------------------------------------------------------------------------ */

/* One value all over. */
static ckpt_source *fill(const ckpt_slot *slot, double value, ckpt_dtype dtype, ckpt_error *err)
{
	float number = (float)value;
	uint32_t bits;
	uint8_t bytes[4];
	memcpy(&bits, &number, 4);
	ckpt_put32(bytes, bits);
	ckpt_source *plain = ckpt_source_fill(bytes, 4, slot->elements * 4, err);
	if (!plain || dtype == CKPT_F32) return plain;
	ckpt_source *cast = ckpt_source_cast(plain, CKPT_F32, dtype, err);
	ckpt_source_unref(plain);
	return cast;
}

/* The same with row `row` of `width` elements zero. */
static ckpt_source *zero_row(ckpt_source *inner, uint64_t row, uint64_t width, ckpt_error *err)
{
	static const uint8_t zero[4];
	uint64_t start = row * width * 4, end = start + width * 4;
	ckpt_source *parts[3] = {ckpt_source_slice(inner, 0, start, err), ckpt_source_fill(zero, 4, width * 4, err),
	                         ckpt_source_slice(inner, end, inner->length - end, err)};
	ckpt_source *whole = parts[0] && parts[1] && parts[2] ? ckpt_source_concat(parts, 3, err) : NULL;
	for (size_t i = 0; i < 3; i++) ckpt_source_unref(parts[i]);
	return whole;
}

static ckpt_source *normal(const ckpt_model *model, const ckpt_slot *slot, uint64_t seed, ckpt_error *err)
{
	ckpt_rng_key key;
	double std = ckpt_config_std(model->config);
	uint64_t over;
	int64_t pad;
	const char *divisor = slot->row->over;
	if (divisor && ckpt_arch_eval(divisor, strlen(divisor), model->config->dims, &over)) std /= sqrt((double)over);
	if (!ckpt_rng_key_make(seed, slot->local, &key, err)) return NULL;
	ckpt_source *values = ckpt_source_normal(&key, slot->elements, 0, (float)std, err);
	if (!values || !(slot->row->flags & CKPT_ROW_PAD)) return values;
	if (!ckpt_node_i64(ckpt_config_get(model->config, "pad_token_id"), &pad)) return values;
	if (pad < 0) pad += (int64_t)slot->shape[0]; /* counted from the end, as torch does */
	if (pad < 0 || (uint64_t)pad >= slot->shape[0]) return values;
	ckpt_source *padded = zero_row(values, (uint64_t)pad, slot->shape[1], err);
	ckpt_source_unref(values);
	return padded;
}

ckpt_source *ckpt_init_source(const ckpt_model *model, size_t i, uint64_t seed, ckpt_dtype dtype, ckpt_error *err)
{
	const ckpt_slot *slot = &model->slots[i];
	ckpt_source *values = NULL, *cast;
	switch (slot->row->init) {
	case CKPT_INIT_ZERO: return fill(slot, 0, dtype, err);
	case CKPT_INIT_ONE: return fill(slot, 1, dtype, err);
	case CKPT_INIT_FACTOR: return fill(slot, ckpt_config_std(model->config), dtype, err);
	case CKPT_INIT_SINUSOID:
		if (ckpt_config_bool(model->config, "sinusoidal_pos_embds", false)) {
			values = sinusoid_new(slot, err);
			break;
		}
		values = normal(model, slot, seed, err);
		break;
	case CKPT_INIT_NORMAL: values = normal(model, slot, seed, err); break;
	}
	if (!values || dtype == CKPT_F32) return values;
	cast = ckpt_source_cast(values, CKPT_F32, dtype, err);
	ckpt_source_unref(values);
	return cast;
}

/* ---- the config beside it -------------------------------------------------------------------------------------- */

static bool set_labels(ckpt_config *config, uint64_t count, ckpt_error *err)
{
	if (ckpt_config_dim(config, 'N') == count) return true;
	ckpt_node_remove(config->raw, "num_labels");
	return ckpt_config_make_labels(config, config->raw, count, err);
}

static bool set_flag(ckpt_config *config, const char *key, bool value, ckpt_error *err)
{
	if (ckpt_config_bool(config, key, !value) == value) return true;
	return ckpt_node_put(&config->arena, config->raw, key, ckpt_node_new_bool(&config->arena, value), err);
}

/* One half of a model that has an encoder and a decoder says so, and a whole one takes it back. */
static bool set_halves(ckpt_config *config, const ckpt_arch_class *class, ckpt_error *err)
{
	bool decoder = class->flags & CKPT_CLASS_DECODER, encoder = class->flags & CKPT_CLASS_ENCODER;
	bool whole = !decoder && !encoder, was_whole = ckpt_config_bool(config, "is_encoder_decoder", true);
	if (!config->arch->layers[1]) return true;
	if (!set_flag(config, "is_encoder_decoder", whole, err) || !set_flag(config, "is_decoder", decoder, err)) return false;
	/* an encoder has nothing to cache */
	if (encoder) return set_flag(config, "use_cache", false, err);
	return was_whole || !whole || set_flag(config, "use_cache", true, err);
}

bool ckpt_init_mark_config(ckpt_config *config, const ckpt_arch_class *class, ckpt_dtype dtype, ckpt_error *err)
{
	ckpt_arena *a = &config->arena;
	ckpt_node *list = ckpt_node_new(a, CKPT_NODE_LIST), *name = ckpt_node_new_string(a, class->name);
	if (!list || !name) return ckpt_fail_nomem(err);
	ckpt_node_append(list, name);
	if (!ckpt_node_put(a, config->raw, "architectures", list, err)) return false;
	if (class->flags & CKPT_CLASS_ONE_LABEL && !set_labels(config, 1, err)) return false;
	if (class->flags & CKPT_CLASS_TWO_LABELS && !set_labels(config, 2, err)) return false;
	if (!set_halves(config, class, err)) return false;
	if (dtype != CKPT_DTYPE_NONE) {
		/* an old file keeps the old name */
		const char *key = ckpt_node_get(config->raw, "torch_dtype") ? "torch_dtype" : "dtype";
		if (ckpt_node_get(config->raw, "dtype")) key = "dtype";
		if (!ckpt_node_put(a, config->raw, key, ckpt_node_new_string(a, ckpt_dtype_get(dtype)->torch), err)) return false;
	}
	return ckpt_config_resolve(config, err);
}

bool ckpt_init_generation(const ckpt_config *config, const ckpt_arch_class *class, const char *version, ckpt_buffer *b,
                          ckpt_error *err)
{
	static const char *const ids[] = {"bos_token_id", "decoder_start_token_id", "eos_token_id", "forced_bos_token_id",
	                                  "forced_eos_token_id", "pad_token_id"};
	if (!(class->flags & CKPT_CLASS_GENERATES)) return false;
	bool ok = false;
	ckpt_arena a = {0};
	ckpt_node *out = ckpt_node_new(&a, CKPT_NODE_DICT);
	if (!out) goto done;
	if (!version) version = CKPT_TRANSFORMERS_VERSION;
	bool recent = strtoul(version, NULL, 10) >= 5;
	ok = ckpt_node_put(&a, out, "_from_model_config", ckpt_node_new_bool(&a, true), err) &&
	     ckpt_node_put(&a, out, "transformers_version", ckpt_node_new_string(&a, version), err);
	for (size_t i = 0; ok && i < sizeof ids / sizeof ids[0]; i++) {
		const ckpt_node *id = ckpt_config_get(config, ids[i]);
		if (id && id->kind != CKPT_NODE_NULL) ok = ckpt_node_put(&a, out, ids[i], ckpt_node_copy(&a, id), err);
	}
	static const char *const flags[] = {"output_attentions", "output_hidden_states", "use_cache"};
	for (size_t i = 0; ok && recent && i < sizeof flags / sizeof flags[0]; i++) {
		const ckpt_node *flag = ckpt_config_get(config, flags[i]);
		if (flag) ok = ckpt_node_put(&a, out, flags[i], ckpt_node_copy(&a, flag), err);
	}
	ok = ok && ckpt_node_sort(out, err);
	if (ok) ckpt_node_print(b, out, true);
	ckpt_buffer_char(b, '\n');
	ok = ok && ckpt_buffer_ok(b, err);
done:
	ckpt_arena_free(&a);
	return ok;
}

/* ---- a whole model --------------------------------------------------------------------------------------------- */

static bool add_slot(ckpt_checkpoint *cp, const ckpt_model *model, size_t i, const ckpt_init_options *o, ckpt_dtype dtype,
                     ckpt_error *err)
{
	const ckpt_slot *slot = &model->slots[i];
	ckpt_tensor *t;
	ckpt_source *values;
	if (slot->tied != CKPT_NO_SLOT) {
		if (!o->aliases) return true;
		size_t source = ckpt_checkpoint_index_of(cp, model->slots[slot->tied].name);
		values = ckpt_source_ref(cp->tensors[source].source);
		if (!ckpt_checkpoint_add(cp, slot->name, dtype, slot->rank, slot->shape, values, &t, err)) return false;
		t->alias_of = source;
		return true;
	}
	values = ckpt_init_source(model, i, o->seed, dtype, err);
	return values && ckpt_checkpoint_add(cp, slot->name, dtype, slot->rank, slot->shape, values, NULL, err);
}

/* The dtype that was asked for, or the config's, or f32. */
static bool choose_dtype(const ckpt_config *config, ckpt_dtype asked, ckpt_dtype *out, ckpt_error *err)
{
	const char *name = ckpt_config_text(config, "dtype");
	ckpt_dtype dtype = asked;
	if (dtype == CKPT_DTYPE_NONE && name) dtype = ckpt_dtype_parse(name);
	if (dtype == CKPT_DTYPE_NONE) dtype = CKPT_F32;
	*out = dtype;
	if (dtype == CKPT_F32 || dtype == CKPT_F64 || dtype == CKPT_F16 || dtype == CKPT_BF16) return true;
	return ckpt_fail(err, CKPT_E_UNSUPPORTED, "the weights of a model are f32, f64, f16 or bf16, not %s",
	                 ckpt_dtype_name(dtype));
}

ckpt_checkpoint *ckpt_init(ckpt_config *config, const ckpt_init_options *options, ckpt_error *err)
{
	static const ckpt_init_options plain = {.dtype = CKPT_DTYPE_NONE};
	const ckpt_init_options *o = options ? options : &plain;
	ckpt_checkpoint *cp = NULL;
	ckpt_model *model = NULL;
	ckpt_dtype dtype;
	bool ok = false, declared;
	const ckpt_arch_class *class;
	if (o->class_name)
		class = ckpt_arch_class_find(config->arch, o->class_name);
	else
		class = ckpt_model_class_of(config, NULL, &declared, err);
	if (!class) {
		if (o->class_name) ckpt_model_refuse_class(config->arch, o->class_name, err);
		return NULL;
	}
	if (!choose_dtype(config, o->dtype, &dtype, err) || !ckpt_init_mark_config(config, class, dtype, err)) return NULL;
	model = ckpt_model_new(config, class, err);
	cp = model ? ckpt_checkpoint_new(err) : NULL;
	ok = cp;
	for (size_t i = 0; ok && i < model->count; i++) ok = add_slot(cp, model, i, o, dtype, err);
	ckpt_model_free(model);
	if (ok) return cp;
	ckpt_checkpoint_free(cp);
	return NULL;
}
