/* cmd_reconfigure.c -- ckpt reconfigure: another shape of a model */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/checkpoint.h"
#include "../lib/model/model.h"
#include "../lib/text/text.h"
#include "model_save.h"
#include "sets.h"

typedef struct options {
	ckpt_list sets, reinit;
	const char *layers, *encoder_layers, *decoder_layers, *head, *to, *config, *type;
	uint64_t vocab_size, multiple_of, positions, seed, max_shard;
	int new_rows; /* 0: mean, 1: init */
	bool random, dry_run, json, force, no_sync;
} options;

/* Which layers, for one stack or two. */
static bool choose_layers(const options *o, ckpt_reshape_options *reshape, const char *type, bool two, ckpt_error *err)
{
	if (two && o->layers)
		return ckpt_fail(err, CKPT_E_USAGE, "a model of type %s has two stacks of layers: use --encoder-layers and "
		                                    "--decoder-layers", type);
	if (!two && (o->encoder_layers || o->decoder_layers))
		return ckpt_fail(err, CKPT_E_USAGE, "a model of type %s has one stack of layers: use --layers", type);
	reshape->layers[0] = two ? o->encoder_layers : o->layers;
	reshape->layers[1] = o->decoder_layers;
	return true;
}

static void say_notes(const ckpt_call *call, const ckpt_model *model)
{
	for (const char *at = ckpt_model_notes(model); *at;) {
		size_t length = strcspn(at, "\n");
		ckpt_remark(call, "%.*s", (int)length, at);
		at += length + (at[length] == '\n');
	}
}

static bool write_model(const ckpt_call *call, ckpt_reshape *reshape, const ckpt_checkpoint *source, ckpt_error *err)
{
	const options *o = call->options;
	const char *config = ckpt_reshape_config(reshape);
	ckpt_model_target target = {.path = call->arguments[1],
	                            .to = o->to,
	                            .max_shard = o->max_shard,
	                            .force = o->force,
	                            .no_sync = o->no_sync,
	                            .folder_from = source->config_folder,
	                            .files = {{"config.json", config, strlen(config)}},
	                            .file_count = 1};
	const ckpt_checkpoint *cp = ckpt_reshape_checkpoint(reshape, ckpt_model_target_holds_aliases(&target), err);
	return cp && ckpt_model_save(call, cp, &target, err);
}

/* Names the tokens of the tokenizer beside the source that had a row among `before` and have none among `after`. */
static void say_lost_tokens(const ckpt_call *call, const ckpt_checkpoint *source, uint64_t before, uint64_t after)
{
	enum { SHOWN = 5 };
	uint64_t lost = 0;
	ckpt_error ignored = {0};
	ckpt_tokenizer *t = after < before && source->config_folder ? ckpt_tokenizer_open(source->config_folder, &ignored) : NULL;
	ckpt_buffer names = {0};
	if (!t) return; /* no tokenizer, or none that can be read: it comes along as it is */
	for (uint64_t id = after, last = ckpt_tokenizer_last_id(t); id <= last && id < before; id++) {
		const char *token = ckpt_tokenizer_token(t, id);
		if (!token || lost++ >= SHOWN) continue;
		ckpt_buffer_str(&names, lost == 1 ? " \"" : ", \"");
		ckpt_text_append(&names, token, strlen(token));
		ckpt_buffer_printf(&names, "\" (%llu)", (unsigned long long)id);
	}
	if (lost && ckpt_buffer_ok(&names, &ignored))
		ckpt_remark(call, "%llu token%s of the tokenizer %s left without a row of %llu:%s%s", (unsigned long long)lost, lost == 1 ? "" : "s",
		            lost == 1 ? "is" : "are", (unsigned long long)after, names.data, lost > SHOWN ? ", ..." : "");
	ckpt_buffer_free(&names);
	ckpt_tokenizer_free(t);
}

/* The words that the reshaped model has. */
static bool words_of(const ckpt_reshape *reshape, uint64_t *words, ckpt_error *err)
{
	const char *text = ckpt_reshape_config(reshape);
	ckpt_config *config = ckpt_config_parse(text, strlen(text), err);
	if (config) *words = ckpt_config_dim(config, 'V');
	ckpt_config_free(config);
	return config != NULL;
}

static bool reconfigure(const ckpt_call *call, const ckpt_model *model, const ckpt_checkpoint *cp,
                        ckpt_reshape_options *reshape_options, ckpt_error *err)
{
	const options *o = call->options;
	bool ok = false;
	ckpt_reshape *reshape = ckpt_reshape_new(model, reshape_options, err);
	if (!reshape) return false;
	ok = o->dry_run || write_model(call, reshape, cp, err);
	const char *report = ok ? ckpt_reshape_report(reshape, o->json, err) : NULL;
	uint64_t words = 0;
	ok = report && words_of(reshape, &words, err);
	if (report && (!call->quiet || o->dry_run)) fputs(report, stdout);
	if (ok) say_lost_tokens(call, cp, ckpt_config_dim(model->config, 'V'), words);
	ckpt_reshape_free(reshape);
	return ok;
}

static int run(const ckpt_call *call, ckpt_error *err)
{
	const options *o = call->options;
	int code = CKPT_EXIT_BY_ERROR;
	char **keys = NULL;
	const char **values = NULL;
	ckpt_model *model = NULL;
	ckpt_model_options open = {.path = call->arguments[0], .config = o->config, .type = o->type};
	ckpt_reshape_options reshape = {.vocab_size = o->vocab_size,
	                                .multiple_of = o->multiple_of,
	                                .positions = o->positions,
	                                .class_name = o->head,
	                                .random = o->random,
	                                .reinit = o->reinit.items,
	                                .reinit_count = o->reinit.count,
	                                .draw_new_rows = o->new_rows == 1,
	                                .seed = o->seed};
	ckpt_checkpoint *cp = ckpt_call_open(call, call->arguments[0], err);
	if (!cp || !ckpt_sets_split(&o->sets, &keys, &values, err)) goto done;
	model = ckpt_model_open(cp, &open, err);
	if (!model) {
		ckpt_error_prefix(err, "%s", call->arguments[0]);
		goto done;
	}
	say_notes(call, model);
	reshape.keys = (const char *const *)keys;
	reshape.values = values;
	reshape.count = o->sets.count;
	if (!choose_layers(o, &reshape, ckpt_model_type(model), ckpt_model_stacks(model) == 2, err)) goto done;
	if (!reconfigure(call, model, cp, &reshape, err)) goto done;
	code = CKPT_EXIT_OK;
done:
	ckpt_sets_free(&o->sets, keys, values);
	ckpt_model_free(model);
	ckpt_checkpoint_free(cp);
	return code;
}

static const char *const synopsis[] = {"SRC DST [OPTION]...", NULL};

static const ckpt_paragraph description[] = {
	{NULL, "Writes a model of another shape from the weights of `SRC` (a folder with `config.json`, or a file and `--config`): "
	       "fewer, more, picked or repeated layers, another vocabulary, another head. `config.json` is rewritten to match, and "
	       "the tokenizer and other small files come along. `DST` is a folder, or a file when its suffix names a format; a file "
	       "holds the weights alone."},
	{NULL, "`--set num_hidden_layers=10` keeps the first ten layers; layers beyond those there are, heads and rows that are new, "
	       "and tensors that no longer fit are drawn by the rules of `ckpt init`. Everything that is drawn is listed, so are "
	       "tensors that were cut, moved or dropped. A tensor that `SRC` lacks is an error unless `--reinit` names it. New rows of "
	       "the vocabulary are the mean of the old ones, those of positions are drawn."},
	{NULL, "Weights are moved as bytes and never loaded whole; tensors that are kept are bit for bit the same."},
	{0},
};

#define AT(field) offsetof(options, field)

static const ckpt_option table[] = {
	{"set", 's', CKPT_OPTION_LIST, AT(sets), "KEY=VALUE", "change a field of the config; see `ckpt help config`", 0, 0},
	{"layers", 0, CKPT_OPTION_TEXT, AT(layers), "LIST",
	 "which layers, in which order: `0,2,4,6`, `0-4,4-9`, `11-0`", 0, 0},
	{"encoder-layers", 0, CKPT_OPTION_TEXT, AT(encoder_layers), "LIST", "the same for the encoder of a model that has both",
	 0, 0},
	{"decoder-layers", 0, CKPT_OPTION_TEXT, AT(decoder_layers), "LIST", "and for its decoder", 0, 0},
	{"vocab-size", 0, CKPT_OPTION_COUNT, AT(vocab_size), "N",
	 "cut or grow the word embeddings, and heads and biases that go with them", 1, 2147483647},
	{"pad-to-multiple-of", 0, CKPT_OPTION_COUNT, AT(multiple_of), "N", "round the size of the vocabulary up", 1, 2147483647},
	{"new-rows", 0, CKPT_OPTION_CHOICE, AT(new_rows), "mean|init",
	 "new rows of the vocabulary: the mean of the old ones, or drawn by the init rule", 0, 0},
	{"max-position-embeddings", 0, CKPT_OPTION_COUNT, AT(positions), "N", "cut or grow the table of positions", 1, 2147483647},
	{"head", 0, CKPT_OPTION_TEXT, AT(head), "CLASS", "another class: BertForMaskedLM, or ForMaskedLM", 0, 0},
	{"random", 0, CKPT_OPTION_FLAG, AT(random), NULL, "draw all weights anew", 0, 0},
	{"reinit", 0, CKPT_OPTION_LIST, AT(reinit), "GLOB",
	 "draw tensors anew whose name matches (`*` also matches dots); may be repeated", 0, 0},
	{"seed", 0, CKPT_OPTION_COUNT, AT(seed), "N", "of everything that is drawn (default: 0)", 0, 0},
	{"config", 0, CKPT_OPTION_CONFIG, AT(config), "PATH", "the `config.json` of `SRC`, where it lies elsewhere, also on the Hub", 0, 0},
	{"type", 0, CKPT_OPTION_TEXT, AT(type), "TYPE", "the model type, where neither config nor tensors tell", 0, 0},
	{"to", 0, CKPT_OPTION_TEXT, AT(to), "FORMAT", "write this format (see `ckpt help formats`)", 0, 0},
	{"max-shard-size", 0, CKPT_OPTION_SIZE, AT(max_shard), "SIZE",
	 "split into files of at most this size (`5GB`, `500MB`, `1GiB`) with an index", 1, 0},
	{"dry-run", 'n', CKPT_OPTION_FLAG, AT(dry_run), NULL, "print what becomes of each tensor and write nothing", 0, 0},
	{"json", 0, CKPT_OPTION_FLAG, AT(json), NULL,
	 "print that as a list of {action, name, from, shape, old_shape}; action: kept, moved, cut, grown, new, redrawn, tied, "
	 "dropped",
	 0, 0},
	{"force", 'f', CKPT_OPTION_FLAG, AT(force), NULL, "replace what is there", 0, 0},
	{"no-sync", 0, CKPT_OPTION_FLAG, AT(no_sync), NULL,
	 "leave it to the system when the output reaches the disk (faster; a power cut may then lose it)", 0, 0},
	{0},
};

static const ckpt_example examples[] = {
	{"ckpt reconfigure bert short --set num_hidden_layers=1", "The first layer alone."},
	{"ckpt reconfigure bert other --layers 1,0,1 --head ForTokenClassification --set num_labels=5 --dry-run",
	 "What would become of each tensor."},
	{"ckpt reconfigure bert padded --pad-to-multiple-of 64", "A vocabulary of a size that suits the hardware."},
	{0},
};

const ckpt_tool ckpt_tool_reconfigure = {
	.name = "reconfigure",
	.summary = "write a model with other layers, vocabulary or head",
	.synopsis = synopsis,
	.description = description,
	.options = table,
	.options_size = sizeof(options),
	.uses = CKPT_USES_READ | CKPT_USES_WORK,
	.models = CKPT_MODELS_FIRST,
	.arguments_min = 2,
	.arguments_max = 2,
	.examples = examples,
	.run = run,
};
