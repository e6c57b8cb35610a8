/* bert.c -- the forward passes of BERT, RoBERTa, ELECTRA, ALBERT and DistilBERT */
#include "encoder.h"
#include "heads.h"
#include "inputs.h"

#include "../error.h"

#include <stdio.h>
#include <string.h>

static const ckpt_encoder_names bert_names = {
	"attention.self.query",       "attention.self.key", "attention.self.value", "attention.output.dense",
	"attention.output.LayerNorm", "intermediate.dense", "output.dense",         "output.LayerNorm"};
static const ckpt_encoder_names albert_names = {
	"attention.query", "attention.key", "attention.value", "attention.dense",
	"attention.LayerNorm", "ffn", "ffn_output", "full_layer_layer_norm"};
static const ckpt_encoder_names distilbert_names = {
	"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin",
	"sa_layer_norm", "ffn.lin1", "ffn.lin2", "output_layer_norm"};

/* What tells the members of the family apart. */
typedef struct family {
	const char *stack;                /* prefix of layer i is STACK.i */
	const ckpt_encoder_names *names;
	const char *act_key;
	const char *projection;           /* from embeddings to x where the model has it */
	bool (*heads)(ckpt_forward *f, ckpt_encoder *e);
} family;

static bool is(const ckpt_forward *f, const char *ending)
{
	return ckpt_forward_class_is(f, ending);
}

/* ---- heads ---- */

static bool last(ckpt_forward *f, const ckpt_encoder *e)
{
	return ckpt_forward_last(f, e->x, f->in->length, e->h);
}

/* rows [B,H] = tanh(dense(x[:,0])); the base model puts them out. */
static bool pool(ckpt_forward *f, const ckpt_encoder *e, const char *name, void *rows, bool show)
{
	return ckpt_forward_first_dense(f, e->x, e->h, name, CKPT_ACT_TANH, rows) &&
	       (!show || ckpt_forward_output(f, "pooler_output", 2, (uint64_t[]){f->in->batch, e->h}, rows));
}

static bool tokens(ckpt_forward *f, const ckpt_encoder *e, const char *name)
{
	return ckpt_forward_token_logits(f, e->x, f->in->length, name, "logits");
}

static bool bert_heads(ckpt_forward *f, ckpt_encoder *e)
{
	const ckpt_word_head head = {"cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.decoder",
	                             "cls.predictions.decoder.bias", e->h, e->act, e->eps};
	void *rows = ckpt_forward_array(f, f->in->batch * e->h);
	bool base = is(f, "BertModel"), training = is(f, "ForPreTraining"), ok = rows != NULL;
	bool words = ckpt_forward_has(f, "cls.predictions.decoder.weight");
	if (ok && base) ok = last(f, e);
	if (ok && words) ok = ckpt_forward_word_logits(f, e->x, &head, training ? "prediction_logits" : "logits");
	if (ok && ckpt_forward_has(f, "pooler.dense.weight")) ok = pool(f, e, "pooler.dense", rows, base);
	if (ok && ckpt_forward_has(f, "cls.seq_relationship.weight"))
		ok = ckpt_forward_row_logits(f, rows, "cls.seq_relationship", training ? "seq_relationship_logits" : "logits");
	if (ok && (is(f, "ForSequenceClassification") || is(f, "ForMultipleChoice")))
		ok = ckpt_forward_row_logits(f, rows, "classifier", "logits");
	if (ok && is(f, "ForTokenClassification")) ok = tokens(f, e, "classifier");
	if (ok && is(f, "ForQuestionAnswering")) ok = ckpt_forward_answer_logits(f, e->x);
	return ok;
}

static bool roberta_heads(ckpt_forward *f, ckpt_encoder *e)
{
	/* erf GELU whatever hidden_act says */
	const ckpt_word_head head = {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.decoder.bias",
	                             e->h, CKPT_ACT_GELU, e->eps};
	void *rows = ckpt_forward_array(f, f->in->batch * e->h);
	bool base = is(f, "RobertaModel"), ok = rows != NULL;
	if (ok && base) ok = last(f, e);
	if (ok && ckpt_forward_has(f, "lm_head.dense.weight")) ok = ckpt_forward_word_logits(f, e->x, &head, "logits");
	if (ok && ckpt_forward_has(f, "pooler.dense.weight")) ok = pool(f, e, "pooler.dense", rows, base);
	if (ok && is(f, "ForSequenceClassification"))
		ok = ckpt_forward_first_dense(f, e->x, e->h, "classifier.dense", CKPT_ACT_TANH, rows) &&
		     ckpt_forward_row_logits(f, rows, "classifier.out_proj", "logits");
	if (ok && is(f, "ForMultipleChoice")) ok = ckpt_forward_row_logits(f, rows, "classifier", "logits");
	if (ok && is(f, "ForTokenClassification")) ok = tokens(f, e, "classifier");
	if (ok && is(f, "ForQuestionAnswering")) ok = ckpt_forward_answer_logits(f, e->x);
	return ok;
}

/* The summary of multiple choice: the first position, a projection, an activation; all as the config says. */
static bool electra_summary(ckpt_forward *f, ckpt_encoder *e, void *rows)
{
	const char *type = ckpt_config_text(f->config, "summary_type"), *act = ckpt_config_text(f->config, "summary_activation");
	ckpt_nn_activation a = act ? ckpt_nn_activation_by_name(act) : CKPT_ACT_NONE;
	if (type && strcmp(type, "first") != 0)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "summary_type is \"%s\": only \"first\" has a forward pass", type);
	if (a == CKPT_ACT_UNKNOWN)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "summary_activation is \"%s\", an activation without a forward pass here", act);
	if (!ckpt_forward_has(f, "sequence_summary.summary.weight"))
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "summary_use_proj is false: only a summary with a projection has a forward pass");
	return ckpt_forward_first_dense(f, e->x, e->h, "sequence_summary.summary", a, rows);
}

static bool electra_heads(ckpt_forward *f, ckpt_encoder *e)
{
	const ckpt_word_head head = {"generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head",
	                             "generator_lm_head.bias", ckpt_config_dim(f->config, 'E'), CKPT_ACT_GELU, e->eps};
	void *rows = ckpt_forward_array(f, f->in->batch * e->h);
	bool ok = rows != NULL;
	if (ok && is(f, "ElectraModel")) ok = last(f, e);
	if (ok && ckpt_forward_has(f, "generator_lm_head.weight")) ok = ckpt_forward_word_logits(f, e->x, &head, "logits");
	if (ok && is(f, "ForPreTraining"))
		ok = ckpt_forward_linear(f, CKPT_TIME_HEAD, e->m, e->x, e->act, NULL, e->y, "discriminator_predictions.dense") &&
		     ckpt_forward_block(f, "discriminator_predictions.dense", e->y, e->m, e->h) &&
		     ckpt_forward_token_logits(f, e->y, f->in->length, "discriminator_predictions.dense_prediction", "logits");
	if (ok && is(f, "ForSequenceClassification"))
		ok = ckpt_forward_first_dense(f, e->x, e->h, "classifier.dense", CKPT_ACT_GELU, rows) &&
		     ckpt_forward_row_logits(f, rows, "classifier.out_proj", "logits");
	if (ok && is(f, "ForMultipleChoice"))
		ok = electra_summary(f, e, rows) && ckpt_forward_row_logits(f, rows, "classifier", "logits");
	if (ok && is(f, "ForTokenClassification")) ok = tokens(f, e, "classifier");
	if (ok && is(f, "ForQuestionAnswering")) ok = ckpt_forward_answer_logits(f, e->x);
	return ok;
}

static bool albert_heads(ckpt_forward *f, ckpt_encoder *e)
{
	const ckpt_word_head head = {"predictions.dense", "predictions.LayerNorm", "predictions.decoder", "predictions.decoder.bias",
	                             ckpt_config_dim(f->config, 'E'), e->act, e->eps};
	void *rows = ckpt_forward_array(f, f->in->batch * e->h);
	bool base = is(f, "AlbertModel"), training = is(f, "ForPreTraining"), ok = rows != NULL;
	if (ok && base) ok = last(f, e);
	if (ok && ckpt_forward_has(f, "predictions.dense.weight"))
		ok = ckpt_forward_word_logits(f, e->x, &head, training ? "prediction_logits" : "logits");
	if (ok && ckpt_forward_has(f, "pooler.weight")) ok = pool(f, e, "pooler", rows, base);
	if (ok && training) ok = ckpt_forward_row_logits(f, rows, "sop_classifier.classifier", "sop_logits");
	if (ok && (is(f, "ForSequenceClassification") || is(f, "ForMultipleChoice")))
		ok = ckpt_forward_row_logits(f, rows, "classifier", "logits");
	if (ok && is(f, "ForTokenClassification")) ok = tokens(f, e, "classifier");
	if (ok && is(f, "ForQuestionAnswering")) ok = ckpt_forward_answer_logits(f, e->x);
	return ok;
}

static bool distilbert_heads(ckpt_forward *f, ckpt_encoder *e)
{
	const ckpt_word_head head = {"vocab_transform", "vocab_layer_norm", "vocab_projector", "vocab_projector.bias",
	                             e->h, e->act, e->eps};
	void *rows = ckpt_forward_array(f, f->in->batch * e->h);
	bool ok = rows != NULL;
	if (ok && is(f, "DistilBertModel")) ok = last(f, e);
	if (ok && is(f, "ForMaskedLM")) ok = ckpt_forward_word_logits(f, e->x, &head, "logits");
	if (ok && (is(f, "ForSequenceClassification") || is(f, "ForMultipleChoice")))
		ok = ckpt_forward_first_dense(f, e->x, e->h, "pre_classifier", CKPT_ACT_RELU, rows) &&
		     ckpt_forward_row_logits(f, rows, "classifier", "logits");
	if (ok && is(f, "ForTokenClassification")) ok = tokens(f, e, "classifier");
	if (ok && is(f, "ForQuestionAnswering")) ok = ckpt_forward_answer_logits(f, e->x);
	return ok;
}

/* ---- bodies ---- */

/* What the family cannot do here, said before anything is computed. */
static bool check(ckpt_forward *f, uint64_t most)
{
	if (f->config->when & CKPT_WHEN_RELATIVE)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "position_embedding_type is relative: only absolute positions have a forward pass");
	if (f->config->when & CKPT_WHEN_CROSS)
		return ckpt_fail(f->err, CKPT_E_UNSUPPORTED, "add_cross_attention is true: only self-attention has a forward pass here");
	return ckpt_forward_check_length(f, f->in->length, most);
}

/* y [M,E] = LN(word + token type + position) */
static bool embeddings(ckpt_forward *f, uint64_t e, double eps, const int64_t *positions, void *y)
{
	uint64_t m = f->in->batch * f->in->length;
	const int64_t *types = f->in->token_type_ids;
	if (!ckpt_forward_embed(f, m, f->in->ids, 1, false, y, "input id", "embeddings.word_embeddings")) return false;
	if (ckpt_forward_has(f, "embeddings.token_type_embeddings.weight")) {
		int64_t *zeros = types ? NULL : ckpt_forward_memory(f, m, sizeof *zeros);
		if (zeros) memset(zeros, 0, m * sizeof *zeros);
		if (!types && !(types = zeros)) return false;
		if (!ckpt_forward_embed(f, m, types, 1, true, y, "token type id", "embeddings.token_type_embeddings")) return false;
	}
	return ckpt_forward_embed(f, m, positions, 1, true, y, "position id", "embeddings.position_embeddings") &&
	       ckpt_forward_norm(f, false, m, e, y, eps, y, "embeddings.LayerNorm") && ckpt_forward_block(f, "embeddings", y, m, e);
}

/* x = embeddings, of width E and projected to H where the model has a projection */
static bool enter(ckpt_forward *f, const family *kin, ckpt_encoder *e, const int64_t *positions)
{
	char weight[128];
	uint64_t width = ckpt_config_dim(f->config, 'E');
	snprintf(weight, sizeof weight, "%s.weight", kin->projection ? kin->projection : "");
	if (!kin->projection || !ckpt_forward_has(f, weight)) return embeddings(f, e->h, e->eps, positions, e->x);
	void *small = ckpt_forward_array(f, e->m * width);
	return small && embeddings(f, width, e->eps, positions, small) &&
	       ckpt_forward_linear(f, CKPT_TIME_EMBEDDINGS, e->m, small, CKPT_ACT_NONE, NULL, e->x, "%s", kin->projection) &&
	       ckpt_forward_block(f, kin->projection, e->x, e->m, e->h);
}

/* Layer i of L and hidden states from number *n on; ALBERT's layers share the weights of a group, which has J layers of its
 * own. */
static bool layer(ckpt_forward *f, const family *kin, ckpt_encoder *e, uint64_t i, uint64_t layers, uint64_t *n)
{
	char prefix[128];
	bool albert = kin->names == &albert_names;
	uint64_t groups = ckpt_config_dim(f->config, 'G'), inner = albert ? ckpt_config_dim(f->config, 'J') : 1;
	for (uint64_t j = 0; j < inner; j++) {
		if (albert)
			snprintf(prefix, sizeof prefix, "%s.%llu.albert_layers.%llu", kin->stack, (unsigned long long)(i * groups / layers),
			         (unsigned long long)j);
		else
			snprintf(prefix, sizeof prefix, "%s.%llu", kin->stack, (unsigned long long)i);
		if (!ckpt_encoder_layer(f, e, kin->names, prefix) || !ckpt_forward_hidden(f, "", (*n)++, f->in->length, e->h, e->x))
			return false;
	}
	return true;
}

static bool run(ckpt_forward *f, const family *kin, double eps, uint64_t most, const int64_t *positions)
{
	ckpt_encoder e;
	uint64_t layers = ckpt_config_dim(f->config, 'L'), states = 0;
	if (!positions || !check(f, most) || !ckpt_encoder_init(f, &e, eps, kin->act_key)) return false;
	e.causal = ckpt_config_bool(f->config, "is_decoder", false);
	if (!enter(f, kin, &e, positions) || !ckpt_forward_hidden(f, "", states++, f->in->length, e.h, e.x)) return false;
	for (uint64_t i = 0; i < layers; i++)
		if (!layer(f, kin, &e, i, layers, &states)) return false;
	return kin->heads(f, &e);
}

/* The eps of the config, as many positions as the table has. */
static bool plain(ckpt_forward *f, const family *kin)
{
	double eps = 1e-12;
	ckpt_config_f64(f->config, "layer_norm_eps", &eps);
	return run(f, kin, eps, ckpt_config_dim(f->config, 'P'),
	           ckpt_forward_positions(f, f->in->position_ids, f->in->length, 0));
}

static bool bert(ckpt_forward *f)
{
	static const family bert_family = {"encoder.layer", &bert_names, "hidden_act", NULL, bert_heads};
	return plain(f, &bert_family);
}

static bool electra(ckpt_forward *f)
{
	static const family electra_family = {"encoder.layer", &bert_names, "hidden_act", "embeddings_project", electra_heads};
	return plain(f, &electra_family);
}

static bool albert(ckpt_forward *f)
{
	static const family albert_family = {"encoder.albert_layer_groups", &albert_names, "hidden_act",
	                                     "encoder.embedding_hidden_mapping_in", albert_heads};
	return plain(f, &albert_family);
}

/* RoBERTa counts positions from the padding id on and skips padding tokens, which stay at it. */
static bool roberta(ckpt_forward *f)
{
	static const family roberta_family = {"encoder.layer", &bert_names, "hidden_act", NULL, roberta_heads};
	double eps = 1e-12;
	uint64_t pad = 1, most = ckpt_config_dim(f->config, 'P'), s = f->in->length;
	int64_t *p = ckpt_forward_positions(f, f->in->position_ids, s, 0);
	ckpt_config_f64(f->config, "layer_norm_eps", &eps);
	ckpt_config_u64(f->config, "pad_token_id", &pad);
	for (uint64_t b = 0; p && !f->in->position_ids && b < f->in->batch; b++) {
		int64_t count = 0;
		for (uint64_t i = b * s; i < (b + 1) * s; i++) p[i] = f->in->ids[i] == (int64_t)pad ? (int64_t)pad : (int64_t)pad + ++count;
	}
	return run(f, &roberta_family, eps, most > pad + 1 ? most - pad - 1 : 0, p);
}

static bool distilbert(ckpt_forward *f)
{
	static const family distilbert_family = {"transformer.layer", &distilbert_names, "activation", NULL, distilbert_heads};
	return run(f, &distilbert_family, 1e-12, ckpt_config_dim(f->config, 'P'),
	           ckpt_forward_positions(f, f->in->position_ids, f->in->length, 0));
}

const ckpt_recipe ckpt_recipe_bert = {"bert", CKPT_TAKES_TYPES | CKPT_TAKES_POSITIONS, bert};
const ckpt_recipe ckpt_recipe_roberta = {"roberta", CKPT_TAKES_TYPES | CKPT_TAKES_POSITIONS, roberta};
const ckpt_recipe ckpt_recipe_electra = {"electra", CKPT_TAKES_TYPES | CKPT_TAKES_POSITIONS, electra};
const ckpt_recipe ckpt_recipe_albert = {"albert", CKPT_TAKES_TYPES | CKPT_TAKES_POSITIONS, albert};
const ckpt_recipe ckpt_recipe_distilbert = {"distilbert", CKPT_TAKES_POSITIONS, distilbert};
