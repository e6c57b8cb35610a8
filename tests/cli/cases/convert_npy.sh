# numpy's files hold one array, or arrays without aliases and metadata.
two a.safetensors
code ckpt convert a.safetensors b.npy
ckpt convert --include weight --check --metadata x=y a.safetensors b.npy | quiet_time
ckpt convert --include weight --check a.safetensors b.npy | quiet_time
ckpt inspect b.npy
