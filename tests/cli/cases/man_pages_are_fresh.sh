# man/*.1 are what `ckpt help --man` prints; `make man-pages` writes them again.
ckpt help --man | diff - "$CKPT_SRCDIR/man/ckpt.1"
for command in $(ckpt help --list); do
	ckpt help --man "$command" | diff - "$CKPT_SRCDIR/man/ckpt-$command.1"
done
for page in "$CKPT_SRCDIR"/man/ckpt-*.1; do
	command=${page##*/ckpt-}
	ckpt help --list | grep -qx "${command%.1}" || echo "$page is of no command"
done
