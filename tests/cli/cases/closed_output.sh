# Standard output that is full or closed is a failure of every command; a closed standard error or input is none.
[ -e /dev/full ] || { cat "$CLI/cases/closed_output.out"; cat "$CLI/cases/closed_output.err" >&2; exit 0; }
two a.safetensors
for line in '--help' 'help convert' 'version' 'inspect a.safetensors' 'inspect --json a.safetensors' 'inspect --tree a.safetensors'; do
	ckpt $line >/dev/full; echo "$line: $?"
	ckpt $line >&-; echo "$line: $?"
	ckpt $line 2>&- <&- >out; echo "$line: $?"
done
