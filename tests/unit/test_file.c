/* test_file.c -- input files, mappings that shrink, outputs that appear whole or not at all */
#include "unit.h"

#include "../../lib/file.h"
#include "../../lib/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

static const char *path_of(const char *name)
{
	static char path[4][4096];
	static unsigned turn;
	char *p = path[turn++ % 4];
	snprintf(p, sizeof path[0], "%s/%s", unit_folder(), name);
	return p;
}

static const char *make(const char *name, size_t length)
{
	const char *path = path_of(name);
	FILE *f = fopen(path, "wb");
	for (size_t i = 0; i < length; i++) fputc((int)(i * 7 & 255), f);
	fclose(f);
	return path;
}

static size_t entries(void)
{
	size_t n = 0;
	DIR *d = opendir(unit_folder());
	while (readdir(d)) n++;
	closedir(d);
	return n;
}

static void reads_ranges_and_names_what_is_missing(void)
{
	ckpt_error err = {0};
	ckpt_file *f = ckpt_file_open(make("ranges", 1000), &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	unsigned char b[256];
	CU_ASSERT(ckpt_file_read(f, 990, 10, b, &err));
	CU_ASSERT_EQUAL(b[9], 999 * 7 & 255);
	CU_ASSERT_FALSE(ckpt_file_read(f, 990, 11, b, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_FORMAT);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "1000"));
	CU_ASSERT_FALSE(ckpt_file_read(f, UINT64_MAX - 2, 8, b, &err));
	CU_ASSERT_FALSE(ckpt_file_read(f, INT64_MAX, 8, b, &err));
	size_t got = 99;
	CU_ASSERT(ckpt_file_read_some(f, 995, 16, b, &got, &err));
	CU_ASSERT_EQUAL(got, 5);
	CU_ASSERT(ckpt_file_unchanged(f, &err));
	CU_ASSERT_EQUAL(truncate(ckpt_file_path(f), 500), 0);
	CU_ASSERT_FALSE(ckpt_file_read(f, 400, 200, b, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
	CU_ASSERT_FALSE(ckpt_file_unchanged(f, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
	ckpt_file_unref(f);
}

static void refuses_what_is_no_file(void)
{
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_file_open(unit_folder(), &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "a folder"));
	CU_ASSERT_PTR_NULL(ckpt_file_open("/dev/zero", &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "a device"));
	CU_ASSERT_EQUAL_FATAL(mkfifo(path_of("pipe"), 0600), 0);
	CU_ASSERT_PTR_NULL(ckpt_file_open(path_of("pipe"), &err)); /* and does not wait for a writer */
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "a pipe"));
	CU_ASSERT_PTR_NULL(ckpt_file_open(path_of("nowhere"), &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_NOT_FOUND);
}

static void a_shrinking_mapping_is_an_error_and_no_signal(void)
{
	ckpt_error err = {0};
	ckpt_file *f = ckpt_file_open(make("shrinks", 100000), &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_mapping *m = ckpt_mapping_new(f, 13, 90000, &err), *other = ckpt_mapping_new(f, 0, 4000, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_PTR_NOT_NULL_FATAL(other);
	const unsigned char *p = ckpt_mapping_data(m);
	CU_ASSERT_EQUAL(p[0], 13 * 7 & 255);
	CU_ASSERT(ckpt_mapping_check(m, &err));
	CU_ASSERT_EQUAL(truncate(ckpt_file_path(f), 4096), 0);
	unsigned sum = 0;
	for (size_t i = 0; i < 90000; i += 512) sum += p[i];
	CU_ASSERT(sum > 0);
	CU_ASSERT_EQUAL(p[89999], 0);
	CU_ASSERT_FALSE(ckpt_mapping_check(m, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_CHANGED);
	CU_ASSERT(ckpt_mapping_check(other, &err));
	ckpt_mapping_free(m);
	ckpt_mapping_free(other);
	CU_ASSERT_PTR_NULL(ckpt_mapping_new(f, 99999, 2, &err));
	CU_ASSERT_PTR_NULL(ckpt_mapping_new(f, UINT64_MAX, 2, &err));
	m = ckpt_mapping_new(f, 5, 0, &err);
	CU_ASSERT_PTR_NOT_NULL(m);
	CU_ASSERT(ckpt_mapping_check(m, &err));
	ckpt_mapping_free(m);
	ckpt_file_unref(f);
}

static void an_output_appears_at_commit(void)
{
	ckpt_error err = {0};
	size_t before = entries();
	ckpt_output *o = ckpt_output_new(path_of("whole"), 10, false, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(ckpt_output_write(o, 5, "world", 5, &err));
	CU_ASSERT(ckpt_output_write(o, 0, "hello", 5, &err));
	CU_ASSERT_NOT_EQUAL(access(path_of("whole"), F_OK), 0);
	CU_ASSERT(ckpt_output_finish(o, 10, true, &err));
	CU_ASSERT(ckpt_output_commit(o, true, &err));
	ckpt_output_free(o);
	CU_ASSERT_EQUAL(entries(), before + 1);
	char text[16] = {0};
	FILE *f = fopen(path_of("whole"), "rb");
	CU_ASSERT_EQUAL(fread(text, 1, sizeof text, f), 10);
	fclose(f);
	CU_ASSERT_STRING_EQUAL(text, "helloworld");
	struct stat st;
	mode_t mask = umask(0);
	umask(mask);
	CU_ASSERT_EQUAL(stat(path_of("whole"), &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0666 & ~mask);
}

static void an_abandoned_output_leaves_nothing(void)
{
	ckpt_error err = {0};
	size_t before = entries();
	ckpt_output *o = ckpt_output_new(path_of("abandoned"), 100000, false, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(ckpt_output_write(o, 0, "x", 1, &err));
	ckpt_output_free(o);
	CU_ASSERT_EQUAL(entries(), before);
}

static void existing_paths_need_force(void)
{
	ckpt_error err = {0};
	make("old", 20);
	CU_ASSERT_PTR_NULL(ckpt_output_new(path_of("old"), 1, false, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_EXISTS);
	ckpt_output *o = ckpt_output_new(path_of("old"), 1, true, &err), *late = NULL;
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(ckpt_output_write(o, 0, "n", 1, &err) && ckpt_output_finish(o, 1, false, &err));
	struct stat st;
	CU_ASSERT(stat(path_of("old"), &st) == 0 && st.st_size == 20);
	CU_ASSERT(ckpt_output_commit(o, false, &err));
	CU_ASSERT(stat(path_of("old"), &st) == 0 && st.st_size == 1);
	ckpt_output_free(o);
	/* a file that comes into being meanwhile is not overwritten either */
	late = ckpt_output_new(path_of("late"), 1, false, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(late);
	make("late", 3);
	CU_ASSERT(ckpt_output_finish(late, 0, false, &err));
	CU_ASSERT_FALSE(ckpt_output_commit(late, false, &err));
	CU_ASSERT_EQUAL(err.code, CKPT_E_EXISTS);
	CU_ASSERT(stat(path_of("late"), &st) == 0 && st.st_size == 3);
	ckpt_output_free(late);
}

static void a_symlink_is_replaced_and_never_written_through(void)
{
	ckpt_error err = {0};
	make("blob", 20);
	CU_ASSERT_EQUAL_FATAL(symlink("blob", path_of("link")), 0);
	ckpt_output *o = ckpt_output_new(path_of("link"), 1, true, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(o);
	CU_ASSERT(ckpt_output_write(o, 0, "n", 1, &err) && ckpt_output_finish(o, 1, false, &err));
	CU_ASSERT(ckpt_output_commit(o, false, &err));
	ckpt_output_free(o);
	struct stat st;
	CU_ASSERT(lstat(path_of("link"), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 1);
	CU_ASSERT(stat(path_of("blob"), &st) == 0 && st.st_size == 20);
}

static void impossible_places_are_refused(void)
{
	ckpt_error err = {0};
	CU_ASSERT_PTR_NULL(ckpt_output_new(path_of("no/such/folder"), 1, true, &err));
	CU_ASSERT_PTR_NULL(ckpt_output_new(unit_folder(), 1, true, &err));
	CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "folder"));
	CU_ASSERT_PTR_NULL(ckpt_output_new("/dev/full", 1, true, &err));
	CU_ASSERT_PTR_NULL(ckpt_output_new("", 1, true, &err));
	CU_ASSERT_PTR_NULL(ckpt_output_new("..", 1, true, &err));
	CU_ASSERT_PTR_NULL(ckpt_output_new(path_of("huge"), UINT64_MAX, true, &err));
	struct rlimit old, small;
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 1000;
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	CU_ASSERT_PTR_NULL(ckpt_output_new(path_of("limited"), 2000, true, &err));
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, handler);
	CU_ASSERT_EQUAL(err.code, CKPT_E_IO);
}

static const unit_case cases[] = {
	{"reads_ranges_and_names_what_is_missing", reads_ranges_and_names_what_is_missing},
	{"refuses_what_is_no_file", refuses_what_is_no_file},
	{"a_shrinking_mapping_is_an_error_and_no_signal", a_shrinking_mapping_is_an_error_and_no_signal},
	{"an_output_appears_at_commit", an_output_appears_at_commit},
	{"an_abandoned_output_leaves_nothing", an_abandoned_output_leaves_nothing},
	{"existing_paths_need_force", existing_paths_need_force},
	{"a_symlink_is_replaced_and_never_written_through", a_symlink_is_replaced_and_never_written_through},
	{"impossible_places_are_refused", impossible_places_are_refused},
	{0},
};
const unit_suite unit_file = {"file", cases};
