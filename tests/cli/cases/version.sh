ckpt version | grep -cE '^ckpt [0-9]+\.[0-9]+\.[0-9]+$'
ckpt --version >a && ckpt -V >b && cmp a b
