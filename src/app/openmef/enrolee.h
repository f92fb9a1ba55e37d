#pragma once
/* What `openmef enrolee` commands share. */
#include "port/store.h"
#include "wire/json.h"

struct json *enrolee_json(const struct enrolee *e);
