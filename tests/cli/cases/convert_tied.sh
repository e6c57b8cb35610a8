cp "$CLI/fixtures/tied.pt" .
ckpt convert tied.pt a.safetensors | quiet_time
ckpt inspect a.safetensors | grep =
ckpt convert -q a.safetensors back.pt
ckpt inspect --include head.weight --include fc.weight back.pt
ckpt convert --check --aliases copy tied.pt copied.safetensors | quiet_time
ckpt inspect --json copied.safetensors | grep -c alias_of
ckpt convert --aliases drop tied.pt dropped.pt | quiet_time
