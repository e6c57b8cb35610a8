/* replay.c -- runs fuzz targets over files, without libFuzzer; and makes seeds
 *
 *   replay FOLDER [TARGET]...  each file of FOLDER/TARGET through that target; TAP; the files in FOLDER itself through all; or
 *                            through the named targets alone
 *   replay --targets         the names of the targets
 *   replay --seeds FILE OUT  FILE into the seeds of OUT/TARGET where it is of use; records of an archive one by one
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../formats/zip.h"
#include "../../lib/limits.h"

enum { SEED_MOST = 24 << 10 };

static uint8_t *slurp(const char *path, size_t *length)
{
	struct stat st;
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	if (f && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (data = malloc((size_t)st.st_size + 1)))
		*length = fread(data, 1, (size_t)st.st_size, f);
	if (f) fclose(f);
	return data;
}

static void spill(const char *out, const char *target, const char *name, const uint8_t *data, size_t length)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s/%s", out, target, name);
	FILE *f = length <= SEED_MOST ? fopen(path, "wb") : NULL;
	if (!f) return;
	fwrite(data, 1, length, f);
	fclose(f);
}

static bool ends(const char *text, size_t length, const char *suffix)
{
	size_t n = strlen(suffix);
	return length >= n && memcmp(text + length - n, suffix, n) == 0;
}

static void seed_records(const char *path, const char *out, const char *base)
{
	ckpt_file *f = ckpt_file_open(path, NULL);
	ckpt_zip_options options = {.limits = ckpt_limits_resolve(NULL), .skip_crc = true};
	ckpt_zip *z = f ? ckpt_zip_open(f, &options, NULL) : NULL;
	for (size_t i = 0; z && i < ckpt_zip_count(z); i++) {
		const ckpt_zip_entry *e = ckpt_zip_at(z, i);
		const char *target = ends(e->name, e->name_length, ".pkl") ? "pickle" : ends(e->name, e->name_length, ".npy") ? "npy" : NULL;
		ckpt_zip_bytes bytes = {0};
		char name[256];
		if (!target || !ckpt_zip_load(z, e, SEED_MOST, "pickle-bytes", &bytes, NULL)) continue;
		snprintf(name, sizeof name, "%.200s-%zu", base, i);
		spill(out, target, name, bytes.data, bytes.length);
		ckpt_zip_bytes_free(&bytes);
	}
	ckpt_zip_free(z);
	ckpt_file_unref(f);
}

static int seeds(const char *path, const char *out)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t length = 0, n = strlen(path);
	uint8_t *data = slurp(path, &length);
	if (!data) return 1;
	bool json = ends(path, n, ".json");
	if (json) {
		spill(out, ends(path, n, ".index.json") ? "index" : "config", base, data, length);
		spill(out, "json", base, data, length);
		spill(out, "tokenizer", base, data, length);
		spill(out, "text", base, data, length);
	} else {
		static const char *const whole[] = {"open", "save", "scan"};
		for (int i = 0; i < 3; i++) spill(out, whole[i], base, data, length);
	}
	if (length > 2 && memcmp(data, "PK", 2) == 0) spill(out, "zip", base, data, length);
	if (length > 2 && data[0] == 0x80) spill(out, "pickle", base, data, length);
	if (length > 21 && memcmp(data, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46", 8) == 0) spill(out, "legacy", base, data + 21, length - 21);
	if (ends(path, n, ".npy")) spill(out, "npy", base, data, length);
	if (ends(path, n, ".safetensors") && length > 8) {
		spill(out, "model", base, data, length);
		spill(out, "json", base, data + 8, data[0] + 256u * data[1] < length - 8 ? data[0] + 256u * data[1] : length - 8);
	}
	seed_records(path, out, base);
	free(data);
	return 0;
}

static void run_file(const fuzz_target *t, const char *path, size_t *count)
{
	size_t length = 0;
	uint8_t *data = slurp(path, &length);
	if (!data) return;
	fprintf(stderr, "# %s %s\n", t->name, path);
	uint8_t *exact = malloc(length + !length);
	if (exact) {
		memcpy(exact, data, length);
		t->run(exact, length);
	}
	++*count;
	free(exact);
	free(data);
}

static size_t run_folder(const fuzz_target *t, const char *folder)
{
	size_t count = 0;
	char path[4096];
	DIR *d = opendir(folder);
	for (struct dirent *e; d && (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		run_file(t, path, &count);
	}
	if (d) closedir(d);
	return count;
}

int main(int argc, char **argv)
{
	char path[4096];
	int n = 0;
	if (argc == 2 && strcmp(argv[1], "--targets") == 0) {
		for (const fuzz_target *t = fuzz_targets; t->name; t++) puts(t->name);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "--seeds") == 0) return seeds(argv[2], argv[3]);
	const char *source = getenv("CKPT_SRCDIR");
	snprintf(path, sizeof path, "%s/tests/fuzz/corpus", source ? source : ".");
	const char *folder = argc >= 2 ? argv[1] : path;
	for (const fuzz_target *t = fuzz_targets; t->name; t++) {
		char own[4200];
		bool wanted = argc < 3;
		for (int i = 2; i < argc; i++) wanted = wanted || strcmp(argv[i], t->name) == 0;
		if (!wanted) continue;
		snprintf(own, sizeof own, "%s/%s", folder, t->name);
		size_t count = run_folder(t, own) + run_folder(t, folder);
		printf("%sok %d - %s: %zu files\n", count ? "" : "not ", ++n, t->name, count);
		fflush(stdout);
	}
	printf("1..%d\n", n);
	return 0;
}
