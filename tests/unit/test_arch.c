/* test_arch.c -- the tables of architectures: every class expands, binds, is recognised, and reports what does not fit */
#include "../../lib/checkpoint.h"
#include "../../lib/model/recognise.h"
#include "../../lib/model/report.h"
#include "unit.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Small sizes that differ from one another, so that a swapped shape shows. */
static const char *const small[][2] = {
	{"bert", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,\"intermediate_size\":40,"
	         "\"max_position_embeddings\":19,\"type_vocab_size\":3}"},
	{"roberta", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	            "\"intermediate_size\":40,\"max_position_embeddings\":19,\"type_vocab_size\":3}"},
	{"electra", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	            "\"intermediate_size\":40,\"max_position_embeddings\":19,\"type_vocab_size\":3,\"embedding_size\":16}"},
	{"albert", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	           "\"intermediate_size\":40,\"max_position_embeddings\":19,\"type_vocab_size\":3,\"embedding_size\":16,"
	           "\"num_hidden_groups\":3,\"inner_group_num\":2}"},
	{"distilbert", "{\"vocab_size\":37,\"dim\":24,\"n_layers\":3,\"n_heads\":4,\"hidden_dim\":40,"
	               "\"max_position_embeddings\":19}"},
	{"gpt2", "{\"vocab_size\":37,\"n_embd\":24,\"n_layer\":3,\"n_head\":4,\"n_positions\":19,\"n_inner\":40}"},
	{"bart", "{\"vocab_size\":37,\"d_model\":24,\"encoder_layers\":3,\"decoder_layers\":2,\"encoder_attention_heads\":4,"
	         "\"decoder_attention_heads\":3,\"encoder_ffn_dim\":40,\"decoder_ffn_dim\":44,\"max_position_embeddings\":19}"},
	{"llama", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	          "\"num_key_value_heads\":2,\"intermediate_size\":40}"},
	{"mistral", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	            "\"num_key_value_heads\":2,\"intermediate_size\":40}"},
	{"qwen2", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
	          "\"num_key_value_heads\":2,\"intermediate_size\":40}"},
	{"opt", "{\"vocab_size\":37,\"hidden_size\":24,\"num_hidden_layers\":3,\"num_attention_heads\":4,\"ffn_dim\":40,"
	        "\"max_position_embeddings\":19,\"word_embed_proj_dim\":16,\"do_layer_norm_before\":false}"},
	{"t5", "{\"vocab_size\":37,\"d_model\":24,\"d_kv\":5,\"d_ff\":40,\"num_layers\":3,\"num_decoder_layers\":2,\"num_heads\":4,"
	       "\"relative_attention_num_buckets\":8}"},
};
enum { SMALL = sizeof small / sizeof small[0] };

static ckpt_config *small_config(const char *type)
{
	for (size_t i = 0; i < SMALL; i++) {
		if (strcmp(small[i][0], type)) continue;
		char text[1024];
		snprintf(text, sizeof text, "{\"model_type\":\"%s\",%s", type, small[i][1] + 1);
		return ckpt_config_parse(text, strlen(text), NULL);
	}
	return NULL;
}

/* A checkpoint that has every tensor of the model, under names with something in front; tied ones left out, as when saved
 * to safetensors. */
static ckpt_checkpoint *filled(const ckpt_model *model, const char *before, bool bare)
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *s = &model->slots[i];
		char name[300];
		if (s->tied != CKPT_NO_SLOT) continue;
		snprintf(name, sizeof name, "%s%s", before, bare ? s->local : s->name);
		CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_add_fill(cp, name, CKPT_F32, s->rank, s->shape, (double)i, NULL));
	}
	return cp;
}

static void fits_itself(const ckpt_model *model, const ckpt_checkpoint *cp)
{
	ckpt_model *bound = ckpt_model_new(model->config, model->class, NULL);
	CU_ASSERT_TRUE(ckpt_model_bind_to(bound, cp, NULL));
	const char *report = ckpt_model_report(bound, false, NULL);
	if (*report) printf("# %s:\n# %s", model->class->name, report);
	CU_ASSERT_STRING_EQUAL(report, "");
	CU_ASSERT_TRUE(ckpt_model_complete(bound, NULL));
	for (size_t i = 0; i < bound->count; i++) CU_ASSERT_PTR_NOT_NULL(bound->slots[i].tensor);
	ckpt_model_free(bound);
}

static void every_class_binds(void)
{
	for (size_t t = 0; t < SMALL; t++) {
		ckpt_config *config = small_config(small[t][0]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(config);
		for (const ckpt_arch_class *c = config->arch->classes; c->name; c++) {
			ckpt_model *model = ckpt_model_new(config, c, NULL);
			CU_ASSERT_PTR_NOT_NULL_FATAL(model);
			ckpt_checkpoint *plain = filled(model, "", false), *wrapped = filled(model, "module.", false);
			ckpt_checkpoint *bare = filled(model, "", true), *deep = filled(model, "0.auto_model.", true);
			fits_itself(model, plain);
			fits_itself(model, wrapped);
			fits_itself(model, bare);
			fits_itself(model, deep);
			ckpt_checkpoint_free(plain);
			ckpt_checkpoint_free(wrapped);
			ckpt_checkpoint_free(bare);
			ckpt_checkpoint_free(deep);
			ckpt_model_free(model);
		}
		ckpt_config_free(config);
	}
	CU_ASSERT_EQUAL(SMALL, 12);
}

/* The type is found again, or refused where two types have the very same tensors. */
static void every_class_is_recognised(void)
{
	for (size_t t = 0; t < SMALL; t++) {
		ckpt_config *config = small_config(small[t][0]);
		for (const ckpt_arch_class *c = config->arch->classes; c->name; c++) {
			ckpt_error err = {0};
			ckpt_model *model = ckpt_model_new(config, c, NULL);
			ckpt_checkpoint *cp = filled(model, "", false);
			const ckpt_arch *found = ckpt_model_recognise(cp, &err);
			bool alike = !found && strstr(err.text, " and ") && strstr(err.text, config->arch->type) && strstr(err.text, "--type");
			if (found != config->arch && !alike) printf("# %s: %s\n", c->name, found ? found->type : err.text);
			CU_ASSERT_TRUE(found == config->arch || alike);
			ckpt_config *guess = ckpt_model_guess_config(cp, config->arch, &err);
			CU_ASSERT_PTR_NOT_NULL_FATAL(guess);
			ckpt_model *again = ckpt_model_new(guess, c, NULL);
			CU_ASSERT_TRUE(ckpt_model_bind_to(again, cp, NULL));
			CU_ASSERT_TRUE(ckpt_model_complete(again, &err));
			ckpt_model_free(again);
			ckpt_config_free(guess);
			ckpt_checkpoint_free(cp);
			ckpt_model_free(model);
		}
		ckpt_config_free(config);
	}
}

static uint64_t parameters(const char *type)
{
	ckpt_config *config = ckpt_config_for_type(type, NULL);
	ckpt_model *model = ckpt_model_new(config, NULL, NULL);
	ckpt_model_part parts[16];
	uint64_t count = ckpt_model_parameters(model), sum = 0;
	size_t n = ckpt_model_parts(model, parts, 16);
	for (size_t i = 0; i < n; i++) sum += parts[i].parameters;
	CU_ASSERT_EQUAL(sum, count);
	ckpt_model_free(model);
	ckpt_config_free(config);
	return count;
}

/* As model.num_parameters() of transformers says. */
static void counts_parameters(void)
{
	CU_ASSERT_EQUAL(parameters("bert"), 109482240);
	CU_ASSERT_EQUAL(parameters("gpt2"), 124439808);
	CU_ASSERT_EQUAL(parameters("distilbert"), 66362880);
	CU_ASSERT_EQUAL(parameters("roberta"), 124644864);
	CU_ASSERT_EQUAL(parameters("llama"), 6607343616);
	CU_ASSERT_EQUAL(parameters("t5"), 60506624);
}

static ckpt_model *bound(ckpt_config *config, const char *class, const ckpt_checkpoint *cp)
{
	ckpt_model *model = ckpt_model_new(config, ckpt_arch_class_find(config->arch, class), NULL);
	CU_ASSERT_TRUE_FATAL(ckpt_model_bind_to(model, cp, NULL));
	return model;
}

static void reports_and_folds(void)
{
	ckpt_config *config = small_config("bert"), *more = small_config("bert");
	const char *keys[] = {"num_hidden_layers", "vocab_size"}, *values[] = {"5", "40"};
	CU_ASSERT_TRUE(ckpt_config_set(more, keys, values, 2, NULL));
	ckpt_model *model = ckpt_model_new(config, NULL, NULL);
	ckpt_checkpoint *cp = filled(model, "", false);
	uint64_t shape[] = {2, 3};
	ckpt_checkpoint_add_fill(cp, "zz", CKPT_F16, 2, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "aa.0.x", CKPT_F16, 1, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "aa.1.x", CKPT_F16, 1, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "aa.1.y", CKPT_F16, 1, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "embeddings.position_ids", CKPT_I64, 1, shape, 0, NULL);
	ckpt_model *b = bound(more, "BertForQuestionAnswering", cp);
	CU_ASSERT_STRING_EQUAL(ckpt_model_report(b, false, NULL),
	                       "missing     bert.encoder.layer.{3,4}.*  (32 tensors)\n"
	                       "missing     qa_outputs.bias  wanted [2]\n"
	                       "missing     qa_outputs.weight  wanted [2,24]\n"
	                       "unexpected  aa.{0,1}.x  F16 [2]  (2 tensors)\n"
	                       "unexpected  aa.1.y  F16 [2]\n"
	                       "unexpected  pooler.dense.bias  F32 [24]\n"
	                       "unexpected  pooler.dense.weight  F32 [24,24]\n"
	                       "unexpected  zz  F16 [2,3]\n"
	                       "mismatched  bert.embeddings.word_embeddings.weight  found [37,24], wanted [40,24]\n");
	CU_ASSERT_EQUAL(b->ignored, 1);
	ckpt_error err = {0};
	CU_ASSERT_FALSE(ckpt_model_complete(b, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "34 tensors of BertForQuestionAnswering missing and 1 of a wrong shape"));
	const char *json = ckpt_model_report(b, true, NULL);
	CU_ASSERT_PTR_NOT_NULL(strstr(json, "{\"name\":\"qa_outputs.weight\",\"shape\":[2,24]}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(json, "{\"name\":\"zz\",\"dtype\":\"F16\",\"shape\":[2,3]}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(json, "\"found\":[37,24],\"found_dtype\":\"F32\",\"wanted\":[40,24]}"));
	CU_ASSERT_PTR_NOT_NULL(strstr(json, "\"ignored\":1,\"complete\":false}"));
	ckpt_model_free(b);
	ckpt_model_free(model);
	ckpt_checkpoint_free(cp);
	ckpt_config_free(config);
	ckpt_config_free(more);
}

/* A small checkpoint of names that all have the shape of what they mean. */
static ckpt_checkpoint *renamed(const ckpt_model *model, const char *const (*pairs)[2])
{
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	for (size_t i = 0; i < model->count; i++) {
		const ckpt_slot *s = &model->slots[i];
		const char *name = s->name;
		bool found = false;
		for (size_t k = 0; pairs[k][0]; k++) {
			if (strcmp(pairs[k][1], s->name)) continue;
			name = pairs[k][0];
			found = true;
		}
		if (s->tied != CKPT_NO_SLOT && !found) continue;
		if (*name) CU_ASSERT_TRUE_FATAL(ckpt_checkpoint_add_fill(cp, name, CKPT_F32, s->rank, s->shape, 0, NULL));
	}
	return cp;
}

static void binds_renamed(const char *type, const char *class, const char *const (*pairs)[2], const char *want)
{
	ckpt_config *config = small_config(type);
	ckpt_model *model = ckpt_model_new(config, ckpt_arch_class_find(config->arch, class), NULL);
	ckpt_checkpoint *cp = renamed(model, pairs);
	ckpt_model *b = bound(config, class, cp);
	CU_ASSERT_STRING_EQUAL(ckpt_model_report(b, false, NULL), want);
	ckpt_model_free(b);
	ckpt_model_free(model);
	ckpt_checkpoint_free(cp);
	ckpt_config_free(config);
}

static void understands_old_spellings(void)
{
	static const char *const bert[][2] = {
		{"bert.embeddings.LayerNorm.gamma", "bert.embeddings.LayerNorm.weight"},
		{"bert.embeddings.LayerNorm.beta", "bert.embeddings.LayerNorm.bias"},
		{"encoder.layer.1.output.LayerNorm.gamma", "bert.encoder.layer.1.output.LayerNorm.weight"},
		{"cls.predictions.transform.LayerNorm.beta", "cls.predictions.transform.LayerNorm.bias"},
		/* the head is there, the table that it is tied to is not */
		{"cls.predictions.decoder.weight", "cls.predictions.decoder.weight"},
		{"", "bert.embeddings.word_embeddings.weight"},
		{NULL, NULL}};
	binds_renamed("bert", "BertForMaskedLM", bert, "");
	static const char *const roberta[][2] = {{"lm_head.weight", "lm_head.decoder.weight"}, {NULL, NULL}};
	binds_renamed("roberta", "RobertaForMaskedLM", roberta, "");
	static const char *const llama[][2] = {{"model.norm.weight", "transformer.norm.weight"}, {NULL, NULL}};
	binds_renamed("llama", "LlamaForQuestionAnswering", llama, "");
	static const char *const odd[][2] = {{"bert.embeddings.LayerNorm.xgamma", "bert.embeddings.LayerNorm.weight"}, {NULL, NULL}};
	binds_renamed("bert", "BertForMaskedLM", odd,
	              "missing     bert.embeddings.LayerNorm.weight  wanted [24]\n"
	              "unexpected  bert.embeddings.LayerNorm.xgamma  F32 [24]\n");
}

static void refuses_two_of_one(void)
{
	ckpt_error err = {0};
	uint64_t shape[] = {24};
	ckpt_config *config = small_config("bert");
	ckpt_model *model = ckpt_model_new(config, NULL, NULL);
	ckpt_checkpoint *cp = ckpt_checkpoint_new(NULL);
	ckpt_checkpoint_add_fill(cp, "bert.embeddings.LayerNorm.gamma", CKPT_F32, 1, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "bert.embeddings.LayerNorm.weight", CKPT_F32, 1, shape, 0, NULL);
	CU_ASSERT_FALSE(ckpt_model_bind_to(model, cp, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "both mean embeddings.LayerNorm.weight"));
	/* the one that is spelt just as the class spells it wins over others */
	ckpt_checkpoint_free(cp);
	cp = ckpt_checkpoint_new(NULL);
	ckpt_checkpoint_add_fill(cp, "bert.embeddings.LayerNorm.bias", CKPT_F32, 1, shape, 0, NULL);
	ckpt_checkpoint_add_fill(cp, "embeddings.LayerNorm.bias", CKPT_F32, 1, shape, 1, NULL);
	CU_ASSERT_TRUE(ckpt_model_bind_to(model, cp, &err));
	CU_ASSERT_PTR_EQUAL(ckpt_model_tensor(model, "embeddings.LayerNorm.bias"), ckpt_checkpoint_tensor_at(cp, 1));
	ckpt_checkpoint_free(cp);
	/* integers are no weights */
	cp = ckpt_checkpoint_new(NULL);
	ckpt_checkpoint_add_fill(cp, "embeddings.LayerNorm.bias", CKPT_I8, 1, shape, 1, NULL);
	CU_ASSERT_TRUE(ckpt_model_bind_to(model, cp, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_model_report(model, false, NULL), "found I8 [24], wanted floating point [24]"));
	ckpt_checkpoint_free(cp);
	/* nothing at all */
	cp = ckpt_checkpoint_new(NULL);
	CU_ASSERT_TRUE(ckpt_model_bind_to(model, cp, &err));
	CU_ASSERT_EQUAL(model->misfit_count, model->count);
	CU_ASSERT_PTR_NULL(ckpt_model_recognise(cp, &err));
	ckpt_checkpoint_free(cp);
	ckpt_model_free(model);
	ckpt_config_free(config);
}

static void collect(void *user, int kind, const char *pattern, const char *note, size_t count)
{
	char *text = user;
	(void)kind;
	sprintf(text + strlen(text), "%s %s %zu\n", pattern, note, count);
}

static void folds_names(void)
{
	char text[1024] = "";
	ckpt_fold_item items[] = {{"h.10.b", "", 0}, {"h.2.b", "", 0}, {"h.0.a", "", 0}, {"h.1.a", "x", 0}, {"h.0.b", "", 0},
	                          {"h.1.b", "", 0}, {"h.3.b", "", 0}, {"plain", "", 0}, {"7.up", "", 0}, {"8.up", "", 0},
	                          {"h.99999999999.b", "", 0}, {"h.5.b", "", 1}, {"", "", 0}};
	CU_ASSERT_TRUE(ckpt_fold(items, sizeof items / sizeof items[0], NULL, 0, collect, text, NULL));
	CU_ASSERT_STRING_EQUAL(text, "  1\n7.up  1\n8.up  1\nh.0.a  1\nh.1.a x 1\nh.{0..3,10}.b  5\nh.99999999999.b  1\nplain  1\n"
	                             "h.5.b  1\n");
	text[0] = '\0';
	CU_ASSERT_TRUE(ckpt_fold(NULL, 0, NULL, 0, collect, text, NULL));
	CU_ASSERT_STRING_EQUAL(text, "");
}

static void limits_layers(void)
{
	ckpt_error err = {0};
	ckpt_config *config = ckpt_config_for_type("albert", NULL);
	const char *keys[] = {"num_hidden_groups", "inner_group_num"}, *values[] = {"10000", "10000"};
	CU_ASSERT_TRUE(ckpt_config_set(config, keys, values, 2, NULL));
	CU_ASSERT_PTR_NULL(ckpt_model_new(config, NULL, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tensors; at most"));
	ckpt_config_free(config);
}

static const unit_case cases[] = {
	{"every class binds", every_class_binds},
	{"every class is recognised", every_class_is_recognised},
	{"counts parameters", counts_parameters},
	{"reports and folds", reports_and_folds},
	{"understands old spellings", understands_old_spellings},
	{"refuses two tensors for one", refuses_two_of_one},
	{"folds names", folds_names},
	{"limits the number of tensors", limits_layers},
	{0},
};

const unit_suite unit_arch = {"arch", cases};
