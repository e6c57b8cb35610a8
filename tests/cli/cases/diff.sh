# Formats, shards and dtypes do not matter, names, shapes and values do.
bert m
ckpt convert -q m/model.safetensors m.bin
ckpt convert -q m/model.safetensors shards/ --max-shard-size 2KB
code ckpt diff m m.bin
code ckpt diff shards m.bin
ckpt convert -q m/model.safetensors prefixed.bin --rename '^/bert.' --exclude '*query*'
code ckpt diff m prefixed.bin
code ckpt diff m prefixed.bin --rename '^/bert.' --exclude '*query*'
code ckpt diff m prefixed.bin --exclude '*query*' -q
ckpt convert -q --dtype bf16 m/model.safetensors half.safetensors
code ckpt diff m half.safetensors --top 2 | sed 's/  */ /g'
code ckpt diff m half.safetensors --rtol 0.004
code ckpt diff half.safetensors m --atol 0.05 -q
safetensors a.safetensors '{"t":{"dtype":"I64","shape":[2,2],"data_offsets":[0,32]},"u":{"dtype":"F32","shape":[2],"data_offsets":[32,40]},"v":{"dtype":"U8","shape":[4],"data_offsets":[40,44]}}' 44
safetensors b.safetensors '{"w":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"t":{"dtype":"I64","shape":[2,2],"data_offsets":[8,40]},"u":{"dtype":"F32","shape":[1,2],"data_offsets":[40,48]},"v":{"dtype":"C64","shape":[4],"data_offsets":[48,80]}}' 80
code ckpt diff a.safetensors b.safetensors
code ckpt diff a.safetensors b.safetensors --include t --json
code ckpt diff a.safetensors a.safetensors --json
printf '\377\377\377\377' | dd of=a.safetensors bs=1 seek=$(($(wc -c <a.safetensors) - 12)) conv=notrunc 2>/dev/null
safetensors c.safetensors '{"t":{"dtype":"I64","shape":[2,2],"data_offsets":[0,32]},"u":{"dtype":"F32","shape":[2],"data_offsets":[32,40]},"v":{"dtype":"U8","shape":[4],"data_offsets":[40,44]}}' 44
code ckpt diff a.safetensors c.safetensors --json | sed -n 2,4p
code ckpt diff a.safetensors nowhere.safetensors
code ckpt diff a.safetensors
code ckpt diff a.safetensors b.safetensors --atol -1
