/* Two processes with a shared key and a TLS session between them; and those without it. */
#include "https_server.h"

#include "adapt/sys/session.h"

static struct secret key_of(const char *text)
{
	struct secret s = {0};

	assert_true(secret_set(&s, span_text(text)));
	return s;
}

static struct session_plan plan_of(const char *identity, const struct secret *key, bool tls12)
{
	return (struct session_plan){.identity = identity, .key = key, .timeout_s = 20, .tls12_only = tls12};
}

/* Says "echo LINE" to the first peer; ends with 0 where the session came about. */
static pid_t start_listener(const struct session_plan *plan, uint16_t *port)
{
	struct why why = {0};
	int fd = -1;

	must(session_listen(0, &fd, port, &why));
	pid_t pid = fork();
	if (pid == 0) {
		struct session *s = NULL;
		char heard[SESSION_LINE_SIZE];
		char said[SESSION_LINE_SIZE + 8];
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		bool good = session_accept(fd, plan, &s, &why) == OK && session_hear(s, heard, &why) == OK;
		snprintf(said, sizeof(said), "echo %s", good ? heard : "");
		good = good && session_say(s, said, &why) == OK;
		session_free(s);
		_exit(good ? 0 : why.code == CODE_AGENT_PSK ? 3 : 4);
	}
	close(fd);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define IDENTITY "000102030405060708090A0B0C0D0E0F@maf.example.com"

static void both_hold_the_key(void **state)
{
	const struct secret key = key_of("a key of thirty-two octets here.");

	for (int tls12 = 0; tls12 < 2; tls12++) {
		const struct session_plan plan = plan_of(IDENTITY, &key, tls12);
		struct session *s OWNED_SESSION = NULL;
		struct why why = {0};
		char heard[SESSION_LINE_SIZE];
		uint16_t port = 0;
		pid_t pid = start_listener(&plan, &port);
		must(session_connect("127.0.0.1", port, &plan, &s, &why));
		must(session_say(s, "hello", &why));
		must(session_hear(s, heard, &why));
		assert_string_equal(heard, "echo hello");
		assert_string_equal(session_version(s), tls12 ? "TLSv1.2" : "TLSv1.3");
		assert_int_equal(status_of(pid), 0);
	}
}

static void expect_none(const struct session_plan *listener, const struct session_plan *peer)
{
	struct session *s OWNED_SESSION = NULL;
	struct why why = {0};
	char heard[SESSION_LINE_SIZE];
	uint16_t port = 0;
	pid_t pid = start_listener(listener, &port);

	/* on TLS 1.3 the refusal of the listener may come behind the handshake */
	enum err err = session_connect("127.0.0.1", port, peer, &s, &why);
	if (err == OK)
		err = session_say(s, "hello", &why);
	if (err == OK)
		err = session_hear(s, heard, &why);
	assert_int_not_equal(err, OK);
	session_free(s);
	s = NULL;
	assert_int_equal(status_of(pid), 3);
}

static void another_key_or_identity_gets_no_session(void **state)
{
	const struct secret key = key_of("a key of thirty-two octets here.");
	const struct secret other = key_of("another one of thirty-two octets");

	for (int tls12 = 0; tls12 < 2; tls12++) {
		const struct session_plan good = plan_of(IDENTITY, &key, tls12);
		const struct session_plan wrong_key = plan_of(IDENTITY, &other, tls12);
		const struct session_plan wrong_name = plan_of("FF0102030405060708090A0B0C0D0E0F@maf.example.com", &key, tls12);
		expect_none(&good, &wrong_key);
		expect_none(&good, &wrong_name);
	}
}

static void a_certificate_does_not_stand_for_the_key(void **state)
{
	struct made ca OWNED_MADE = {0};
	struct made leaf OWNED_MADE = {0};
	const struct secret key = key_of("a key of thirty-two octets here.");
	const struct session_plan plan = plan_of(IDENTITY, &key, false);
	struct server_plan server = {.chain = {&leaf}};
	struct session *s OWNED_SESSION = NULL;
	struct why why = {0};
	unsigned int port = 0;

	made_ca(&ca, KEY_P256, "Root", NULL);
	struct cert_plan cert = made_plan(&leaf, KEY_P256, "peer");
	made_sign(&leaf, &cert, &ca);
	struct server it OWNED_SERVER = server_start(&server);
	assert_int_equal(sscanf(it.address, "127.0.0.1:%u", &port), 1);
	assert_int_equal(session_connect("127.0.0.1", (uint16_t)port, &plan, &s, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_AGENT_PSK);
	assert_int_equal(it.counts->requests, 0);
}

static void lines_past_the_bound_are_refused(void **state)
{
	const struct secret key = key_of("a key of thirty-two octets here.");
	const struct session_plan plan = plan_of(IDENTITY, &key, false);
	struct session *s OWNED_SESSION = NULL;
	struct why why = {0};
	char line[SESSION_LINE_SIZE];
	uint16_t port = 0;
	pid_t pid = start_listener(&plan, &port);

	must(session_connect("127.0.0.1", port, &plan, &s, &why));
	memset(line, 'a', sizeof(line) - 1);
	line[SESSION_LINE_SIZE - 1] = '\0';
	assert_int_equal(session_say(s, line, &why), ERR_LIMIT);
	why_clear(&why);
	assert_int_equal(session_say(s, "two\nlines", &why), ERR_LIMIT);
	line[SESSION_LINE_SIZE - 2] = '\0';
	why_clear(&why);
	must(session_say(s, line, &why)); /* its echo is longer and does not fit */
	status_of(pid);
}

static void nobody_there_is_told(void **state)
{
	const struct secret key = key_of("a key of thirty-two octets here.");
	struct session_plan plan = plan_of(IDENTITY, &key, false);
	struct session *s OWNED_SESSION = NULL;
	struct why why = {0};
	uint16_t port = 0;
	int fd = -1;

	must(session_listen(0, &fd, &port, &why));
	plan.timeout_s = 1;
	assert_int_equal(session_accept(fd, &plan, &s, &why), ERR_SYSTEM);
	assert_non_null(strstr(why.text, "nothing came in time"));
	close(fd);
	why_clear(&why);
	assert_int_equal(session_connect("127.0.0.1", port, &plan, &s, &why), ERR_SYSTEM);
	why_clear(&why);
	assert_int_equal(session_connect("maf.example.com", port, &plan, &s, &why), ERR_SYNTAX);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_hold_the_key),
		cmocka_unit_test(another_key_or_identity_gets_no_session),
		cmocka_unit_test(a_certificate_does_not_stand_for_the_key),
		cmocka_unit_test(lines_past_the_bound_are_refused),
		cmocka_unit_test(nobody_there_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
