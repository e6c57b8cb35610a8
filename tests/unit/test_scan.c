/* test_scan.c -- verdicts on pickles, archives, configs and things that are no checkpoint */
#include "unit.h"

#include "../../lib/ckpt.h"
#include "../../lib/checked.h"
#include "../../lib/crc.h"
#include "../../lib/scan/scan.h"
#include "torch_make.h"

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

/* What the loader refuses, or reads in another way than Python, hides no call behind it. */
static void faults_that_python_passes_over_hide_nothing(void)
{
	static const struct {
		const char *bytes;
		size_t length;
	} faults[] = {{TEXT("]}b0")},                                  /* BUILD on a list, with nothing */
	              {TEXT("cargparse\nNamespace\n)R}b}b0")},          /* twice */
	              {TEXT("cargparse\nNamespace\nN}X\1\0\0\0aK\2s\x86" "b0")}, /* on a class */
	              {TEXT("]K\1aK\0K\2s0")},                           /* SETITEM in a list */
	              {TEXT("\x96\1\0\0\0\0\0\0\0aK\5a0")},            /* APPEND to a bytearray */
	              {TEXT("}(e0")}, {TEXT("](u0")}, {TEXT("](\x90" "0")},
	              {TEXT("\x95\3\0\0\0\0\0\0\0\x95\1\0\0\0\0\0\0\0N0")}, /* frames in frames */
	              {TEXT("\x95\1\0\0\0\0\0\0\0K\1" "0")},            /* and too short ones */
	              {TEXT("I0x10\n0")}, {TEXT("I 5 \n0")}, {TEXT("I1_0\n0")}, {TEXT("L 0x5 L\n0")},
	              {TEXT("S'\\q'\n0")},
	              {TEXT("Np99999999\n0")}, {TEXT("Np 5 \n0")}, {TEXT("Np0000000000000005\n0")},
	              {TEXT("cbuiltins\nint\ncbuiltins\ntuple\n)RR0")}, /* arguments that are computed */
	              {TEXT("ccollections\nOrderedDict\n]X\2\0\0\0baa\x85R0")},
	              {TEXT("cbuiltins\nset\n)R(K\1\x90" "0")}};
	static const char call[] = "cos\nsystem\nX\2\0\0\0id\x85R.";
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		char file[256] = "\x80\4";
		memcpy(file + 2, faults[i].bytes, faults[i].length);
		memcpy(file + 2 + faults[i].length, call, sizeof call - 1);
		ckpt_scan *s = scan("fault.bin", file, 2 + faults[i].length + sizeof call - 1);
		if (!find(s, "CKPT-P001")) fprintf(stderr, "behind fault %zu\n", i);
		CU_ASSERT_PTR_NOT_NULL(find(s, "CKPT-P001"));
		CU_ASSERT_PTR_NOT_NULL(find(s, "CKPT-P009") ? find(s, "CKPT-P009") : find(s, "CKPT-F003"));
		CU_ASSERT_EQUAL(ckpt_scan_verdict(s), CKPT_DANGEROUS);
		CU_ASSERT_FALSE(ckpt_scan_complete(s));
		ckpt_scan_free(s);
	}
}

/* Behind an entry of the memo that was not taken, numbers of entries may mean other names. */
static void a_lost_memo_makes_names_unknown(void)
{
	expect("lost.bin", TEXT("\x80\4\x8c\1ap0\n0\x8c\2osp 1 \n0\x8c\6system\x94" "0h\1h\2\x93\x8c\2id\x85R."), CKPT_DANGEROUS, "CKPT-P003");
}

static void a_second_stream_is_read_behind_a_broken_one(void)
{
	expect("marks.bin", TEXT("\x80\2N(N.cos\nsystem\nX\2\0\0\0id\x85R."), CKPT_DANGEROUS, "CKPT-P001");
}

static void persistent_ids_that_are_no_storage_are_said(void)
{
	expect("persid.bin", TEXT("\x80\2Pan id\n."), CKPT_MALFORMED, "CKPT-P008");
	expect("persid2.bin", TEXT("\x80\2X\2\0\0\0idQ0cos\nsystem\nX\2\0\0\0id\x85R."), CKPT_DANGEROUS, "CKPT-P008");
}

static void harmless_files_are_clean(void)
{
	static const char header[] = "\x3c\0\0\0\0\0\0\0{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
	char file[8 + 60 + 16] = {0};
	memcpy(file, header, 68);
	expect("ok.safetensors", file, sizeof file, CKPT_CLEAN, NULL);
	expect("cut.safetensors", file, sizeof file - 1, CKPT_MALFORMED, "CKPT-F001");
	uint8_t wide[8 + 640 + 16] = {0x80}; /* the length of such a header begins as pickles do */
	for (int length = 128; length <= 640; length += 512) {
		wide[1] = (uint8_t)(length >> 8);
		memset(wide + 8, ' ', (size_t)length + 16);
		memcpy(wide + 8, header + 8, 60);
		expect("wide.safetensors", wide, 8 + (size_t)length + 16, CKPT_CLEAN, NULL);
	}
}

/* Text that a pickle machine skips as a line, in the header of a safetensors file. */
static void two_formats_in_one_file_hide_nothing(void)
{
	static const char call[] = "cos\nsystem\n(S'id'\ntR.";
	char file[8 + 0x56 + sizeof call] = "V";
	int n = snprintf(file + 8, 0x57, "{\"w\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}", sizeof call - 1, sizeof call - 1);
	memset(file + 8 + n, ' ', (size_t)(0x56 - 2 - n));
	memcpy(file + 8 + 0x54, "\n}", 2);
	memcpy(file + 8 + 0x56, call, sizeof call - 1);
	expect("two.safetensors", file, sizeof file - 1, CKPT_DANGEROUS, "CKPT-P001");
}

/* However numpy lets one write the dtype. */
static void arrays_of_objects_are_looked_into(void)
{
	static const char *const types[] = {"'|O'", "\"|O\"", "'O8'", "'\\x7cO'", "'|' 'O'", "[('a', '|O')]", "[(\"a\", \"O\")]", "'object'"};
	static const char call[] = "\x80\2cos\nsystem\nX\2\0\0\0id\x85R.";
	for (size_t i = 0; i < 3 * (sizeof types / sizeof *types); i++) {
		char file[2048] = "\x93NUMPY\1";
		size_t prefix = i % 3 ? 12 : 10, pad = i % 3 == 2 ? 1000 : 1;
		file[6] = (char)(i % 3 + 1);
		int n = snprintf(file + prefix, 1500, "{'descr': %s, %*s'fortran_order': False, 'shape': (1,), }\n", types[i / 3], (int)pad, "");
		file[8] = (char)n;
		file[9] = (char)(n >> 8);
		memcpy(file + prefix + n, call, sizeof call - 1);
		expect("objects.npy", file, prefix + (size_t)n + sizeof call - 1, CKPT_DANGEROUS, "CKPT-N001");
	}
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
	expect("tokenizer_config.json", TEXT("{\"auto_map\": {\"AutoTokenizer\": [\"x.Y\", null]}}"), CKPT_SUSPICIOUS, "CKPT-C001");
	expect("c-config.json", TEXT("{\"model_type\": \"bert\", \"num_hidden_layers\": -3}"), CKPT_MALFORMED, "CKPT-C002");
	expect("d-config.json", TEXT("{\"model_type\": \"some_new_type\", \"x\": 1}"), CKPT_CLEAN, NULL);
	expect("e-config.json", TEXT("{\"model_type\": \"../x\"}"), CKPT_MALFORMED, "CKPT-C002");
	expect("f-config.json", TEXT("{\"model_type\": "), CKPT_MALFORMED, "CKPT-C002");
}

static void nothing_hides_behind_many_findings(void)
{
	static char file[200000] = "\x80\x02";
	size_t n = 2;
	for (int i = 0; i < 3000; i++) n += (size_t)sprintf(file + n, "codd.m%d\nThing\n0", i);
	n += (size_t)sprintf(file + n, "cos\nsystem\nX\2");
	memcpy(file + n, "\0\0\0id\x85R.", 8);
	expect("many.bin", file, n + 8, CKPT_DANGEROUS, "CKPT-P001");
}

static void another_look_does_not_hide_a_pickle(void)
{
	expect("brace.bin", TEXT("S'12345{'\n0cos\nsystem\n(S'id'\ntR."), CKPT_DANGEROUS, "CKPT-P001");
}

/* A stored zip of one record, which is called as tensor data is. */
static size_t zip_of(uint8_t *out, const uint8_t *data, size_t length)
{
	static const char name[] = "archive/data/0";
	size_t n = sizeof name - 1, at = 0;
	uint32_t crc = ckpt_crc32(0, data, length);
	uint8_t head[30] = "PK\3\4\x14", entry[46] = "PK\1\2\x14\0\x14", end[22] = "PK\5\6";
	ckpt_put32(head + 14, crc);
	ckpt_put32(head + 18, (uint32_t)length);
	ckpt_put32(head + 22, (uint32_t)length);
	head[26] = (uint8_t)n;
	memcpy(entry + 16, head + 14, 12);
	entry[28] = (uint8_t)n;
	end[8] = end[10] = 1;
	ckpt_put32(end + 12, (uint32_t)(sizeof entry + n));
	ckpt_put32(end + 16, (uint32_t)(sizeof head + n + length));
	const struct {
		const void *bytes;
		size_t length;
	} parts[] = {{head, sizeof head}, {name, n}, {data, length}, {entry, sizeof entry}, {name, n}, {end, sizeof end}};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; at += parts[i++].length) memcpy(out + at, parts[i].bytes, parts[i].length);
	return at;
}

static void padding_does_not_hide_a_call(void)
{
	static const char call[] = "0cos\nsystem\nX\2\0\0\0id\x85R.";
	size_t pad = (size_t)3 << 20, length = 7 + pad + sizeof call - 1;
	uint8_t *pickle = calloc(1, length), *zip = malloc(length + 1024);
	CU_ASSERT_FATAL(pickle && zip);
	memcpy(pickle, "\x80\2X", 3);
	ckpt_put32(pickle + 3, (uint32_t)pad);
	memset(pickle + 7, 'a', pad);
	memcpy(pickle + 7 + pad, call, sizeof call - 1);
	size_t n = zip_of(zip, pickle, length);
	expect("padded.pt", zip, n, CKPT_DANGEROUS, "CKPT-P011");
	n = zip_of(zip, (const uint8_t *)"data", 4); /* and no pickle names it */
	expect("unused.pt", zip, n, CKPT_MALFORMED, "CKPT-Z004");
	free(pickle);
	free(zip);
}

#define CALL "\x80\2cos\nsystem\nX\2\0\0\0id\x85R."

static void expect_zip(const zip_archive *z, ckpt_verdict verdict, const char *id)
{
	ckpt_scan *s = ckpt_scan_file(zip_write(z, "judged.pt"), NULL, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_EQUAL(ckpt_scan_verdict(s), verdict);
	if (id) CU_ASSERT_PTR_NOT_NULL(find(s, id));
	if (!id || ckpt_scan_verdict(s) != verdict)
		for (size_t i = 0; i < ckpt_scan_finding_count(s); i++) fprintf(stderr, "%s\n", ckpt_scan_finding_at(s, i)->text);
	ckpt_scan_free(s);
}

static zip_archive plain_archive(void)
{
	static const char pickle[] = "}Vw\n" T4 "s.";
	return torch_archive(pickle, sizeof pickle - 1);
}

static void records_of_archives_are_judged(void)
{
	zip_archive z = plain_archive();
	expect_zip(&z, CKPT_CLEAN, NULL);
	static const struct {
		const char *name, *data, *id;
		size_t length;
		ckpt_verdict verdict;
	} extras[] = {{"m/more.pkl", CALL, "CKPT-P001", sizeof CALL - 1, CKPT_DANGEROUS},
	              {"m/more.pkl", "}.}.", "CKPT-P010", 4, CKPT_SUSPICIOUS},
	              {"m/data/9", "data", "CKPT-Z004", 4, CKPT_SUSPICIOUS},
	              {"m/data/9", CALL, "CKPT-P011", sizeof CALL - 1, CKPT_DANGEROUS},
	              {"m/code/run.py", "import os", "CKPT-Z004", 9, CKPT_SUSPICIOUS},
	              {"m/notes", "some text", "CKPT-Z004", 9, CKPT_SUSPICIOUS},
	              {"m/notes", CALL, "CKPT-P001", sizeof CALL - 1, CKPT_DANGEROUS}};
	for (size_t i = 0; i < sizeof extras / sizeof *extras; i++) {
		z = plain_archive();
		zip_add(&z, extras[i].name, extras[i].data, extras[i].length);
		expect_zip(&z, extras[i].verdict, extras[i].id);
	}
	zip_add_deflated(&z, "m/deflated.pkl", CALL, sizeof CALL - 1);
	ckpt_scan *s = ckpt_scan_file(zip_write(&z, "limit.pt"), &(ckpt_limits){.pickle_bytes = 20}, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_PTR_NOT_NULL(find(s, "CKPT-F003"));
	CU_ASSERT_FALSE(ckpt_scan_complete(s));
	ckpt_scan_free(s);
}

static void bytes_around_records_are_judged(void)
{
	zip_archive z = plain_archive();
	zip_add(&z, "m/notes", "some text", 9); /* one finding does not stand for another one: the storage has too few bytes */
	for (size_t i = 0; i < z.count; i++) {
		zip_record *r = &z.records[i];
		if (!strstr(r->name, "/data/")) continue;
		r->length = r->size = r->packed = r->local_size = r->local_packed = 8;
		r->crc = r->local_crc = ckpt_crc32(0, r->data, 8);
	}
	expect_zip(&z, CKPT_MALFORMED, "CKPT-F001");
	z = plain_archive();
	z.records[0].gap = CALL;
	z.records[0].gap_length = sizeof CALL - 1;
	expect_zip(&z, CKPT_SUSPICIOUS, "CKPT-P011"); /* which no loader runs */
	z = plain_archive();
	zip_add(&z, "m/more.pkl", CALL, sizeof CALL - 1)->skip = true;
	expect_zip(&z, CKPT_SUSPICIOUS, "CKPT-Z002");
	z = plain_archive();
	z.tail = "some bytes";
	expect_zip(&z, CKPT_SUSPICIOUS, "CKPT-Z002");
	z = plain_archive();
	z.records[0].crc = ++z.records[0].local_crc;
	expect_zip(&z, CKPT_MALFORMED, "CKPT-Z003");
	z = plain_archive();
	z.records[z.count - 1].flags = z.records[z.count - 1].local_flags = 1; /* encrypted */
	expect_zip(&z, CKPT_MALFORMED, "CKPT-Z001");
	z = plain_archive();
	z.records[1].local_name = "m/vers_on!";
	expect_zip(&z, CKPT_MALFORMED, "CKPT-Z001");
}

static void archives_of_arrays_are_looked_into(void)
{
	static const char array[] = "\x93NUMPY\1\0\x46\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }            \n\0\0\0\0";
	static const char objects[] = "\x93NUMPY\1\0\x46\0{'descr': \"|O\", 'fortran_order': False, 'shape': (1,), }             \n" CALL;
	zip_archive z = {0};
	zip_add(&z, "a.npy", array, sizeof array - 1);
	expect_zip(&z, CKPT_CLEAN, NULL);
	for (int i = 0; i < 3; i++) { /* numpy goes by content */
		z.count = 1;
		zip_add(&z, i == 0 ? "b.npy" : i == 1 ? "b" : "B.NPY", objects, sizeof objects - 1);
		expect_zip(&z, CKPT_DANGEROUS, "CKPT-N001");
	}
}

/* What follows its pickle, what needs more than the beginning of a record to be told, and what is beyond a limit. */
static void large_arrays_of_objects_are_looked_into(void)
{
	static const char header[] = "\x93NUMPY\1\0\x46\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }             \n";
	static const char call[] = "0cos\nsystem\nX\2\0\0\0id\x85R.tail";
	size_t head = sizeof header - 1, pad = (size_t)3 << 19, length = head + 7 + pad + sizeof call - 1;
	uint8_t *array = malloc(length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(array);
	memcpy(array, header, head);
	memcpy(array + head, "\x80\2X", 3);
	ckpt_put32(array + head + 3, (uint32_t)pad);
	memset(array + head + 7, 'a', pad);
	memcpy(array + head + 7 + pad, call, sizeof call - 1);
	zip_archive z = {0};
	zip_add(&z, "a.npy", array, length);
	expect_zip(&z, CKPT_DANGEROUS, "CKPT-P010");
	expect("large.npy", array, length, CKPT_DANGEROUS, "CKPT-P001");
	char path[4096];
	snprintf(path, sizeof path, "%s/large.npy", unit_folder());
	ckpt_scan *s = ckpt_scan_file(path, &(ckpt_limits){.pickle_bytes = 1000}, NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_PTR_NOT_NULL(find(s, "CKPT-F003"));
	CU_ASSERT_FALSE(ckpt_scan_complete(s));
	ckpt_scan_free(s);
	free(array);
}

/* More beginnings of pickles than are tried make a look that is not whole. */
static void too_many_beginnings_are_said(void)
{
	static char gap[60000];
	for (size_t i = 0; i < sizeof gap; i += 2) memcpy(gap + i, "\x80\2", 2);
	zip_archive z = plain_archive();
	z.records[0].gap = gap;
	z.records[0].gap_length = sizeof gap;
	expect_zip(&z, CKPT_MALFORMED, "CKPT-F003");
}

/* A member of a tar file: its header, whose name may stand in another one before it, and its bytes. */
static size_t tar_member(char *at, const char *name, const char *size, const char *data, size_t length)
{
	memset(at, 0, 1024);
	strcpy(at, name);
	memcpy(at + 124, size, strlen(size));
	memcpy(at + 257, "ustar", 6);
	at[156] = '0';
	memcpy(at + 512, data, length);
	return 1024;
}

static void tar_files_are_read_to_their_end(void)
{
	static const char call[] = "cos\nsystem\n(S'id'\ntR.";
	static const char *const names[] = {"pickle", "", "pickle", "pickle"};
	static const char *const sizes[] = {"00000000030", "00000000030", "        30 ", "\x80"};
	char file[4096] = {0}, base256[12] = "\x80";
	for (size_t i = 0; i < 4; i++) {
		memset(file, 0, sizeof file);
		size_t n = tar_member(file, "sys_info", "00000000002", "}.", 2);
		n += tar_member(file + n, names[i], sizes[i], call, sizeof call - 1);
		base256[11] = sizeof call - 1;
		if (i == 3) memcpy(file + 1024 + 124, base256, 12);
		expect("members.tar", file, n + 1024, CKPT_DANGEROUS, "CKPT-P001");
	}
	memcpy(file + 124, "none", 5);
	expect("size.tar", file, 3072, CKPT_MALFORMED, "CKPT-F001");
}

static void arrays_of_training_states_are_known(void)
{
	expect("call.bin", TEXT("\x80\x02}X\1\0\0\0acnumpy\ndtype\nX\2\0\0\0f8K\0K\1\x87Rs."), CKPT_MALFORMED, "CKPT-F001");
	ckpt_scan *s = scan("mention.bin", TEXT("\x80\x02" "cnumpy.core.multiarray\n_reconstruct\n."));
	CU_ASSERT_PTR_NOT_NULL(find(s, "CKPT-P004")); /* named alone, it is no array */
	ckpt_scan_free(s);
	/* a dtype whose state numpy would believe: bytes as addresses, numbers as addresses; and one with fields */
	expect("forged.bin", TEXT("\x80\x02" "cnumpy\ndtype\nX\2\0\0\0O8\x89\x88\x87R(K\3X\1\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb."),
	       CKPT_DANGEROUS, "CKPT-P001");
	expect("forged2.bin", TEXT("\x80\x02" "cnumpy\ndtype\nX\2\0\0\0i8\x89\x88\x87R(K\3X\1\0\0\0|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x3ftb."),
	       CKPT_DANGEROUS, "CKPT-P001");
	expect("fields.bin", TEXT("\x80\x02" "cnumpy\ndtype\nX\2\0\0\0V8\x89\x88\x87R(K\3X\1\0\0\0|N)}K\x08K\1K\0tb."), CKPT_MALFORMED, "CKPT-P004");
	s = scan("plain.bin", TEXT("\x80\x02" "cnumpy\ndtype\nX\2\0\0\0f8\x89\x88\x87R(K\3X\1\0\0\0<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb."));
	CU_ASSERT_PTR_NULL(find(s, "CKPT-P001"));
	CU_ASSERT_PTR_NULL(find(s, "CKPT-P004"));
	ckpt_scan_free(s);
}

/* What torch and numpy wrote themselves. */
static void real_files_are_not_accused(void)
{
	static const struct {
		const char *name;
		ckpt_verdict worst;
	} files[] = {{"torch/training.pt", CKPT_CLEAN},          {"torch/training_legacy.pt", CKPT_CLEAN},
	             {"torch/tar.pt", CKPT_CLEAN},               {"torch/dtypes.pt", CKPT_CLEAN},
	             {"torch/views_legacy.pt", CKPT_CLEAN},      {"torch/protocol3.pt", CKPT_CLEAN},
	             {"torch/protocol4.pt", CKPT_CLEAN},         {"torch/protocol5.pt", CKPT_CLEAN},
	             {"torch/python2_legacy.pt", CKPT_CLEAN},    {"torch/deflated.pt", CKPT_CLEAN},
	             {"torch/big_endian.pt", CKPT_CLEAN},        {"numpy/stored.npz", CKPT_CLEAN},
	             {"numpy/f4.npy", CKPT_CLEAN},               {"torch/module.pt", CKPT_SUSPICIOUS},
	             {"torch/module_legacy.pt", CKPT_SUSPICIOUS}, {"torch/script.pt", CKPT_SUSPICIOUS},
	             {"torch/special.pt", CKPT_SUSPICIOUS}};
	const char *source = getenv("CKPT_SRCDIR");
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/data/fixtures/%s", source ? source : ".", files[i].name);
		ckpt_scan *s = ckpt_scan_file(path, NULL, NULL);
		CU_ASSERT_PTR_NOT_NULL_FATAL(s);
		if (ckpt_scan_verdict(s) > files[i].worst) fprintf(stderr, "%s: verdict %d\n", path, (int)ckpt_scan_verdict(s));
		CU_ASSERT(ckpt_scan_verdict(s) <= files[i].worst);
		CU_ASSERT(ckpt_scan_complete(s));
		CU_ASSERT_PTR_NULL(find(s, "CKPT-P011"));
		CU_ASSERT_PTR_NULL(find(s, "CKPT-Z004"));
		ckpt_scan_free(s);
	}
}

static void the_manual_lists_every_kind(void)
{
	static char text[1 << 16];
	char path[4096], id[32];
	const char *source = getenv("CKPT_SRCDIR");
	snprintf(path, sizeof path, "%s/man/ckpt-scan.1", source ? source : ".");
	FILE *f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	text[fread(text, 1, sizeof text - 1, f)] = '\0';
	fclose(f);
	for (int i = 0; i < CKPT_FOUND_KINDS; i++) {
		const ckpt_finding_info *info = ckpt_finding_get((ckpt_finding_kind)i);
		snprintf(id, sizeof id, "CKPT\\-%s ", info->id + 5);
		CU_ASSERT_PTR_NOT_NULL(strstr(text, id));
		CU_ASSERT_PTR_NOT_NULL(strstr(text, info->title));
	}
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
	{"faults_that_python_passes_over_hide_nothing", faults_that_python_passes_over_hide_nothing},
	{"a_lost_memo_makes_names_unknown", a_lost_memo_makes_names_unknown},
	{"a_second_stream_is_read_behind_a_broken_one", a_second_stream_is_read_behind_a_broken_one},
	{"persistent_ids_that_are_no_storage_are_said", persistent_ids_that_are_no_storage_are_said},
	{"harmless_files_are_clean", harmless_files_are_clean},
	{"two_formats_in_one_file_hide_nothing", two_formats_in_one_file_hide_nothing},
	{"arrays_of_objects_are_looked_into", arrays_of_objects_are_looked_into},
	{"what_is_no_checkpoint_is_never_clean", what_is_no_checkpoint_is_never_clean},
	{"configs_are_judged", configs_are_judged},
	{"nothing_hides_behind_many_findings", nothing_hides_behind_many_findings},
	{"another_look_does_not_hide_a_pickle", another_look_does_not_hide_a_pickle},
	{"padding_does_not_hide_a_call", padding_does_not_hide_a_call},
	{"records_of_archives_are_judged", records_of_archives_are_judged},
	{"bytes_around_records_are_judged", bytes_around_records_are_judged},
	{"archives_of_arrays_are_looked_into", archives_of_arrays_are_looked_into},
	{"large_arrays_of_objects_are_looked_into", large_arrays_of_objects_are_looked_into},
	{"too_many_beginnings_are_said", too_many_beginnings_are_said},
	{"tar_files_are_read_to_their_end", tar_files_are_read_to_their_end},
	{"arrays_of_training_states_are_known", arrays_of_training_states_are_known},
	{"real_files_are_not_accused", real_files_are_not_accused},
	{"the_manual_lists_every_kind", the_manual_lists_every_kind},
	{"missing_files_are_errors", missing_files_are_errors},
	{0},
};
const unit_suite unit_scan = {"scan", cases};
