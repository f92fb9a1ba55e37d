#pragma once
/* What the clients of test_http_server.c do, in a child process: every fault ends it with status 1. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static inline void want(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "client wants: %s\n", what);
	_exit(1);
}

static inline int dial(uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	want(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "to connect");
	return fd;
}

static inline void say(int fd, const char *text)
{
	want(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text), "to send");
}

/* One whole reply, by its Content-Length (none for HEAD). Bytes past it stay in the socket. */
static inline char *hear_head(int fd)
{
	static char text[8192];
	size_t n = 0;

	while (n < sizeof(text) - 1) {
		ssize_t got = recv(fd, text + n, 1, 0);
		want(got == 1, "a reply");
		text[++n] = '\0';
		if (n >= 4 && memcmp(text + n - 4, "\r\n\r\n", 4) == 0)
			return text;
	}
	return text;
}

static inline char *hear(int fd)
{
	char *text = hear_head(fd);
	const char *length = strstr(text, "Content-Length: ");
	size_t n = length ? strtoul(length + 16, NULL, 10) : 0, head = strlen(text);

	want(head + n < 8192, "a reply that fits");
	for (size_t i = 0; i < n; i++) {
		want(recv(fd, text + head + i, 1, 0) == 1, "a whole body");
		text[head + i + 1] = '\0';
	}
	return text;
}

static inline void want_in(const char *text, const char *part)
{
	if (strstr(text, part))
		return;
	fprintf(stderr, "client wants \"%s\" in:\n%s\n", part, text);
	_exit(1);
}

static inline void want_end(int fd)
{
	char byte;

	want(recv(fd, &byte, 1, 0) <= 0, "the connection to be closed");
	close(fd);
}

static inline void rest_ms(long ms)
{
	usleep((useconds_t)ms * 1000);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: mef\r\n"
