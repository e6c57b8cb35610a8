cp "$CLI/fixtures/tied.pt" .
ckpt inspect --hash tied.pt
ckpt inspect --json tied.pt | grep alias_of
ckpt inspect --tree tied.pt
