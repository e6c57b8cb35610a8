command -v bash >/dev/null || { cat "$CLI/cases/completion.out"; exit 0; }
bash -c '
eval "$(ckpt help --completion)"
try() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); compopt() { :; }; _ckpt; printf "%s\n" "${COMPREPLY[@]}"; echo; }
try ckpt insp
try ckpt inspect --h
try ckpt convert --max
try ckpt convert --aliases = d
try ckpt convert --aliases dr
'
