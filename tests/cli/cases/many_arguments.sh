# 10,000 patterns are fine, 10,000 arguments and one of 120 KB are a usage error.
layers m.safetensors 2
set --
i=0
while [ $i -lt 10000 ]; do set -- "$@" --exclude=x$i; i=$((i + 1)); done
code ckpt inspect "$@" m.safetensors
set --
i=0
while [ $i -lt 10000 ]; do set -- "$@" x; i=$((i + 1)); done
code ckpt inspect "$@"
long=$(awk 'BEGIN { for (i = 0; i < 120000; i++) printf "x" }')
code ckpt inspect "--$long"
code ckpt "$long"
