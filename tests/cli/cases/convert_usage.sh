two a.safetensors
code ckpt convert a.safetensors
code ckpt convert a.safetensors b.bin c.bin
code ckpt convert a.safetensors b.bin -o c.bin
code ckpt convert a.safetensors ''
code ckpt convert a.safetensors b
code ckpt convert a.safetensors b.xyz
code ckpt convert --to xyz a.safetensors b
code ckpt convert --dtype i8 a.safetensors b.bin
code ckpt convert --dtype f33 a.safetensors b.bin
code ckpt convert --max-shard-size 0 a.safetensors b.bin
code ckpt convert --max-shard-size 5XB a.safetensors b.bin
code ckpt convert --aliases keep a.safetensors b.bin
code ckpt convert --metadata novalue a.safetensors b.safetensors
code ckpt convert --metadata =x a.safetensors b.safetensors
code ckpt convert --metadata a=b a.safetensors b.npy
code ckpt convert --check --dry-run a.safetensors b.bin
left .
