/* One order: a program, what it wrote, how it ended. */
#include "app/runner/runner.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/text.h"
#include "net/log.h"
#include "pki/cert.h"
#include "pki/csr.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
	struct runner *runner;
	const struct conf_issuer *issuer;
	struct away_job *job;
	struct away_order order; /* its csr lies in csr */
	struct buf csr;
	struct child child;
	struct loop_watch *out_watch, *err_watch, *end_watch;
	struct loop_timer *timer; /* its timeout, from the moment it came */
	struct buf out, err;
	bool err_full;
	bool runs; /* in which list */
	int64_t deadline_ms;
	struct run *next, **at; /* in running or waiting */
};

enum { PIECE = 16 * 1024, PIECES_PER_TURN = 8, SHOWN_MAX = 200, PEM_COLUMNS = 64 };

static void unwatch(struct loop_watch **w)
{
	loop_watch_free(*w);
	*w = NULL;
}

static void run_leave(struct run *x)
{
	struct runner *r = x->runner;

	*x->at = x->next;
	if (x->next)
		x->next->at = x->at;
	else if (!x->runs)
		r->waiting_last = x->at;
	*(x->runs ? &r->running_n : &r->waiting_n) -= 1;
}

static void run_free(struct run *x)
{
	unwatch(&x->out_watch);
	unwatch(&x->err_watch);
	unwatch(&x->end_watch);
	loop_timer_free(x->timer);
	child_close(&x->child);
	buf_fini(&x->csr);
	buf_fini(&x->out);
	buf_fini(&x->err);
	mem_free(x);
}

static void sweep(struct runner *r)
{
	pid_t mine[RUNNER_AT_ONCE];
	size_t n = 0;

	for (const struct run *x = r->running; x; x = x->next)
		mine[n++] = x->child.pid;
	if (child_sweep(mine, n))
		loop_timer_set(r->sweep, RUNNER_SWEEP_MS);
}

/* Ends the program when it still runs. */
static void run_end(struct run *x, struct span der, const struct why *why)
{
	struct runner *r = x->runner;
	bool ran = x->runs;

	child_kill(&x->child);
	if (why->kind == OK)
		away_done(x->job, der);
	else
		away_refuse(x->job, why);
	run_leave(x);
	run_free(x);
	if (!ran)
		return;
	loop_timer_set(r->sweep, RUNNER_SWEEP_MS);
	sweep(r);
	loop_task_arm(r->loop, &r->next);
}

void runner_sweep(void *arg)
{
	sweep(arg);
}

static void run_fail(struct run *x, const char *text)
{
	struct why why = {0};

	(void)!WHY(&why, AWAY_UNAVAILABLE, "", "issuer '%s': %s", x->issuer->name, text);
	why.retry_s = RUNNER_RETRY_S;
	run_end(x, (struct span){0}, &why);
}

/* ---- what it says */

static void log_stderr(struct run *x)
{
	struct span rest = buf_span(&x->err);

	for (int i = 0; rest.n && i < RUNNER_ERR_LINES; i++) {
		struct span line = span_first(rest, span_find(rest, '\n'));
		char text[512];
		snprintf(text, sizeof(text), "%.*s", SPAN_FMT(span_first(line, sizeof(text) - 1)));
		rest = span_from(rest, line.n + (line.n < rest.n));
		if (line.n)
			log_event(LOG_WARN_, "program of an issuer says", "issuer", x->issuer->name, "enrolee", x->order.enrolee,
				"line", text, NULL);
	}
	if (rest.n || x->err_full)
		log_event(LOG_WARN_, "program of an issuer says more than is kept", "issuer", x->issuer->name, NULL);
}

/* False at the end, and when there is nothing now. */
static bool read_piece(int fd, uint8_t *piece, ssize_t *n)
{
	do
		*n = read(fd, piece, PIECE);
	while (*n < 0 && errno == EINTR);
	return *n > 0;
}

/* False when it wrote too much. */
static bool drain_out(struct run *x)
{
	uint8_t piece[PIECE];
	ssize_t n = -1;

	for (int i = 0; i < PIECES_PER_TURN && x->child.out_fd >= 0 && read_piece(x->child.out_fd, piece, &n); i++)
		buf_put(&x->out, piece, (size_t)n);
	if (n == 0)
		unwatch(&x->out_watch);
	return !x->out.bad;
}

static void drain_err(struct run *x)
{
	uint8_t piece[PIECE];
	ssize_t n = -1;

	for (int i = 0; i < PIECES_PER_TURN && read_piece(x->child.err_fd, piece, &n); i++) {
		size_t room = x->err.max - x->err.n;
		x->err_full = x->err_full || (size_t)n > room;
		buf_put(&x->err, piece, (size_t)n < room ? (size_t)n : room);
	}
	if (n == 0)
		unwatch(&x->err_watch);
}

static void on_out(void *arg, int ready)
{
	struct run *x = arg;
	char text[64];

	if (drain_out(x))
		return;
	snprintf(text, sizeof(text), "stdout: want at most %d octets, have more", RUNNER_OUT_MAX);
	run_fail(x, text);
}

static void on_err(void *arg, int ready)
{
	drain_err(arg);
}

/* ---- how it ended */

static void take_cert(struct run *x)
{
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct why cause = {0}, why = {0};

	if (cert_first_pem(buf_span(&x->out), &der, &cause) != OK)
		(void)!WHY(&why, AWAY_ANSWER, cause.clause, "issuer '%s': stdout: %.*s", x->issuer->name, SHOWN_MAX, cause.text);
	run_end(x, buf_span(&der), &why);
}

static void take_wait(struct run *x)
{
	struct span text = span_first(buf_span(&x->out), span_find(buf_span(&x->out), '\n'));
	struct why why = {0}, unread = {0};
	uint64_t seconds = RUNNER_WAIT_S;

	if (text.n && text_number(text, 1, RUNNER_WAIT_MAX_S, "seconds", &seconds, &unread) != OK) {
		run_fail(x, "exit status 3: stdout: want seconds from 1 to 86400 or nothing, have something else");
		return;
	}
	(void)!WHY(&why, AWAY_WAITS, "RFC 7030 4.2.3", "issuer '%s': the request waits there", x->issuer->name);
	why.retry_s = (uint32_t)seconds;
	run_end(x, (struct span){0}, &why);
}

static void take_refusal(struct run *x, int status)
{
	struct why why = {0};
	char number[16];

	snprintf(number, sizeof(number), "%d", status);
	log_event(LOG_WARN_, "program of an issuer refused", "issuer", x->issuer->name, "enrolee", x->order.enrolee, "exit status",
		number, NULL);
	(void)!WHY(&why, AWAY_REFUSED, "RFC 7030 4.2.3", "issuer '%s': it refused the request; its operator finds the reason in the log",
		x->issuer->name);
	run_end(x, (struct span){0}, &why);
}

static void on_end(void *arg, int ready)
{
	struct run *x = arg;
	char text[64];
	int status = 0;

	if (!child_ended(&x->child, &status))
		return;
	bool fits = drain_out(x);
	drain_err(x);
	log_stderr(x);
	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "ended by signal %d", WTERMSIG(status));
		run_fail(x, text);
	} else if (!fits) {
		run_fail(x, "stdout: too long");
	} else if (WEXITSTATUS(status) == 0) {
		take_cert(x);
	} else if (WEXITSTATUS(status) == RUNNER_EXIT_WAITS) {
		take_wait(x);
	} else if (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127) {
		run_fail(x, "the program could not be run");
	} else {
		take_refusal(x, WEXITSTATUS(status));
	}
}

static void on_time(void *arg)
{
	struct run *x = arg;

	if (x->child.pid_fd >= 0)
		drain_err(x);
	log_stderr(x);
	run_fail(x, x->child.pid_fd >= 0 ? "the program took longer than timeout" : "all places were taken until timeout");
}

/* ---- its beginning */

static enum err launch(struct run *x, struct why *why)
{
	struct runner *r = x->runner;
	struct buf pem OWNED_BUF = BUF(2 * CSR_DER_MAX);
	struct child_order order = {.command = x->issuer->command,
		.issuer = x->issuer->name,
		.profile = x->order.profile,
		.enrolee = x->order.enrolee,
		.label = x->order.label,
		.timeout_s = x->issuer->timeout_s};

	buf_put_text(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n");
	base64_write(&pem, buf_span(&x->csr), PEM_COLUMNS);
	buf_put_text(&pem, "-----END CERTIFICATE REQUEST-----\n");
	TRY(buf_check(&pem, "request", why));
	order.csr_pem = buf_span(&pem);
	TRY(child_start(&order, &x->child, why));
	TRY(loop_watch_new(r->loop, x->child.out_fd, LOOP_READ, on_out, x, &x->out_watch, why));
	TRY(loop_watch_new(r->loop, x->child.err_fd, LOOP_READ, on_err, x, &x->err_watch, why));
	return loop_watch_new(r->loop, x->child.pid_fd, LOOP_READ, on_end, x, &x->end_watch, why);
}

static void put_running(struct run *x)
{
	struct runner *r = x->runner;

	x->next = r->running;
	x->at = &r->running;
	if (x->next)
		x->next->at = &x->next;
	r->running = x;
	r->running_n++;
	x->runs = true;
}

static void put_waiting(struct run *x)
{
	struct runner *r = x->runner;

	x->next = NULL;
	x->at = r->waiting_last;
	*r->waiting_last = x;
	r->waiting_last = &x->next;
	r->waiting_n++;
}

static void run_start(struct run *x)
{
	struct why why = {0};

	enum err err = launch(x, &why);
	put_running(x);
	if (err == OK)
		return;
	log_why(LOG_ERROR_, "program of an issuer not started", &why);
	run_end(x, (struct span){0}, &why);
}

void runner_next(void *arg)
{
	struct runner *r = arg;

	while (r->waiting && r->running_n < RUNNER_AT_ONCE) {
		struct run *x = r->waiting;
		run_leave(x);
		run_start(x);
	}
}

static enum err find_issuer(const struct runner *r, const char *name, const struct conf_issuer **out, struct why *why)
{
	const struct conf_issuer *issuer = conf_issuer_find(r->conf, name);

	if (!issuer || issuer->kind != ISSUER_COMMAND)
		return WHY(why, AWAY_NONE, "", "issuer: want one of kind command, have '%s'", name);
	*out = issuer;
	return OK;
}

static enum err run_new(struct runner *r, struct away_job *job, const struct away_order *order, struct run **out, struct why *why)
{
	const struct conf_issuer *issuer = NULL;

	TRY(find_issuer(r, order->issuer, &issuer, why));
	if (r->waiting_n == RUNNER_WAITING_MAX)
		return WHY(why, ISSUER_BUSY, "", "issuer '%s': orders: want at most %d that wait", issuer->name, RUNNER_WAITING_MAX);
	struct run *x = mem_alloc(sizeof(*x));
	if (!x)
		return WHY(why, NOMEM, "", "order: want %zu bytes", sizeof(*x));
	*x = (struct run){.runner = r, .issuer = issuer, .job = job, .order = *order, .csr = BUF(CSR_DER_MAX),
		.out = BUF(RUNNER_OUT_MAX), .err = BUF(RUNNER_ERR_MAX), .child = {.pid_fd = -1, .out_fd = -1, .err_fd = -1}};
	buf_put_span(&x->csr, order->csr);
	enum err err = buf_check(&x->csr, "request", why);
	if (err == OK)
		err = loop_timer_new(r->loop, on_time, x, &x->timer, why);
	if (err != OK) {
		run_free(x);
		return err;
	}
	x->order.csr = buf_span(&x->csr);
	loop_timer_set(x->timer, issuer->timeout_s * 1000);
	*out = x;
	return OK;
}

void runner_take(void *arg, struct away_job *job, const struct away_order *order)
{
	struct runner *r = arg;
	struct run *x = NULL;
	struct why why = {0};

	if (run_new(r, job, order, &x, &why) != OK) {
		away_refuse(job, &why);
		return;
	}
	put_waiting(x);
	loop_task_arm(r->loop, &r->next);
}

void runner_drop(struct runner *r)
{
	struct why why = {0};

	(void)!WHY(&why, AWAY_UNAVAILABLE, "", "the runner ends");
	while (r->waiting)
		run_end(r->waiting, (struct span){0}, &why);
	while (r->running)
		run_end(r->running, (struct span){0}, &why);
}
