/* opt.c -- OPT: a decoder with learned positions, pre- or post-norm, possibly behind narrow embeddings */
#include "config.h"
#include "rows.h"

enum { LM = CKPT_PART_OWN, SCORE = CKPT_PART_OWN << 1, QA = CKPT_PART_OWN << 2 };

#define LAYER "decoder.layers.{L}"

static const ckpt_arch_row rows[] = {
	{"decoder.embed_tokens.weight", "V,E", CKPT_PART_BODY, 0, CKPT_INIT_NORMAL, CKPT_ROW_PAD, NULL, NULL},
	CKPT_MATRIX(CKPT_PART_BODY, 0, "decoder.embed_positions", "P+2", "H"),
	CKPT_MATRIX(CKPT_PART_BODY, CKPT_WHEN_PROJECT, "decoder.project_out", "E", "H"),
	CKPT_MATRIX(CKPT_PART_BODY, CKPT_WHEN_PROJECT, "decoder.project_in", "H", "E"),
	CKPT_NORM(CKPT_PART_BODY, CKPT_WHEN_FINAL_NORM | CKPT_WHEN_AFFINE, "decoder.final_layer_norm", "H"),
	CKPT_BART_ATTENTION(CKPT_PART_BODY, CKPT_WHEN_BIAS, LAYER ".self_attn"),
	CKPT_NORM(CKPT_PART_BODY, CKPT_WHEN_AFFINE, LAYER ".self_attn_layer_norm", "H"),
	CKPT_BART_FEED(CKPT_PART_BODY, CKPT_WHEN_BIAS, LAYER, "I"),
	CKPT_NORM(CKPT_PART_BODY, CKPT_WHEN_AFFINE, LAYER ".final_layer_norm", "H"),
	{"lm_head.weight", "V,E", LM, 0, CKPT_INIT_NORMAL, 0, "decoder.embed_tokens.weight", NULL},
	CKPT_MATRIX(SCORE, 0, "score", "N", "E"),
	CKPT_LINEAR(QA, 0, "qa_outputs", "2", "E"),
	{0},
};

static const ckpt_arch_class classes[] = {
	{"OPTModel", "", CKPT_PART_BODY, 0},
	{"OPTForCausalLM", "model.", CKPT_PART_BODY | LM, CKPT_CLASS_GENERATES},
	{"OPTForSequenceClassification", "model.", CKPT_PART_BODY | SCORE, 0},
	{"OPTForQuestionAnswering", "model.", CKPT_PART_BODY | QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {
	{'V', "vocab_size", NULL}, {'H', "hidden_size", NULL},        {'L', "num_hidden_layers", NULL},
	{'I', "ffn_dim", NULL},    {'A', "num_attention_heads", NULL}, {'P', "max_position_embeddings", NULL},
	{'D', NULL, "H/A"},        {'E', "word_embed_proj_dim", "H"}, {0}};
static const char *const ignored[] = {"*decoder.version", NULL};

static bool derive(ckpt_config *config, ckpt_error *err)
{
	const ckpt_node *size = ckpt_node_get(config->full, "hidden_size");
	return ckpt_config_derive(config, "word_embed_proj_dim", ckpt_node_copy(&config->arena, size), err);
}

static bool check(const ckpt_config *config, ckpt_error *err)
{
	return ckpt_config_divides(config, "hidden_size", "num_attention_heads", err);
}

static uint32_t when(const ckpt_config *config)
{
	uint32_t bits = 0;
	if (ckpt_config_dim(config, 'E') != ckpt_config_dim(config, 'H')) bits |= CKPT_WHEN_PROJECT;
	if (ckpt_config_bool(config, "enable_bias", true)) bits |= CKPT_WHEN_BIAS;
	if (ckpt_config_bool(config, "layer_norm_elementwise_affine", true)) bits |= CKPT_WHEN_AFFINE;
	if (ckpt_config_bool(config, "do_layer_norm_before", true) &&
	    !ckpt_config_bool(config, "_remove_final_layer_norm", false))
		bits |= CKPT_WHEN_FINAL_NORM;
	return bits;
}

const ckpt_arch ckpt_arch_opt = {
	.type = "opt",
	.config_class = "OPTConfig",
	.prefix = "model.",
	.body = CKPT_PART_BODY,
	.std_key = "init_std",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.derive = derive,
	.check = check,
	.when = when,
};
