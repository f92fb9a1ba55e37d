#define _GNU_SOURCE /* F_GET_SEALS */
#include "app/role.h"

#include "base/mem.h"
#include "base/text.h"
#include "net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONF_TEXT_MAX = 1024 * 1024, EXIT_BY_HAND = 2, INDEX_MAX = 4096, KEEP_FREE = 128 * 1024 };

static bool inherited(void)
{
	int type = 0;
	socklen_t n = sizeof(type);

	return getsockopt(ROLE_FD_CONTROL, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_STREAM &&
		fcntl(ROLE_FD_CONF, F_GET_SEALS) >= 0 && getenv(ROLE_ENV_CONF);
}

static enum err by_hand(const char *word, struct why *why)
{
	return WHY(why, ROLE_BY_HAND, "", "%s: want the descriptors that `openmef serve` leaves it, have none", word);
}

static enum err read_conf(struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);
	struct stat st;

	if (fstat(ROLE_FD_CONF, &st) != 0 || st.st_size < 0 || st.st_size > CONF_TEXT_MAX)
		return WHY(why, SYSTEM, "", "configuration: fstat: %s", strerror(errno));
	uint8_t *to = buf_room(&text, (size_t)st.st_size);
	if (!to)
		return buf_check(&text, "configuration", why);
	/* All children share one offset, so none may move it. */
	if (pread(ROLE_FD_CONF, to, (size_t)st.st_size, 0) != st.st_size)
		return WHY(why, SYSTEM, "", "configuration: pread: %s", strerror(errno));
	buf_grew(&text, (size_t)st.st_size);
	close(ROLE_FD_CONF);
	return conf_parse(getenv(ROLE_ENV_CONF), buf_span(&text), conf, why);
}

const char *const listen_kind_names[LISTEN_KINDS] = {"https", "http", "behind_proxy"};

/* LISTEN_KINDS: none. */
static enum listen_kind kind_of(struct span name)
{
	int kind = 0;

	while (kind < LISTEN_KINDS && !span_is(name, listen_kind_names[kind]))
		kind++;
	return (enum listen_kind)kind;
}

static enum err read_listen(struct role_start *start, struct why *why)
{
	const char *kinds = getenv(ROLE_ENV_LISTEN);
	struct span rest = span_text(kinds ? kinds : "");

	while (rest.n) {
		struct span name = span_first(rest, span_find(rest, ','));
		enum listen_kind kind = kind_of(name);
		rest = span_from(rest, name.n + 1);
		if (start->listen_n == ROLE_LISTEN_MAX || kind == LISTEN_KINDS)
			return by_hand(ROLE_ENV_LISTEN, why);
		start->listen[start->listen_n] = (struct role_listen){
			.fd = ROLE_FD_LISTEN + (int)start->listen_n, .kind = kind};
		if (fcntl(start->listen[start->listen_n].fd, F_SETFD, FD_CLOEXEC) != 0)
			return by_hand(ROLE_ENV_LISTEN, why);
		start->listen_n++;
	}
	return OK;
}

static enum err read_port(struct role_start *start, struct why *why)
{
	const char *text = getenv(ROLE_ENV_HTTPS);
	uint64_t port = 0;

	if (!text)
		return by_hand(ROLE_ENV_HTTPS, why);
	TRY(text_number(span_text(text), 0, UINT16_MAX, ROLE_ENV_HTTPS, &port, why));
	start->https_port = (uint16_t)port;
	return OK;
}

static void open_log(const struct role_start *start)
{
	char name[32];

	snprintf(name, sizeof(name), "%s-%u", role_name(start->role), start->index);
	log_open(start->conf->log_json ? LOG_JSON : LOG_TEXT, (enum log_level)start->conf->log_level, name);
	prctl(PR_SET_NAME, name, 0, 0, 0); /* for ps and top; a failure would only look worse */
}

/* A terminal's interrupt and a service manager's stop reach every process of the group; the parent
 * alone decides who stops when. */
static void ignore_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGPIPE};

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_IGN);
}

static enum err start_role(struct role_start *start, struct conf *conf, int argc, char **argv, struct why *why)
{
	uint64_t index = 0;

	if (argc != 2 || !inherited())
		return by_hand(argv[0], why);
	TRY(text_number(span_text(argv[1]), 0, INDEX_MAX, "role index", &index, why));
	start->index = (unsigned int)index;
	start->control_fd = ROLE_FD_CONTROL;
	TRY(read_conf(conf, why));
	start->conf = conf;
	TRY(read_port(start, why));
	return read_listen(start, why);
}

/*
 * Roles hand work to each other many times a millisecond. A batch process does not interrupt the one that woke it, so on a
 * busy core each finishes what it has, and requests share a turn and a sync of the disk (docs/decisions/0025). On an idle
 * core nothing changes; nor when the kernel refuses.
 */
static void let_others_finish(void)
{
	const struct sched_param none = {0};

	(void)!sched_setscheduler(0, SCHED_BATCH, &none);
}

int cmd_role(int argc, char **argv)
{
	OWNED_MEM struct conf *conf = mem_alloc(sizeof(*conf));
	struct role_start start = {0};
	struct why why = {0};
	size_t i = 0;

	/* Without these the C library keeps what one large reply or list once needed. */
	mallopt(M_MMAP_THRESHOLD, KEEP_FREE);
	mallopt(M_TRIM_THRESHOLD, KEEP_FREE);
	let_others_finish();
	while (i < role_words_n && strcmp(argv[0], role_words[i].word) != 0)
		i++;
	if (i == role_words_n || !conf) {
		fprintf(stderr, "openmef: %s: there is no such role\n", argv[0]);
		return EXIT_BY_HAND;
	}
	start.role = role_words[i].role;
	if (start_role(&start, conf, argc, argv, &why) != OK) {
		char text[WHY_TEXT_MAX + 256];
		why_print(&why, text, sizeof(text));
		fprintf(stderr, "openmef: %s is the part of `openmef serve` that %s.\n%s\n", role_words[i].word,
			role_words[i].what, text);
		return EXIT_BY_HAND;
	}
	open_log(&start);
	ignore_signals();
	return role_words[i].main(&start);
}
