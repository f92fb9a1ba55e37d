/* Enrols a device, and renews its certificate when that is due: cc enrol.c $(pkg-config --cflags --libs enrolee) */
#include <enrolee.h>
#include <stdio.h>

static void tell(void *arg, const char *step)
{
	printf("  %s\n", step);
}

int main(int argc, char **argv)
{
	if (argc < 6) {
		fprintf(stderr, "usage: enrol MEF-URI ANCHORS CERTIFICATE KEY DIR [HOST:PORT]\n");
		return 2;
	}
	struct enrolee *e = enrolee_new();
	struct enrolee_status status = {.size = sizeof(status)};
	if (!e)
		return 1;
	int bad = enrolee_set_text(e, ENROLEE_MEF, argv[1])
		|| enrolee_set_file(e, ENROLEE_ANCHORS, argv[2])
		|| enrolee_set_file(e, ENROLEE_CERTIFICATE, argv[3])
		|| enrolee_set_file(e, ENROLEE_KEY, argv[4])
		|| enrolee_set_text(e, ENROLEE_DIR, argv[5])
		|| enrolee_set_text(e, ENROLEE_CONNECT, argc > 6 ? argv[6] : NULL)
		|| enrolee_set_progress(e, tell, NULL)
		|| enrolee_status(e, &status);
	if (!bad && status.state == ENROLEE_STATE_GOOD)
		printf("Nothing to do: good for %lld days\n", (long long)status.days_left);
	else if (!bad && status.state == ENROLEE_STATE_DUE)
		bad = enrolee_run(e, ENROLEE_RENEW);
	else if (!bad)
		bad = enrolee_run(e, ENROLEE_ENROL);
	if (bad)
		fprintf(stderr, "%s\n", enrolee_error_text(e));
	else if (enrolee_status(e, &status) == 0)
		printf("Serial %s, subject '%s', %lld days left\n", status.serial, status.subject, (long long)status.days_left);
	enrolee_free(e);
	return bad != 0;
}
