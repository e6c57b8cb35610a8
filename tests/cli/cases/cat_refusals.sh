two a.safetensors
code ckpt cat
code ckpt cat a.safetensors
code ckpt cat a.safetensors wieght
code ckpt cat a.safetensors nothing.like.it
code ckpt cat nowhere.safetensors weight
code ckpt cat a.safetensors weight bias
code ckpt cat a.safetensors weight --json -o x.npy
for slice in '' 2 -3 0,0,0 ::0 ::-1 1: a ...,... 99999999999999999999; do
	code ckpt cat a.safetensors weight --slice="$slice"
done
zeros f.safetensors '{"a":{"dtype":"F4","shape":[2,4],"data_offsets":[0,4]},"b":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[4,7]}}' 7
code ckpt cat f.safetensors a
code ckpt cat f.safetensors a --slice 0,1
code ckpt cat f.safetensors a --json
code ckpt cat f.safetensors b
code ckpt cat f.safetensors b -o b.npy
code ckpt cat f.safetensors b --dtype f32
ls
