two a.safetensors
cp a.safetensors copy.safetensors
ln a.safetensors hard.safetensors
ln -s a.safetensors soft.safetensors
code ckpt convert a.safetensors a.safetensors
for name in a.safetensors ./a.safetensors hard.safetensors soft.safetensors; do
	code ckpt convert -q --force a.safetensors $name
	same copy.safetensors a.safetensors
	same copy.safetensors $name
done
code ckpt convert -q --force --dtype f16 a.safetensors a.safetensors
ckpt inspect a.safetensors | grep weight
left .
