/* files.h -- files for tests of formats: written into the folder of the run, compared byte for byte */
#ifndef CKPT_UNIT_FILES_H
#define CKPT_UNIT_FILES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Path of `name` below the run's folder; stays valid. */
const char *unit_path(const char *name);
/* Writes a file of that name and returns its path; the folder must exist. */
const char *unit_write(const char *name, const void *data, size_t length);
/* The whole file, malloced, with a NUL behind it; NULL when it is not there. */
char *unit_read(const char *path, size_t *length);
/* Makes a folder and returns its path; an existing one is emptied. */
const char *unit_mkdir(const char *name);
bool unit_exists(const char *path);
/* Entries of a folder, "." and ".." not counted. */
size_t unit_entries(const char *path);
/* A safetensors file: length of the header, header, `zeros` bytes of data. */
const char *unit_write_st(const char *name, const char *header, size_t zeros);
#endif
