/* cmd_init.c -- ckpt init: write a model with random weights */
#include <stddef.h>
#include <string.h>

#include "../lib/model/init.h"
#include "model_save.h"
#include "sets.h"

typedef struct options {
	ckpt_list sets;
	const char *head, *to, *version, *type;
	uint64_t seed, max_shard;
	ckpt_dtype dtype;
	bool force, no_sync;
} options;

static const options defaults = {.dtype = CKPT_DTYPE_NONE};

/* The texts of config.json and, for a class that generates, generation_config.json. */
static bool write_configs(ckpt_config *config, const char *version, ckpt_model_target *target, ckpt_buffer *generation,
                          ckpt_error *err)
{
	const ckpt_node *class = ckpt_config_get(config, "architectures");
	const char *text = ckpt_config_json(config, version, err);
	if (!text) return false;
	target->files[target->file_count++] = (ckpt_extra_file){"config.json", text, strlen(text)};
	ckpt_error why = {0};
	if (!ckpt_init_generation(config, ckpt_arch_class_find(config->arch, class->child->text), version, generation, &why)) {
		if (why.code && err) *err = why;
		return !why.code;
	}
	target->files[target->file_count++] =
		(ckpt_extra_file){"generation_config.json", generation->data, generation->length};
	return true;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const options *o = call->options;
	int code = CKPT_EXIT_BY_ERROR;
	ckpt_model_target target = {.path = call->arguments[1],
	                            .to = o->to,
	                            .max_shard = o->max_shard,
	                            .force = o->force,
	                            .no_sync = o->no_sync};
	ckpt_buffer generation = {0};
	ckpt_checkpoint *cp = NULL;
	ckpt_config *config = NULL;
	if (!*target.path) {
		ckpt_fail(err, CKPT_E_USAGE, "DST is empty");
		goto done;
	}
	ckpt_init_options init = {.seed = o->seed,
	                          .dtype = o->dtype,
	                          .class_name = o->head,
	                          .aliases = ckpt_model_target_holds_aliases(&target)};
	config = ckpt_sets_open(call, call->arguments[0], o->type, err);
	if (!config || !ckpt_sets_apply(config, &o->sets, err)) goto done;
	cp = ckpt_init(config, &init, err);
	if (!cp || !write_configs(config, o->version, &target, &generation, err)) goto done;
	if (ckpt_model_save(call, cp, &target, err)) code = CKPT_EXIT_OK;
done:
	ckpt_checkpoint_free(cp);
	ckpt_config_free(config);
	ckpt_buffer_free(&generation);
	return code;
}

static const char *const synopsis[] = {"TYPE DST [OPTION]...", "CONFIG DST [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Writes a model that has learned nothing yet: what transformers makes of `BertModel(BertConfig())` and "
	       "`save_pretrained`, with the same names, shapes, order and distributions, tied weights tied, and `config.json` beside "
	       "the weights. TYPE is a model type (bert, gpt2, llama, ...), CONFIG a `config.json` or a folder that holds one. DST is "
	       "a folder, or a file when its suffix names a format; a file holds the weights alone."},
	{NULL, "The values follow the rules of each architecture (initializer_range, zeros for biases and padding rows, scaled "
	       "projections of GPT-2, the factors of T5). They are drawn by Philox4x32-10, keyed by the seed, the name of the tensor "
	       "without its base-model prefix, and the index of the element: the same on every machine, for every number of threads "
	       "and files, and a tensor keeps its values when layers or heads are added. Memory does not grow with the model."},
	{0},
};

static const ckpt_option table[] = {
	{"set", 's', CKPT_OPTION_LIST, offsetof(options, sets), "KEY=VALUE",
	 "change a field of the config first; see `ckpt help config`", 0, 0},
	{"head", 0, CKPT_OPTION_TEXT, offsetof(options, head), "CLASS",
	 "the class: BertForMaskedLM, or ForMaskedLM (default: what the config declares, else the base model)", 0, 0},
	{"seed", 0, CKPT_OPTION_COUNT, offsetof(options, seed), "N", "draw other values (default: 0)", 0, 0},
	{"dtype", 0, CKPT_OPTION_DTYPE, offsetof(options, dtype), "DTYPE",
	 "f32, f64, f16 or bf16 (default: what the config says, else f32)", 0, 0},
	{"to", 0, CKPT_OPTION_TEXT, offsetof(options, to), "FORMAT", "write this format (see `ckpt help formats`)", 0, 0},
	{"max-shard-size", 0, CKPT_OPTION_SIZE, offsetof(options, max_shard), "SIZE",
	 "split into files of at most this size (`5GB`, `500MB`, `1GiB`) with an index", 1, 0},
	{"type", 0, CKPT_OPTION_TEXT, offsetof(options, type), "TYPE",
	 "the model type, where a config does not say (else it is recognised by the tensors beside it)", 0, 0},
	{"transformers-version", 0, CKPT_OPTION_TEXT, offsetof(options, version), "VERSION",
	 "write `config.json` as this version of transformers does (default: 5.24.0)", 0, 0},
	{"force", 'f', CKPT_OPTION_FLAG, offsetof(options, force), NULL, "replace what is there", 0, 0},
	{"no-sync", 0, CKPT_OPTION_FLAG, offsetof(options, no_sync), NULL,
	 "leave it to the system when the output reaches the disk (faster; a power cut may then lose it)", 0, 0},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt init bert new-bert --set num_hidden_layers=1 --set vocab_size=1000", "A small BERT in a folder."},
	{"ckpt init new-bert other.bin --head ForMaskedLM --seed 7 --dtype bf16",
	 "From its config another one, with a head, for torch."},
	{0},
};

const ckpt_tool ckpt_tool_init = {
	.name = "init",
	.summary = "write a model with random weights, by type or config",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.defaults = &defaults,
	.options_size = sizeof(options),
	.uses = CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST | CKPT_MODELS_CONFIG,
	.arguments_min = 2,
	.arguments_max = 2,
	.examples = examples,
	.run = run,
};
