# embed.awk -- prints data/configs/*.json as C: one string a model type
BEGIN {
	print "/* defaults.c -- generated from data/configs by lib/model/embed.awk: the default config of each type */"
	print "#include \"lib/model/arch.h\"\n#include <string.h>\n"
	print "static const struct {\n\tconst char *type, *text;\n} defaults[] = {"
}
FNR == 1 {
	if (NR > 1) print "\t},"
	type = FILENAME
	sub(/.*\//, "", type)
	sub(/\.json$/, "", type)
	print "\t{\n\t\t\"" type "\","
}
{
	gsub(/\\/, "\\\\")
	gsub(/"/, "\\\"")
	gsub(/^ +/, "")
	print "\t\t\"" $0 "\\n\""
}
END {
	print "\t},\n};\n"
	print "const char *ckpt_arch_defaults(const char *type)\n{"
	print "\tfor (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)"
	print "\t\tif (!strcmp(defaults[i].type, type)) return defaults[i].text;"
	print "\treturn NULL;\n}"
}
