"""What the memory of running roles holds."""

from _service import check


def memory(pid):
	"""All that a process may write to, and so could have written a key to."""
	with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
		for line in maps:
			words = line.split()
			first, last = (int(x, 16) for x in words[0].split("-"))
			# a sanitizer's shadow is larger than any memory, and holds none of it
			if not words[1].startswith("rw") or last - first > 1 << 28:
				continue
			try:
				mem.seek(first)
				block = mem.read(last - first)
			except OSError:
				continue
			if block.strip(b"\0"):
				yield words[-1] if len(words) > 5 else "anonymous", block


def found(pid, secrets):
	"""{name of a secret: the places that hold it, or its first or last part}: who frees memory overwrites its begin."""
	forms = {part: name for name, form in secrets.forms() for part in (form[:16], form[-10:])}
	out = {}
	for place, block in memory(pid):
		for form, name in forms.items():
			if form in block:
				out.setdefault(name, set()).add(place)
	return out


def processes(s):
	yield "serve", s.process.pid
	yield from s.roles().items()


def no_role_remembers(s, secrets, when):
	if b"__asan_init" in s.binary.read_bytes(): # its heap is hundreds of MiB, and its own; other builds are searched
		print("memory: not searched in a sanitizer's build")
		return
	held = {}
	for name, pid in processes(s):
		for secret, places in found(pid, secrets).items():
			held[f"{name}: {secret}"] = places
	check(not held, f"{when}, found in memory: {held}")
