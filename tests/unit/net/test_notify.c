#include "net/notify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static char got[256];

static int manager(const struct sockaddr_un *at, socklen_t n)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)at, n), 0);
	return fd;
}

static const char *hear(int fd)
{
	ssize_t n = recv(fd, got, sizeof(got) - 1, 0);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void a_state_reaches_the_managers_socket(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/notify.%d", (int)getpid());
	unlink(at.sun_path);
	int fd = manager(&at, sizeof(at));
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	notify_state("READY=1");
	assert_string_equal(hear(fd), "READY=1");
	notify_reloading();
	assert_int_equal(strncmp(hear(fd), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	assert_true(strtoll(got + 27, NULL, 10) > 0);
	close(fd);
	unlink(at.sun_path);
}

static void a_socket_without_a_file_is_reached(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char name[64];

	snprintf(name, sizeof(name), "@notify.%d", (int)getpid());
	memcpy(at.sun_path, name, strlen(name));
	at.sun_path[0] = '\0';
	int fd = manager(&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name)));
	setenv("NOTIFY_SOCKET", name, 1);
	notify_state("STOPPING=1");
	assert_string_equal(hear(fd), "STOPPING=1");
	close(fd);
}

static void no_manager_or_a_strange_one_is_no_trouble(void **state)
{
	static char longer[200];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	unsetenv("NOTIFY_SOCKET");
	notify_state("READY=1");
	setenv("NOTIFY_SOCKET", "relative", 1);
	notify_state("READY=1");
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_state("READY=1");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	notify_state("READY=1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_reaches_the_managers_socket),
		cmocka_unit_test(a_socket_without_a_file_is_reached),
		cmocka_unit_test(no_manager_or_a_strange_one_is_no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
