#!/bin/bash
# What do the residual connections do for a deep model?
. "$(dirname "$0")/lib.sh"
sentences

model="--task lm --train sentences.txt --valid sentences-valid.txt --document-separator blank --size tiny --hidden 16 --heads 2 --ffn 32
  --context 32 --vocab-size 600 --batch-tokens 512 --learning-rate 0.003 --warmup-steps 10 --dropout 0"
# The norm of a layer's gradient at the first update: gradient MODEL LAYER
gradient() { sed -n "s/{\"step\":1,.*\"decoder\.$2\":\([^,}]*\).*/\1/p" "$1/log.jsonl" | awk '{ printf "%.1e", $1 }'; }

title "The gradient at the first update, from the top layer down to the lowest"
printf '$ qkv train ... --layers N --residual on|off --layer-gradients\n'
for layers in 2 8 24 $(pick 48 ''); do
  for residual in on off; do
    out=residual-$residual-$layers
    # shellcheck disable=SC2086
    learn $out $model --layers "$layers" --residual $residual --max-steps 1 --layer-gradients
    printf '%s\t%s' "$layers" $residual
    for quarter in 4 3 2 1 0; do printf '\t%s' "$(gradient $out $(((layers - 1) * quarter / 4)))"; done
    printf '\n'
  done
done | { printf 'layers\tresidual\ttop layer\tthree quarters up\tmiddle\tone quarter up\tlowest layer\n'; cat; } | table
cat << END
With the connections every layer gets a gradient of the same order, however deep the model: the sum x + f(x) hands it down unchanged
beside what f makes of it. Without them it shrinks from layer to layer by the same factor again and again, until a number of 32
bits holds it no longer: 0.0e+00 is what the program computed, and such a layer learns nothing.
END

title "And after $(pick 200 5) updates"
for layers in 2 8 24; do
  for residual in on off; do
    out=trained-$residual-$layers
    # shellcheck disable=SC2086
    learn $out $model --layers $layers --residual $residual --max-steps "$(pick 200 5)" --valid-every "$(pick 200 5)" --clip-norm 1
    printf '%s\t%s\t%.3f\t%.1f\n' $layers $residual "$(best $out valid_loss)" "$(best $out perplexity)"
  done
done | { printf 'layers\tresidual\tvalidation loss\tperplexity\n'; cat; } | table
cat << END
Without the connections nothing of the text reaches the top of a deep model in a form that could be learnt: what is left to learn is how
frequent each piece is. That loss does not depend on the depth.
END
