# Names that look like options, hold a line end or an escape sequence, or are no UTF-8.
two ./--help
code ckpt inspect -- --help
esc=$(printf 'a\033[31mb\nc')
two "$esc"
code ckpt inspect --quiet "$esc"
code ckpt inspect "no$esc"
latin=$(printf 'caf\351')
two "$latin"
code ckpt inspect "$latin"
code ckpt inspect --json "$latin"
