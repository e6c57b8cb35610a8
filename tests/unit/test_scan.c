/* test_scan.c -- verdicts on pickles, archives, configs and things that are no checkpoint */
#include "unit.h"

#include "../../lib/ckpt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ckpt_scan *scan(const char *name, const void *data, size_t length)
{
	static char path[4096];
	snprintf(path, sizeof path, "%s/%s", unit_folder(), name);
	FILE *f = fopen(path, "wb");
	fwrite(data, 1, length, f);
	fclose(f);
	ckpt_scan *s = ckpt_scan_file(path, NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	return s;
}

static const ckpt_scan_finding *find(const ckpt_scan *s, const char *id)
{
	for (size_t i = 0; i < ckpt_scan_finding_count(s); i++)
		if (strcmp(ckpt_scan_finding_at(s, i)->id, id) == 0) return ckpt_scan_finding_at(s, i);
	return NULL;
}

static void expect(const char *name, const void *data, size_t length, ckpt_verdict verdict, const char *id)
{
	ckpt_scan *s = scan(name, data, length);
	CU_ASSERT_EQUAL(ckpt_scan_verdict(s), verdict);
	if (id) CU_ASSERT_PTR_NOT_NULL(find(s, id));
	ckpt_scan_free(s);
}

#define TEXT(t) (t), sizeof(t) - 1

static void calls_are_found_with_their_place(void)
{
	static const char system_call[] = "\x80\x02" "cos\nsystem\nX\x02\0\0\0id\x85R.";
	ckpt_scan *s = scan("call.bin", system_call, sizeof system_call - 1);
	CU_ASSERT_EQUAL(ckpt_scan_verdict(s), CKPT_DANGEROUS);
	const ckpt_scan_finding *f = find(s, "CKPT-P001");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_STRING_EQUAL(f->module, "os");
	CU_ASSERT_STRING_EQUAL(f->name, "system");
	CU_ASSERT_STRING_EQUAL(f->opcode, "GLOBAL");
	CU_ASSERT_EQUAL(f->offset, 2);
	CU_ASSERT(f->called);
	CU_ASSERT_EQUAL(strlen(ckpt_scan_sha256(s)), 64);
	ckpt_scan_free(s);
}

static void every_way_to_import_counts(void)
{
	expect("text.pkl", TEXT("cposix\nsystem\n(S'id'\ntR."), CKPT_DANGEROUS, "CKPT-P001");
	expect("broken.bin", TEXT("\x80\x02" "cos\nsystem\nX\x02\0\0\0id\x85R\xff"), CKPT_DANGEROUS, "CKPT-P009");
	expect("mention.bin", TEXT("\x80\x02" "cbuiltins\neval\n."), CKPT_DANGEROUS, "CKPT-P002");
	expect("stack.bin", TEXT("\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R."), CKPT_DANGEROUS, "CKPT-P001");
	expect("computed.bin", TEXT("\x80\x04)\x8c\x06system\x93."), CKPT_DANGEROUS, "CKPT-P003");
	expect("unknown.bin", TEXT("\x80\x02" "cmypackage\nThing\n)R."), CKPT_MALFORMED, "CKPT-P004"); /* and no checkpoint */
}

static void harmless_files_are_clean(void)
{
	static const char header[] = "\x3c\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
	char file[8 + 60 + 16] = {0};
	memcpy(file, header, 68);
	expect("ok.safetensors", file, sizeof file, CKPT_CLEAN, NULL);
	expect("cut.safetensors", file, sizeof file - 1, CKPT_MALFORMED, "CKPT-F001");
}

static void what_is_no_checkpoint_is_never_clean(void)
{
	expect("empty.bin", "", 0, CKPT_MALFORMED, NULL);
	expect("page.bin", TEXT("<!DOCTYPE html><html></html>"), CKPT_MALFORMED, NULL);
	expect("words.bin", TEXT("just some words\n"), CKPT_MALFORMED, NULL);
	ckpt_scan *s = scan("seven.bin", "7z\xbc\xaf\x27\x1c", 6);
	CU_ASSERT_FALSE(ckpt_scan_complete(s) && ckpt_scan_verdict(s) == CKPT_CLEAN);
	ckpt_scan_free(s);
}

static void configs_are_judged(void)
{
	expect("a-config.json", TEXT("{\"model_type\": \"bert\"}"), CKPT_CLEAN, NULL);
	expect("b-config.json", TEXT("{\"model_type\": \"bert\", \"auto_map\": {\"AutoModel\": \"x.Y\"}}"), CKPT_SUSPICIOUS, "CKPT-C001");
	expect("c-config.json", TEXT("{\"model_type\": \"bert\", \"num_hidden_layers\": -3}"), CKPT_MALFORMED, "CKPT-C002");
	expect("d-config.json", TEXT("{\"model_type\": \"some_new_type\", \"x\": 1}"), CKPT_CLEAN, NULL);
	expect("e-config.json", TEXT("{\"model_type\": \"../x\"}"), CKPT_MALFORMED, "CKPT-C002");
	expect("f-config.json", TEXT("{\"model_type\": "), CKPT_MALFORMED, "CKPT-C002");
}

static void missing_files_are_errors(void)
{
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_scan_file("/nonexistent/file", NULL, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/nonexistent/file"));
	ckpt_scan_free(NULL);
}

static const unit_case cases[] = {
	{"calls_are_found_with_their_place", calls_are_found_with_their_place},
	{"every_way_to_import_counts", every_way_to_import_counts},
	{"harmless_files_are_clean", harmless_files_are_clean},
	{"what_is_no_checkpoint_is_never_clean", what_is_no_checkpoint_is_never_clean},
	{"configs_are_judged", configs_are_judged},
	{"missing_files_are_errors", missing_files_are_errors},
	{0},
};
const unit_suite unit_scan = {"scan", cases};
