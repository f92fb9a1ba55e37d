#include "proto/m2m/suid.h"

#include <assert.h>

/* TS-0004 6.3.4.2.39: m2m:suid */
static const struct {
	uint8_t suid;
	const char *name;
} usages[] = {
	{10, "pre-provisioned key for a MEF"},
	{11, "pre-provisioned key for a MAF"},
	{12, "pre-provisioned key for SAEF"},
	{13, "pre-provisioned key for ESPrim"},
	{14, "pre-provisioned key for ESData encryption"},
	{15, "pre-provisioned key for ESData signature"},
	{21, "RSPF key for a MAF"},
	{22, "RSPF key for SAEF"},
	{23, "RSPF key for ESPrim"},
	{24, "RSPF key for ESData encryption"},
	{25, "RSPF key for ESData signature"},
	{32, "MAF-distributed key for SAEF"},
	{33, "MAF-distributed key for ESPrim"},
	{34, "MAF-distributed key for ESData encryption"},
	{35, "MAF-distributed key for ESData signature"},
	{40, "certificate for a MEF"},
	{41, "certificate for a MAF"},
	{42, "certificate for SAEF"},
	{43, "certificate for ESPrim"},
	{44, "certificate for ESData encryption"},
	{45, "certificate for ESData signature"},
};

/* Short names for people mean keys by remote provisioning. */
static const struct {
	const char *name;
	uint8_t suid;
} names[] = {{"maf", 21}, {"saef", 22}, {"esprim", 23}, {"esdata", 24}, {"esdata-sign", 25}};

enum { USAGES = sizeof(usages) / sizeof(usages[0]), NAMES = sizeof(names) / sizeof(names[0]) };

static_assert((int)USAGES <= (int)SUID_LIST_MAX, "a list has room for every usage");

static size_t find(unsigned int suid)
{
	size_t i = 0;

	while (i < USAGES && usages[i].suid != suid)
		i++;
	return i;
}

bool suid_known(unsigned int suid)
{
	return find(suid) < USAGES;
}

enum suid_use suid_use_of(unsigned int suid)
{
	return (enum suid_use)(suid % 10);
}

enum suid_origin suid_origin_of(unsigned int suid)
{
	return (enum suid_origin)(suid / 10);
}

unsigned int suid_parse(struct span text)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (span_is_nocase(text, names[i].name))
			return names[i].suid;
	}
	if (text.n != 2 || text.p[0] < '1' || text.p[0] > '9' || text.p[1] < '0' || text.p[1] > '9')
		return 0;
	unsigned int suid = (unsigned int)(text.p[0] - '0') * 10 + (unsigned int)(text.p[1] - '0');
	return suid_known(suid) ? suid : 0;
}

const char *suid_name(unsigned int suid)
{
	size_t i = find(suid);

	return i < USAGES ? usages[i].name : "unknown";
}

bool suid_list_has(const struct suid_list *l, unsigned int suid)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->items[i] == suid)
			return true;
	}
	return false;
}

bool suid_list_add(struct suid_list *l, unsigned int suid)
{
	size_t at = 0;

	if (!suid_known(suid))
		return false;
	while (at < l->n && l->items[at] < suid)
		at++;
	if (at < l->n && l->items[at] == suid)
		return true;
	if (l->n == SUID_LIST_MAX)
		return false;
	memmove(l->items + at + 1, l->items + at, l->n - at);
	l->items[at] = (uint8_t)suid;
	l->n++;
	return true;
}
