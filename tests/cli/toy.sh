# shellcheck shell=bash
# Sourced by tests of trainings: writes train.s, train.t, valid.s and valid.t, a language in which every word is translated.
awk 'BEGIN {
  split("red green blue big small old new hot cold dry", from); split("rojo verde azul grande chico viejo nuevo caliente frio seco", to)
  for (i = 0; i < 430; i++) {
    n = 1 + i * 7 % 5; s = ""; t = ""; part = i < 400 ? "train" : "valid"
    for (w = 0; w < n; w++) { k = 1 + (i * (w + 3) + int(i / 7)) % 10; s = s (w ? " " : "") from[k]; t = to[k] (w ? " " : "") t }
    print s > (part ".s"); print t > (part ".t")
  }
}'
