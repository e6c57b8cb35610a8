# The pages have no date, so that they change only when the command does.
command -v mandoc >/dev/null || exit 0
mandoc -T lint -W warning "$CKPT_SRCDIR"/man/*.1 | grep -v 'missing date'
:
