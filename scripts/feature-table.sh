#!/bin/bash
# Prints what hidden states of a model are worth as features (Devlin et al., 2019, table 7): a tagger with an LSTM over each kind,
# the model itself staying as it is, and the model fine-tuned, each with several seeds: mean, spread and least of the F1 on DEV.
#   scripts/feature-table.sh MODEL TRAIN DEV [SEEDS] [options of qkv train for all of them, such as --epochs 5]
# SEEDS are how many (default 5). LSTM_OPTIONS and TUNING_OPTIONS are options for one of the two ways, such as
#   LSTM_OPTIONS="--lstm-hidden 256" scripts/feature-table.sh all-MiniLM-L6-v2 train.tsv testa.tsv 3
# The models go to OUT (default: feature-table); one that is there already is not trained again. QKV names the command (default: qkv).
set -eu
[ $# -ge 3 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
qkv=${QKV:-qkv} out=${OUT:-feature-table}
model=$1 train=$2 dev=$3
shift 3
seeds=5
case ${1:-} in [1-9]*) seeds=$1; shift ;; esac
mkdir -p "$out"

# Trains a tagger, unless it is done, and leaves its score behind.
tagger() {  # NAME SEED [OPTIONS]
  local name=$1-$2 seed=$2
  shift 2
  [ ! -s "$out/$name.f1" ] || return 0
  rm -rf "${out:?}/$name"
  "$qkv" train "$out/$name" --task tag --from "$model" --train "$train" --valid "$dev" --seed "$seed" --quiet "$@" 2> "$out/$name.err" ||
    { cat "$out/$name.err" >&2; return 1; }
  "$qkv" eval "$out/$name" "$dev" --quiet | awk '$1 == "f1" { print $2 }' > "$out/$name.f1"
}

# shellcheck disable=SC2086  # options are words
for ((seed = 1; seed <= seeds; seed++)); do
  tagger fine-tuning "$seed" ${TUNING_OPTIONS:-} "$@"
  for features in embeddings second-to-last last sum-last-4 concat-last-4 sum-all weighted; do
    tagger $features "$seed" --features $features ${LSTM_OPTIONS:-} "$@"
  done
done

printf '%-16s %8s %8s %8s %6s\n' features mean spread least seeds
for name in fine-tuning embeddings second-to-last last sum-last-4 concat-last-4 sum-all weighted; do
  for ((seed = 1; seed <= seeds; seed++)); do cat "$out/$name-$seed.f1"; done |
    awk -v name=$name '{ n++; sum += $1; squares += $1 * $1; if (n == 1 || $1 < least) least = $1 }
      END { mean = sum / n; spread = n > 1 ? sqrt((squares > n * mean * mean ? squares - n * mean * mean : 0) / (n - 1)) : 0
        printf "%-16s %8.2f %8.2f %8.2f %6d\n", name, mean, spread, least, n }'
done
