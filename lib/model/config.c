/* config.c -- what a config of a model says */
#include "config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ckpt_config_free(ckpt_config *config)
{
	if (!config) return;
	ckpt_arena_free(&config->arena);
	free(config->text);
	free(config);
}

const char *ckpt_config_canonical(const ckpt_arch *arch, const char *key)
{
	if (!strcmp(key, "torch_dtype")) return "dtype";
	for (const ckpt_arch_alias *a = arch->aliases; a && a->alias; a++)
		if (a->key && !strcmp(a->alias, key)) return a->key;
	return key;
}

bool ckpt_config_known(const ckpt_config *config, const char *key)
{
	static const char *const further[] = {"num_labels", "model_type", "transformers_version", "torch_dtype"};
	for (size_t i = 0; i < sizeof further / sizeof further[0]; i++)
		if (!strcmp(key, further[i])) return true;
	if (ckpt_node_get(config->base, key) || ckpt_node_get(config->defaults, key)) return true;
	if (ckpt_node_get(config->defaults, ckpt_config_canonical(config->arch, key))) return true;
	return ckpt_node_get(config->defaults, "rope_parameters") && (!strcmp(key, "rope_theta") || !strcmp(key, "rope_scaling"));
}

const ckpt_node *ckpt_config_get(const ckpt_config *config, const char *key)
{
	return ckpt_node_get(config->full, config->arch ? ckpt_config_canonical(config->arch, key) : key);
}

bool ckpt_config_u64(const ckpt_config *config, const char *key, uint64_t *out)
{
	return ckpt_node_u64(ckpt_config_get(config, key), out);
}

bool ckpt_config_f64(const ckpt_config *config, const char *key, double *out)
{
	return ckpt_node_f64(ckpt_config_get(config, key), out);
}

bool ckpt_config_bool(const ckpt_config *config, const char *key, bool fallback)
{
	const ckpt_node *node = ckpt_config_get(config, key);
	return node && node->kind == CKPT_NODE_BOOL ? node->boolean : fallback;
}

const char *ckpt_config_text(const ckpt_config *config, const char *key)
{
	const ckpt_node *node = ckpt_config_get(config, key);
	return node && node->kind == CKPT_NODE_STRING ? node->text : NULL;
}

uint64_t ckpt_config_dim(const ckpt_config *config, char symbol) { return config->dims[CKPT_SYMBOL(symbol)]; }

double ckpt_config_std(const ckpt_config *config)
{
	double std = 0.02;
	ckpt_config_f64(config, config->arch->std_key, &std);
	/* transformers takes a range of 0 for "not said" */
	return std == 0 && !strcmp(config->arch->std_key, "initializer_range") ? 0.02 : std;
}

const char *ckpt_config_label(const ckpt_config *config, uint64_t i)
{
	char key[24];
	snprintf(key, sizeof key, "%llu", (unsigned long long)i);
	const ckpt_node *label = ckpt_node_get(ckpt_node_get(config->full, "id2label"), key);
	return label ? label->text : NULL;
}

const char *ckpt_config_type(const ckpt_config *config) { return config->arch ? config->arch->type : NULL; }
