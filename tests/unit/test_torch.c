/* test_torch.c -- torch zip archives: what torch wrote is read as torch reads it, what is wrong is named */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/buffer.h"
#include "files.h"
#include "torch_make.h"
#include "unit.h"

static const char *write_pickle(const char *pickle, size_t length)
{
	zip_archive a = torch_archive(pickle, length);
	return zip_write(&a, "m.pt");
}

#define FILE_OF(text)      write_pickle(text, sizeof(text) - 1)
#define ACCEPT(text)       torch_accept(FILE_OF(text), NULL)
#define REFUSE(text, word) torch_refuse(FILE_OF(text), NULL, word)

static void expect_names(ckpt_checkpoint *cp, const char *names)
{
	if (strcmp(torch_names(cp), names) != 0) printf("# wanted %s\n# found  %s\n", names, torch_names(cp));
	CU_ASSERT_STRING_EQUAL(torch_names(cp), names);
}

static const char *fixture(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "data/fixtures/torch/%s", name);
	return unit_data(path);
}

static void test_fixtures(void)
{
	torch_expect_fixtures(".pt", "_legacy.pt", 15);
}

static void expect_floats(const ckpt_checkpoint *cp, const char *name, const float *wanted, size_t count)
{
	float values[64];
	ckpt_error err = {0};
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, name);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL_FATAL(ckpt_tensor_bytes(t), count * sizeof *wanted);
	CU_ASSERT_TRUE(ckpt_tensor_read(t, 0, count * sizeof *wanted, values, &err));
	CU_ASSERT_TRUE(memcmp(values, wanted, count * sizeof *wanted) == 0);
}

static void test_plain(void)
{
	ckpt_checkpoint *cp = ACCEPT("}(Va\n" T4 "Vb.c\n" TENSOR("2") "u.");
	expect_names(cp, "a b.c ");
	expect_floats(cp, "a", (const float[]){1, 2, 3, 4}, 4);
	expect_floats(cp, "b.c", (const float[]){1, 2}, 2);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "torch");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_detail(cp), "zip, torch 2.1 or later");
	CU_ASSERT_EQUAL(ckpt_checkpoint_root_count(cp), 0);
	CU_ASSERT_EQUAL(ckpt_checkpoint_note_count(cp), 0);
	CU_ASSERT_TRUE(cp->value_is_whole);
	CU_ASSERT_EQUAL(cp->storage_count, 1);
	CU_ASSERT_PTR_EQUAL(cp->tensors[0].storage, cp->tensors[1].storage);
	CU_ASSERT_EQUAL(cp->tensors[0].value->kind, CKPT_VALUE_TENSOR);
	CU_ASSERT_EQUAL(cp->tensors[1].value->tensor, 1);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}.");
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 0);
	CU_ASSERT_TRUE(torch_has_note(cp, "1 storage record is not referenced"));
	ckpt_checkpoint_free(cp);
}

static void test_aliases(void)
{
	ckpt_checkpoint *cp = ACCEPT("}(Va\n" T4 "p0\nVb\ng0\nVc\n" T4 "Vd\n" TENSOR("3") "u.");
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(&cp->tensors[0]));
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(&cp->tensors[1]), "a");
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(&cp->tensors[2]), "a");
	CU_ASSERT_PTR_NULL(ckpt_tensor_alias_of(&cp->tensors[3]));
	ckpt_checkpoint_free(cp);
}

/* Names: keys of nested dicts and indices of lists. */
static void test_names(void)
{
	ckpt_checkpoint *cp = ACCEPT("}(I7\n}I-1\n" T4 "sVl\n(" T4 "(N" T4 "tlV\n" T4 "L99999999999999999999L\n" T4
	                             "Vo\n" ODICT "Vx\n" T4 "su.");
	expect_names(cp, "7.-1 l.0 l.1.1  99999999999999999999 o.x ");
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}V\n}V\n" T4 "ss.");
	expect_names(cp, ". ");
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("(" T4 "N" T4 "l.");
	expect_names(cp, "0 2 ");
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(T4 ".");
	expect_names(cp, "tensor ");
	CU_ASSERT_TRUE(cp->value_is_whole);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}Vs\n" STORAGE("FloatStorage", "0", "4") "s.");
	expect_names(cp, "s ");
	CU_ASSERT_EQUAL(cp->tensors[0].shape[0], 4);
	CU_ASSERT_EQUAL(cp->tensors[0].value->tensor, 0);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("cmy\nDict\n)\x81Vw\n" T4 "s."); /* a dict of an unknown class */
	expect_names(cp, "w ");
	ckpt_checkpoint_free(cp);
	REFUSE("}(I1\n" T4 "V1\n" T4 "u.", "duplicate tensor name '1'");
	REFUSE("}(Va\n" T4 "Va\n" T4 "u.", "duplicate");
	REFUSE("}(Va.b\n" T4 "Va\n}Vb\n" T4 "su.", "duplicate");
	REFUSE("}(I1\nt" T4 "s.", "a tuple as its key");
	REFUSE("}N" T4 "s.", "None as its key");
	REFUSE("}I01\n" T4 "s.", "a bool as its key");
	REFUSE("}F1.5\n" T4 "s.", "a float as its key");
	REFUSE("}X\3\0\0\0a\0b" T4 "s.", "NUL");
	REFUSE("}X\3\0\0\0\xed\xa0\x80" T4 "s.", "UTF-8");
	cp = ACCEPT("}((I1\ntVx\nVw\n" T4 "u."); /* other keys are harmless beside tensors */
	expect_names(cp, "w ");
	ckpt_checkpoint_free(cp);
}

static void test_roots_that_hold_nothing(void)
{
	REFUSE("N.", "None without any tensor");
	REFUSE("I5\n.", "an int without");
	REFUSE("].", "a list without");
	REFUSE("]p0\ng0\na.", "a list without");
	REFUSE("cmy\nname\n.", "the global my.name alone");
	REFUSE("cmy\nThing\n)\x81}Vt\n" T4 "sb.", "class my.Thing");
	ckpt_checkpoint *cp = ACCEPT("cmy\nArguments\n)\x81}Vx\nI1\nsb.");
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 0);
	CU_ASSERT_TRUE(torch_has_note(cp, "my.Arguments"));
	ckpt_checkpoint_free(cp);
}

static void test_views(void)
{
#define V(offset, size, stride) "}Vw\n" TENSOR_OF(VIEW(STORAGE("FloatStorage", "0", "4"), offset, size, stride)) "s."
	ckpt_checkpoint *cp = ACCEPT(V("1", "(I2\nt", "(I2\nt"));
	expect_floats(cp, "w", (const float[]){2, 4}, 2);
	CU_ASSERT_EQUAL(cp->tensors[0].storage_offset, 1);
	CU_ASSERT_EQUAL(cp->tensors[0].stride[0], 2);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(V("3", "(I2\nI2\nt", "(I0\nI0\nt"));
	expect_floats(cp, "w", (const float[]){4, 4, 4, 4}, 4);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(V("0", "(I2\nI2\nl", "ctorch\nSize\n((I1\nI2\nttR"));
	expect_floats(cp, "w", (const float[]){1, 3, 2, 4}, 4);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(V("3", ")", ")"));
	CU_ASSERT_EQUAL(cp->tensors[0].rank, 0);
	expect_floats(cp, "w", (const float[]){4}, 1);
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(V("900", "(I0\nI9223372036854775807\nI3\nt", "(I9223372036854775807\nI5\nI1\nt"));
	CU_ASSERT_EQUAL(cp->tensors[0].bytes, 0);
	ckpt_checkpoint_free(cp);
	REFUSE(V("1", "(I4\nt", "(I1\nt"), "reach byte 20, past the end of its storage of 16");
	REFUSE(V("4", "(I1\nt", "(I1\nt"), "reach byte 20");
	REFUSE(V("0", "(I4\nI2\nt", "(I1\nI1\nt"), "reach byte 20");
	REFUSE(V("0", "(I-2\nt", "(I1\nt"), "size is negative: -2");
	REFUSE(V("0", "(I2\nt", "(I-1\nt"), "stride is negative");
	REFUSE(V("-1", "(I2\nt", "(I1\nt"), "offset is negative");
	REFUSE(V("0", "(I2\nI2\nt", "(I1\nt"), "2 dimensions and its stride 1");
	REFUSE(V("0", "(I3\nI4611686018427387904\nt", "(I1\nI4\nt"), "overflow");
	REFUSE(V("9223372036854775807", "(I2\nt", "(I9223372036854775807\nt"), "overflow");
	REFUSE(V("0", "(I99999999999999999999\nt", "(I1\nt"), "overflows 64 bits");
	REFUSE(V("0", "(F2\nt", "(I1\nt"), "size is no integer");
	REFUSE(V("0", "V2\n", "(I1\nt"), "size is no tuple");
	REFUSE(V("0", "(I1099511627776\nt", "(I0\nt"), "view-bytes");
#undef V
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "}Vw\nctorch._utils\n_rebuild_tensor_v2\n(" STORAGE("FloatStorage", "0", "4") "I0\n(");
	for (int i = 0; i < 65; i++) ckpt_buffer_str(&b, "I1\n");
	ckpt_buffer_str(&b, "t)I00\nNtRs.");
	torch_refuse(write_pickle(b.data, b.length), NULL, "65 dimensions");
	ckpt_buffer_free(&b);
	ckpt_open_options options = {.limits.view_bytes = 15};
	torch_refuse(FILE_OF("}Vw\n" TENSOR_OF(VIEW(STORAGE("FloatStorage", "0", "4"), "0", "(I8\nt", "(I0\nt")) "s."),
	             &options, "view-bytes");
}

static void test_storages(void)
{
#define S(kind, key, numel) "}Vw\n" TENSOR_OF(VIEW(STORAGE(kind, key, numel), "0", "(I1\nt", "(I1\nt")) "s."
	ckpt_checkpoint_free(ACCEPT(S("LongStorage", "0", "2")));
	ckpt_checkpoint_free(ACCEPT(S("ComplexDoubleStorage", "0", "1")));
	REFUSE(S("FloatStorage", "1", "4"), "tensor 'w': its storage, record data/1 of 16 bytes, is missing");
	REFUSE(S("FloatStorage", "../0", "4"), "missing");
	REFUSE(S("FloatStorage", "0", "3"), "is 16 bytes; 3 elements of F32 need 12");
	REFUSE(S("FloatStorage", "0", "5"), "need 20");
	REFUSE(S("FloatStorage", "0", "-1"), "numel of a storage is negative");
	REFUSE(S("DoubleStorage", "0", "2305843009213693952"), "overflows");
	REFUSE(S("FloatStorage", "0", "1208925819614629174706176"), "out of range");
	REFUSE(S("TypedStorage", "0", "4"), "no storage class");
	REFUSE(S("Tensor", "0", "4"), "no storage class");
	REFUSE(S("float32", "0", "4"), "no storage class");
#undef S
	REFUSE("}(Va\n" T4 "Vb\n" TENSOR_OF(VIEW(STORAGE("IntStorage", "0", "4"), "0", "(I1\nt", "(I1\nt")) "u.",
	       "used with two dtypes, F32 and I32");
	REFUSE("}(Va\n" T4 "Vb\n" TENSOR_OF(VIEW(STORAGE("FloatStorage", "0", "3"), "0", "(I1\nt", "(I1\nt")) "u.",
	       "two sizes");
	REFUSE("}Vw\nVstorage\nQs.", "persistent id is a tuple");
	REFUSE("}Vw\n)Qs.", "persistent id is a tuple");
	REFUSE("}Vw\nPstorage\ns.", "persistent id is a tuple");
	REFUSE("}Vw\n(Vstorage\ntQs.", "1 items instead of 5");
	REFUSE("}Vw\n(Vmodule\ncm\nn\nVa\nVb\nI1\ntQs.", "names a module");
	REFUSE("}Vw\n(Vstorage\nV0\nV0\nVcpu\nI4\ntQs.", "class is of the type a string");
	REFUSE("}Vw\n(Vstorage\nctorch\nFloatStorage\nI0\nVcpu\nI4\ntQs.", "key (a string) is the int 0");
	REFUSE("}Vw\n(Vstorage\nctorch\nFloatStorage\nV0\nN"
	       "I4\ntQs.",
	       "location (a string)");
	REFUSE("}Vw\n(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nV4\ntQs.", "numel of a storage is no integer");
	/* bytes in place of str, any location, any device */
	ckpt_checkpoint_free(ACCEPT("}Vw\nctorch._utils\n_rebuild_tensor_v2\n((U\7storagectorch.cuda\nFloatStorage\nU\1"
	                            "0Vhpu:7\nI4\ntQI0\n(I4\nt(I1\ntI00\nNtRs."));
}

static void test_rebuild(void)
{
#define ARGS VIEW(STORAGE("FloatStorage", "0", "4"), "0", "(I4\nt", "(I1\nt")
	static const float all[] = {1, 2, 3, 4};
	static const char *const wrapped[] = {
		"ctorch._utils\n_rebuild_tensor\n(" ARGS "tR",
		"ctorch._utils\n_rebuild_tensor_v2\n(" ARGS "I00\nNtR",
		"ctorch._utils\n_rebuild_tensor_v2\n(" ARGS "I00\nN}tR",
		"ctorch._utils\n_rebuild_parameter\n(" T4 "I01\n" ODICT "tR",
		"ctorch._utils\n_rebuild_parameter_with_state\n(" T4 "I01\n" ODICT "}tR",
		"ctorch.nn.parameter\nParameter\n(" T4 "tR",
		"ctorch.nn.parameter\nParameter\n(" T4 "I01\nt\x81(I01\nNNtb",
		"ctorch.nn.parameter\nParameter\n)\x81(" T4 "I01\nNtb",
		"ctorch\nFloatTensor\n)R(" ARGS "tb",
		"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_tensor_v2\nctorch\nTensor\n(" ARGS
		"I00\nNt}tR",
		"ctorch.tensor\n_rebuild_from_type\n(ctorch._utils\n_rebuild_parameter\ncmy\nThing\n(" T4 "I01\nNt}tR",
		"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n(" T4 "ctorch\nfloat32\nVxla:0\nI00\ntR",
	};
	for (size_t i = 0; i < sizeof wrapped / sizeof *wrapped; i++) {
		ckpt_buffer b = {0};
		ckpt_buffer_printf(&b, "}Vw\n%ss.", wrapped[i]);
		ckpt_checkpoint *cp = torch_accept(write_pickle(b.data, b.length), NULL);
		expect_names(cp, "w ");
		expect_floats(cp, "w", all, 4);
		ckpt_checkpoint_free(cp);
		ckpt_buffer_free(&b);
	}
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v2\n)Rs.", "too few arguments");
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v3\n(" ARGS "I00\nNtRs.", "too few arguments");
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v3\n(" ARGS "I00\nNctorch\nfloat9\ntRs.",
	       "dtype is unknown: torch.float9");
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v2\n(I7\nI0\n))I00\nNtRs.", "rebuilt from no storage");
	REFUSE("}Vw\nctorch._utils\n_rebuild_parameter\n(I7\nI01\nNtRs.", "around no tensor");
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v2\n(" ARGS "I00\nNI1\ntRs.", "metadata is no dict");
	REFUSE("}Vw\nctorch._utils\n_rebuild_tensor_v2\n(" ARGS "I00\nN}Vconj\nI01\nstRs.", "cannot negate F32");
	REFUSE("}Vw\nctorch\nFloatTensor\n)Rs.", "without a state");
	ckpt_checkpoint *cp = ACCEPT("}Vw\nctorch._utils\n_rebuild_tensor_v2\n(" ARGS "I00\nN}Vneg\nI01\nstRs.");
	expect_floats(cp, "w", (const float[]){-1, -2, -3, -4}, 4);
	CU_ASSERT_PTR_NULL(cp->tensors[0].storage); /* its bytes are no longer those of the storage */
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}Vw\nctorch._utils\n_rebuild_tensor_v3\n((Vstorage\nctorch."
	            "storage\nUntypedStorage\nV0\nVcpu\nI16\ntQI1\n(I3\n"
	            "t(I2\ntI00\nNctorch\nuint16\ntRs.");
	CU_ASSERT_EQUAL(cp->tensors[0].dtype, CKPT_U16);
	CU_ASSERT_TRUE(cp->storages[0]->untyped);
	ckpt_checkpoint_free(cp);
#undef ARGS
}

static void test_unreadable(void)
{
	ckpt_checkpoint *cp = torch_accept(fixture("special.pt"), NULL);
	static const char *const names[] = {"sparse", "rows", "meta", "channels"};
	uint8_t byte;
	for (size_t i = 0; i < 4; i++) {
		ckpt_error err = {0};
		const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, names[i]);
		CU_ASSERT_PTR_NOT_NULL_FATAL(t);
		CU_ASSERT_PTR_NOT_NULL(t->unreadable);
		CU_ASSERT_FALSE(ckpt_tensor_read(t, 0, 1, &byte, &err));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, names[i]));
		CU_ASSERT_TRUE(torch_has_note(cp, names[i]));
	}
	CU_ASSERT_TRUE(torch_has_note(cp, "quantised: value = 0.5"));
	CU_ASSERT_TRUE(torch_has_note(cp, "1 tensor is not listed: inside of a value of the type argparse.Namespace"));
	CU_ASSERT_FALSE(cp->value_is_whole);
	/* said before a byte is written, and no matter once it is left out */
	static const char *const some[] = {"plain", "sparse"};
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_checkpoint_select(cp, some, 2, NULL, 0, &err));
	CU_ASSERT_PTR_NULL(ckpt_save_plan_new(cp, unit_path("s.safetensors"), NULL, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "tensor 'sparse': it is sparse"));
	CU_ASSERT_TRUE(ckpt_checkpoint_select(cp, some, 1, NULL, 0, &err));
	ckpt_save_plan *plan = ckpt_save_plan_new(cp, unit_path("s.safetensors"), NULL, &err);
	CU_ASSERT_PTR_NOT_NULL(plan);
	ckpt_save_plan_free(plan);
	ckpt_checkpoint_free(cp);
	/* without dtype and size it is noted, and the rest is listed */
	cp = ACCEPT("}(Va\nctorch._utils\n_rebuild_nested_tensor\n(" T4 T4 T4 T4 "tRVb\n" T4 "Vc\nctorch._tensor\n"
	            "_rebuild_from_type_v2\n(cmy\nrebuild\ncmy\nTensor\n(I1\nt}tRu.");
	expect_names(cp, "b ");
	CU_ASSERT_TRUE(torch_has_note(cp, "nested"));
	CU_ASSERT_TRUE(torch_has_note(cp, "'c' cannot be read"));
	ckpt_checkpoint_free(cp);
	/* what has a dtype and a size is listed */
	cp = ACCEPT("}(Va\nctorch._utils\n_rebuild_device_tensor_from_numpy\n(I1\nctorch\nfloat32\nVxla:0\nI00\ntRVb\n" T4
	            "Vc\nctorch._utils\n_rebuild_wrapper_subclass\n(cmy\nTensor\nctorch\nfloat16\n(I2\nI3\ntI0\ntRu.");
	expect_names(cp, "b c ");
	CU_ASSERT_TRUE(torch_has_note(cp, "another device"));
	const ckpt_tensor *t = ckpt_checkpoint_tensor_find(cp, "c");
	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_EQUAL(t->dtype, CKPT_F16);
	CU_ASSERT_EQUAL(t->rank, 2);
	CU_ASSERT_PTR_NOT_NULL(strstr(t->unreadable, "subclass"));
	ckpt_checkpoint_free(cp);
#define QUANTISED(kind, numel, how) \
	"}Vw\nctorch._utils\n_rebuild_qtensor\n(" STORAGE(kind, "0", numel) "I0\n(I4\nt(I1\nt" how "I00\n" ODICT "tRs."
	REFUSE(QUANTISED("QUInt8Storage", "16", "N"), "quantiser parameters are no tuple");
	REFUSE(QUANTISED("QUInt8Storage", "16", "(I1\nF0.5\nI0\nt"), "quantiser parameters are no tuple");
	cp = ACCEPT(QUANTISED("QUInt8Storage", "16", "(ctorch\nper_tensor_affine\nF0.5\nI3\nt"));
	CU_ASSERT_TRUE(torch_has_note(cp, "value = 0.5"));
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(QUANTISED("QUInt4x2Storage", "16", "(ctorch\nper_tensor_affine\nF0.5\nI3\nt"));
	CU_ASSERT_TRUE(torch_has_note(cp, "smaller than a byte"));
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}Vw\nctorch._utils\n_rebuild_tensor_v2\n(" VIEW(STORAGE("FloatStorage", "0", "4"), "0", "(I4\nt", "(I1\nt")
	            "I00\nN}Vother\nI01\nstRs.");
	CU_ASSERT_TRUE(torch_has_note(cp, "entries that ckpt does not know"));
	ckpt_checkpoint_free(cp);
#undef QUANTISED
}

static void test_cycles_and_sharing(void)
{
	REFUSE("}p0\n(Va\n" T4 "Vself\ng0\nu.", "cycle");
	REFUSE("]p0\n(" T4 "]g0\nae.", "cycle");
	ckpt_checkpoint *cp = ACCEPT("}(Va\n" T4 "Vb\n]p0\ng0\nau."); /* one without tensors is no matter */
	expect_names(cp, "a ");
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}(Va\n}Vw\n" T4 "sp0\nVb\ng0\nu."); /* a dict in two places is in both */
	expect_names(cp, "a.w b.w ");
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(&cp->tensors[1]), "a.w");
	ckpt_checkpoint_free(cp);
	ckpt_buffer b = {0};
	ckpt_buffer_str(&b, "(" T4 "lp0\n0");
	for (int i = 0; i < 30; i++) ckpt_buffer_printf(&b, "(g%d\ng%d\ng%d\ng%d\nlp%d\n0", i, i, i, i, i + 1);
	ckpt_buffer_str(&b, "g30\n.");
	torch_refuse(write_pickle(b.data, b.length), NULL, "too large");
	ckpt_buffer_free(&b);
	/* far too deep for a name */
	ckpt_buffer_fill(&b, '(', 5000);
	ckpt_buffer_str(&b, T4);
	ckpt_buffer_fill(&b, 'l', 5000);
	ckpt_buffer_char(&b, '.');
	torch_refuse(write_pickle(b.data, b.length), NULL, "depth");
	ckpt_buffer_free(&b);
	ckpt_buffer_str(&b, "}(Va\n" T4 "Vdeep\n");
	ckpt_buffer_fill(&b, '(', 50000);
	ckpt_buffer_fill(&b, 'l', 50000);
	ckpt_buffer_str(&b, "u.");
	cp = torch_accept(write_pickle(b.data, b.length), NULL);
	expect_names(cp, "a ");
	ckpt_checkpoint_free(cp);
	ckpt_buffer_free(&b);
}

#define MODULE(parameters, buffers, modules, rest)                                                                     \
	"cmy\nNet\n)\x81}(V_parameters\n" parameters "V_buffers\n" buffers "V_modules\n" modules rest "ub"

static void test_modules(void)
{
	ckpt_checkpoint *cp =
	    ACCEPT(MODULE("}(Vw\n" T4 "Vb\nNu", "}(Vkept\n" T4 "Vdropped\n" T4 "u",
	                  "}(Va\n" MODULE("}Vw\n" T4 "s", "}", "}", "") "Vnone\nNu",
	                  "V_non_persistent_buffers_set\nc__builtin__\nset\n((Vdropped\nltRVother\n" T4) ".");
	expect_names(cp, "w kept a.w ");
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_checkpoint_detail(cp), "extracted from a module"));
	CU_ASSERT_FALSE(cp->value_is_whole);
	CU_ASSERT_TRUE(torch_has_note(cp, "1 tensor is not listed"));
	ckpt_checkpoint_free(cp);
	cp = ACCEPT("}(Vmodel\n" MODULE("}Vw\n" T4 "s", "}", "}", "") "Vepoch\nI1\nu.");
	expect_names(cp, "model.w ");
	CU_ASSERT_EQUAL_FATAL(ckpt_checkpoint_root_count(cp), 1);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_root_at(cp, 0), "model");
	ckpt_checkpoint_free(cp);
	cp = ACCEPT(MODULE("}", "}Vb\n" T4 "s", "}", "V_non_persistent_buffers_set\n\x8f(Vb\n\x90") ".");
	expect_names(cp, "");
	ckpt_checkpoint_free(cp);
	REFUSE("cmy\nNet\n)\x81p0\n}(V_parameters\n}Vw\n" T4 "sV_modules\n}Vself\ng0\nsub.", "cycle");
}

static void test_script(void)
{
	static const char pickle[] =
		"c__torch__.my\nNet\n)\x81}(Vtraining\nI01\nVw\n" T4 "Vinner\nc__torch__.my\nInner\n)\x81}Vb\n" T4
		"sbVlist\nctorch.jit._pickle\nbuild_tensorlist\n((" T4 "ltRub.";
	zip_archive a = torch_archive(pickle, sizeof pickle - 1);
	zip_add(&a, "m/constants.pkl", ").", 2);
	zip_add(&a, "m/code/__torch__/my.py", "class Net: pass", 15);
	ckpt_checkpoint *cp = torch_accept(zip_write(&a, "m.pt"), NULL);
	expect_names(cp, "w inner.b list.0 ");
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_checkpoint_detail(cp), "TorchScript"));
	ckpt_checkpoint_free(cp);
	a = torch_archive("}.", 2);
	zip_add(&a, "m/constants.pkl", ").", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "TorchScript");
}

static void expect_roots(ckpt_checkpoint *cp, const char *wanted)
{
	char text[256] = "";
	for (size_t i = 0; i < ckpt_checkpoint_root_count(cp); i++) {
		strcat(text, ckpt_checkpoint_root_at(cp, i));
		strcat(text, " ");
	}
	CU_ASSERT_STRING_EQUAL(text, wanted);
	ckpt_checkpoint_free(cp);
}

#define SD   "}Vw\n" T4 "s"
#define ADAM "}(Vstate\n}I0\n" SD "sVparam_groups\n]u"

static void test_roots(void)
{
	expect_roots(ACCEPT("}(Vmodel\n" SD "Vepoch\nI3\nu."), "model ");
	expect_roots(ACCEPT("}(Vmodel\n" SD "Vopt\n" ADAM "Voptimizer\n" SD "Vlr_schedulers\n(" SD "lu."), "model ");
	expect_roots(ACCEPT("}(Vmodel\n" SD "Vema\n" SD "u."), "model ema ");
	expect_roots(ACCEPT("}(Vmine\n" SD "Vyours\n" SD "u."), "mine yours ");
	expect_roots(ACCEPT("}(Vmodel\n" SD "Vstep\n" T4 "u."), "model ");
	expect_roots(ACCEPT("}(Vmine\n" SD "Vw\n" T4 "u."), "");
	expect_roots(ACCEPT("}Vstate\n}Vmodel\n" SD "ss."), "state.model ");
	expect_roots(ACCEPT("}Vmodel\n}Vinner\n" SD "ss."), "model ");
	expect_roots(ACCEPT(ADAM "."), "");
	expect_roots(ACCEPT(SD "."), "");
	expect_roots(ACCEPT("(" SD "l."), "");
	/* a small group with a name of its own is not taken for weights */
	expect_roots(ACCEPT("}(Vmodel\n}Vw\n" TENSOR_OF(
	                 VIEW(STORAGE("FloatStorage", "0", "4"), "0", "(I200\nt", "(I0\nt")) "sVstatistics\n" SD "u."),
	             "model ");
}

static void test_root_option(void)
{
	static const char pickle[] =
		"}(Vmodel\n}(Vw\n" T4 "Vl\n(" T4 "}Vx\n" T4 "slVa.b\n" SD "uVold\n}(I1\nt" T4 "su.";
	const char *path = FILE_OF(pickle);
	ckpt_open_options options = {.root = "model"};
	torch_refuse(path, NULL, "a tuple as its key"); /* the whole has a key without a name */
	ckpt_checkpoint *cp = torch_accept(path, &options);
	expect_names(cp, "w l.0 l.1.x a.b.w ");
	CU_ASSERT_EQUAL(cp->value->u.list.count, 6);
	CU_ASSERT_TRUE(cp->value_is_whole);
	ckpt_checkpoint_free(cp);
	static const struct {
		const char *root, *names;
	} good[] = {{"model.l.1", "x "}, {"model.a.b", "w "}, {"model.l", "0 1.x "}};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		options.root = good[i].root;
		cp = torch_accept(path, &options);
		expect_names(cp, good[i].names);
		ckpt_checkpoint_free(cp);
	}
	static const struct {
		const char *root, *word;
	} bad[] = {{"ema", "no part 'ema'"}, {"model.w", "one tensor"}, {"model.l.2", "no part"},
	           {"model.l.x", "no part"}, {"mod", "no part"},        {"model..", "no part"},
	           {"model.a", "no part"}};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		options.root = bad[i].root;
		torch_refuse(path, &options, bad[i].word);
	}
	options.root = "model.a";
	cp = torch_accept(fixture("wrapped_module.pt"), &options);
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "0.weight"));
	CU_ASSERT_PTR_NOT_NULL(ckpt_checkpoint_tensor_find(cp, "kept"));
	ckpt_checkpoint_free(cp);
	options.root = "inner";
	cp = torch_accept(fixture("script.pt"), &options);
	expect_names(cp, "weight bias ");
	ckpt_checkpoint_free(cp);
}

static void test_archives(void)
{
	static const char pickle[] = "}Vw\n" T4 "s.";
	zip_archive a = {0};
	zip_add(&a, "m/version", "3\n", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "no data.pkl");
	zip_add(&a, "n/data.pkl", "}.", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "outside of the folder");
	a.count = 0;
	zip_add(&a, "data.pkl", "}.", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "no folder");
	a.count = 0;
	zip_add(&a, "m/DATA.pkl", "}.", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "no data.pkl");
	a = torch_archive(pickle, sizeof pickle - 1);
	zip_add(&a, "m/extra/data.pkl", "}.", 2);
	torch_refuse(zip_write(&a, "m.pt"), NULL, "second data.pkl");
	a.count = 1;
	zip_add(&a, "m/model.json", "{}", 2);
	a.records[0].name = a.records[0].local_name = "m/other.pk";
	torch_refuse(zip_write(&a, "m.pt"), NULL, "TorchScript archive of torch 1.0");
	a = torch_archive(pickle, sizeof pickle - 1); /* a folder of two levels */
	static const char *const names[] = {"a/b/data.pkl", "a/b/byteorder", "a/b/data/0", "a/b/version"};
	for (size_t i = 0; i < 4; i++) {
		a.records[i].name = a.records[i].local_name = names[i];
		a.records[i].name_length = a.records[i].local_name_length = strlen(names[i]);
	}
	ckpt_checkpoint_free(torch_accept(zip_write(&a, "m.pt"), NULL));
	static const char *const orders[] = {"", "big ", "BIG", "little\n", "middle"};
	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		a = torch_archive(pickle, sizeof pickle - 1);
		a.count = 1;
		zip_add(&a, "m/byteorder", orders[i], strlen(orders[i]));
		zip_add(&a, "m/data/0", "0123456789abcdef", 16);
		torch_refuse(zip_write(&a, "m.pt"), NULL, "byteorder");
	}
	REFUSE("}Vw\n" T4 "s..", "1 trailing bytes after STOP");
	REFUSE("}Vw\n" T4 "s.}.", "trailing");
	REFUSE("N}Vw\n" T4 "s.", "1 values on the stack");
	REFUSE("}Vw\n" T4 "s", "without STOP");
	a = torch_archive(pickle, sizeof pickle - 1);
	a.records[0].crc = ++a.records[0].local_crc;
	torch_refuse(zip_write(&a, "m.pt"), NULL, "CRC");
	ckpt_checkpoint_free(torch_accept(zip_write(&a, "m.pt"), &(ckpt_open_options){.skip_crc = true}));
	torch_refuse(FILE_OF("}Vw\n" T4 "s."), &(ckpt_open_options){.limits.pickle_bytes = 20}, "pickle-bytes");
	torch_refuse(FILE_OF("}(Vw\n" T4 "Vv\n" T4 "u."), &(ckpt_open_options){.limits.tensors = 1}, "tensors");
}

/* Whatever byte of a file is damaged, opening and reading it ends in an orderly way. */
static void test_damage(void)
{
	static const char *const names[] = {"views.pt", "special.pt", "script.pt"};
	for (size_t f = 0; f < sizeof names / sizeof *names; f++) {
		size_t length;
		char *bytes = unit_read(fixture(names[f]), &length);
		CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
		for (size_t i = 0; i < length; i += 3) {
			ckpt_error err = {0};
			bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
			ckpt_checkpoint *cp =
			    ckpt_open(unit_write("d.pt", bytes, length), &(ckpt_open_options){.skip_crc = true}, &err);
			CU_ASSERT_TRUE(cp || err.code != CKPT_OK);
			for (size_t k = 0; cp && k < cp->count; k++) {
				char hex[65];
				if (!ckpt_tensor_sha256(&cp->tensors[k], hex, &err))
					CU_ASSERT_NOT_EQUAL(err.code, CKPT_OK);
			}
			ckpt_checkpoint_free(cp);
			bytes[i] = (char)(bytes[i] ^ (1 << i % 8));
		}
		free(bytes);
	}
}

static const unit_case cases[] = {
	{"fixtures", test_fixtures},
	{"plain", test_plain},
	{"aliases", test_aliases},
	{"names", test_names},
	{"roots_that_hold_nothing", test_roots_that_hold_nothing},
	{"views", test_views},
	{"storages", test_storages},
	{"rebuild", test_rebuild},
	{"unreadable", test_unreadable},
	{"cycles_and_sharing", test_cycles_and_sharing},
	{"modules", test_modules},
	{"script", test_script},
	{"roots", test_roots},
	{"root_option", test_root_option},
	{"archives", test_archives},
	{"damage", test_damage},
	{0},
};
const unit_suite unit_torch = {"torch", cases};
