# Sourced by the other scripts: where the checkout is, and a way to run things that is never silent.
cd "$(dirname "${BASH_SOURCE[0]}")/.."
JOBS=${JOBS:-$(nproc)}

say()
{
	printf '== %s\n' "$*"
}

# Runs a command; when it prints nothing for 30 seconds, says that it is still at work.
loudly()
{
	"$@" 2>&1 | {
		local line part='' since=$SECONDS got
		while :; do
			got=0
			IFS= read -r -t 30 line || got=$?
			part+=$line
			if [ "$got" -eq 0 ]; then
				printf '%s\n' "$part"
				part=''
			elif [ "$got" -gt 128 ]; then
				printf '   ... still running: %s (%d s)\n' "$1" $((SECONDS - since))
			else
				[ -z "$part" ] || printf '%s\n' "$part"
				break
			fi
		done
	}
}
