short() { sed 's/\("score":-*[0-9]*\.[0-9]\{3\}\)[0-9]*/\1/g'; } # the last digits differ from machine to machine
for head in ForSequenceClassification ForTokenClassification; do
	bert $head --head $head --set 'id2label={"0":"good","1":"bad","2":"ugly"}'
	ckpt forward $head --input-ids '[[3,5,4],[3,7,4]]'
	ckpt forward $head --input-ids '[[3,5,4],[3,7,4]]' -o out.safetensors -f --json | short
done
bert q --head ForQuestionAnswering
ckpt forward q --input-ids '[[3,5,4]]'
