ckpt inspect --help
ckpt help inspect >a && ckpt inspect -h >b && cmp a b
