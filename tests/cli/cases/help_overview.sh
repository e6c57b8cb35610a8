ckpt --help
ckpt -h >h && ckpt help >hh && cmp h hh
