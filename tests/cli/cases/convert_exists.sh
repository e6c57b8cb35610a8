# Nothing is replaced without --force, and nothing is left half written.
two a.safetensors
layers other.safetensors 1
cp other.safetensors b.safetensors
code ckpt convert a.safetensors b.safetensors
cmp other.safetensors b.safetensors
code ckpt convert -q --force a.safetensors b.safetensors
same a.safetensors b.safetensors
mkdir folder.safetensors
mkfifo pipe.safetensors
ln -s b.safetensors link.safetensors
ln -s nowhere dangling.safetensors
for target in pipe.safetensors link.safetensors dangling.safetensors missing/out.safetensors; do
	code ckpt convert a.safetensors $target
done
code ckpt convert -q --force other.safetensors link.safetensors
[ -h link.safetensors ] || echo 'the link was replaced, not followed'
same a.safetensors b.safetensors
left .
