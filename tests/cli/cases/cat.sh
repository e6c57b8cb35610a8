two a.safetensors
ckpt cat a.safetensors bias
ckpt cat a.safetensors weight
ckpt cat a.safetensors weight --slice 0,:2
ckpt cat a.safetensors weight --slice=-1
ckpt cat a.safetensors bias -s 2
ckpt cat a.safetensors weight --slice ...,1 --dtype bf16
ckpt cat a.safetensors bias --json
ckpt cat a.safetensors weight --json --slice :,::2
zeros b.safetensors '{"w":{"dtype":"F32","shape":[50,60],"data_offsets":[0,12000]}}' 12000
ckpt cat b.safetensors
zeros c.safetensors '{"none":{"dtype":"BF16","shape":[0,3],"data_offsets":[0,0]},"one":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}' 1
ckpt cat c.safetensors none
ckpt cat c.safetensors none --json
ckpt cat c.safetensors one
ckpt cat c.safetensors one --json
ckpt cat "$CKPT_SRCDIR/data/fixtures/numpy/deflated.npz" layer/0.bias
ckpt cat "$CKPT_SRCDIR/data/fixtures/numpy/big_fortran_complex.npy"
