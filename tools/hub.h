/* hub.h -- models that are named instead of lying here: on the Hugging Face Hub, or at a URL */
#ifndef CKPT_TOOLS_HUB_H
#define CKPT_TOOLS_HUB_H
#include "../lib/hub/hub.h"
#include "bars.h"
#include "tool.h"

/* What a run found for the names it was given. */
typedef struct ckpt_models {
	const ckpt_call *call;
	ckpt_hub *hub;    /* NULL: nothing was asked of it */
	ckpt_bars bars;
	char **paths;     /* in the cache */
	size_t count;
	const char *looked; /* the argument that is read from afar, or NULL */
	struct ckpt_file *file;
	int config_fd;    /* its config.json in a temporary file; -1: none */
} ckpt_models;

/* Puts paths in the place of names, among the arguments that the row takes for models and the options of the kind
 * CKPT_OPTION_MODEL. What exists here is always meant; a name of a model on the Hub is pulled as `ckpt pull` does, or, by a row
 * that looks, opened from afar when the cache lacks it. On failure *code is the exit code. Free it in either case. */
bool ckpt_models_find(ckpt_models *m, ckpt_call *call, const char **arguments, const ckpt_option_group *groups,
                      size_t group_count, int *code, ckpt_error *err);
void ckpt_models_free(ckpt_models *m);
ckpt_checkpoint *ckpt_models_open(const ckpt_models *m, const ckpt_open_options *options, ckpt_error *err);

/* The exit codes of commands that ask the Hub, and the one for a failure. */
extern const ckpt_exit_code ckpt_hub_exits[];
int ckpt_hub_exit(ckpt_hub_cause why);
/* Connects; bars show what it does and say what it remarks. They must live as long as the hub. options: NULL for what the
 * environment says; its hooks are filled in. */
ckpt_hub *ckpt_hub_connect(const ckpt_call *call, const ckpt_hub_options *options, ckpt_bars *bars, ckpt_error *err);
#endif
