/* server.h -- a small HTTP server on loopback, in this process: one request a connection, answered by the test */
#ifndef CKPT_UNIT_SERVER_H
#define CKPT_UNIT_SERVER_H
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct unit_server unit_server;
/* Writes the whole answer to request number `number` (0, 1, ...), which ends in its empty line and a NUL. It should say
 * "Connection: close": the connection is closed behind it. */
typedef void (*unit_answer_fn)(unit_server *s, int client, int number, const char *request);

struct unit_server {
	int fd, port;
	char url[64]; /* http://127.0.0.1:PORT */
	pthread_t thread;
	unit_answer_fn answer;
	void *user;
	int count;       /* of requests so far, the one under way counted */
	char log[16384]; /* the requests one after the other, as far as they fit */
};

void unit_server_start(unit_server *s, unit_answer_fn answer, void *user);
/* Waits until the answer under way is written. */
void unit_server_stop(unit_server *s);
/* False when the client has gone. */
bool unit_server_put(int client, const void *data, size_t length);
bool unit_server_say(int client, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sleeps; false as soon as the client has gone. */
bool unit_server_wait(int client, int ms);
#endif
