# Adds up what Meson's testlog.json says: the cases of cmocka and of scripts that speak TAP, one for any other program.
# Prints "passed failed skipped".
function total(pattern,    rest, sum, found) {
  rest = $0
  while (match(rest, pattern)) {
    found = substr(rest, RSTART, RLENGTH)
    gsub(/[^0-9]/, "", found)
    sum += found
    rest = substr(rest, RSTART + RLENGTH)
  }
  return sum + 0
}
function occurrences(pattern,    copy) {
  copy = $0
  return gsub(pattern, "", copy)
}
{
  result = $0
  sub(/.*"result": *"/, "", result)
  sub(/".*/, "", result)
  p = total("\\[  PASSED  \\] [0-9]+ test")
  f = total("\\[  FAILED  \\] [0-9]+ test")
  s = total("\\[  SKIPPED \\] [0-9]+ test")
  all_ok = occurrences("(\\\\n|\")ok [0-9]+")
  skipped_ok = occurrences("(\\\\n|\")ok [0-9]+[^\\\\]*# SKIP")
  p += all_ok - skipped_ok
  s += skipped_ok
  f += occurrences("(\\\\n|\")not ok [0-9]+")
  if (p + f + s == 0) {
    if (result == "OK" || result == "EXPECTEDFAIL") p = 1
    else if (result == "SKIP") s = 1
  }
  if (f == 0 && result != "OK" && result != "SKIP" && result != "EXPECTEDFAIL") f = 1
  passed += p
  failed += f
  skipped += s
}
END { print passed + 0, failed + 0, skipped + 0 }
