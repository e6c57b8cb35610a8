/* sets.c -- what the commands about models share: the model that the user named, and --set KEY=VALUE */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/model/model.h"
#include "sets.h"

bool ckpt_sets_split(const ckpt_list *sets, char ***keys, const char ***values, ckpt_error *err)
{
	*keys = calloc(sets->count + 1, sizeof **keys);
	*values = calloc(sets->count + 1, sizeof **values);
	if (!*keys || !*values) return ckpt_fail_nomem(err);
	for (size_t i = 0; i < sets->count; i++) {
		const char *equals = strchr(sets->items[i], '=');
		if (!equals || equals == sets->items[i])
			return ckpt_fail(err, CKPT_E_USAGE, "--set %s: KEY=VALUE is wanted", sets->items[i]);
		(*keys)[i] = strndup(sets->items[i], (size_t)(equals - sets->items[i]));
		if (!(*keys)[i]) return ckpt_fail_nomem(err);
		(*values)[i] = equals + 1;
	}
	return true;
}

void ckpt_sets_free(const ckpt_list *sets, char **keys, const char **values)
{
	for (size_t i = 0; keys && i < sets->count; i++) free(keys[i]);
	free(keys);
	free(values);
}

bool ckpt_sets_apply(ckpt_config *config, const ckpt_list *sets, ckpt_error *err)
{
	char **keys = NULL;
	const char **values = NULL;
	bool ok = ckpt_sets_split(sets, &keys, &values, err);
	if (ok && !ckpt_config_set(config, (const char *const *)keys, values, sets->count, err))
		ok = ckpt_error_prefix(err, "--set");
	ckpt_sets_free(sets, keys, values);
	return ok;
}

/* The type of a model whose config does not name it: by the tensors in the folder. */
static bool recognise(const ckpt_call *call, ckpt_config *config, const char *path, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_checkpoint *cp = ckpt_open(path, &call->open, &why);
	const ckpt_arch *arch = cp ? ckpt_model_recognise(cp, &why) : NULL;
	bool opened = cp;
	ckpt_checkpoint_free(cp);
	if (!arch) {
		/* a folder without weights has nothing to look at */
		return ckpt_fail(err, CKPT_E_FORMAT, "%s: model_type is missing%s%s", path, opened ? ", and " : "",
		                 opened ? why.text : ", and there are no tensors to tell it by: say it with --type");
	}
	ckpt_remark(call, "%s has no model_type: the tensors are those of %s", path, arch->type);
	return ckpt_config_use_type(config, arch->type, err);
}

static bool settle(const ckpt_call *call, ckpt_config *config, const char *path, const char *type, ckpt_error *err)
{
	if (!config->arch) return type ? ckpt_config_use_type(config, type, err) : recognise(call, config, path, err);
	if (!type || !strcmp(type, config->arch->type)) return true;
	return ckpt_fail(err, CKPT_E_USAGE, "--type %.80s: %s says that the model is of type %s", type, path, config->arch->type);
}

ckpt_config *ckpt_sets_open(const ckpt_call *call, const char *name, const char *type, ckpt_error *err)
{
	char list[256];
	bool exists = !access(name, F_OK);
	if (!ckpt_arch_find(name) && !strchr(name, '/') && !exists) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "'%.200s' is neither a file or folder nor a model type (%s)", name,
		          ckpt_arch_list(list, sizeof list));
		return NULL;
	}
	if (ckpt_arch_find(name)) {
		if (exists) ckpt_remark(call, "%s is taken as the model type; ./%s is the path", name, name);
		return ckpt_config_for_type(name, err);
	}
	ckpt_config *config = ckpt_config_read_path(name, err);
	if (config && settle(call, config, name, type, err)) return config;
	ckpt_config_free(config);
	return NULL;
}
