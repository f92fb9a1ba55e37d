#pragma once
/* A real store with faults injected at the port: commit fails while asked to, an audit row may be refused. */
#include "adapt/store/memory.h"
#include "base/mem.h"

struct faulty_store {
	struct store store; /* what the code under test gets */
	struct store_ops ops;
	struct store *real;
};

static struct {
	const struct store_ops *real;
	bool commit_fails, audit_fails, begin_fails;
	unsigned int commits;
} faults;

static enum err faulty_begin(void *self, struct why *why)
{
	if (faults.begin_fails)
		return WHY(why, STORE_BUSY, "", "begin: injected");
	return faults.real->begin(self, why);
}

static enum err faulty_commit(void *self, struct why *why)
{
	if (faults.commit_fails)
		return WHY(why, STORE_FULL, "", "commit: injected");
	faults.commits++;
	return faults.real->commit(self, why);
}

static enum err faulty_audit_add(void *self, const struct audit_row *row, struct why *why)
{
	if (faults.audit_fails)
		return WHY(why, STORE_IO, "", "audit: injected");
	return faults.real->audit_add(self, row, why);
}

static struct faulty_store *faulty_store_new(void)
{
	struct faulty_store *f = mem_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->real = store_memory_new();
	if (!f->real) {
		mem_free(f);
		return NULL;
	}
	faults.real = f->real->ops;
	faults.commit_fails = faults.audit_fails = faults.begin_fails = false;
	faults.commits = 0;
	f->ops = *f->real->ops;
	f->ops.begin = faulty_begin;
	f->ops.commit = faulty_commit;
	f->ops.audit_add = faulty_audit_add;
	f->store = (struct store){.self = f->real->self, .ops = &f->ops};
	return f;
}

static void faulty_store_free(struct faulty_store *f)
{
	f->real->ops->free(f->real->self);
	mem_free(f);
}
