/* open.c -- how a subcommand opens the checkpoint that it was given */
#include <string.h>

#include "hub.h"
#include "tool.h"

ckpt_checkpoint *ckpt_call_open_with(const ckpt_call *call, const char *path, const ckpt_open_options *options, ckpt_error *err)
{
	bool afar = call->models && call->models->looked && strcmp(path, call->models->looked) == 0;
	return afar ? ckpt_models_open(call->models, options, err) : ckpt_open(path, options, err);
}

ckpt_checkpoint *ckpt_call_open(const ckpt_call *call, const char *path, ckpt_error *err)
{
	ckpt_checkpoint *cp = ckpt_call_open_with(call, path, &call->open, err);
	if (!cp || !call->open.root || ckpt_checkpoint_value(cp)) return cp;
	ckpt_fail(err, CKPT_E_USAGE, "%s is no pickle with parts, so --root has no place", path);
	ckpt_checkpoint_free(cp);
	return NULL;
}
