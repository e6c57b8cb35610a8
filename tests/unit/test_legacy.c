/* test_legacy.c -- the formats before zip: stacked pickles and tar archives */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../lib/buffer.h"
#include "files.h"
#include "torch_make.h"
#include "unit.h"

static const char *fixture(const char *name)
{
	char path[256];
	snprintf(path, sizeof path, "data/fixtures/torch/%s", name);
	return unit_data(path);
}

static void test_fixtures(void)
{
	torch_expect_fixtures("_legacy.pt", "-", 5);
}

/* A tensor of four elements on storage k, with view metadata. */
#define L(key, view, n)                                                                                                \
	"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV" key "\nVcpu\nI4\n" view "tQI0\n(I" n  \
	"\nt(I1\ntI00\nNtR"
#define L4   L("k", "N", "4")
#define KEYS "(Vk\nl."
#define DATA                                                                                                           \
	"\4\0\0\0\0\0\0\0"                                                                                             \
	"0123456789abcdef"

#define FILE_OF(object, rest)      torch_legacy(object, sizeof(object) - 1, rest, sizeof(rest) - 1)
#define REFUSE(object, rest, word) torch_refuse(FILE_OF(object, rest), NULL, word)

static void test_plain(void)
{
	ckpt_error err = {0};
	char bytes[17] = "";
	ckpt_checkpoint *cp = torch_accept(FILE_OF("}Vw\n" L4 "s.", KEYS DATA), NULL);
	CU_ASSERT_STRING_EQUAL(torch_names(cp), "w ");
	CU_ASSERT_TRUE(ckpt_tensor_read(&cp->tensors[0], 0, 16, bytes, &err));
	CU_ASSERT_STRING_EQUAL(bytes, "0123456789abcdef");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "torch-legacy");
	ckpt_extent place; /* mapped, not loaded */
	CU_ASSERT_TRUE(ckpt_source_extent(cp->tensors[0].source, &place));
	ckpt_checkpoint_free(cp);
	cp = torch_accept(FILE_OF("}.", "]."), NULL);
	CU_ASSERT_EQUAL(ckpt_checkpoint_tensor_count(cp), 0);
	ckpt_checkpoint_free(cp);
}

static void test_storages(void)
{
	REFUSE("}Vw\n" L4 "s.", KEYS, "should start at offset");
	REFUSE("}Vw\n" L4 "s.", KEYS "\4\0\0", "should start at offset");
	REFUSE("}Vw\n" L4 "s.",
	       KEYS "\4\0\0\0\0\0\0\0"
	            "0123",
	       "needs 16 bytes at offset");
	REFUSE("}Vw\n" L4 "s.",
	       KEYS "\5\0\0\0\0\0\0\0"
	            "0123456789abcdef",
	       "numel 5");
	REFUSE("}Vw\n" L4 "s.",
	       KEYS "\4\0\0\0\0\0\0\x80"
	            "0123456789abcdef",
	       "numel 9223372036854775812");
	REFUSE("}Vw\n" L4 "s.", KEYS DATA "x", "1 trailing bytes");
	REFUSE("}Vw\n" L4 "s.", "].", "tensor 'w': its storage 'k' is missing from the list of keys");
	REFUSE("}Vw\n" L4 "s.", "(Vk\nVk\nl." DATA DATA, "twice");
	REFUSE("}Vw\n" L4 "s.", "(Vk\nVj\nl." DATA DATA, "which no tensor uses");
	REFUSE("}Vw\n" L4 "s.", "(I1\nl." DATA, "a storage key is of the type an int");
	REFUSE("}Vw\n" L4 "s.", "}." DATA, "not a list");
	REFUSE("}Vw\n" L4 "s.", "cos\nsystem\n(Vx\ntR.", "os.system");
	REFUSE("}Vw\n" L4 "s.", "", "where the pickle 'storage keys' should start");
	REFUSE("}Vw\n" STORAGE("FloatStorage", "k", "4") "s.", KEYS DATA, "5 items instead of 6");
	REFUSE(
		"}Vw\n" TENSOR_OF(VIEW("(Vstorage\nctorch\nFloatStorage\nVk\nVcpu\nI4\nNtQ", "2", "(I4\nt", "(I1\nt")) "s.",
		KEYS DATA, "reach byte 24");
	REFUSE("N}.", "].", "1 values on the stack");
	REFUSE("}.", "N].", "1 values on the stack");
}

static void test_views(void)
{
	ckpt_error err = {0};
	char bytes[9] = "";
	ckpt_checkpoint *cp = torch_accept(
		FILE_OF("}(Va\n" L4 "Vb\n" L("k", "(Vv\nI1\nI2\nt", "2") "Vc\n" L("k", "(Vv\nI1\nI2\nt", "2") "u.",
	            KEYS DATA),
		NULL);
	CU_ASSERT_STRING_EQUAL(torch_names(cp), "a b c ");
	CU_ASSERT_TRUE(ckpt_tensor_read(&cp->tensors[1], 0, 8, bytes, &err));
	CU_ASSERT_STRING_EQUAL(bytes, "456789ab");
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(&cp->tensors[2]), "b");
	ckpt_checkpoint_free(cp);
	REFUSE("}Va\n" L("k", "(Vv\nI1\nI4\nt", "2") "s.", KEYS DATA, "runs past storage 'k' of 4");
	REFUSE("}Va\n" L("k", "(Vv\nI9223372036854775807\nI9223372036854775807\nt", "2") "s.", KEYS DATA, "runs past");
	REFUSE("}Va\n" L("k", "(Vv\nI-1\nI2\nt", "2") "s.", KEYS DATA, "negative");
	REFUSE("}Va\n" L("k", "(Vv\nI1\nt", "2") "s.", KEYS DATA, "view metadata");
	REFUSE("}Va\n" L("k", "I1\n", "2") "s.", KEYS DATA, "view metadata");
	REFUSE("}Va\n" L("k", "(I5\nI1\nI2\nt", "2") "s.", KEYS DATA, "view key");
	REFUSE("}Va\n" L("k", "(Vv\nI1\nI2\nt", "3") "s.", KEYS DATA,
	       "reach byte 12, past the end of its storage of 8");
	REFUSE("}Va\n" L("k", "(Vv\nI1\nI2\nt", "2") "s.", "].", "is missing");
}

/* The class of a module comes with its source, which nobody compares here. */
static void test_modules(void)
{
	ckpt_checkpoint *cp =
	    torch_accept(FILE_OF("(Vmodule\ncmy\nNet\nVmy.py\nVclass Net\ntQ)\x81}(V_parameters\n}Vw\n" L4
	                         "sV_buffers\n}V_modules\n}ub.",
	                         KEYS DATA),
	                 NULL);
	CU_ASSERT_STRING_EQUAL(torch_names(cp), "w ");
	CU_ASSERT_PTR_NOT_NULL(strstr(ckpt_checkpoint_detail(cp), "extracted from a module"));
	ckpt_checkpoint_free(cp);
	REFUSE("(Vmodule\nVmy.Net\nNNtQ.", "].", "names a module");
}

static void test_preamble(void)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *word;
	} cases[] = {
#define CASE(bytes, word) {bytes, sizeof(bytes) - 1, word}
		CASE("\x80\2}.", "plain pickle (of a dict)"),
		CASE("\x80\2K\7.", "plain pickle"),
		CASE("\x80\2\x8a\nm\xfc\x9c\x46\xf9 j\xa8P\x19.", "magic number is 119547037146038801333357"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xea\3.", "protocol version is 1002"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2N.", "protocol version"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2].", "system information"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2cposix\nsystem\n.", "posix.system"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "should start"),
		CASE("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9", "truncated"),
#undef CASE
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		torch_refuse(unit_write("p.pt", cases[i].bytes, cases[i].length), NULL, cases[i].word);
	/* the magic number in protocol 0 */
	static const char text[] = "L119547037146038801333356L\n.I1001\n.(d.}.].";
	ckpt_checkpoint_free(torch_accept(unit_write("p.pt", text, sizeof text - 1), NULL));
	torch_refuse(FILE_OF("}Vw\n" L4 "s.", KEYS DATA), &(ckpt_open_options){.limits.pickle_bytes = 60},
	             "pickle-bytes");
}

static void cut_everywhere(const char *name, size_t step)
{
	size_t length;
	char *bytes = unit_read(fixture(name), &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	for (size_t n = 0; n < length; n += step) {
		ckpt_error err = {0};
		ckpt_checkpoint *cp = ckpt_open(unit_write("cut.pt", bytes, n), NULL, &err);
		if (cp) printf("# %s of %zu bytes was accepted\n", name, n);
		CU_ASSERT_PTR_NULL(cp);
		CU_ASSERT_NOT_EQUAL(err.code, CKPT_OK);
		ckpt_checkpoint_free(cp);
	}
	for (size_t n = 0; n < length; n += step) {
		ckpt_error err = {0};
		bytes[n] = (char)(bytes[n] ^ 0x41);
		ckpt_checkpoint *cp = ckpt_open(unit_write("cut.pt", bytes, length), NULL, &err);
		CU_ASSERT_TRUE(cp || err.code != CKPT_OK);
		ckpt_checkpoint_free(cp);
		bytes[n] = (char)(bytes[n] ^ 0x41);
	}
	free(bytes);
}

static void test_damage(void)
{
	cut_everywhere("views_legacy.pt", 1);
	cut_everywhere("python2_legacy.pt", 1);
	cut_everywhere("view_legacy.pt", 1);
}

/* ---- tar ---- */

typedef struct tar_member {
	const char *name;
	const void *bytes;
	size_t length;
	char type;
} tar_member;

static const char *write_tar(const tar_member *members, size_t count, const char *tail)
{
	static const char zeros[1024];
	ckpt_buffer b = {0};
	for (size_t i = 0; i < count; i++) {
		char header[513] = "";
		unsigned sum = 8 * ' ';
		snprintf(header, 100, "%s", members[i].name);
		snprintf(header + 124, 13, "%011zo", members[i].length);
		header[156] = members[i].type ? members[i].type : '0';
		memcpy(header + 257, "ustar\00000", 8);
		for (size_t k = 0; k < 512; k++) sum += (uint8_t)header[k];
		snprintf(header + 148, 8, "%06o", sum);
		header[155] = ' ';
		ckpt_buffer_add(&b, header, 512);
		ckpt_buffer_add(&b, members[i].bytes, members[i].length);
		ckpt_buffer_fill(&b, '\0', (512 - members[i].length % 512) % 512);
	}
	ckpt_buffer_add(&b, zeros, sizeof zeros);
	if (tail) ckpt_buffer_str(&b, tail);
	ckpt_buffer_fill(&b, '\0', (512 - b.length % 512) % 512);
	const char *path = unit_write("t.pt", b.data, b.length);
	ckpt_buffer_free(&b);
	return path;
}

#define MEMBER(name, bytes)                                                                                            \
	{                                                                                                              \
		name, bytes, sizeof(bytes) - 1, 0                                                                      \
	}
#define TAR_STORAGE(key, class, numel) "\x80\2K" key "Vcpu\nctorch\n" class "\n\x87." numel "\0\0\0\0\0\0\0"
#define TAR_TENSOR(key, storage, rank) "\x80\2K" key "K" storage "ctorch\nFloatTensor\n\x87." rank "\0\0\0\0\0\0\0"
#define I64(n)                         n "\0\0\0\0\0\0\0"
#define GOOD_STORAGES                                                                                                  \
	"I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef"                                             \
	                                                "(K\1K\7K\1K\2tp0\n0(g0\nl."
#define GOOD_TENSORS                                                                                                   \
	"I2\n." TAR_TENSOR("\5", "\7", "\2") I64("\2") I64("\2") I64("\2") I64("\1") I64("\0")                         \
		TAR_TENSOR("\6", "\1", "\1") I64("\2") I64("\1") I64("\0")
#define GOOD_OBJECT "}(Vw\nV5\nQVv\nV6\nQVs\nV7\nQVagain\nV5\nQu."

static void refuse_tar(size_t member, const void *bytes, size_t length, const char *word)
{
	tar_member m[] = {MEMBER("sys_info", "}."), MEMBER("pickle", GOOD_OBJECT), MEMBER("tensors", GOOD_TENSORS),
	                  MEMBER("storages", GOOD_STORAGES)};
	m[member].bytes = bytes;
	m[member].length = length;
	torch_refuse(write_tar(m, 4, NULL), NULL, word);
}

#define REFUSE_TAR(member, bytes, word) refuse_tar(member, bytes, sizeof(bytes) - 1, word)

static void test_tar(void)
{
	torch_expect_fixtures("tar.pt", "-", 1);
	tar_member m[] = {MEMBER("sys_info", "}."), MEMBER("pickle", GOOD_OBJECT), MEMBER("tensors", GOOD_TENSORS),
	                  MEMBER("storages", GOOD_STORAGES), MEMBER("other", "x")};
	ckpt_checkpoint *cp = torch_accept(write_tar(m, 4, NULL), NULL);
	CU_ASSERT_STRING_EQUAL(torch_names(cp), "w v s again ");
	CU_ASSERT_STRING_EQUAL(ckpt_tensor_alias_of(&cp->tensors[3]), "w");
	char bytes[9] = "";
	ckpt_error err = {0};
	CU_ASSERT_TRUE(ckpt_tensor_read(&cp->tensors[1], 0, 8, bytes, &err));
	CU_ASSERT_STRING_EQUAL(bytes, "456789ab");
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "torch-tar");
	ckpt_checkpoint_free(cp);
	torch_refuse(write_tar(m, 5, NULL), NULL, "'other'");
	torch_refuse(write_tar(m, 3, NULL), NULL, "no member 'storages'");
	torch_refuse(write_tar(m, 4, "more"), NULL, "data follow the end");
	m[4] = m[1];
	torch_refuse(write_tar(m, 5, NULL), NULL, "twice");
	m[3].type = '2';
	torch_refuse(write_tar(m, 4, NULL), NULL, "no plain file");
}

static void test_tar_members(void)
{
	REFUSE_TAR(0, "cos\nsystem\n.", "os.system");
	REFUSE_TAR(0, "}..", "trailing");
	REFUSE_TAR(0, "", "truncated");
	REFUSE_TAR(1, "cposix\nsystem\n(Vx\ntR.", "tar member pickle");
	REFUSE_TAR(1, "}Vw\nV9\nQs.", "key 9, which is missing");
	REFUSE_TAR(1, "}Vw\nK\5Qs.", "type found is an int");
	REFUSE_TAR(1, "}Vw\nV5\nQs.}.", "trailing");
	REFUSE_TAR(2, "I-1\n.", "out of range");
	REFUSE_TAR(2, "I1\n.", "truncated");
	REFUSE_TAR(2, "I1\n." TAR_TENSOR("\5", "\x09", "\0") I64("\0"), "no storage with the key 9");
	REFUSE_TAR(2, "I1\n." TAR_TENSOR("\7", "\7", "\0") I64("\0"), "key 7 occurs twice");
	REFUSE_TAR(2, "I1\n." TAR_TENSOR("\5", "\7", "\x50") I64("\0"), "80 dimensions");
	REFUSE_TAR(2, "I1\n." TAR_TENSOR("\5", "\7", "\1") I64("\1"), "truncated");
	REFUSE_TAR(2, "I1\n.).", "no tuple of key, storage and class");
	REFUSE_TAR(2, "I1\n." TAR_TENSOR("\5", "\7", "\0") I64("\0") "x", "trailing");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\5") "0123456789abcdef].",
	           "needs 20 bytes, 18 are left");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatTensor", "\4") "0123456789abcdef].", "no storage class");
	REFUSE_TAR(3, "I1\n.(I7\nI1\nI1\nt.", "no tuple of key, location and class");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef}.", "no list");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef((I1\ntl.", "4 integers");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef((K\1K\2K\1K\2tl.",
	           "no storage");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef((K\1K\7K\3K\2tl.", "runs past");
	REFUSE_TAR(3, "I1\n." TAR_STORAGE("\7", "FloatStorage", "\4") "0123456789abcdef((K\7K\7K\0K\1tl.", "two sizes");
}

static void test_tar_damage(void)
{
	size_t length;
	char *bytes = unit_read(fixture("tar.pt"), &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	size_t end = length;
	while (end && !bytes[end - 1]) end--; /* of the last member */
	for (size_t n = 0; n < end; n += 7) {
		ckpt_error err = {0};
		ckpt_checkpoint *cp = ckpt_open(unit_write("cut.pt", bytes, n), NULL, &err);
		CU_ASSERT_PTR_NULL(cp);
		ckpt_checkpoint_free(cp);
		bytes[n] = (char)(bytes[n] ^ 0x11);
		cp = ckpt_open(unit_write("cut.pt", bytes, length), NULL, &err);
		CU_ASSERT_TRUE(cp || err.code != CKPT_OK);
		ckpt_checkpoint_free(cp);
		bytes[n] = (char)(bytes[n] ^ 0x11);
	}
	free(bytes);
}

static const unit_case cases[] = {
	{"fixtures", test_fixtures},
	{"plain", test_plain},
	{"storages", test_storages},
	{"views", test_views},
	{"modules", test_modules},
	{"preamble", test_preamble},
	{"damage", test_damage},
	{"tar", test_tar},
	{"tar_members", test_tar_members},
	{"tar_damage", test_tar_damage},
	{0},
};
const unit_suite unit_torch_legacy = {"torch_legacy", cases};
