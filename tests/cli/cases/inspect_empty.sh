safetensors a.safetensors '{}' 0
ckpt inspect a.safetensors
ckpt inspect --tree a.safetensors
ckpt inspect --json a.safetensors
