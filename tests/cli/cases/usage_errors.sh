two a.safetensors
code ckpt inspect
code ckpt inspect a.safetensors b
code ckpt inspect --jsn a.safetensors
code ckpt inspect --json=yes a.safetensors
code ckpt inspect --json --json a.safetensors
code ckpt inspect --include
code ckpt inspect -z a.safetensors
code ckpt inspect --threads 0 a.safetensors
code ckpt inspect --threads= a.safetensors
code ckpt inspect --threads=-1 a.safetensors
code ckpt inspect --threads=1x a.safetensors
code ckpt inspect --threads=99999999999999999999 a.safetensors
code ckpt inspect --color=sometimes a.safetensors
code ckpt inspect --limit depth a.safetensors
code ckpt inspect --limit depth=x a.safetensors
code ckpt inspect --limit deepness=5 a.safetensors
code ckpt inspect --tree --json a.safetensors
code ckpt inspect --tree --stats a.safetensors
code ckpt inspect --format=word a.safetensors
code ckpt inspect --root x a.safetensors
