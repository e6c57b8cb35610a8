# published.awk -- prints data/reference/published/*.json as C: one string a model
BEGIN {
	print "/* published_data.c -- generated from data/reference/published by tools/published.awk */"
	print "#include \"tools/published.h\"\n"
	print "const ckpt_published ckpt_published_table[] = {"
}
FNR == 1 {
	if (NR > 1) print "\t},"
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.json$/, "", name)
	print "\t{\"" name "\","
}
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	gsub(/^[ \t]+/, "")
	print "\t\t\"" $0 "\\n\""
}
END { print "\t},\n\t{0, 0}\n};" }
