/* server.c -- a Hub on the loopback interface for the faults of the network: it serves the files of a folder
 *
 * server FOLDER: prints its port, then answers until it is killed. GET /a/b?x gives FOLDER/a/b (or FOLDER/a/b.json), from the
 * byte that a Range asks for; where FOLDER/a/b.location is, a redirect to what that holds.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { REQUEST = 8192, BODY = 1 << 20 };

static bool send_all(int client, const char *data, size_t length)
{
	while (length) {
		ssize_t n = send(client, data, length, MSG_NOSIGNAL);
		if (n <= 0) return false;
		data += n;
		length -= (size_t)n;
	}
	return true;
}

/* The file's bytes in body; -1: there is none. */
static long slurp(const char *path, const char *suffix, char *body)
{
	char name[REQUEST + 16];
	snprintf(name, sizeof name, ".%s%s", path, suffix);
	FILE *f = strstr(path, "..") ? NULL : fopen(name, "rb");
	if (!f) return -1;
	size_t n = fread(body, 1, BODY, f);
	bool folder = ferror(f);
	fclose(f);
	return folder ? -1 : (long)n;
}

static bool answer(int client, const char *request)
{
	static char body[BODY + 1];
	char path[REQUEST], head[REQUEST];
	long from = 0, to = BODY, length;
	if (sscanf(request, "GET %4000[^? ]", path) != 1) return false;
	if ((length = slurp(path, ".location", body)) >= 0) {
		snprintf(head, sizeof head, "HTTP/1.1 302 Found\r\nLocation: %.*s\r\nContent-Length: 0\r\n\r\n", (int)length, body);
		return send_all(client, head, strlen(head));
	}
	if ((length = slurp(path, "", body)) < 0) length = slurp(path, ".json", body);
	if (length < 0) {
		static const char absent[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
		return send_all(client, absent, sizeof absent - 1);
	}
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	if (range) sscanf(range + 15, "%ld-%ld", &from, &to);
	if (to >= length) to = length - 1;
	if (from < 0 || from > to) range = NULL, from = 0, to = length - 1;
	int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\n", range ? "206 Partial Content" : "200 OK");
	if (range) n += snprintf(head + n, sizeof head - (size_t)n, "Content-Range: bytes %ld-%ld/%ld\r\n", from, to, length);
	snprintf(head + n, sizeof head - (size_t)n, "Content-Length: %ld\r\n\r\n", to + 1 - from);
	return send_all(client, head, strlen(head)) && send_all(client, body + from, (size_t)(to + 1 - from));
}

/* Answers requests until the client goes away. */
static void serve(int client)
{
	char request[REQUEST];
	for (;;) {
		size_t n = 0;
		do {
			ssize_t got = recv(client, request + n, sizeof request - 1 - n, 0);
			if (got <= 0) return;
			n += (size_t)got;
			request[n] = '\0';
		} while (!strstr(request, "\r\n\r\n"));
		if (!answer(client, request)) return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (argc != 2 || chdir(argv[1]) != 0 || fd < 0) return 2;
	if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0) return 2;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	signal(SIGCHLD, SIG_IGN);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (;;) {
		int client = accept(fd, NULL, NULL);
		if (client < 0) continue;
		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)); /* a head and a body are two packets */
		if (fork() == 0) {
			close(fd);
			serve(client);
			_exit(0);
		}
		close(client);
	}
}
