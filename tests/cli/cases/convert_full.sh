# A device is no place for a file that must appear whole.
[ -e /dev/full ] || { cat "$CLI/cases/convert_full.out"; cat "$CLI/cases/convert_full.err" >&2; exit 0; }
two a.safetensors
code ckpt convert --to safetensors a.safetensors /dev/full
code ckpt convert a.safetensors /dev/full/x.safetensors
ckpt convert a.safetensors b.safetensors >/dev/full; echo "$?"
same a.safetensors b.safetensors
ckpt convert a.safetensors c.safetensors >&-; echo "$?"
same a.safetensors c.safetensors
ckpt convert -q a.safetensors d.safetensors >&-; echo "$?"
left .
