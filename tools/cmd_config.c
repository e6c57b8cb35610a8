/* cmd_config.c -- ckpt config: print the config of a model, with changes */
#include <stddef.h>
#include <stdio.h>

#include "sets.h"

typedef struct options {
	ckpt_list sets;
	const char *version, *type;
	bool json;
} options;

static int run(const ckpt_call *call, ckpt_error *err)
{
	const options *o = call->options;
	int code = CKPT_EXIT_BY_ERROR;
	ckpt_config *config = ckpt_sets_open(call, call->arguments[0], o->type, err);
	if (!config || !ckpt_sets_apply(config, &o->sets, err)) goto done;
	const char *text = ckpt_config_json(config, o->version, err);
	if (!text) goto done;
	fputs(text, stdout);
	code = CKPT_EXIT_OK;
done:
	ckpt_config_free(config);
	return code;
}

static const char *const synopsis[] = {"TYPE [OPTION]...", "PATH [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Prints the whole config of a model as JSON, as transformers prints and saves it: every field of the type with "
	       "its value, sorted, floats as Python writes them. TYPE is a model type (bert, gpt2, llama, ...), whose defaults "
	       "are printed; PATH is a `config.json` or a folder that holds one. Other names of fields (n_layer for "
	       "num_hidden_layers) and old ones (torch_dtype) are understood, unknown keys are kept."},
	{NULL, "A config that makes no model is refused in one sentence: a hidden size that the heads do not divide, no layers, "
	       "an unknown activation function. So is a `--set` of an unknown key, of a value of the wrong type, or one that "
	       "would silently do nothing, such as num_hidden_layers of BART; the sentence then names the keys to set. Fields "
	       "that follow from others (head_dim, label2id, layer_types) are computed again."},
	{0},
};

static const ckpt_option table[] = {
	{"set", 's', CKPT_OPTION_LIST, offsetof(options, sets), "KEY=VALUE",
	 "change a field; the value as in JSON, strings without quotes", 0, 0},
	{"type", 0, CKPT_OPTION_TEXT, offsetof(options, type), "TYPE",
	 "the model type, where a config does not say (else it is recognised by the tensors beside it)", 0, 0},
	{"transformers-version", 0, CKPT_OPTION_TEXT, offsetof(options, version), "VERSION",
	 "write this version, in the form that transformers 4 or 5 writes (default: 5.24.0)", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, offsetof(options, json), NULL, "print JSON; it is what is printed anyway", 0, 0},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt config bert", "what BertConfig() is"},
	{"ckpt config bert --set num_hidden_layers=10", "the same with ten layers"},
	{"ckpt config gpt2 --set n_layer=2 --set activation_function=relu", "two changes at once"},
	{0},
};

const ckpt_tool ckpt_tool_config = {
	.name = "config",
	.summary = "print the config of a model type, a file or a folder, with changes",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_CONFIG,
	.arguments_min = 1,
	.arguments_max = 1,
	.examples = examples,
	.run = run,
};
