/* mistral.c -- Mistral: Llama with a sliding window of attention */
#include "config.h"
#include "rows.h"

static const ckpt_arch_row rows[] = {CKPT_LLAMA_ROWS, CKPT_LLAMA_HEADS, {0}};

static const ckpt_arch_class classes[] = {
	{"MistralModel", "", CKPT_PART_BODY, 0},
	{"MistralForCausalLM", "model.", CKPT_PART_BODY | CKPT_LLAMA_LM, CKPT_CLASS_GENERATES},
	{"MistralForSequenceClassification", "model.", CKPT_PART_BODY | CKPT_LLAMA_SCORE, 0},
	{"MistralForTokenClassification", "model.", CKPT_PART_BODY | CKPT_LLAMA_TOKENS, 0},
	{"MistralForQuestionAnswering", "model.", CKPT_PART_BODY | CKPT_LLAMA_QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {CKPT_LLAMA_SYMBOLS, {0}};
static const char *const prefixes[] = {"transformer.", NULL};
static const char *const ignored[] = {"*rotary_emb.inv_freq", NULL};

static bool derive(ckpt_config *config, ckpt_error *err)
{
	return ckpt_llama_head_dim(config, err) && ckpt_llama_derive(config, err);
}

static bool check(const ckpt_config *config, ckpt_error *err) { return ckpt_llama_check(config, err); }

const ckpt_arch ckpt_arch_mistral = {
	.type = "mistral",
	.config_class = "MistralConfig",
	.prefix = "model.",
	.old_prefixes = prefixes,
	.body = CKPT_PART_BODY,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.never = CKPT_WHEN_QKV_BIAS | CKPT_WHEN_O_BIAS | CKPT_WHEN_MLP_BIAS,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.derive = derive,
	.check = check,
};
