# Every command has help, within 80 columns, and a manual page.
for command in $(ckpt help --list); do
	ckpt "$command" --help >text || echo "$command: $?"
	awk -v c="$command" 'length($0) > 80 && !/^Usage:|^       ckpt|^  ckpt / { print c ": " $0 }' text
	grep -q '^Exit codes$' text || echo "$command says nothing about exit codes"
	[ -e "$CKPT_SRCDIR/man/ckpt-$command.1" ] || echo "there is no man/ckpt-$command.1"
done
