#!/bin/bash
# The page in a real browser: Chromium, driven through its WebDriver. What the page computes is held against the model's numbers
# by the page itself, for every layer, head and token; here those marks are counted, and the page is clicked through.
. "$SOURCE/tests/cli/case.sh"
. "$SOURCE/tests/cli/words.sh"
for needed in chromium chromedriver curl; do
  command -v $needed > /dev/null || skip_all "$needed is not installed"
done

port=$((20000 + $$ % 20000))
HOME=$work chromedriver --port=$port > driver.log 2>&1 &
driver=$!
session=
# The driver's end is not the browser's: its session has to be closed.
finish_browser() {
  [ -z "$session" ] || curl -s -X DELETE "localhost:$port/session/$session" > /dev/null
  kill $driver 2> /dev/null
  wait $driver 2> /dev/null
  rm -rf "$work"
}
trap finish_browser EXIT
for _ in $(seq 100); do curl -s "localhost:$port/status" | grep -q '"ready":true' && break; sleep 0.1; done

post() { curl -s -H 'Content-Type: application/json' -d "$2" "localhost:$port/session$1"; }
session=$(post "" '{"capabilities":{"alwaysMatch":{"timeouts":{"script":240000},"goog:chromeOptions":{"args":["--headless=new","--no-sandbox","--disable-gpu","--window-size=1300,1000"]}}}}' |
  sed -n 's/.*"sessionId":"\([^"]*\)".*/\1/p')
[ -n "$session" ] || skip_all "Chromium does not start here"

# js CODE: what the code returns in the page, a number or a text.
js() {
  post "/$session/execute/sync" "{\"script\":\"$(sed 's/\\/\\\\/g; s/"/\\"/g' <<< "$1")\",\"args\":[]}" | sed -n 's/^{"value":"\{0,1\}\(.*[^"]\)"\{0,1\}}$/\1/p'
}
open_page() { post "/$session/url" "{\"url\":\"file://$work/$1\"}" > /dev/null; }
# is TITLE WANTED CODE: the code's value is WANTED
is() { local got; got=$(js "$3"); check "$1: $got" test "$got" = "$2"; }

# Walks through all layers, heads and tokens of both sides; gives "parts that are right/wrong".
walk='let right = 0, wrong = 0; const view = currentView();
for (const kind of view.stacks.map(s => s.name)) { change({view: "step", kind});
  for (let layer = 0; layer < stackOf(view).layers.length; layer++) for (let head = 0; head < stackOf(view).heads; head++) for (let token = 0; token < stackOf(view).tokens.length; token++) {
    change({layer, head, token}); right += document.querySelectorAll(".fine").length; wrong += document.querySelectorAll(".wrong").length; } }
return `${right > 100 ? "many" : right}/${wrong}`;'

declare -A second=([gpt2]="" [openai-gpt]="" [llama]="" [roberta-masked]="")  # one text
for golden in marian pegasus marian-knobs pegasus-silu pegasus-tanh gpt2 openai-gpt llama bert-masked roberta-masked albert-pretraining mpnet-masked electra; do
  words_model $golden $golden
  run 0 "$QKV" inspect $golden "w5 w6 w7 w8" ${second[$golden]-"w9 w10 w11"} -o $golden.html
  open_page $golden.html
  is "$golden: every number that the page computes is the model's" "many/0" "$(tr '\n' ' ' <<< "$walk")"
done

# Knobs that no published model has.
for i in $(seq 40); do echo "w$((i % 7)) w$((i * i % 11)) w$((i % 5))."; [ $((i % 4)) -ne 0 ] || echo; done > documents.txt
knobs() {  # NAME TASK OPTION...
  run 0 "$QKV" train "$1" --task "$2" --train documents.txt --valid documents.txt --size blackboard --layers 2 --max-steps 3 --valid-every 3 --quiet "${@:3}"
  run 0 "$QKV" inspect "$1" "w5 w6 w7" -o "$1.html"
  open_page "$1.html"
  is "$1: every number that the page computes is the model's" "many/0" "$(tr '\n' ' ' <<< "$walk")"
}
knobs batch mlm --norm batch
knobs instance mlm --norm instance --norm-place pre
knobs group mlm --norm group --norm-groups 4 --norm-epsilon 0.1 --norm-epsilon-place outside
knobs outside lm --norm-epsilon 0.1 --norm-epsilon-place outside

knobs cosine mlm --attention-score cosine --attention-scale 5
knobs general lm --attention-score general --positions rotary
knobs additive mlm --attention-score additive --kv-heads 1
knobs dot lm --attention-score dot --attention-window 2
knobs bare lm --attention-weights off

# Chosen tokens, layers and heads: their steps are right with the others left out, whose attention stays.
chosen='let right = 0, wrong = 0; const view = currentView();
for (const stack of view.stacks) for (const layer of stack.detail_layers) for (const head of stack.detail_heads) for (const token of stack.detail) {
  change({view: "step", kind: stack.name, layer, head, token}); right += document.querySelectorAll(".fine").length; wrong += document.querySelectorAll(".wrong").length; }
return `${right > 20 ? "many" : right}/${wrong}`;'
text="w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w1 w2 w3 w4"
for task in mlm lm; do
  for place in pre post; do
    run 0 "$QKV" train deep-$task-$place --task $task --train documents.txt --valid documents.txt --size blackboard --layers 3 --heads 2 --norm-place $place --max-steps 3 --valid-every 3 --quiet
    run 0 "$QKV" inspect deep-$task-$place "$text" --detail tokens=1-2,layers=0,2,heads=1 -o chosen.html
    open_page chosen.html
    is "$task, $place: the steps of chosen layers and heads are the model's" "many/0" "$(tr '\n' ' ' <<< "$chosen")"
    is "$task, $place: they are those that were chosen" "1,2 0,2 1" 'const s = currentView().stacks[0]; return [s.detail, s.detail_layers, s.detail_heads].join(" ")'
    part=$(js 'return coded.length')
    is "$task, $place: the attention of a layer that was left out is there" true 'change({view: "attention", layer: 1, head: 0}); return document.querySelectorAll("#large-matrix td[data-weight]").length > 3'
    is "$task, $place: the page says which layers and heads it has steps of" 2 'change({view: "step", layer: 1, head: 0, token: 1}); return document.querySelectorAll("#main p.wrong").length'
    run 0 "$QKV" inspect deep-$task-$place "$text" -o whole.html
    open_page whole.html
    whole=$(js 'return coded.length')
    check "$task, $place: what is left out takes no room: $part of $whole" test "$part" -lt $((whole * 3 / 4))
  done
done

# A page that is wrong says so, whichever number it is.
for place in embedded states[1] layers[0].self.{query,key,value,weights,mixed,contributions,output,after,result} layers[0].feed_forward.{up,output,result} logits; do
  open_page whole.html
  check "a number that is not the model's is marked: $place" test "$(js "matrix(currentView().stacks[0].$place).values[0] += 1; let wrong = 0;
    for (const layer of [0, 1, 2]) { change({view: 'step', layer, head: 0, token: 0}); wrong += document.querySelectorAll('.wrong').length; } return wrong" )" -ge 1
done

# Arrays of rounded numbers, as long texts in large models have them.
is "numbers of 24 bits" "1,1.00006103515625,-2.5,Infinity" 'bytesAt = () => Uint8Array.of(0, 128, 63, 2, 128, 63, 0, 32, 192, 0, 128, 127); return fromF24(0, 4).join()'
is "numbers of 16 bits" "1,-2.5,0.00006103515625,-Infinity" 'bytesAt = () => Uint8Array.of(0, 60, 0, 193, 0, 4, 0, 252); return Array.from(fromF16(0, 4), value => Number.isFinite(value) ? Number(value).toFixed(14).replace(/\.?0+$/, "") : value).join()'

open_page marian.html
is "it opens at the attention" attention 'return state.view'
is "the matrix has a cell for each query and key" 20 'return document.querySelectorAll("#large-matrix td").length'
is "its rows are probabilities" 4.000 'return [...document.querySelectorAll("#large-matrix td")].reduce((sum, cell) => sum + Number(cell.dataset.weight), 0).toFixed(3)'
js 'document.getElementById("swap").click(); return 1' > /dev/null
is "swapped, keys are rows" 6 'return document.querySelectorAll("#large-matrix tr").length'
js 'document.querySelectorAll("#grid button")[1].click(); return 1' > /dev/null
is "a small matrix chooses its head" 1 'return state.head'
js 'document.querySelectorAll("[data-token]")[2].click(); return 1' > /dev/null
is "a token is chosen" 2 'return state.token'
is "the address holds it" true 'return location.hash.includes("token=2") && location.hash.includes("head=1")'
js 'document.getElementById("view-step").click(); document.getElementById("large").click(); return 1' > /dev/null
press() { post "/$session/actions" "{\"actions\":[{\"type\":\"key\",\"id\":\"k\",\"actions\":[{\"type\":\"keyDown\",\"value\":\"$1\"},{\"type\":\"keyUp\",\"value\":\"$1\"}]}]}" > /dev/null; }
press '\uE014'
press '\uE014'
is "the right arrow walks to the next formula" 2 'return state.part'
is "in large type one formula is seen" 1 'return [...document.querySelectorAll(".part")].filter(part => part.offsetHeight > 0).length'
for view in tokens layers search tables; do
  js "document.getElementById('view-$view').click(); return 1" > /dev/null
  is "$view shows something" true 'return document.getElementById("main").textContent.length > 60'
done
js 'change({lang: "es"}); return 1' > /dev/null
is "in Spanish" Atención 'return document.getElementById("view-attention").textContent'
is "every label has three languages" true 'return Object.values(LABELS).every(row => row.length === 3 && row.every(text => text.length > 0))'
js 'change({theme: "dark"}); return 1' > /dev/null
is "dark" dark 'return document.documentElement.dataset.theme'
open_page 'marian.html#view=step&kind=decoder&layer=1&head=0&token=3&decimals=5'
is "an address opens its view" 'step decoder 1 3 5' 'return [state.view, state.kind, state.layer, state.token, state.decimals].join(" ")'
for word in constructor toString __proto__; do
  open_page "marian.html#view=$word&kind=$word&lang=$word&$word=1"
  is "$word is no view" 'attention en true' 'return [state.view, state.lang, document.querySelectorAll("#large-matrix td").length > 3].join(" ")'
done
open_page 'marian.html#view=step&kind=nothing&layer=99&head=-7&token=x&moment=5'
is "a wrong address opens something" true 'return document.querySelectorAll(".part").length > 3'

run 0 "$QKV" inspect marian "w5 שלום <b>w6</b>" "w9" -o directions.html
open_page directions.html
is "texts of either direction keep their order, and tags are text" true 'return document.getElementById("title").textContent.replace(/[\u2068\u2069]/g, "") === "w5 שלום <b>w6</b> → w9"'
is "a text of the other direction is isolated" true 'return document.getElementById("title").textContent.startsWith("\u2068w5")'

# A model that has diverged: its page shows that there are no numbers.
cp -r gpt2 diverged
head -c 400 /dev/zero | tr '\0' '\377' | dd of=diverged/model.safetensors bs=1 seek=$(($(stat -c %s diverged/model.safetensors) - 3000)) conv=notrunc 2> /dev/null
run 0 "$QKV" inspect diverged "w5 w6 w7" -o diverged.html
open_page diverged.html
for view in tokens attention step layers search tables; do
  is "$view of a diverged model shows something" true "change({view: '$view', layer: 1}); return document.getElementById('main').textContent.length > 40"
done
is "and says that there are no numbers" true 'change({view: "layers"}); return document.getElementById("main").textContent.includes("NaN")'

run 0 "$QKV" inspect marian "w5 w6 w7" --beam 3 -o tree.html
open_page tree.html#view=search
is "the tree has a box for each continuation" true 'return document.querySelectorAll("#tree .node").length === data.search.nodes.length && data.search.nodes.length > 5'
is "its best path ends the search" finished 'const best = data.search.nodes.filter(node => node.best); return best[best.length - 1].fate'
js 'document.querySelectorAll("#tree .node")[4].dispatchEvent(new Event("click")); return 1' > /dev/null
is "a click marks the way to a node" true 'return document.querySelectorAll("#tree .node.path").length === data.search.nodes[4].step && state.node === 4'

mkdir steps
cp -r marian steps/1 && cp -r marian-knobs steps/2
run 0 "$QKV" inspect marian "w5 w6" "w9" --at steps/1 steps/2 -o moments.html
open_page moments.html
js 'const slider = document.getElementById("moment"); slider.value = 1; slider.dispatchEvent(new Event("input")); return 1' > /dev/null
is "the slider moves to another moment" steps/2 'return currentView().title'

printf 'w5 w6 w7\nw8 w9 w8\n' > sources
printf 'w9 w10\nw11 w4 w5\n' > targets
run 0 "$QKV" inspect marian "w5 w6" "w9" --over sources targets --ablate -o heads.html
open_page heads.html#view=heads
is "every head has a row" true 'return document.querySelectorAll("#heads tr").length === 1 + data.heads.rows.length && data.heads.rows.length > 5'
js 'document.querySelectorAll("#heads th button")[12].click(); return 1' > /dev/null
is "a click sorts by the loss, largest first" true 'const c = [...document.querySelectorAll("#heads tr td:last-child")].map(cell => Number(cell.textContent)); return c.every((v, i) => i === 0 || v <= c[i - 1])'
check "the browser reports no error" test "$(post "/$session/se/log" '{"type":"browser"}' | grep -c SEVERE)" -eq 0
finish
