two a.safetensors
ckpt cat a.safetensors weight -o w.npy
ckpt cat w.npy
ckpt cat a.safetensors weight --slice :,1: -o part.safetensors
ckpt cat part.safetensors
code ckpt cat a.safetensors bias -o w.npy
ckpt cat a.safetensors bias -o w.npy --force
ckpt cat w.npy
code ckpt cat a.safetensors weight --dtype bf16 -o b.npy
code ckpt cat a.safetensors weight -o b.unknown
code ckpt cat a.safetensors weight -o nowhere/b.npy
ls
