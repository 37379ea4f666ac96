#!/bin/bash
# qkv attend: numbers that can be checked by hand, and files that are wrong.
. "$(dirname "$0")/case.sh"
printf 'I\t1\t0\nam\t0\t1\n' > x
printf '1 0\n0 1\n' > one
printf '2,0\n0,2\n' > two

# With identities: products are the identity, scaled by 1 / sqrt(2); softmax of (0.7071, 0) is 0.6698 and 0.3302.
run 0 "$QKV" attend x --wq one --wk one --wv two
out_has "queries   Q = X W_Q   [2, 2]"
out_has "scaled products of head 0   S = Q K^T / sqrt(d)   [2, 2]"
out_has "  I   0.7071  0.0000"
out_has "weights of head 0   A = softmax(S)   [2, 2]"
out_has "  I   0.6698  0.3302"
out_has "mixed values   Z = A V   [2, 2]"
out_has "  am  0.6605  1.3395"
out_has "           I      am"
run 0 "$QKV" attend x --wq one --wk one --wv two --causal --decimals 2
out_has "  I   0.71  -inf"
out_has "  I   1.00  0.00"
run 0 "$QKV" attend x --wq one --wk one --wv two --heads 2 --scale 1 --wo one
out_has "weights of head 1"
out_has "output   O = Z W_O   [2, 2]"
# Head 0 of "I": products (1, 0), softmax 0.7311 and 0.2689; the values of head 0 are 2 and 0.
out_has "  I   1.4621  1.0000"
printf '1 1\n2 2\n3 3\n' > y
run 0 "$QKV" attend x --wq one --wk one --wv two --over y
out_has "keys   K = Y W_K   [3, 2]"
out_has "weights of head 0   A = softmax(S)   [2, 3]"
run 0 "$QKV" attend x --wq one --wk one --wv one --causal --format json
out_has '"shape":[2,2],"values":[[0.707106769,null],[0,0.707106769]]}'

# Three tokens, by hand: queries (1 0 2) (2 2 2) (2 1 3), keys (0 1 1) (4 4 0) (2 3 1), values (1 2 3) (2 8 0) (2 6 3). The first
# query's products are 2, 4, 4; e^2, e^4, e^4 over their sum are 0.06338, 0.46831, 0.46831; so the first output is
# 0.06338 + 2 * 0.46831 + 2 * 0.46831 = 1.9366, 2 * 0.06338 + 8 * 0.46831 + 6 * 0.46831 = 6.6831, 3 * 0.06338 + 3 * 0.46831 = 1.5951.
printf '1 0 1 0\n0 2 0 2\n1 1 1 1\n' > three
printf '1 0 1\n1 0 0\n0 0 1\n0 1 1\n' > three.wq
printf '0 0 1\n1 1 0\n0 1 0\n1 1 0\n' > three.wk
printf '0 2 0\n0 3 0\n1 0 3\n1 1 0\n' > three.wv
run 0 "$QKV" attend three --wq three.wq --wk three.wk --wv three.wv --scale 1
cp out by-hand
for row in "1.0000  0.0000  2.0000" "4.0000  4.0000  0.0000" "2.0000  6.0000  3.0000" "4.0000  16.0000  12.0000" "0.0634  0.4683  0.4683" \
  "1.9366  6.6831  1.5951" "2.0000  7.9640  0.0540" "1.9997  7.7599  0.3584"; do
  check "by hand: $row" bash -c "sed 's/  */  /g' '$work/by-hand' | grep -qF '$row'"
done

run 2 "$QKV" attend x --wq one --wk one
err_has "--wq, --wk and --wv are needed"
printf '1 0\n0 x\n' > letters
run 1 "$QKV" attend letters --wq one --wk one --wv one
err_has 'letters:2: "x" is not a number'
printf '1 0\n0\n' > short
run 1 "$QKV" attend short --wq one --wk one --wv one
err_has 'short:2: this row has 1 numbers; the rows before have 2'
printf '1 0\n0 1 2\n' > long
run 1 "$QKV" attend long --wq one --wk one --wv one
err_has 'long:2: this row has more than 2 numbers'
: > empty
run 1 "$QKV" attend empty --wq one --wk one --wv one
err_has "empty: there are no numbers in it"
printf '1 0 0\n0 1 0\n0 0 1\n' > three
run 2 "$QKV" attend x --wq three --wk one --wv one
err_has "wq is [3, 3]; it needs 2 rows"
run 2 "$QKV" attend x --wq one --wk one --wv one --heads 3
err_has "wq has 2 columns, which 3 heads cannot share evenly"
printf 'inf 0\n0 1\n' > infinite
run 2 "$QKV" attend infinite --wq one --wk one --wv one
err_has "no finite number"
run 2 "$QKV" attend x --wq one --wk one --wv one --over y --causal
err_has "causal attention looks at the text itself"
run 1 "$QKV" attend missing --wq one --wk one --wv one
err_has "missing"
finish
