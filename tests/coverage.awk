# coverage.awk -- gcov's lines per file, sorted from the least covered, then the totals of each area
#
# Parsers: what reads bytes that a stranger may have written.

/^File/ {file = $2; gsub("\047", "", file); if (match(file, /(^|\/)(lib|formats|tools)\//)) file = substr(file, RSTART + (substr(file, RSTART, 1) == "/"))}
/^Lines/ && file {
	split($2, part, /[:%]/)
	if (!(file in lines) || part[2] * $4 / 100 > hit[file]) {lines[file] = $4; hit[file] = part[2] * $4 / 100}
	file = ""
}

function add(area, f) {all[area] += lines[f]; seen[area] += hit[f]}

END {
	for (f in lines) {
		printf "%6.2f%% of %4d  %s\n", 100 * hit[f] / (lines[f] ? lines[f] : 1), lines[f], f | "sort -n"
		if (f ~ /^lib\//) add("lib/", f)
		if (f ~ /^formats\//) add("formats/", f)
		if (f ~ /^tools\//) add("tools/", f)
		if (f ~ /^formats\/(pickle|zip|torch|safetensors|npy|npz|text_index|sharded|minizip)/ || f ~ /^lib\/json/) add("parsers", f)
	}
	close("sort -n")
	n = split("lib/ formats/ parsers tools/", order, " ")
	for (i = 1; i <= n; i++) printf "%6.2f%% of %d lines: %s\n", 100 * seen[order[i]] / all[order[i]], all[order[i]], order[i]
}
