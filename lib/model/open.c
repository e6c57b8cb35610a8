/* open.c -- from a checkpoint to a bound model: finds the config, the type and the class */
#include "../error.h"
#include "model.h"
#include "recognise.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A config.json: in the folder that was opened, else beside the file. NULL without an error: there is none. */
static ckpt_config *find_config(const ckpt_checkpoint *cp, const ckpt_model_options *o, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_buffer folder = {0};
	struct stat st;
	const char *path = o->config ? o->config : cp->config_folder ? cp->config_folder : o->path;
	if (!path) return NULL;
	if (path == o->path && !stat(path, &st) && !S_ISDIR(st.st_mode)) {
		const char *slash = strrchr(path, '/');
		ckpt_buffer_printf(&folder, "%.*s/.", slash ? (int)(slash - path) : 1, slash ? path : ".");
		if (!ckpt_buffer_ok(&folder, err)) return NULL;
		path = folder.data;
	}
	ckpt_config *config = ckpt_config_read_path(path, &why);
	ckpt_buffer_free(&folder);
	bool none = why.code == CKPT_E_NOT_FOUND && !o->config;
	if (!config && !none && err) *err = why;
	return config;
}

/* Gives a config without model_type its type: the one that was asked for, or the one that the tensors show. */
static bool settle_type(ckpt_config *config, const ckpt_checkpoint *cp, const char *type, ckpt_buffer *notes,
                        ckpt_error *err)
{
	if (config->arch) {
		if (!type || !strcmp(type, config->arch->type)) return true;
		return ckpt_fail(err, CKPT_E_USAGE, "the config says that the model is of type %s, not %s", config->arch->type, type);
	}
	if (type) return ckpt_config_use_type(config, type, err);
	const ckpt_arch *arch = ckpt_model_recognise(cp, err);
	if (!arch) return ckpt_error_prefix(err, "config.json has no model_type");
	ckpt_buffer_printf(notes, "config.json has no model_type: the tensors are those of %s\n", arch->type);
	return ckpt_config_use_type(config, arch->type, err);
}

static ckpt_config *guess_config(const ckpt_checkpoint *cp, const ckpt_model_options *o, ckpt_buffer *notes,
                                 ckpt_error *err)
{
	const ckpt_arch *arch = o->type ? ckpt_arch_find(o->type) : NULL;
	char list[256];
	if (o->type && !arch) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "\"%s\" is no model type; ckpt knows %s", o->type, ckpt_arch_list(list, sizeof list));
		return NULL;
	}
	ckpt_config *config = ckpt_model_guess_config(cp, arch, err);
	if (config) ckpt_buffer_printf(notes, "there is no config.json: the tensors are those of %s\n", config->arch->type);
	return config;
}

static const ckpt_arch_class *settle_class(const ckpt_config *config, const ckpt_checkpoint *cp, const char *name,
                                           ckpt_buffer *notes, ckpt_error *err)
{
	bool declared;
	const ckpt_arch_class *class;
	if (name) {
		class = ckpt_arch_class_find(config->arch, name);
		if (!class) ckpt_model_refuse_class(config->arch, name, err);
		return class;
	}
	class = ckpt_model_class_of(config, cp, &declared, err);
	if (class && !declared) ckpt_buffer_printf(notes, "no class is declared: the tensors are those of %s\n", class->name);
	return class;
}

void ckpt_model_refuse_class(const ckpt_arch *arch, const char *name, ckpt_error *err)
{
	ckpt_buffer b = {0};
	for (const ckpt_arch_class *c = arch->classes; c->name; c++) ckpt_buffer_printf(&b, "%s%s", b.length ? ", " : "", c->name);
	ckpt_fail(err, CKPT_E_USAGE, "\"%s\" is no class of %s; there are %s", name, arch->type, b.data ? b.data : "");
	ckpt_buffer_free(&b);
}

ckpt_model *ckpt_model_open(const ckpt_checkpoint *cp, const ckpt_model_options *options, ckpt_error *err)
{
	static const ckpt_model_options none;
	const ckpt_model_options *o = options ? options : &none;
	ckpt_error why = {0};
	ckpt_buffer notes = {0};
	ckpt_model *model = NULL;
	ckpt_config *config = find_config(cp, o, &why);
	bool guessed = false;
	if (!config && why.code) {
		if (err) *err = why;
		goto done;
	}
	if (!config && !o->guess) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "there is no config.json, which says what the model is");
		goto done;
	}
	if (!config) {
		config = guess_config(cp, o, &notes, err);
		guessed = true;
	}
	if (!config || !settle_type(config, cp, o->type, &notes, err)) goto done;
	const ckpt_arch_class *class = settle_class(config, cp, o->class_name, &notes, err);
	if (class) model = ckpt_model_new(config, class, err);
	if (!model) goto done;
	model->own_config = config;
	model->guessed = guessed;
	config = NULL;
	if (!ckpt_model_bind_to(model, cp, err) || !ckpt_buffer_ok(&notes, err)) {
		ckpt_model_free(model);
		model = NULL;
		goto done;
	}
	model->notes = notes.data;
	notes.data = NULL;
done:
	ckpt_config_free(config);
	ckpt_buffer_free(&notes);
	return model;
}

const char *ckpt_model_notes(const ckpt_model *model) { return model->notes ? model->notes : ""; }
