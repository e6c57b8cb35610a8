/* version.c -- which libckpt this is */
#include "ckpt.h"

const char *ckpt_version(void) { return PACKAGE_VERSION; }
