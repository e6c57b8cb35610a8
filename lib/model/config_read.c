/* config_read.c -- reading, changing and printing the config of a model */
#include "config.h"
#include "../error.h"
#include "../file.h"
#include "../limits.h"
#include "fields.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A config.json is a few kilobytes; one with the labels of a large classifier is a few megabytes. */
#define MAX_CONFIG_BYTES (64u << 20)

/* ---- reading --------------------------------------------------------------------------------------------------- */

static ckpt_config *config_new(ckpt_error *err)
{
	ckpt_config *config = calloc(1, sizeof *config);
	if (!config) ckpt_fail_nomem(err);
	return config;
}

/* Takes the type from raw, when it is there. */
static bool find_type(ckpt_config *config, ckpt_error *err)
{
	const ckpt_node *type = ckpt_node_get(config->raw, "model_type");
	char list[256];
	if (!type || type->kind == CKPT_NODE_NULL) return true;
	if (type->kind != CKPT_NODE_STRING) return ckpt_field_check(ckpt_field_find("model_type"), type, err);
	config->arch = ckpt_arch_find(type->text);
	if (!config->arch)
		return ckpt_fail(err, CKPT_E_UNSUPPORTED, "model_type is \"%s\"; ckpt knows %s", type->text,
		                 ckpt_arch_list(list, sizeof list));
	return ckpt_config_resolve(config, err);
}

ckpt_config *ckpt_config_read(const char *text, size_t length, ckpt_error *err)
{
	ckpt_config *config = config_new(err);
	if (!config) return NULL;
	if (!length) {
		ckpt_fail(err, CKPT_E_FORMAT, "the JSON text is empty");
		goto done;
	}
	config->raw = ckpt_node_parse(&config->arena, text, length, err);
	if (!config->raw) {
		if (err && err->code == CKPT_E_FORMAT && !strstr(err->text, "JSON")) ckpt_error_prefix(err, "not valid JSON");
		goto done;
	}
	if (config->raw->kind != CKPT_NODE_DICT) {
		ckpt_fail(err, CKPT_E_FORMAT, "a config is a JSON object; this is %s", ckpt_node_kind_name(config->raw));
		goto done;
	}
	if (find_type(config, err)) return config;
	if (err && err->code == CKPT_E_USAGE) err->code = CKPT_E_FORMAT; /* it is the file's fault */
done:
	ckpt_config_free(config);
	return NULL;
}

static ckpt_config *read_file(const char *path, ckpt_error *err)
{
	ckpt_config *config = NULL;
	char *text = NULL;
	ckpt_file *file = ckpt_file_open(path, err);
	if (!file) return NULL;
	uint64_t size = ckpt_file_size(file);
	if (size > MAX_CONFIG_BYTES) {
		ckpt_fail(err, CKPT_E_LIMIT, "%s: a config of %llu bytes; at most %u are read", path, (unsigned long long)size,
		          MAX_CONFIG_BYTES);
		goto done;
	}
	text = malloc(size + 1);
	if (!text) {
		ckpt_fail_nomem(err);
		goto done;
	}
	if (!ckpt_file_read(file, 0, size, text, err)) goto done;
	config = ckpt_config_read(text, size, err);
	if (!config) ckpt_error_prefix(err, "%s", path);
done:
	free(text);
	ckpt_file_unref(file);
	return config;
}

ckpt_config *ckpt_config_read_path(const char *path, ckpt_error *err)
{
	struct stat st;
	ckpt_buffer inner = {0};
	ckpt_config *config = NULL;
	if (stat(path, &st)) {
		ckpt_fail_errno(err, errno, "%s", path);
		if (err && (errno == ENOENT || errno == ENOTDIR)) err->code = CKPT_E_NOT_FOUND;
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) return read_file(path, err);
	ckpt_buffer_printf(&inner, "%s/config.json", path);
	if (!ckpt_buffer_ok(&inner, err)) goto done;
	if (stat(inner.data, &st) && errno == ENOENT) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "%s: the folder has no config.json", path);
		goto done;
	}
	config = read_file(inner.data, err);
done:
	ckpt_buffer_free(&inner);
	return config;
}

static ckpt_config *need_type(ckpt_config *config, const char *path, ckpt_error *err)
{
	if (!config || config->arch) return config;
	ckpt_fail(err, CKPT_E_FORMAT, "%s%smodel_type is missing, so that the kind of model is unknown", path ? path : "",
	          path ? ": " : "");
	ckpt_config_free(config);
	return NULL;
}

ckpt_config *ckpt_config_parse(const char *text, size_t length, ckpt_error *err)
{
	return need_type(ckpt_config_read(text, length, err), NULL, err);
}

ckpt_config *ckpt_config_open(const char *path, ckpt_error *err)
{
	return need_type(ckpt_config_read_path(path, err), path, err);
}

ckpt_config *ckpt_config_for_type(const char *type, ckpt_error *err)
{
	char list[256];
	const char *text = ckpt_arch_find(type) ? ckpt_arch_defaults(type) : NULL;
	if (!text) {
		ckpt_fail(err, CKPT_E_NOT_FOUND, "\"%s\" is no model type; ckpt knows %s", type,
		          ckpt_arch_list(list, sizeof list));
		return NULL;
	}
	ckpt_config *config = config_new(err);
	if (!config) return NULL;
	config->raw = ckpt_node_new(&config->arena, CKPT_NODE_DICT);
	if (!config->raw) ckpt_fail_nomem(err);
	if (config->raw && ckpt_config_use_type(config, type, err)) return config;
	ckpt_config_free(config);
	return NULL;
}

bool ckpt_config_use_type(ckpt_config *config, const char *type, ckpt_error *err)
{
	ckpt_node *node = ckpt_node_new_string(&config->arena, type);
	return ckpt_node_put(&config->arena, config->raw, "model_type", node, err) && find_type(config, err);
}

ckpt_config *ckpt_config_copy(const ckpt_config *config, ckpt_error *err)
{
	ckpt_config *copy = config_new(err);
	if (!copy) return NULL;
	copy->raw = ckpt_node_copy(&copy->arena, config->raw);
	if (!copy->raw) ckpt_fail_nomem(err);
	if (copy->raw && find_type(copy, err)) return copy;
	ckpt_config_free(copy);
	return NULL;
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

bool ckpt_config_put(ckpt_config *config, const char *key, ckpt_node *value, ckpt_error *err)
{
	return ckpt_node_put(&config->arena, config->raw, key, value, err) && ckpt_config_resolve(config, err);
}

bool ckpt_config_print_raw(const ckpt_config *config, ckpt_buffer *b, ckpt_error *err)
{
	ckpt_node_print(b, config->raw, true);
	ckpt_buffer_char(b, '\n');
	return ckpt_buffer_ok(b, err);
}

const char *ckpt_config_json(ckpt_config *config, const char *transformers_version, ckpt_error *err)
{
	ckpt_buffer b = {0};
	if (!ckpt_config_print(config, transformers_version, &b, err)) {
		ckpt_buffer_free(&b);
		return NULL;
	}
	free(config->text);
	config->text = b.data;
	return config->text;
}
