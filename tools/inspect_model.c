/* inspect_model.c -- what a checkpoint is as a model: architecture, class, parameters by part, the loading report */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/model/report.h"
#include "inspect_model.h"
#include "number.h"

enum { MOST_PARTS = 64 };

static void put_string(ckpt_buffer *b, const char *text, size_t length)
{
	ckpt_json_write_string(b, text, length, false);
}

static void put_parts(const ckpt_model *model, ckpt_buffer *text, ckpt_buffer *json)
{
	ckpt_model_part parts[MOST_PARTS];
	char number[CKPT_NUMBER_TEXT];
	size_t count = ckpt_model_parts(model, parts, MOST_PARTS);
	ckpt_buffer_str(text, ckpt_count_text(ckpt_model_parameters(model), number, sizeof number));
	ckpt_buffer_printf(json, ",\"parameters\":%" PRIu64 ",\"parts\":{", ckpt_model_parameters(model));
	for (size_t i = 0; i < count; i++) {
		ckpt_count_text(parts[i].parameters, number, sizeof number);
		ckpt_buffer_printf(text, "%s%.*s %s", i ? ", " : ": ", (int)parts[i].length, parts[i].name, number);
		if (i) ckpt_buffer_char(json, ',');
		put_string(json, parts[i].name, parts[i].length);
		ckpt_buffer_printf(json, ":%" PRIu64, parts[i].parameters);
	}
	ckpt_buffer_str(json, "}");
}

static void put_notes(const char *notes, ckpt_buffer *json)
{
	ckpt_buffer_str(json, ",\"notes\":[");
	for (const char *at = notes; *at;) {
		size_t length = strcspn(at, "\n");
		if (at != notes) ckpt_buffer_char(json, ',');
		put_string(json, at, length);
		at += length + (at[length] == '\n');
	}
	ckpt_buffer_str(json, "]");
}

static bool describe(ckpt_model *model, ckpt_model_facts *facts, ckpt_error *err)
{
	ckpt_buffer name = {0}, parameters = {0}, json = {0};
	const char *report = ckpt_model_report(model, true, err);
	if (!report) return false;
	ckpt_buffer_printf(&name, "%s (%s)", ckpt_model_class(model), ckpt_model_type(model));
	ckpt_buffer_printf(&json, "{\"type\":\"%s\",\"class\":\"%s\"", ckpt_model_type(model), ckpt_model_class(model));
	put_parts(model, &parameters, &json);
	put_notes(ckpt_model_notes(model), &json);
	ckpt_buffer_printf(&json, ",\"report\":%s}", report);
	bool ok = ckpt_buffer_ok(&name, err) && ckpt_buffer_ok(&parameters, err) && ckpt_buffer_ok(&json, err);
	facts->name = name.data;
	facts->parameters = parameters.data;
	facts->json = json.data;
	report = ok ? ckpt_model_report(model, false, err) : NULL;
	facts->report = report ? strdup(report) : NULL;
	facts->notes = strdup(ckpt_model_notes(model));
	return facts->report && facts->notes ? ok : ok && ckpt_fail_nomem(err);
}

bool ckpt_model_facts_find(const ckpt_call *call, const char *path, const ckpt_checkpoint *cp, const char *type,
                           ckpt_model_facts *facts, ckpt_error *err)
{
	ckpt_error why = {0};
	ckpt_model_options options = {.path = path, .type = type, .guess = true};
	ckpt_model *model = call->open.root ? NULL : ckpt_model_open(cp, &options, &why);
	if (model) {
		bool ok = describe(model, facts, err);
		ckpt_model_free(model);
		return ok;
	}
	if (why.code == CKPT_E_NOMEM || type) {
		if (err) *err = why;
		return false;
	}
	/* tensors that fit nothing need no remark; a config that cannot be used, or a choice, does */
	bool silent = !why.code || why.code == CKPT_E_UNSUPPORTED;
	facts->notes = strdup(silent ? "" : why.text);
	return facts->notes || ckpt_fail_nomem(err);
}

void ckpt_model_facts_free(ckpt_model_facts *facts)
{
	free(facts->name);
	free(facts->parameters);
	free(facts->notes);
	free(facts->report);
	free(facts->json);
}
