/* reference.c -- tiny models with formula weights, inputs and reference outputs */
#include "reference.h"
#include "unit.h"

#include "../../lib/buffer.h"
#include "../../lib/model/model.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

ckpt_json *reference_open(void)
{
	size_t length = 0;
	ckpt_error err = {0};
	char *text = unit_read(unit_data("data/reference/tiny.json"), &length);
	ckpt_json *file = text ? ckpt_json_parse(text, length, 32, &err) : NULL;
	free(text);
	if (!file) CU_FAIL("data/reference/tiny.json cannot be read");
	return file;
}

/* ---- weights: a hash of name and index, so that no file is needed ---- */

static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261u;
	for (; *name; name++) h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

static float weight_of(uint32_t h, uint64_t i, const char *name, uint32_t rank)
{
	uint32_t x = h + (uint32_t)i * 2654435761u;
	x ^= x >> 16;
	x *= 0x45d9f3bu;
	x ^= x >> 16;
	double u = x / 4294967296.0 - 0.5;
	size_t n = strlen(name);
	if (rank >= 2 && !strstr(name, "final_logits_bias")) return (float)(0.6 * u);
	return (float)(n > 7 && strcmp(name + n - 7, ".weight") == 0 ? 1 + 0.2 * u : 0.2 * u);
}

/* Every tensor of the class that is not tied to an earlier one. */
static ckpt_checkpoint *make_weights(const ckpt_config *config, const char *class_name)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	ckpt_model *m = ckpt_model_new(config, ckpt_arch_class_find(config->arch, class_name), NULL);
	for (size_t i = 0; m && i < m->count; i++) {
		const ckpt_slot *s = &m->slots[i];
		if (s->tied != CKPT_NO_SLOT) continue;
		float *data = malloc(s->elements * sizeof *data + 1);
		for (uint64_t j = 0; j < s->elements; j++) data[j] = weight_of(hash_of(s->name), j, s->name, s->rank);
		CU_ASSERT(ckpt_checkpoint_add_bytes(cp, s->name, CKPT_F32, s->rank, s->shape, data, s->elements * sizeof *data, NULL));
		free(data);
	}
	ckpt_model_free(m);
	return cp;
}

/* ---- the file ---- */

/* [[1,2],[3,4]] as one array. */
static int64_t *ids_of(const ckpt_json *list, size_t *batch, size_t *length)
{
	int64_t *ids = NULL;
	size_t count = 0;
	*batch = 0;
	for (const ckpt_json *row = list ? ckpt_json_child(list) : NULL; row; row = ckpt_json_next(row), ++*batch)
		for (const ckpt_json *v = ckpt_json_child(row); v; v = ckpt_json_next(v)) {
			ids = realloc(ids, (count + 1) * sizeof *ids);
			CU_ASSERT(ckpt_json_i64(v, &ids[count++]));
		}
	if (*batch) *length = count / *batch;
	return ids;
}

static void load_inputs(const ckpt_json *inputs, reference_case *c)
{
	size_t batch, length;
	c->in.ids = c->arrays[0] = ids_of(ckpt_json_member(inputs, "input_ids"), &c->in.batch, &c->in.length);
	c->in.mask = c->arrays[1] = ids_of(ckpt_json_member(inputs, "attention_mask"), &batch, &length);
	c->in.token_type_ids = c->arrays[2] = ids_of(ckpt_json_member(inputs, "token_type_ids"), &batch, &length);
	c->in.decoder_ids = c->arrays[3] = ids_of(ckpt_json_member(inputs, "decoder_input_ids"), &batch, &c->in.decoder_length);
}

/* "T5ForConditionalGeneration" belongs to "t5". */
static const ckpt_arch *arch_of(const char *class_name)
{
	for (size_t i = 0; ckpt_arch_at(i); i++) {
		const ckpt_arch_class *class = ckpt_arch_class_find(ckpt_arch_at(i), class_name);
		if (class && strcmp(class->name, class_name) == 0) return ckpt_arch_at(i);
	}
	return NULL;
}

static void put(ckpt_buffer *b, const ckpt_json *v)
{
	if (ckpt_json_get_kind(v) == CKPT_JSON_NUMBER)
		ckpt_buffer_str(b, ckpt_json_number(v));
	else if (ckpt_json_get_kind(v) == CKPT_JSON_STRING)
		ckpt_json_write_string(b, ckpt_json_string(v), strlen(ckpt_json_string(v)), false);
	else
		ckpt_buffer_str(b, ckpt_json_is_true(v) ? "true" : "false");
}

static ckpt_config *config_of(const char *type, const ckpt_json *members)
{
	ckpt_buffer b = {0};
	ckpt_error err = {0};
	ckpt_buffer_printf(&b, "{\"model_type\": \"%s\"", type);
	for (const ckpt_json *m = ckpt_json_child(members); m; m = ckpt_json_next(m)) {
		uint64_t labels = 0;
		if (strcmp(ckpt_json_key(m), "num_labels") == 0 && ckpt_json_u64(m, &labels)) { /* kept as names of labels */
			for (uint64_t i = 0; i < labels; i++)
				ckpt_buffer_printf(&b, "%s\"%llu\": \"LABEL_%llu\"", i ? ", " : ", \"id2label\": {", (unsigned long long)i,
				                   (unsigned long long)i);
			ckpt_buffer_char(&b, '}');
			continue;
		}
		ckpt_buffer_printf(&b, ", \"%s\": ", ckpt_json_key(m));
		put(&b, m);
	}
	ckpt_buffer_char(&b, '}');
	ckpt_config *config = ckpt_config_parse(b.data, b.length, &err);
	if (!config) printf("# %s: %s\n", b.data, err.text);
	ckpt_buffer_free(&b);
	return config;
}

bool reference_load(const ckpt_json *node, reference_case *c)
{
	*c = (reference_case){.name = ckpt_json_key(node)};
	c->class_name = ckpt_json_string(ckpt_json_member(node, "class"));
	c->precision = ckpt_json_string(ckpt_json_member(node, "dtype"));
	c->outputs = ckpt_json_member(node, "outputs");
	const ckpt_arch *arch = arch_of(c->class_name);
	load_inputs(ckpt_json_member(node, "inputs"), c);
	if (arch) c->config = config_of(arch->type, ckpt_json_member(node, "config"));
	if (c->config) c->weights = make_weights(c->config, c->class_name);
	if (c->config) c->model = ckpt_model_new(c->config, ckpt_arch_class_find(arch, c->class_name), NULL);
	bool ok = c->model && ckpt_model_bind_to(c->model, c->weights, NULL) && c->model->misfit_count == 0;
	if (!ok) printf("# %s cannot be made\n", c->name);
	CU_ASSERT(ok);
	return ok;
}

bool reference_find(const ckpt_json *file, const char *name, reference_case *c)
{
	const ckpt_json *node = file ? ckpt_json_member(file, name) : NULL;
	*c = (reference_case){0};
	CU_ASSERT(node != NULL);
	return node && reference_load(node, c);
}

void reference_free(reference_case *c)
{
	ckpt_model_free(c->model);
	ckpt_checkpoint_free(c->weights);
	ckpt_config_free(c->config);
	for (size_t i = 0; i < 4; i++) free(c->arrays[i]);
}
