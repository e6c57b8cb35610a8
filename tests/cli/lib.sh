# lib.sh -- what cases use to make their input; sourced by run

# le64 N: eight bytes, the lowest first
le64() {
	le64_n=$1 le64_i=0
	while [ $le64_i -lt 8 ]; do
		printf "\\$(printf %03o $((le64_n % 256)))"
		le64_n=$((le64_n / 256)) le64_i=$((le64_i + 1))
	done
}

# bytes_in TEXT: its length in bytes
bytes_in() { printf %s "$1" | wc -c | tr -d ' '; }

# safetensors FILE HEADER BYTES: a file with that header and so many bytes of data (0, 1, 2, ... 250, 0, ...)
safetensors() {
	{
		le64 "$(bytes_in "$2")"
		printf %s "$2"
		awk -v n="$3" 'BEGIN { for (i = 0; i < n; i++) printf "%d\n", i % 251 }' | while read -r byte; do
			printf "\\$(printf %03o "$byte")"
		done
	} >"$1"
}

# zeros FILE HEADER BYTES: the same with zeros, however many
zeros() {
	{ le64 "$(bytes_in "$2")" && printf %s "$2"; } >"$1"
	truncate -s "+$3" "$1"
}

# small FILE: the small checkpoint of the example program
small() { "$CKPT_BUILDDIR/examples/small" "$1" >/dev/null; }

# two FILE: two tensors and metadata
two() {
	safetensors "$1" '{"__metadata__":{"format":"pt"},"weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"bias":{"dtype":"I64","shape":[3],"data_offsets":[24,48]}}' 48
}

# layers FILE N: a model of N like layers and a head
layers() {
	zeros "$1" "$(awk -v n="$2" 'BEGIN {
		printf "{"
		for (i = 0; i < n; i++) {
			printf "\"enc.layer.%d.norm.bias\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[%d,%d]},", i, i * 80, i * 80 + 16
			printf "\"enc.layer.%d.w\":{\"dtype\":\"F32\",\"shape\":[4,4],\"data_offsets\":[%d,%d]},", i, i * 80 + 16, i * 80 + 80
		}
		printf "\"head.w\":{\"dtype\":\"BF16\",\"shape\":[2,4],\"data_offsets\":[%d,%d]}}", n * 80, n * 80 + 16
	}')" $(($2 * 80 + 16))
}

# bert FOLDER [OPTION...]: a random model of two narrow layers
bert() {
	ckpt init -q bert "$@" --set vocab_size=20 --set hidden_size=8 --set num_attention_heads=2 --set num_hidden_layers=2 \
		--set intermediate_size=12 --set max_position_embeddings=10 --set initializer_range=0.5 >/dev/null
}

# code COMMAND...: runs it and prints its exit code
code() {
	"$@"
	echo "[$?]"
}

# quiet_time: hides what differs from run to run ("0.01 s (3.2 GB/s)")
quiet_time() { sed 's/ in [0-9.]* s ([^)]*)/ in TIME/'; }

# fingerprint PATH: one digest of all tensors
fingerprint() { ckpt inspect --json --hash "$1" | sed -n 's/.*"fingerprint": "\(.*\)".*/\1/p'; }

# same PATH PATH: whether both hold the same tensors
same() {
	[ -n "$(fingerprint "$1")" ] && [ "$(fingerprint "$1")" = "$(fingerprint "$2")" ] && echo "$2 is the same"
}

# left FOLDER: what lies there, temporary files too
left() { ls -A "$1"; }
