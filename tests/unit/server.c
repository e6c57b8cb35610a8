/* server.c -- a small HTTP server on loopback, in this process: one request a connection, answered by the test */
#include <arpa/inet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"
#include "unit.h"

bool unit_server_put(int client, const void *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t n = send(client, (const char *)data + done, length - done, MSG_NOSIGNAL);
		if (n <= 0) return false;
		done += (size_t)n;
	}
	return true;
}

bool unit_server_say(int client, const char *format, ...)
{
	char text[8192];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return n >= 0 && (size_t)n < sizeof text && unit_server_put(client, text, (size_t)n);
}

bool unit_server_wait(int client, int ms)
{
	struct pollfd p = {.fd = client, .events = POLLIN};
	return poll(&p, 1, ms) == 0; /* it has said all it has to say: what comes is its end */
}

static void serve_one(unit_server *s, int client)
{
	char request[8192];
	size_t n = 0, logged = strlen(s->log);
	do {
		ssize_t got = recv(client, request + n, sizeof request - 1 - n, 0);
		if (got <= 0) return;
		n += (size_t)got;
		request[n] = '\0';
	} while (!strstr(request, "\r\n\r\n") && n < sizeof request - 1);
	if (logged + n < sizeof s->log) memcpy(s->log + logged, request, n + 1);
	s->answer(s, client, s->count++, request);
	shutdown(client, SHUT_WR);
}

static void *serve(void *user)
{
	unit_server *s = user;
	for (int client; (client = accept(s->fd, NULL, NULL)) >= 0; close(client)) serve_one(s, client);
	return NULL;
}

void unit_server_start(unit_server *s, unit_answer_fn answer, void *user)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof at;
	*s = (unit_server){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = answer, .user = user};
	CU_ASSERT_FATAL(s->fd >= 0);
	CU_ASSERT_FATAL(bind(s->fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(s->fd, 8) == 0);
	CU_ASSERT_FATAL(getsockname(s->fd, (struct sockaddr *)&at, &length) == 0);
	s->port = ntohs(at.sin_port);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d", s->port);
	CU_ASSERT_FATAL(pthread_create(&s->thread, NULL, serve, s) == 0);
}

void unit_server_stop(unit_server *s)
{
	shutdown(s->fd, SHUT_RDWR); /* ends an accept that waits for a request that never comes */
	pthread_join(s->thread, NULL);
	close(s->fd);
}
