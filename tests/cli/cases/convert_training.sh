cp "$CLI/fixtures/train.pt" "$CLI/fixtures/two_parts.pt" .
ckpt convert train.pt a.safetensors | quiet_time
ckpt inspect a.safetensors
code ckpt convert two_parts.pt b.safetensors
code ckpt convert -q --root ema two_parts.pt b.safetensors
code ckpt convert --root nothing two_parts.pt c.safetensors
ckpt convert --check train.pt whole.bin | quiet_time
ckpt inspect whole.bin | grep -A3 '^values'
ckpt convert --dtype bf16 train.pt cast.bin | quiet_time
ckpt inspect cast.bin | grep -E 'epoch|fc.weight'
ckpt convert --include 'model.*' train.pt part.bin | quiet_time
left .
