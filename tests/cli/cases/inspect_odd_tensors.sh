# 0-dim, no elements, four bits, a name with a line end, one that is no ASCII, an empty one.
zeros m.safetensors '{"scalar":{"dtype":"F64","shape":[],"data_offsets":[0,8]},"none":{"dtype":"F32","shape":[3,0,2],"data_offsets":[8,8]},"fp4":{"dtype":"F4","shape":[3,2],"data_offsets":[8,11]},"a\nb\u001b[31m":{"dtype":"BOOL","shape":[1],"data_offsets":[11,12]},"größe你好":{"dtype":"C64","shape":[1,1],"data_offsets":[12,20]},"":{"dtype":"U8","shape":[1],"data_offsets":[20,21]}}' 21
ckpt inspect m.safetensors
ckpt inspect --tree m.safetensors | head -n 10
ckpt inspect --json m.safetensors
