#define _GNU_SOURCE /* process_vm_readv */
#include "net/sandbox.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/async.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* An act returns 0 when it did what it should. */
typedef int (*act)(void);

static int pair[2];
static int listener;
static int store; /* a file that was open before */
static char file[64];

/* Wait status of a child that acts within the sandbox of the role. */
static int outcome(enum role role, act fn)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct why why = {0};
		if (sandbox_enter(role, &why) != OK)
			_exit(99);
		_exit(fn());
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void dies(enum role role, act fn, const char *what)
{
	int status = outcome(role, fn);

	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
		fail_msg("%s in the %s: want death by SIGSYS, have status %x", what, role_name(role), status);
}

static void lives(enum role role, act fn, const char *what)
{
	int status = outcome(role, fn);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s in the %s: want it to work, have status %x", what, role_name(role), status);
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int open_unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : 1;
}

static int connect_out(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return connect(pair[0], (struct sockaddr *)&to, sizeof(to)) == 0 ? 0 : 1;
}

static int bind_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return bind(pair[0], (struct sockaddr *)&at, sizeof(at)) == 0 ? 0 : 1;
}

static int listen_port(void)
{
	return listen(listener, 1) == 0 ? 0 : 1;
}

static int run_program(void)
{
	char *argv[] = {(char[]){"true"}, NULL};

	execv("/bin/true", argv);
	return 1;
}

static int make_folder(void)
{
	return mkdtemp(file) ? 0 : 1;
}

static int accept_connection(void)
{
	return accept(listener, NULL, NULL) < 0 && errno == EAGAIN ? 0 : 1;
}

static int talk(void)
{
	char bytes[4] = "abc";
	struct iovec iov = {bytes, 4};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (write(pair[0], bytes, 4) != 4 || read(pair[1], bytes, 4) != 4)
		return 1;
	if (sendmsg(pair[0], &msg, MSG_NOSIGNAL) != 4 || recvmsg(pair[1], &msg, 0) != 4)
		return 1;
	if (send(pair[0], bytes, 4, 0) != 4 || recv(pair[1], bytes, 4, 0) != 4)
		return 1;
	return close(pair[0]);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, 8);
}

/* Heap growth and shrinkage, large blocks, the C library's sort of more than a page. */
static int use_memory(void)
{
	for (int i = 0; i < 100; i++) {
		char *p = mem_alloc((size_t)1 << (i % 24));
		if (!p)
			return 1;
		mem_free(p);
	}
	uint8_t *rows = mem_alloc(80000);
	if (!rows)
		return 1;
	RAND_bytes(rows, 80000);
	qsort(rows, 10000, 8, compare);
	mem_free(rows);
	return 0;
}

/* A date is compared with now, as in every check of a chain. */
static int compare_date(void)
{
	ASN1_TIME *t = ASN1_TIME_set(NULL, 0);
	int order = X509_cmp_current_time(t);

	ASN1_TIME_free(t);
	return order == -1 ? 0 : 1;
}

static int sign(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[128];
	size_t n = sizeof(signature);
	int good = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		EVP_DigestSign(ctx, signature, &n, (const uint8_t *)"x", 1) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good ? 0 : 1;
}

static int write_file(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (pwrite(store, "x", 1, 0) != 1 || fsync(store) != 0 || fcntl(store, F_SETLK, &lock) != 0)
		return 1;
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, store, 0);
	if (p == MAP_FAILED || munmap(p, 4096) != 0 || ftruncate(store, 0) != 0)
		return 1;
	return close(store);
}

/* As a thief would: the master key, then the CA key under it. */
static int pause_job(void *arg)
{
	return ASYNC_pause_job();
}

/* Handshakes that wait for a key, docs/decisions/0015: many stacks, all made inside. */
static int wait_in_jobs(void)
{
	enum { JOBS = 200 };
	ASYNC_JOB *jobs[JOBS] = {NULL};
	ASYNC_WAIT_CTX *wait = ASYNC_WAIT_CTX_new();
	int results[JOBS] = {0}, good = 0;

	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < JOBS; i++)
			good += ASYNC_start_job(&jobs[i], wait, &results[i], pause_job, NULL, 0)
				== (turn == 0 ? ASYNC_PAUSE : ASYNC_FINISH);
	}
	for (int i = 0; i < JOBS; i++)
		good += results[i];
	ASYNC_WAIT_CTX_free(wait);
	ASYNC_cleanup_thread();
	return good == 3 * JOBS ? 0 : 1;
}

static int open_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1;
}

static int make_file(void)
{
	return open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0 ? 0 : 1;
}

static int remove_file(void)
{
	return unlink(file);
}

static int read_memory(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {file, 1};

	return process_vm_readv(getppid(), &here, 1, &there, 1, 0) == 1 ? 0 : 1;
}

static int run_data(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? 1 : 0;
}

static int kill_another(void)
{
	return kill(getppid(), 0) == 0 ? 0 : 1;
}

/* Outwards, as to a MEF: both families, and bytes. */
static int call_out(void)
{
	struct sockaddr_in to;
	socklen_t n = sizeof(to);
	int nodelay = 1, error = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int six = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || (six < 0 && errno != EAFNOSUPPORT) || getsockname(listener, (struct sockaddr *)&to, &n) != 0)
		return 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay));
	n = sizeof(error);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
		return 1;
	return error == 0 && send(fd, "abc", 3, MSG_NOSIGNAL) == 3 ? close(fd) : 1;
}

static int open_netlink(void)
{
	return socket(AF_NETLINK, SOCK_RAW, 0) >= 0 ? 0 : 1;
}

static int open_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0 ? 0 : 1;
}

static const enum role roles[] = {ROLE_FRONT, ROLE_REGISTRAR, ROLE_SIGNER};

static void no_role_opens_a_socket_or_connects(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		dies(roles[i], open_socket, "socket(AF_INET)");
		dies(roles[i], open_unix_socket, "socket(AF_UNIX)");
		dies(roles[i], connect_out, "connect");
		dies(roles[i], bind_port, "bind");
		dies(roles[i], listen_port, "listen");
	}
}

static void no_role_runs_a_program(void **state)
{
	for (size_t i = 0; i < 3; i++)
		dies(roles[i], run_program, "execve");
}

static void only_the_front_accepts(void **state)
{
	lives(ROLE_FRONT, accept_connection, "accept");
	lives(ROLE_FRONT, wait_in_jobs, "handshakes that wait");
	dies(ROLE_REGISTRAR, accept_connection, "accept");
	dies(ROLE_SIGNER, accept_connection, "accept");
}

static void every_role_talks_computes_and_signs(void **state)
{
	for (size_t i = 0; i < 3; i++) {
		lives(roles[i], talk, "read, write, sendmsg, recvmsg");
		lives(roles[i], use_memory, "heap and sort");
		lives(roles[i], sign, "signing");
		lives(roles[i], compare_date, "comparing dates");
	}
}

static void the_registrar_keeps_its_files(void **state)
{
	lives(ROLE_REGISTRAR, write_file, "a file of the store");
}

static int has_sanitizer(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return 1;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
	return 1;
#else
	return 0;
#endif
#else
	return 0;
#endif
}

/* What a sanitizer's runtime needs for itself cannot be forbidden in its builds. */
static void no_role_opens_a_file_or_runs_data(void **state)
{
	dies(ROLE_FRONT, make_folder, "mkdir");
	dies(ROLE_SIGNER, make_folder, "mkdir");
	dies(ROLE_REGISTRAR, make_folder, "mkdir");
	if (has_sanitizer())
		return;
	for (size_t i = 0; i < 3; i++) {
		dies(roles[i], open_file, "open for reading");
		dies(roles[i], make_file, "open for writing");
		dies(roles[i], remove_file, "unlink");
		dies(roles[i], read_memory, "process_vm_readv");
		dies(roles[i], run_data, "mmap(PROT_EXEC)");
		dies(roles[i], kill_another, "kill");
	}
}

/* docs/decisions/0014: out to MEFs, and nothing else */
static void the_caller_connects_and_does_nothing_else(void **state)
{
	lives(ROLE_CALLER, call_out, "connect");
	lives(ROLE_CALLER, talk, "read, write, sendmsg, recvmsg");
	lives(ROLE_CALLER, use_memory, "heap and sort");
	lives(ROLE_CALLER, sign, "signing");
	lives(ROLE_CALLER, compare_date, "comparing dates");
	dies(ROLE_CALLER, open_unix_socket, "socket(AF_UNIX)");
	dies(ROLE_CALLER, open_netlink, "socket(AF_NETLINK)");
	dies(ROLE_CALLER, open_packet, "socket(AF_PACKET)");
	dies(ROLE_CALLER, bind_port, "bind");
	dies(ROLE_CALLER, listen_port, "listen");
	dies(ROLE_CALLER, accept_connection, "accept");
	dies(ROLE_CALLER, run_program, "execve");
	dies(ROLE_CALLER, make_folder, "mkdir");
	if (has_sanitizer())
		return;
	dies(ROLE_CALLER, open_file, "open for reading");
	dies(ROLE_CALLER, make_file, "open for writing");
	dies(ROLE_CALLER, remove_file, "unlink");
	dies(ROLE_CALLER, write_file, "a file of the store");
	dies(ROLE_CALLER, read_memory, "process_vm_readv");
	dies(ROLE_CALLER, run_data, "mmap(PROT_EXEC)");
	dies(ROLE_CALLER, kill_another, "kill");
}

/* A line of a file of /proc, its blanks as they are. */
static bool proc_says(pid_t pid, const char *name, const char *want)
{
	char path[64], line[256];
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strncmp(line, want, strlen(want)) == 0;
	fclose(f);
	return found;
}

static void no_new_privileges_no_core_filter_on(void **state)
{
	int ready[2], hold[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(hold), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct why why = {0};
		close(hold[1]);
		if (sandbox_enter(ROLE_SIGNER, &why) != OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_true(proc_says(pid, "status", "NoNewPrivs:\t1"));
	assert_true(proc_says(pid, "status", "Seccomp:\t2"));
	assert_true(proc_says(pid, "limits", "Max core file size        0                    0"));
	close(hold[0]);
	close(hold[1]);
	close(ready[0]);
	close(ready[1]);
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int prepare(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};

	char kept[] = "/tmp/sandbox-store.XXXXXX";

	snprintf(file, sizeof(file), "/tmp/sandbox.%d.XXXXXX", (int)getpid());
	store = mkstemp(kept);
	unlink(kept);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || listener < 0 ||
		bind(listener, (struct sockaddr *)&at, sizeof(at)) || listen(listener, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_role_opens_a_socket_or_connects),
		cmocka_unit_test(no_role_runs_a_program),
		cmocka_unit_test(only_the_front_accepts),
		cmocka_unit_test(every_role_talks_computes_and_signs),
		cmocka_unit_test(the_registrar_keeps_its_files),
		cmocka_unit_test(no_role_opens_a_file_or_runs_data),
		cmocka_unit_test(the_caller_connects_and_does_nothing_else),
		cmocka_unit_test(no_new_privileges_no_core_filter_on),
	};
	return cmocka_run_group_tests(tests, prepare, NULL);
}
