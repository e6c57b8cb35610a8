/* test_look.c -- files that are read by ranges: remote files, mappings of them, archives and shards opened from afar */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../formats/format.h"
#include "../../lib/checkpoint.h"
#include "../../lib/hub/hub.h"
#include "files.h"
#include "server.h"
#include "unit.h"

enum { SIZE = 3 << 20, LOG = 256 };

/* A server of one file. */
typedef struct server {
	unit_server http;
	bool ignore, stale, silent, longer, elsewhere, forbid; /* what goes wrong from `after` on */
	int after, fail_first;
	unsigned char *data;
	size_t size;
	unsigned long long from[LOG], end[LOG];
} server;

static void answer(unit_server *http, int client, int number, const char *request)
{
	server *s = http->user;
	unsigned long long from = 0, end = s->size - 1;
	bool wrong = number >= s->after;
	const char *range = strstr(request, "Range: bytes=");
	if (range) sscanf(range, "Range: bytes=%llu-%llu", &from, &end);
	if (end >= s->size) end = s->size - 1;
	if (number < LOG) {
		s->from[number] = from;
		s->end[number] = end + 1;
	}
	if (number < s->fail_first) {
		unit_server_say(client, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (wrong && s->forbid) {
		unit_server_say(client, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	} else if (wrong && s->ignore) {
		unit_server_say(client, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", s->size);
		unit_server_put(client, s->data, s->size);
	} else {
		if (wrong && s->elsewhere) from++;
		unit_server_say(client, "HTTP/1.1 206 Partial\r\nContent-Length: %llu\r\nContent-Range: bytes %llu-%llu/%zu\r\n%s%s%s"
		                "Connection: close\r\n\r\n", end + 1 - from + (wrong && s->longer), from, end, s->size + (wrong && s->silent),
		                s->stale ? "ETag: \"" : "", s->stale ? wrong ? "new" : "old" : "", s->stale ? "\"\r\n" : "");
		unit_server_put(client, s->data + from, (size_t)(end + 1 - from));
		if (wrong && s->longer) unit_server_put(client, "x", 1);
	}
}

static void start(server *s, size_t size)
{
	memset(s, 0, sizeof *s);
	s->size = size;
	s->data = malloc(size);
	for (size_t i = 0; i < size; i++) s->data[i] = (unsigned char)(i * 2654435761u >> 13);
	unit_server_start(&s->http, answer, s);
}

static void stop(server *s)
{
	unit_server_stop(&s->http);
	free(s->data);
}

static ckpt_hub *connect_to(const server *s)
{
	const ckpt_hub_options o = {.endpoint = s->http.url, .cache_dir = unit_folder(), .token = "", .retry_ms = 1};
	return ckpt_hub_new(&o, NULL);
}

static ckpt_file *look(ckpt_hub *hub, const server *s, const char *name, ckpt_error *err)
{
	char url[128];
	snprintf(url, sizeof url, "%s/%s?signature=1", s->http.url, name);
	return ckpt_hub_look_url(hub, url, err);
}

static void test_reads(void)
{
	server s;
	ckpt_error err = {0};
	unsigned char *bytes = malloc(SIZE);
	start(&s, SIZE);
	ckpt_hub *hub = connect_to(&s);
	s.fail_first = 2;
	ckpt_file *f = look(hub, &s, "x.bin", &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT(ckpt_file_is_remote(f) && ckpt_file_size(f) == SIZE && !strstr(ckpt_file_path(f), "signature"));
	CU_ASSERT_EQUAL(s.http.count, 3); /* two tries, then the head of the file */
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), 65536);
	CU_ASSERT(ckpt_file_read(f, 100, 60000, bytes, &err) && memcmp(bytes, s.data + 100, 60000) == 0);
	CU_ASSERT_EQUAL(s.http.count, 3);
	/* a small read brings a little more, an overlapping one only what is missing */
	CU_ASSERT(ckpt_file_read(f, 1000000, 10, bytes, &err) && memcmp(bytes, s.data + 1000000, 10) == 0);
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), 65536 + 4096);
	CU_ASSERT(ckpt_file_read(f, 990000, 20000, bytes, &err) && memcmp(bytes, s.data + 990000, 20000) == 0);
	CU_ASSERT_EQUAL(s.http.count, 6);
	CU_ASSERT_EQUAL(s.from[4], 990000);
	CU_ASSERT_EQUAL(s.end[4], 1000000);
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), 65536 + 20000);
	/* all of it, in order: every byte comes once in the end */
	for (size_t at = 0; at < SIZE; at += 100000) {
		size_t n = SIZE - at < 100000 ? SIZE - at : 100000;
		CU_ASSERT(ckpt_file_fetch(f, at, n, SIZE, &err) && ckpt_file_read(f, at, n, bytes + at, &err));
	}
	CU_ASSERT(memcmp(bytes, s.data, SIZE) == 0);
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), SIZE);
	CU_ASSERT(s.http.count < 20);
	CU_ASSERT_FALSE(ckpt_file_read(f, SIZE - 5, 10, bytes, &err));
	ckpt_mapping *m = ckpt_mapping_new(f, 12345, 70000, &err);
	CU_ASSERT(m && memcmp(ckpt_mapping_data(m), s.data + 12345, 70000) == 0);
	ckpt_mapping_free(m);
	ckpt_file_unref(f);
	ckpt_hub_free(hub);
	stop(&s);
	free(bytes);
}

static void test_faults(void)
{
	static const struct {
		size_t field;
		int after;
		const char *says;
		ckpt_code code;
	} rows[] = {
		{offsetof(server, ignore), 0, "gives no ranges", CKPT_E_UNSUPPORTED},
		{offsetof(server, ignore), 1, "gives no ranges", CKPT_E_UNSUPPORTED},
		{offsetof(server, stale), 1, "was replaced", CKPT_E_CHANGED},
		{offsetof(server, silent), 1, "was replaced", CKPT_E_CHANGED},
		{offsetof(server, longer), 1, "sends more than", CKPT_E_FORMAT},
		{offsetof(server, elsewhere), 1, "another range", CKPT_E_FORMAT},
		{offsetof(server, forbid), 0, "no such", CKPT_E_NOT_FOUND},
		{offsetof(server, forbid), 1, "no such", CKPT_E_NOT_FOUND},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		server s;
		char bytes[16];
		ckpt_error err = {0};
		start(&s, SIZE);
		s.after = rows[i].after;
		*(bool *)((char *)&s + rows[i].field) = true;
		ckpt_hub *hub = connect_to(&s);
		ckpt_file *f = look(hub, &s, "x.bin", &err);
		CU_ASSERT(!f == !rows[i].after);
		if (f) CU_ASSERT_FALSE(ckpt_file_read(f, 2000000, 16, bytes, &err));
		CU_ASSERT_PTR_NOT_NULL(strstr(err.text, rows[i].says));
		CU_ASSERT_EQUAL(err.code, rows[i].code);
		CU_ASSERT(ckpt_hub_transferred(hub) < 3000000); /* the whole file was not taken */
		ckpt_file_unref(f);
		ckpt_hub_free(hub);
		stop(&s);
	}
}

static void test_small_whole(void)
{
	/* a small file may come whole: nothing is lost by it */
	server s;
	char bytes[100];
	ckpt_error err = {0};
	start(&s, 70000);
	s.ignore = true;
	ckpt_hub *hub = connect_to(&s);
	ckpt_file *f = look(hub, &s, "x.bin", &err);
	CU_ASSERT(f != NULL && ckpt_file_size(f) == 70000 && ckpt_file_read(f, 69900, 100, bytes, &err) && s.http.count == 1);
	CU_ASSERT(memcmp(bytes, s.data + 69900, 100) == 0);
	ckpt_file_unref(f);
	CU_ASSERT_PTR_NULL(ckpt_hub_look_url(hub, "http://example.org/x.bin", &err));
	CU_ASSERT_PTR_NULL(ckpt_hub_look_url(hub, "file:///etc/passwd", &err));
	ckpt_hub_free(hub);
	stop(&s);
}

static void test_open(void)
{
	static const char header[] = "{\"w\":{\"dtype\":\"U8\",\"shape\":[2000000],\"data_offsets\":[0,2000000]}}     ";
	server s;
	unsigned char byte;
	ckpt_error err = {0};
	uint64_t n = sizeof header - 1;
	start(&s, 8 + n + 2000000);
	memcpy(s.data, &n, 8);
	memcpy(s.data + 8, header, n);
	ckpt_hub *hub = connect_to(&s);
	ckpt_file *f = look(hub, &s, "x.safetensors", &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	ckpt_checkpoint *cp = ckpt_open_file(f, NULL, &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(cp);
	CU_ASSERT_STRING_EQUAL(ckpt_checkpoint_format(cp), "safetensors");
	CU_ASSERT(ckpt_tensor_read(&cp->tensors[0], 1500000, 1, &byte, &err) && byte == s.data[8 + n + 1500000]);
	CU_ASSERT(ckpt_hub_transferred(hub) < 80000);
	ckpt_extent extent;
	CU_ASSERT_FALSE(ckpt_source_extent(cp->tensors[0].source, &extent)); /* nobody may take its place for the bytes */
	ckpt_file *other = ckpt_file_beside(f, "other file.safetensors", &err);
	CU_ASSERT(other != NULL && strstr(ckpt_file_path(other), "/other file.safetensors"));
	ckpt_file_unref(other);
	ckpt_checkpoint_free(cp);
	ckpt_file_unref(f);
	ckpt_hub_free(hub);
	stop(&s);
}

/* A torch file whose record data/0 has a local header that contradicts the directory: it opens, and every read says so. */
static void test_archive(void)
{
	enum { HEADER = 1366, CRC = 14 };
	server s;
	char bytes[16];
	ckpt_error err = {0};
	size_t length = 0;
	char *zip = unit_read(unit_data("data/fixtures/torch/views.pt"), &length);
	CU_ASSERT_FATAL(zip && memcmp(zip + HEADER, "PK\3\4", 4) == 0);
	for (int wrong = 0; wrong < 2; wrong++) {
		start(&s, length);
		memcpy(s.data, zip, length);
		if (wrong) s.data[HEADER + CRC] ^= 1;
		ckpt_hub *hub = connect_to(&s);
		ckpt_file *f = look(hub, &s, "x.pt", &err);
		ckpt_checkpoint *cp = f ? ckpt_open_file(f, NULL, &err) : NULL;
		CU_ASSERT_FATAL(cp != NULL && cp->count > 0);
		for (int again = 0; again < 2; again++) {
			err = (ckpt_error){0};
			CU_ASSERT_EQUAL(ckpt_tensor_read(&cp->tensors[0], 0, 4, bytes, &err), !wrong);
			if (wrong) CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "mismatch: CRC"));
		}
		ckpt_checkpoint_free(cp);
		ckpt_file_unref(f);
		ckpt_hub_free(hub);
		stop(&s);
	}
	free(zip);
}

/* The same tensors as when it lies here: in archives whose members have headers of their own, in streams one after the other. */
static void test_forms(void)
{
	static const char *const names[] = {"data/fixtures/numpy/stored.npz", "data/fixtures/numpy/deflated.npz", "data/fixtures/torch/tar.pt",
	                                    "data/fixtures/torch/views_legacy.pt", "data/fixtures/torch/deflated.pt"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		server s;
		size_t length = 0;
		ckpt_error err = {0};
		char *bytes = unit_read(unit_data(names[i]), &length);
		CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
		start(&s, length);
		memcpy(s.data, bytes, length);
		ckpt_hub *hub = connect_to(&s);
		ckpt_checkpoint *here = ckpt_open(unit_data(names[i]), NULL, &err);
		ckpt_file *f = look(hub, &s, "x", &err);
		ckpt_checkpoint *cp = f ? ckpt_open_file(f, NULL, &err) : NULL;
		if (!cp) printf("# %s: %s\n", names[i], err.text);
		CU_ASSERT_FATAL(here && cp && cp->count == here->count && cp->count > 0);
		for (size_t k = 0; k < cp->count; k++) {
			uint64_t n = ckpt_tensor_bytes(&cp->tensors[k]);
			unsigned char *a = malloc(n + 1), *b = malloc(n + 1);
			CU_ASSERT_FATAL(a && b && n == ckpt_tensor_bytes(&here->tensors[k]));
			CU_ASSERT(ckpt_tensor_read(&cp->tensors[k], 0, n, a, &err) && ckpt_tensor_read(&here->tensors[k], 0, n, b, &err));
			CU_ASSERT(memcmp(a, b, n) == 0);
			free(a);
			free(b);
		}
		ckpt_checkpoint_free(cp);
		ckpt_checkpoint_free(here);
		ckpt_file_unref(f);
		ckpt_hub_free(hub);
		stop(&s);
		free(bytes);
	}
}

static const unit_case cases[] = {
	{"reads", test_reads},
	{"faults", test_faults},
	{"a small file may come whole", test_small_whole},
	{"a checkpoint from afar", test_open},
	{"an archive from afar", test_archive},
	{"other forms from afar", test_forms},
	{0},
};
const unit_suite unit_look = {"look", cases};
