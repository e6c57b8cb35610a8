cp "$CLI/fixtures/train.pt" "$CLI/fixtures/two_parts.pt" .
ckpt inspect --root model train.pt
ckpt inspect two_parts.pt
code ckpt inspect --root nothing two_parts.pt
