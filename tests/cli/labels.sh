#!/bin/bash
# Fine-tuning, qkv predict and qkv eval on labels: each task learns a rule from examples, and bad examples are answered clearly.
. "$(dirname "$0")/case.sh"

tokenizer=$SOURCE/tests/text/golden/bert
small="--tokenizer $tokenizer --hidden 32 --heads 2 --ffn 64 --layers 1 --dtype f32 --batch-tokens 200 --learning-rate 0.01 --dropout 0 --warmup-steps 5 --quiet"
train() { "$QKV" train "$@" $small; }
score() { awk -v name="$1" -v least="$2" '$1 == name && $2 >= least { found = 1 } END { exit !found }' "$3"; }

# The word decides the class.
make_table() {  # LINES SEED
  awk -v n="$1" -v seed="$2" 'BEGIN { srand(seed); split("the a of in to", w); print "label\tsentence"
    for (i = 0; i < n; i++) { good = rand() < 0.5; s = ""; for (k = 0; k < 3; k++) s = s w[int(rand() * 5) + 1] " "
      print (good ? "good" : "bad") "\t" s (good ? "yes" : "no") } }'
}
make_table 300 1 > train.tsv
make_table 60 2 > dev.tsv
run 0 train classes --task classify --train train.tsv --valid dev.tsv --max-steps 60
check "config.json names the labels" grep -q '"good"' classes/config.json
check "curves.svg shows the accuracy" grep -q 'accuracy %' classes/curves.svg
run 0 "$QKV" eval classes dev.tsv --dtype f32
out_has 'right \ predicted'
cp out scores
check "the classes are learnt" score accuracy 95 scores
run 0 "$QKV" eval classes dev.tsv --format json
out_has '"matthews": '
run 0 "$SOURCE/scripts/glue.sh" rte=classes:dev.tsv mrpc=classes:dev.tsv --dtype f32
out_has "mrpc   f1 "
out_has "average of 2 tasks"
cut -f2 dev.tsv | tail -n +2 > lines.txt
run 0 "$QKV" predict classes lines.txt
cp out labels
check "a label with its probability for each line" awk -F'\t' '$1 !~ /^(good|bad)$/ || $2 < 0.5 || $2 > 1 { exit 1 } END { if (NR != 60) exit 1 }' labels
tac lines.txt > backwards.txt
run 0 "$QKV" predict classes backwards.txt --threads 1
tac out > turned
check "order, neighbours and threads change nothing" cmp labels turned
run 0 "$QKV" predict classes --text "$(head -1 lines.txt)" --format json
out_has '"probabilities": {"bad": '
run 0 "$QKV" predict classes --text ""
check "an empty text has a label, too" test "$(wc -l < out)" = 1
printf 'the\na \xff in\n' > damaged.txt
run 0 "$QKV" predict classes damaged.txt
err_has "1 example held bytes that are no UTF-8, read as U+FFFD; the first is in line 2"
run 0 "$QKV" predict classes --text "a" --pair "the"
run 2 "$QKV" predict classes --text "a" --no-header
err_has "--text and --no-header contradict each other: a text is no file"
run 2 "$QKV" predict classes lines.txt --stride 5
err_has "--stride does nothing here: classes does not look for answers"
run 2 "$QKV" predict classes --text "a" --text "of" --pair "the"
err_has "one side of a pair is missing"
long=$(yes the | head -600 | tr '\n' ' ')
run 3 "$QKV" predict classes --text "$long"
err_has "1 example longer than the model takes was cut; the first is in line 1"
run 0 "$QKV" predict classes --text "$long" --accept-cuts
run 0 "$QKV" train more --task classify --from classes --train train.tsv --valid dev.tsv --max-steps 2 --layer-decay 0.5 --freeze embeddings --quiet --dtype f32
# A run that goes on gives the bytes of one that was not interrupted.
tune="--task classify --from classes --train train.tsv --valid dev.tsv --schedule constant --warmup-steps 3 --valid-every 5 --metric loss --layer-decay 0.8 --freeze embeddings --dropout 0.1 --dtype f32 --quiet"
run 0 "$QKV" train whole $tune --max-steps 10
run 0 "$QKV" train parts $tune --max-steps 5 --threads 1
run 0 "$QKV" train parts --resume --max-steps 10 --quiet
check "resumed, with another number of threads: the same bytes" cmp whole/model.safetensors parts/model.safetensors
"$QKV" forward classes --ids "2 7 9 3" --want hidden --layer 0 > before 2> err
"$QKV" forward more --ids "2 7 9 3" --want hidden --layer 0 > after 2> err
check "what is frozen stays to the bit" cmp before after
"$QKV" forward classes --ids "2 7 9 3" --want hidden --layer 1 > before 2> err
"$QKV" forward more --ids "2 7 9 3" --want hidden --layer 1 > after 2> err
check "the rest does not" bash -c '! cmp -s before after && [ -s after ]'
run 2 "$QKV" train x --task classify --from classes --train train.tsv --valid dev.tsv --freeze 9
err_has "--freeze is \"9\"; wanted embeddings, all, or how many of the 1 layers"
run 0 "$QKV" train --task classify --from classes --train train.tsv --valid dev.tsv --show-batch --dtype f32
out_has "label: good"
out_has "[CLS]/0"

# What stands for a text: one of its rows, or their mean; a model of sentence vectors says which.
cp -r classes vectors
mkdir vectors/1_Pooling
echo '{"pooling_mode_mean_tokens": true}' > vectors/1_Pooling/config.json
echo '[{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}]' > vectors/modules.json
averaged="--task classify --train train.tsv --valid dev.tsv --schedule constant --learning-rate 0.005 --warmup-steps 1 --valid-every 5 --metric loss --dtype f32"
run 0 "$QKV" train mean $averaged --from vectors --max-steps 10
err_has "pooling mean, as modules.json of vectors says"
check "config.json says so" grep -q '"pooling": "mean"' mean/config.json
"$QKV" forward mean --ids "2 7 9 3 5" --want hidden > rows 2> err
run 0 "$QKV" forward mean --ids "2 7 9 3 5" --want pooled
cp out pooled
check "the mean of a text's rows stands for it" awk 'NR == FNR { for (i = 1; i <= NF; i++) sum[i] += $i; rows++; next }
  { for (i = 1; i <= NF; i++) if (sum[i] / rows - $i > 1e-5 || $i - sum[i] / rows > 1e-5) exit 1; seen = 1 } END { if (rows != 5 || !seen) exit 1 }' rows pooled
run 0 "$QKV" eval mean dev.tsv --dtype f32
cp out scores
check "it has learnt" score accuracy 90 scores
run 0 "$QKV" train halves $averaged --from vectors --max-steps 5 --threads 1 --quiet
run 0 "$QKV" train halves --resume --max-steps 10 --quiet
check "resumed with means: the same bytes" cmp mean/model.safetensors halves/model.safetensors
run 0 "$QKV" train again $averaged --from mean --max-steps 1 --quiet
check "a model of means stays one" grep -q '"pooling": "mean"' again/config.json
run 0 "$QKV" train first $averaged --from vectors --pooling first --max-steps 1 --quiet
check "--pooling first stays in the layout of transformers" grep -q BertForSequenceClassification first/config.json
run 0 train fresh --task classify --train train.tsv --valid dev.tsv --pooling mean --max-steps 1
check "a new model may have it, too" grep -q '"pooling": "mean"' fresh/config.json
# One that no head can follow, and one that cannot be read.
echo '[{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}, {"type": "other.Dense", "path": "2"}]' > vectors/modules.json
echo '{"pooling_mode_max_tokens": true}' > vectors/1_Pooling/config.json
run 0 "$QKV" train most $averaged --from vectors --max-steps 1
err_has "pooling first, since no head can do what modules.json of vectors says"
echo '[{"type": ' > vectors/modules.json
run 1 "$QKV" train broken $averaged --from vectors --max-steps 1
err_has "vectors/modules.json"
err_has "--pooling first, last or mean does without the file"
check "nothing was begun" test ! -e broken

# Bad examples.
printf 'label\tsentence\ngood\tone\nbad\n' > missing.tsv
run 1 train x --task classify --train missing.tsv --valid dev.tsv
err_has "missing.tsv line 3: column 2 (text) is missing"
printf 'label\tsentence\nugly\tone\n' > unseen.tsv
run 1 train x --task classify --train train.tsv --valid unseen.tsv
err_has 'unseen.tsv line 2: the label "ugly" does not occur in the training data, whose labels are bad, good'
run 1 "$QKV" eval classes unseen.tsv
err_has 'the label "ugly"'
printf 'label\tsentence\n' > none.tsv
run 1 "$QKV" eval classes none.tsv
err_has 'none.tsv: there is no example in it to score'
run 2 "$QKV" eval classes dev.tsv --beam 3
err_has '--beam does nothing here: classes gives labels'
run 2 "$QKV" eval "$SOURCE/tests/golden/bert-masked" dev.tsv
err_has 'is an encoder that gives no labels, so nothing can be scored; fine-tune it first'
printf 'label\tsentence\ngood\tone\ngood\ttwo\n' > single.tsv
run 1 train x --task classify --train single.tsv --valid dev.tsv
err_has 'every example has the label "good"'
{ cat train.tsv; printf 'good\t\n'; } > empty.tsv
run 0 "$QKV" train empty --task classify --from classes --train empty.tsv --valid dev.tsv --max-steps 1 --dtype f32
err_has "1 line dropped: both sides are empty (empty.tsv:302)"
awk 'NR == 1 { print "label\tsentence1\tsentence2"; next } { split($0, p, "\t"); print p[1] "\t" p[2] "\t" (NR == 5 ? "" : "the") }' train.tsv > pairs.tsv
run 0 "$QKV" train pairs --task classify --from classes --train pairs.tsv --max-steps 1 --dtype f32
err_has "dropped: the target is empty (pairs.tsv:5)"
err_has "are held out for validation"
run 1 "$QKV" train x --task regress --from classes --train train.tsv --valid dev.tsv
err_has "is no number; --task regress learns numbers"
run 1 "$QKV" predict "$SOURCE/tests/golden/marian" lines.txt
err_has "the model has no head that labels anything; make one with qkv train"

# Numbers: how many times "yes" stands there.
awk 'BEGIN { srand(3); for (i = 0; i < 300; i++) { s = ""; c = 0; for (k = 0; k < 4; k++) { y = rand() < 0.5; c += y; s = s (y ? "yes " : "no ") } print c / 4 "\t" s } }' > numbers.tsv
run 0 train numbers --task regress --train numbers.tsv --valid numbers.tsv --no-header --columns label,text --max-steps 80
run 0 "$QKV" eval numbers numbers.tsv --no-header --columns label,text
cp out scores
check "the numbers are learnt" score pearson 0.9 scores
run 0 "$QKV" predict numbers --text "yes yes yes yes"

# Tags: "in" is followed by a place.
awk 'BEGIN { srand(4); split("the of to yes", w); for (i = 0; i < 200; i++) { n = 1 + int(rand() * 4); for (k = 0; k < n; k++) print w[int(rand() * 4) + 1] "\tO"; print "in\tO"; print w[int(rand() * 4) + 1] "\tB-LOC"; print w[int(rand() * 4) + 1] "\tI-LOC"; print "" } }' > tags.conll
run 0 train tags --task tag --train tags.conll --max-steps 150
run 0 "$QKV" eval tags tags.conll
cp out scores
check "the tags are learnt" score f1 90 scores
run 0 "$QKV" predict tags --text "the of in yes to"
out_has "yes	B-LOC"
printf 'in\tO\nyes\tI-LOC\n\n' > loose.conll
cat tags.conll loose.conll > both.conll
run 0 "$QKV" train loose --task tag --from tags --train both.conll --max-steps 1 --dtype f32
err_has "kept although an I- tag follows no tag of its type"
# Parts of speech are no entities: their F1 is 0 for ever.
sed 's/B-LOC/NOUN/; s/I-LOC/NOUN/; s/O$/X/' tags.conll > speech.conll
run 0 "$QKV" train speech --task tag --from tags --train speech.conll --max-steps 1 --dtype f32
err_has "no tag begins with B- or I-"
check "the best model is that of the best accuracy" grep -q '"metric": "accuracy"' speech/training.json

# Answers: the word after "in".
awk 'BEGIN { srand(5); split("the of to yes no a", w); for (i = 0; i < 200; i++) { s = ""; for (k = 0; k < int(rand() * 4); k++) s = s w[int(rand() * 6) + 1] " "; s = s "in "; a = w[int(rand() * 6) + 1]; printf "{\"question\": \"in\", \"context\": \"%s%s to\", \"answers\": [{\"text\": \"%s\", \"answer_start\": %d}]}\n", s, a, a, length(s) } }' > answers.jsonl
run 0 train answers --task span --train answers.jsonl --max-steps 120
run 2 "$QKV" eval answers answers.jsonl --max-length 4
err_has "answers.jsonl line 1: the question with its special tokens fills all 4 rows"
run 0 "$QKV" eval answers answers.jsonl
cp out scores
check "the answers are learnt" score exact 80 scores
run 0 "$QKV" predict answers --text in --pair "the of in yes to" --format json
out_has '"answer": "yes"'
run 0 "$QKV" predict answers --text in --pair "the of in yes to" --no-answer 1000 --format json
out_has '"answer": ""'
head -5 answers.jsonl > wrong.jsonl
echo '{"question": "in", "context": "the of", "answers": [{"text": "yes"}]}' >> wrong.jsonl
run 0 "$QKV" train wrong --task span --from answers --train wrong.jsonl --valid answers.jsonl --max-steps 1 --dtype f32
err_has "1 line dropped: the context does not hold the answer where it is said to stand (wrong.jsonl:6)"

# Choices: the one that repeats the question.
awk 'BEGIN { srand(6); split("the of to yes no a", w); for (i = 0; i < 300; i++) { r = int(rand() * 3); q = w[1 + i % 6]; printf "{\"question\": \"%s\", \"choices\": [", q; for (k = 0; k < 3; k++) printf "%s\"%s\"", k ? ", " : "", k == r ? "yes yes" : "no"; printf "], \"label\": %d}\n", r } }' > choices.jsonl
run 0 train choices --task choice --train choices.jsonl --max-steps 40
run 0 "$QKV" eval choices choices.jsonl
cp out scores
check "the choices are learnt" score accuracy 95 scores
run 0 "$QKV" predict choices choices.jsonl
check "a choice for each question" test "$(cut -f1 out | sort -u)" = "yes yes"

# Layers that share their weights (ALBERT: four layers, two groups) stay or learn together, at the rate of the highest.
mkdir shared
cp "$SOURCE"/tests/golden/albert-pretraining/{config.json,model.safetensors} shared
{ printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the a of in to yes no; seq 25; } > shared/vocab.txt
shared="--task classify --from shared --train train.tsv --valid dev.tsv --max-steps 2 --dtype f32 --quiet"
run 2 "$QKV" train x $shared --freeze 1
err_has "--freeze is 1, but 2 layers at a time share their weights in this model"
run 0 "$QKV" train half $shared --freeze 2 --layer-decay 0.1
for layer in 2 4; do for model in shared half; do "$QKV" forward $model --ids "2 7 9 3" --want hidden --layer $layer > $model.$layer 2> err; done; done
check "the lower group stays, the upper one learns" bash -c 'cmp shared.2 half.2 && ! cmp -s shared.4 half.4 && [ -s half.4 ]'

# Replaced tokens: ELECTRA's discriminator says of each token whether it is the original one.
mkdir replaced
cp "$SOURCE"/tests/golden/electra-replaced/{config.json,model.safetensors} replaced
{ printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the of in to yes; seq 27; } > replaced/vocab.txt
run 0 "$QKV" forward replaced --ids "2 5 6 9 3" --want logits
awk 'NF { p = 1 / (1 + exp(-$1)); print ($1 > 0 ? "replaced" : "original"), sprintf("%.4f", $1 > 0 ? p : 1 - p) }' out > by-logits
run 0 "$QKV" predict replaced --text "the of yes"
out_has "[CLS]	"
awk -F'\t' 'NF { print $2, sprintf("%.4f", $3) }' out > by-predict
check "each token has the probability of its logit" bash -c 'cmp by-logits by-predict && [ "$(wc -l < by-logits)" = 5 ]'
run 0 "$QKV" predict replaced --text "the of" --pair "yes" --format json
out_has '{"word": "[SEP]", "tag": "'
run 1 "$QKV" eval replaced lines.txt
err_has "replaced tells replaced tokens, which no file of examples names; qkv predict shows them"
finish
