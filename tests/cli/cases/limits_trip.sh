# Each limit that can be set: what goes beyond it is refused in a sentence with the value, the limit and its name.
cp "$CKPT_SRCDIR/data/fixtures/torch/views.pt" "$CKPT_SRCDIR/data/fixtures/numpy/deflated.npz" \
	"$CKPT_SRCDIR/tests/fuzz/seeds/two.safetensors" .
ckpt convert -q --max-shard-size 40 two.safetensors shards
ckpt init -q gpt2 g --set n_embd=8 --set n_layer=1 --set n_head=2 --set vocab_size=9 --set n_positions=16
while read -r limit command; do
	name=${limit%=*} most=${limit#*=}
	# shellcheck disable=SC2086
	ckpt $command --limit $limit >out 2>said
	echo "$name: exit $?"
	grep -qE "[^0-9][0-9]+ .*exceeds the limit of $most \(raise it with --limit $name=N\)" said || cat said
	# shellcheck disable=SC2086
	ckpt $command >out 2>said || echo "$name: refused with the default too: $(cat said)"
done <<-END >tripped
	header-bytes=150 inspect two.safetensors
	index-bytes=68 inspect shards
	pickle-bytes=100 inspect views.pt
	pickle-values=3 inspect views.pt
	tensors=1 inspect two.safetensors
	view-bytes=47 inspect views.pt
	depth=1 inspect two.safetensors
	zip-records=6 inspect deflated.npz
	inflate-bytes=4127 inspect deflated.npz
	cache-bytes=100 forward -q g --class GPT2LMHeadModel --input-ids [[1,2]] --generate 3
END
cat tripped
echo 'not tripped:'
ckpt help limits | sed -n 's/^\([a-z][a-z-]*\)  *[0-9,][0-9,]* .*/\1/p' | while read -r name; do grep -q "^$name: " tripped || echo "$name"; done
