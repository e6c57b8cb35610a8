# Planted faults, each named by the block that it sits in.

# patch FOLDER NAME AWK: writes the bytes of that tensor again; AWK prints byte i of n, b[0..n-1] being those of now
patch() {
	patch_file=$1/model.safetensors
	patch_head=$(od -An -tu8 -N8 "$patch_file" | tr -d ' ')
	patch_place=$(dd if="$patch_file" bs=1 skip=8 count="$patch_head" 2>/dev/null | tr -d ' ' | tr '}' '\n' |
		sed -n "s/.*\"$2\":{.*\"data_offsets\":\[\([0-9]*\),\([0-9]*\)\].*/\1 \2/p")
	patch_from=$((8 + patch_head + ${patch_place% *})) patch_size=$((${patch_place#* } - ${patch_place% *}))
	printf "$(od -An -v -to1 -w1 -j "$patch_from" -N "$patch_size" "$patch_file" |
		awk '{ b[n++] = $1 } END { for (i = 0; i < n; i++) printf "\\%s", '"$3"' }')" |
		dd of="$patch_file" bs=1 seek="$patch_from" conv=notrunc 2>/dev/null
}
# verdict A B: the exit code, and the block that the JSON and the text name
verdict() {
	ckpt verify "$1" --against "$2" --json | sed -n 's/.*"first_block":\([^,]*\),$/\1/p'
	code ckpt verify "$1" --against "$2" | sed -n 's/.*\(the first block .*\): max.*/\1/p; s/^ *- \(the configs .*\)/\1/p; /\[/p'
}
copy() { rm -rf "$2" && cp -r "$1" "$2"; }

bert two
ckpt reconfigure -q two m --set num_hidden_layers=3 --seed 5 >/dev/null
copy m same
verdict m same
echo '-- two layers swapped'
ckpt reconfigure -q m swapped --layers 0,2,1 >/dev/null
verdict m swapped
echo '-- a transposed matrix of 8 x 8'
copy m transposed
patch transposed encoder.layer.1.attention.self.query.weight 'b[(int(i / 4) % 8 * 8 + int(i / 32)) * 4 + i % 4]'
verdict m transposed
copy m transposed
patch transposed pooler.dense.weight 'b[(int(i / 4) % 8 * 8 + int(i / 32)) * 4 + i % 4]'
verdict m transposed
echo '-- another epsilon'
copy m epsilon
sed 's/"layer_norm_eps": .*,/"layer_norm_eps": 1e-05,/' m/config.json >epsilon/config.json
verdict m epsilon
echo '-- a layer rounded to BF16 (towards zero)'
copy m rounded
for part in attention.self.key attention.output.dense intermediate.dense output.dense; do
	patch rounded encoder.layer.2.$part.weight '(i % 4 < 2 ? "000" : b[i])'
done
verdict m rounded
echo '-- one number of the embeddings of a position'
copy m one
patch one embeddings.position_embeddings.weight '(i == 3 ? "101" : b[i])'
verdict m one
echo '-- a matrix of zeros, a number that is none'
copy m zeros
patch zeros encoder.layer.1.output.dense.weight '"000"'
code ckpt verify zeros | sed -n 's/^ *- //p; /\[/p'
copy m nan
patch nan encoder.layer.0.output.dense.bias '(i < 4 ? "377" : b[i])'
code ckpt verify nan | sed -n 's/^ *- //p; /\[/p'
