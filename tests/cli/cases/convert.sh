two a.safetensors
ckpt convert a.safetensors b.bin | quiet_time
ckpt convert --quiet b.bin c.safetensors
ckpt convert -q --to safetensors --output d c.safetensors
same a.safetensors b.bin
same a.safetensors c.safetensors
cmp c.safetensors d
left .
