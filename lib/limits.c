/* limits.c -- the named limits: one table for parsing, defaults and documentation */
#include "limits.h"
#include "error.h"

#include <string.h>

static const struct {
	const char *name;
	size_t offset;
	uint64_t value;
	const char *meaning;
} table[] = {
	{"header-bytes", offsetof(ckpt_limits, header_bytes), 100000000,
	 "JSON header of a safetensors file, header of a .npy file; the reference reader has the same limit"},
	{"index-bytes", offsetof(ckpt_limits, index_bytes), 100000000, "an index of shards (*.index.json)"},
	{"pickle-bytes", offsetof(ckpt_limits, pickle_bytes), 268435456, "one pickle stream"},
	{"pickle-values", offsetof(ckpt_limits, pickle_values), 33554432, "values that one pickle may build"},
	{"tensors", offsetof(ckpt_limits, tensors), 4194304, "tensors in one checkpoint"},
	{"view-bytes", offsetof(ckpt_limits, view_bytes), 17179869184,
	 "bytes of a tensor that repeats its storage (stride 0) and so is larger than the file"},
	{"depth", offsetof(ckpt_limits, depth), 128, "nesting of JSON"},
	{"zip-records", offsetof(ckpt_limits, zip_records), 8388608, "records in one zip archive"},
	{"inflate-bytes", offsetof(ckpt_limits, inflate_bytes), 68719476736, "what one deflated record may become"},
	{"cache-bytes", offsetof(ckpt_limits, cache_bytes), 8589934592, "keys and values that are kept while text is generated"},
};

#define COUNT (sizeof table / sizeof *table)

static uint64_t *field(ckpt_limits *limits, size_t i) { return (uint64_t *)(void *)((char *)limits + table[i].offset); }

ckpt_limits ckpt_limits_resolve(const ckpt_limits *limits)
{
	ckpt_limits out = {0};
	if (limits) out = *limits;
	for (size_t i = 0; i < COUNT; i++)
		if (*field(&out, i) == 0) *field(&out, i) = table[i].value;
	return out;
}

bool ckpt_limits_at(size_t i, const char **name, uint64_t *value, const char **meaning)
{
	if (i >= COUNT) return false;
	*name = table[i].name;
	*value = table[i].value;
	*meaning = table[i].meaning;
	return true;
}

bool ckpt_limits_set(ckpt_limits *limits, const char *name, uint64_t value, ckpt_error *err)
{
	if (value == 0) return ckpt_fail(err, CKPT_E_USAGE, "limit %s must be at least 1, found 0", name);
	for (size_t i = 0; i < COUNT; i++)
		if (strcmp(table[i].name, name) == 0) {
			*field(limits, i) = value;
			return true;
		}
	return ckpt_fail(err, CKPT_E_USAGE, "there is no limit called '%s'", name);
}
