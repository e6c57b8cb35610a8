/* files.c -- files for tests of formats: written into the folder of the run, compared byte for byte */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../lib/checked.h"
#include "files.h"
#include "unit.h"

const char *unit_path(const char *name)
{
	static struct kept {
		struct kept *next;
		char path[];
	} *all; /* stays reachable up to the end of the run */
	size_t size = strlen(unit_folder()) + strlen(name) + 2;
	struct kept *k = malloc(sizeof *k + size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(k);
	snprintf(k->path, size, "%s/%s", unit_folder(), name);
	k->next = all;
	all = k;
	return k->path;
}

const char *unit_write(const char *name, const void *data, size_t length)
{
	const char *path = unit_path(name);
	FILE *f = fopen(path, "wb");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fwrite(data, 1, length, f), length);
	CU_ASSERT_EQUAL(fclose(f), 0);
	return path;
}

char *unit_read(const char *path, size_t *length)
{
	FILE *f = fopen(path, "rb");
	if (!f) return NULL;
	struct stat st;
	char *data = fstat(fileno(f), &st) == 0 ? malloc((size_t)st.st_size + 1) : NULL;
	size_t n = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (data) data[n] = 0;
	*length = n;
	return data;
}

/* Calls visit for each entry but . and ..; returns their number. */
static size_t each_entry(const char *path, void (*visit)(const char *path))
{
	DIR *d = opendir(path);
	size_t count = 0;
	if (!d) return 0;
	for (struct dirent *e; (e = readdir(d));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
		char full[8192];
		snprintf(full, sizeof full, "%s/%s", path, e->d_name);
		if (visit) visit(full);
		count++;
	}
	closedir(d);
	return count;
}

static void remove_file(const char *path)
{
	remove(path);
}

const char *unit_mkdir(const char *name)
{
	const char *path = unit_path(name);
	if (mkdir(path, 0777) != 0) each_entry(path, remove_file);
	CU_ASSERT_TRUE(unit_exists(path));
	return path;
}

bool unit_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

size_t unit_entries(const char *path)
{
	return each_entry(path, NULL);
}

const char *unit_write_st(const char *name, const char *header, size_t zeros)
{
	size_t n = strlen(header);
	uint8_t *data = calloc(1, 8 + n + zeros);
	CU_ASSERT_PTR_NOT_NULL_FATAL(data);
	ckpt_put64(data, n);
	memcpy(data + 8, header, n);
	const char *path = unit_write(name, data, 8 + n + zeros);
	free(data);
	return path;
}
