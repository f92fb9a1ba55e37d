#include "app/front/front.h"

#include "net/log.h"
#include "net/sandbox.h"

#include <unistd.h>

static void on_channel(void *arg, enum role other, int fd)
{
	struct front *f = arg;

	if (other == ROLE_REGISTRAR)
		flight_connect(f->flight, fd);
	else
		close(fd);
}

static void on_drained(void *arg)
{
	loop_stop(((struct front *)arg)->loop);
}

static void on_stop(void *arg)
{
	struct front *f = arg;

	http_server_drain(f->server, ROLE_DRAIN_MS, on_drained, f);
}

static void tell_proxies(struct front *f, const struct conf *conf)
{
	struct http_proxies proxies = {.n = conf->proxy_from.n, .protocol = conf->proxy_protocol == PROXY_V2};

	_Static_assert((int)CONF_NETWORKS_MAX == (int)HTTP_PROXIES_MAX, "one list");
	memcpy(proxies.from, conf->proxy_from.items, sizeof(proxies.from));
	http_server_proxies(f->server, &proxies);
}

static enum err listen_on(struct front *f, const struct role_listen *l, struct why *why)
{
	switch (l->kind) {
	case LISTEN_HTTPS:
		return http_server_listen(f->server, l->fd, f->tls, why);
	case LISTEN_HTTP:
		return http_server_listen(f->server, l->fd, NULL, why);
	case LISTEN_PROXY:
		return http_server_listen_proxied(f->server, l->fd, f->tls, why);
	case LISTEN_KINDS:
		break;
	}
	return WHY(why, BUG, "", "kind of a listening socket: %d", (int)l->kind);
}

static enum err open_server(struct front *f, const struct role_start *start, struct why *why)
{
	const struct conf *conf = start->conf;
	const struct http_limits limits = {
		.connections = conf->connections,
		.connections_per_source = conf->connections_per_source,
		.handshake_ms = conf->handshake_timeout_s * 1000,
		.request_ms = conf->request_timeout_s * 1000,
		.idle_ms = conf->idle_timeout_s * 1000,
		.body_max = (size_t)conf->body_max,
	};

	f->labels = &conf->labels;
	TRY(flight_new(f->loop, &f->flight, why));
	TRY(http_server_new(f->loop, &limits, flight_call, f->flight, &f->server, why));
	http_server_exports(f->server, front_exports, f);
	if (conf->psk)
		http_server_psk(f->server, flight_psk, f->flight);
	if (conf->srp)
		http_server_srp(f->server, flight_srp, f->flight);
	tell_proxies(f, conf);
	for (size_t i = 0; i < start->listen_n; i++)
		TRY(listen_on(f, &start->listen[i], why));
	return OK;
}

static enum err front_init(struct front *f, const struct role_start *start, struct why *why)
{
	const struct role_events events = {.channel = on_channel, .stop = on_stop, .arg = f};

	TRY(front_open_tls(start->conf, &f->tls, why));
	if (start->index == 0)
		front_tell_dates(start->conf);
	TRY(loop_new(&f->loop, why));
	TRY(open_server(f, start, why));
	TRY(role_control_new(f->loop, start, &events, &f->control, why));
	TRY(sandbox_enter(ROLE_FRONT, why));
	return role_control_ready(f->control, why);
}

static void front_fini(struct front *f)
{
	role_control_free(f->control);
	if (f->server)
		http_server_free(f->server);
	flight_free(f->flight);
	tls_server_free(f->tls);
	loop_free(f->loop);
}

int front_main(const struct role_start *start)
{
	struct front f = {0};
	struct why why = {0};

	if (front_init(&f, start, &why) != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		front_fini(&f);
		return 1;
	}
	loop_run(f.loop);
	front_fini(&f);
	return 0;
}
