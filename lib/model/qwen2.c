/* qwen2.c -- Qwen2: Llama with biases on queries, keys and values, and a window for the later layers */
#include "../error.h"
#include "config.h"
#include "rows.h"
#include <string.h>

static const ckpt_arch_row rows[] = {CKPT_LLAMA_ROWS, CKPT_LLAMA_HEADS, {0}};

static const ckpt_arch_class classes[] = {
	{"Qwen2Model", "", CKPT_PART_BODY, 0},
	{"Qwen2ForCausalLM", "model.", CKPT_PART_BODY | CKPT_LLAMA_LM, CKPT_CLASS_GENERATES},
	{"Qwen2ForSequenceClassification", "model.", CKPT_PART_BODY | CKPT_LLAMA_SCORE, 0},
	{"Qwen2ForTokenClassification", "model.", CKPT_PART_BODY | CKPT_LLAMA_TOKENS, 0},
	{"Qwen2ForQuestionAnswering", "transformer.", CKPT_PART_BODY | CKPT_LLAMA_QA, 0},
	{0},
};

static const ckpt_arch_symbol symbols[] = {CKPT_LLAMA_SYMBOLS, {0}};
static const char *const prefixes[] = {"transformer.", NULL};
static const char *const ignored[] = {"*rotary_emb.inv_freq", NULL};

/* Layers from max_window_layers on slide, when there is a window at all. */
static ckpt_node *layer_types(ckpt_config *config)
{
	uint64_t layers = 0, first = 0;
	ckpt_node *list = ckpt_node_new(&config->arena, CKPT_NODE_LIST);
	const ckpt_node *window = ckpt_node_get(config->full, "sliding_window");
	bool slides = window && window->kind == CKPT_NODE_INT;
	if (!ckpt_node_u64(ckpt_node_get(config->full, "num_hidden_layers"), &layers)) return list;
	if (!ckpt_node_u64(ckpt_node_get(config->full, "max_window_layers"), &first)) slides = false;
	for (uint64_t i = 0; list && i < layers; i++) {
		const char *type = slides && i >= first ? "sliding_attention" : "full_attention";
		ckpt_node *item = ckpt_node_new_string(&config->arena, type);
		if (!item) return NULL;
		ckpt_node_append(list, item);
	}
	return list;
}

static bool derive(ckpt_config *config, ckpt_error *err)
{
	if (!ckpt_config_bool(config, "use_sliding_window", false) &&
	    !ckpt_node_put(&config->arena, config->full, "sliding_window", ckpt_node_new(&config->arena, CKPT_NODE_NULL), err))
		return false;
	return ckpt_config_derive(config, "layer_types", layer_types(config), err) && ckpt_llama_derive(config, err);
}

static bool check(const ckpt_config *config, ckpt_error *err)
{
	const ckpt_node *types = ckpt_config_get(config, "layer_types");
	uint64_t layers = ckpt_config_dim(config, 'L');
	if (types->count != layers)
		return ckpt_fail(err, CKPT_E_USAGE, "layer_types lists %zu layers while num_hidden_layers is %llu: set both",
		                 types->count, (unsigned long long)layers);
	for (const ckpt_node *n = types->child; n; n = n->next)
		if (strcmp(n->text, "full_attention") && strcmp(n->text, "sliding_attention"))
			return ckpt_fail(err, CKPT_E_USAGE, "layer_types has \"%s\"; full_attention or sliding_attention is wanted",
			                 n->text);
	return ckpt_llama_check(config, err);
}

static uint32_t when(const ckpt_config *config)
{
	(void)config;
	return CKPT_WHEN_QKV_BIAS;
}

static const char *idle(const ckpt_config *config, const char *key)
{
	bool window = !strcmp(key, "sliding_window") || !strcmp(key, "max_window_layers");
	bool slides = ckpt_config_bool(config, "use_sliding_window", false);
	return window && !slides ? "while use_sliding_window is false: set that too" : NULL;
}

const ckpt_arch ckpt_arch_qwen2 = {
	.type = "qwen2",
	.config_class = "Qwen2Config",
	.prefix = "model.",
	.old_prefixes = prefixes,
	.body = CKPT_PART_BODY,
	.std_key = "initializer_range",
	.rows = rows,
	.symbols = symbols,
	.classes = classes,
	.ignored = ignored,
	.always = CKPT_WHEN_QKV_BIAS,
	.never = CKPT_WHEN_O_BIAS | CKPT_WHEN_MLP_BIAS,
	.layers = {'L', 0},
	.layer_keys = {"num_hidden_layers", NULL},
	.derive = derive,
	.check = check,
	.when = when,
	.idle = idle,
};
