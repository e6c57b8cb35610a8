# Layers of two kinds in turn, a gap, numbers that are no canonical numbers, a tensor that is also a prefix.
zeros m.safetensors "$(awk 'BEGIN {
	printf "{"
	for (i = 0; i < 10; i++) {
		if (i == 7) continue
		size = i % 2 ? 2 : 4
		printf "\"h.%d.w\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[%d,%d]},", i, size, at, at + size
		at += size
	}
	n = split("h.007.w|h.08.w|a|a.b|a.b.c|x..y|q.0|q.1|q.2|z.0.k.0|z.0.k.1|z.1.k.0|z.1.k.1|99999999999999999999.w", names, "|")
	for (k = 1; k <= n; k++) {
		printf "%s\"%s\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%d,%d]}", k == 1 ? "" : ",", names[k], at, at + 1
		at++
	}
	printf "}"
}')" 42
ckpt inspect --tree m.safetensors
ckpt inspect --tree --limit depth=3 m.safetensors | grep z
