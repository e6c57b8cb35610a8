/* test_look.c -- files that are read by ranges: remote files, mappings of them, archives and shards opened from afar */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "../../formats/format.h"
#include "../../lib/checkpoint.h"
#include "../../lib/hub/hub.h"
#include "files.h"
#include "unit.h"

enum { SIZE = 3 << 20, LOG = 256 };

/* A server of one file, one request a connection. */
typedef struct server {
	int fd, port;
	pthread_t thread;
	bool ignore, stale, silent, longer, elsewhere, forbid; /* what goes wrong from `after` on */
	int after, count, fail_first;
	unsigned char *data;
	size_t size;
	unsigned long long from[LOG], end[LOG];
} server;

static void put(int fd, const void *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = send(fd, (const char *)data + done, length - done, MSG_NOSIGNAL);
		if (n <= 0) return;
		done += (size_t)n;
	}
}

static void answer(server *s, int fd)
{
	static const char busy[] = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	char text[4096], head[512];
	size_t n = 0;
	unsigned long long from = 0, end = s->size - 1;
	while (n < sizeof text - 1) {
		ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
		if (got <= 0) return;
		text[n += (size_t)got] = '\0';
		if (strstr(text, "\r\n\r\n")) break;
	}
	bool wrong = s->count >= s->after;
	const char *range = strstr(text, "Range: bytes=");
	if (range) sscanf(range, "Range: bytes=%llu-%llu", &from, &end);
	if (end >= s->size) end = s->size - 1;
	if (s->count < LOG) {
		s->from[s->count] = from;
		s->end[s->count] = end + 1;
	}
	s->count++;
	if (s->fail_first && s->count <= s->fail_first) {
		put(fd, busy, strlen(busy));
	} else if (wrong && s->forbid) {
		put(fd, missing, strlen(missing));
	} else if (wrong && s->ignore) {
		int k = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", s->size);
		put(fd, head, (size_t)k);
		put(fd, s->data, s->size);
	} else {
		if (wrong && s->elsewhere) from++;
		int k = snprintf(head, sizeof head,
		                 "HTTP/1.1 206 Partial\r\nContent-Length: %llu\r\nContent-Range: bytes %llu-%llu/%zu\r\n%s%s%sConnection: "
		                 "close\r\n\r\n", end + 1 - from + (wrong && s->longer), from, end, s->size + (wrong && s->silent),
		                 s->stale ? "ETag: \"" : "", s->stale ? wrong ? "new" : "old" : "", s->stale ? "\"\r\n" : "");
		put(fd, head, (size_t)k);
		put(fd, s->data + from, (size_t)(end + 1 - from));
		if (wrong && s->longer) put(fd, "x", 1);
	}
}

static void *serve(void *user)
{
	server *s = user;
	for (int fd; (fd = accept(s->fd, NULL, NULL)) >= 0; close(fd)) answer(s, fd);
	return NULL;
}

static void start(server *s, size_t size)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	memset(s, 0, sizeof *s);
	s->size = size;
	s->data = malloc(size);
	for (size_t i = 0; i < size; i++) s->data[i] = (unsigned char)(i * 2654435761u >> 13);
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	CU_ASSERT_FATAL(bind(s->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->fd, 8) == 0);
	getsockname(s->fd, (struct sockaddr *)&at, &length);
	s->port = ntohs(at.sin_port);
	pthread_create(&s->thread, NULL, serve, s);
}

static void stop(server *s)
{
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	free(s->data);
}

static ckpt_hub *connect_to(const server *s, ckpt_hub_options *o, char *endpoint, size_t size)
{
	snprintf(endpoint, size, "http://127.0.0.1:%d", s->port);
	o->endpoint = endpoint;
	o->cache_dir = unit_folder();
	o->token = "";
	o->retry_ms = 1;
	return ckpt_hub_new(o, NULL);
}

static ckpt_file *look(ckpt_hub *hub, const server *s, const char *name, ckpt_error *err)
{
	char url[128];
	snprintf(url, sizeof url, "http://127.0.0.1:%d/%s?signature=1", s->port, name);
	return ckpt_hub_look_url(hub, url, err);
}

static void test_reads(void)
{
	server s;
	ckpt_hub_options o = {0};
	char endpoint[64];
	ckpt_error err = {0};
	unsigned char *bytes = malloc(SIZE);
	start(&s, SIZE);
	ckpt_hub *hub = connect_to(&s, &o, endpoint, sizeof endpoint);
	s.fail_first = 2;
	ckpt_file *f = look(hub, &s, "x.bin", &err);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT(ckpt_file_is_remote(f) && ckpt_file_size(f) == SIZE && !strstr(ckpt_file_path(f), "signature"));
	CU_ASSERT_EQUAL(s.count, 3); /* two tries, then the head of the file */
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), 65536);
	CU_ASSERT(ckpt_file_read(f, 100, 60000, bytes, &err) && memcmp(bytes, s.data + 100, 60000) == 0);
	CU_ASSERT_EQUAL(s.count, 3);
	/* a small read brings a little more, an overlapping one only what is missing */
	CU_ASSERT(ckpt_file_read(f, 1000000, 10, bytes, &err) && memcmp(bytes, s.data + 1000000, 10) == 0);
	CU_ASSERT_EQUAL(ckpt_hub_transferred(hub), 65536 + 4096);
	CU_ASSERT(ckpt_file_read(f, 990000, 20000, bytes, &err) && memcmp(bytes, s.data + 990000, 20000) == 0);
	CU_ASSERT_EQUAL(s.count, 6);
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
	CU_ASSERT(s.count < 20);
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
		ckpt_hub_options o = {0};
		char endpoint[64], bytes[16];
		ckpt_error err = {0};
		start(&s, SIZE);
		s.after = rows[i].after;
		*(bool *)((char *)&s + rows[i].field) = true;
		ckpt_hub *hub = connect_to(&s, &o, endpoint, sizeof endpoint);
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
	ckpt_hub_options o = {0};
	char endpoint[64], bytes[100];
	ckpt_error err = {0};
	start(&s, 70000);
	s.ignore = true;
	ckpt_hub *hub = connect_to(&s, &o, endpoint, sizeof endpoint);
	ckpt_file *f = look(hub, &s, "x.bin", &err);
	CU_ASSERT(f != NULL && ckpt_file_size(f) == 70000 && ckpt_file_read(f, 69900, 100, bytes, &err) && s.count == 1);
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
	ckpt_hub_options o = {0};
	char endpoint[64];
	unsigned char byte;
	ckpt_error err = {0};
	uint64_t n = sizeof header - 1;
	start(&s, 8 + n + 2000000);
	memcpy(s.data, &n, 8);
	memcpy(s.data + 8, header, n);
	ckpt_hub *hub = connect_to(&s, &o, endpoint, sizeof endpoint);
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
	ckpt_hub_options o = {0};
	char endpoint[64], bytes[16];
	ckpt_error err = {0};
	size_t length = 0;
	char *zip = unit_read(unit_data("data/fixtures/torch/views.pt"), &length);
	CU_ASSERT_FATAL(zip && memcmp(zip + HEADER, "PK\3\4", 4) == 0);
	for (int wrong = 0; wrong < 2; wrong++) {
		start(&s, length);
		memcpy(s.data, zip, length);
		if (wrong) s.data[HEADER + CRC] ^= 1;
		ckpt_hub *hub = connect_to(&s, &o, endpoint, sizeof endpoint);
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

static const unit_case cases[] = {
	{"reads", test_reads},
	{"faults", test_faults},
	{"a small file may come whole", test_small_whole},
	{"a checkpoint from afar", test_open},
	{"an archive from afar", test_archive},
	{0},
};
const unit_suite unit_look = {"look", cases};
