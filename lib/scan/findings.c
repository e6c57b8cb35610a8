/* findings.c -- the kinds of findings: stable ids, severities, meanings */
#include "scan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DANGEROUS  CKPT_SEVERITY_DANGEROUS
#define MALFORMED  CKPT_SEVERITY_MALFORMED
#define SUSPICIOUS CKPT_SEVERITY_SUSPICIOUS

enum { MOST = 1000 };

static const ckpt_finding_info table[CKPT_FOUND_KINDS] = {
	[CKPT_FOUND_DANGEROUS_CALL] = {"CKPT-P001", "dangerous call", "loading it calls a function that can run code, reach files or the network", DANGEROUS, false},
	[CKPT_FOUND_DANGEROUS_NAME] = {"CKPT-P002", "dangerous name", "loading it imports such a function, without a call that can be seen", DANGEROUS, false},
	[CKPT_FOUND_UNRESOLVED] = {"CKPT-P003", "computed name", "it imports a name that only running it would tell", DANGEROUS, false},
	[CKPT_FOUND_UNKNOWN_NAME] = {"CKPT-P004", "unknown name", "it imports a name that is not known to be harmless", SUSPICIOUS, false},
	[CKPT_FOUND_COMPUTED_CALL] = {"CKPT-P005", "computed call", "it calls the result of another call", SUSPICIOUS, false},
	[CKPT_FOUND_DROPPED_CALL] = {"CKPT-P006", "result thrown away", "it makes a call whose result nobody uses", SUSPICIOUS, false},
	[CKPT_FOUND_EXTENSION] = {"CKPT-P007", "extension code", "it refers to a name by a number that only the loading program knows", SUSPICIOUS, false},
	[CKPT_FOUND_PERSISTENT] = {"CKPT-P008", "odd persistent id", "it refers to something outside of itself that is no storage", SUSPICIOUS, false},
	[CKPT_FOUND_BAD_PICKLE] = {"CKPT-P009", "broken pickle", "a pickle cannot be followed to its end; what stands before the fault would still be executed", MALFORMED, true},
	[CKPT_FOUND_TRAILING] = {"CKPT-P010", "data behind the end", "bytes follow the end of a pickle or of the file's last part", SUSPICIOUS, false},
	[CKPT_FOUND_HIDDEN_PICKLE] = {"CKPT-P011", "pickle in odd place", "a pickle stands where data should be", SUSPICIOUS, false},
	[CKPT_FOUND_ODD_NAME] = {"CKPT-P012", "odd name", "an imported name has characters that deceive readers", SUSPICIOUS, false},
	[CKPT_FOUND_ZIP_FAULT] = {"CKPT-Z001", "faulty archive", "programs can read the archive in different ways", MALFORMED, false},
	[CKPT_FOUND_ZIP_EXTRA] = {"CKPT-Z002", "unaccounted bytes", "the archive holds bytes that its directory does not list", SUSPICIOUS, false},
	[CKPT_FOUND_ZIP_CRC] = {"CKPT-Z003", "wrong CRC", "a record differs from its checksum", MALFORMED, false},
	[CKPT_FOUND_ZIP_RECORD] = {"CKPT-Z004", "record of no use", "the archive holds a record that no checkpoint of its kind has", SUSPICIOUS, false},
	[CKPT_FOUND_OBJECT_ARRAY] = {"CKPT-N001", "array of objects", "a numpy array of objects is a pickle, which numpy.load(allow_pickle=True) executes", SUSPICIOUS, false},
	[CKPT_FOUND_MALFORMED] = {"CKPT-F001", "malformed file", "the file breaks the rules of its format", MALFORMED, false},
	[CKPT_FOUND_NOT_LOOKED_AT] = {"CKPT-F002", "not looked at", "the content is nothing that ckpt can judge", MALFORMED, true},
	[CKPT_FOUND_LIMIT] = {"CKPT-F003", "limit reached", "the file asks for more than a limit allows, so not all of it was looked at", MALFORMED, true},
	[CKPT_FOUND_CUSTOM_CODE] = {"CKPT-C001", "custom code", "the config names Python code of its own, which trust_remote_code=True executes", SUSPICIOUS, false},
	[CKPT_FOUND_BAD_CONFIG] = {"CKPT-C002", "bad config", "the config makes no model", MALFORMED, false},
};

const ckpt_finding_info *ckpt_finding_get(ckpt_finding_kind kind)
{
	return &table[kind];
}

static const char *copy(ckpt_scan *s, const char *text)
{
	char *c = text ? strdup(text) : NULL;
	if (text && !c) s->failed = true;
	return c;
}

void ckpt_scan_add(ckpt_scan *s, ckpt_finding_kind kind, const char *record, uint64_t offset, const char *opcode,
                   const char *module, const char *name, bool called, const char *format, ...)
{
	char text[CKPT_ERROR_TEXT];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (table[kind].incomplete) s->complete = false;
	bool worse = true; /* than all so far */
	for (size_t i = 0; i < s->count; i++) { /* once for each place */
		const ckpt_scan_finding *f = &s->findings[i];
		if (f->id == table[kind].id && f->offset == offset && strcmp(f->text, text) == 0) return;
		if (f->severity >= table[kind].severity) worse = false;
	}
	if (s->count >= MOST && !worse) return; /* a thousand findings say enough, but the worst is always among them */
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? s->capacity * 2 : 16;
		ckpt_scan_finding *findings = reallocarray(s->findings, capacity, sizeof *findings);
		if (!findings) {
			s->failed = true;
			return;
		}
		s->findings = findings;
		s->capacity = capacity;
	}
	s->findings[s->count++] = (ckpt_scan_finding){table[kind].id, table[kind].severity, copy(s, text), copy(s, record), offset,
	                                              opcode, copy(s, module), copy(s, name), called};
}

void ckpt_scan_free(ckpt_scan *s)
{
	if (!s) return;
	for (size_t i = 0; i < s->count; i++) {
		free((char *)s->findings[i].text);
		free((char *)s->findings[i].record);
		free((char *)s->findings[i].module);
		free((char *)s->findings[i].name);
	}
	for (size_t i = 0; i < s->name_count; i++) {
		free((char *)s->names[i].module);
		free((char *)s->names[i].name);
		free((char *)s->names[i].record);
	}
	ckpt_text_index_free(&s->keys);
	ckpt_arena_free(&s->arena);
	free(s->findings);
	free(s->names);
	free(s->path);
	free(s->format);
	free(s);
}

ckpt_verdict ckpt_scan_verdict(const ckpt_scan *s)
{
	ckpt_verdict worst = s->complete ? CKPT_CLEAN : CKPT_MALFORMED;
	for (size_t i = 0; i < s->count; i++) {
		ckpt_verdict v = (ckpt_verdict)(s->findings[i].severity + 1);
		if (v > worst) worst = v;
	}
	return worst;
}

bool ckpt_scan_complete(const ckpt_scan *s)
{
	return s->complete;
}

const char *ckpt_scan_format(const ckpt_scan *s)
{
	return s->format ? s->format : "";
}

const char *ckpt_scan_sha256(const ckpt_scan *s)
{
	return s->sha256;
}

size_t ckpt_scan_finding_count(const ckpt_scan *s)
{
	return s->count;
}

const ckpt_scan_finding *ckpt_scan_finding_at(const ckpt_scan *s, size_t i)
{
	return i < s->count ? &s->findings[i] : NULL;
}

size_t ckpt_scan_name_count(const ckpt_scan *s)
{
	return s->name_count;
}

const ckpt_scan_name *ckpt_scan_name_at(const ckpt_scan *s, size_t i)
{
	return i < s->name_count ? &s->names[i] : NULL;
}
