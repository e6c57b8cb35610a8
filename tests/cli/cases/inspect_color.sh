two a.safetensors
ckpt inspect --color=always a.safetensors | cat -v
ckpt inspect a.safetensors >plain
ckpt inspect --color=never a.safetensors | cmp - plain
