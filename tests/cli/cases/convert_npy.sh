# numpy's files hold one array, or arrays without aliases and metadata.
two a.safetensors
code ckpt convert a.safetensors b.npy
ckpt convert --include weight --check --metadata x=y a.safetensors b.npy | quiet_time
ckpt convert --include weight --check a.safetensors b.npy | quiet_time
ckpt inspect b.npy
cp "$CLI/fixtures/tied.pt" .
ckpt convert --check a.safetensors c.npz | quiet_time
ckpt convert --check tied.pt tied.npz | quiet_time
same tied.pt tied.npz
code ckpt convert --dtype bf16 a.safetensors d.npz
