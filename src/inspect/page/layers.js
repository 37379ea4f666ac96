"use strict";
// What the model would say at each layer, and the alternatives at each step of what was written.

function word(view, id) { return view.words[id] === undefined ? `#${id}` : view.words[id]; }

function lensStack(view) { return view.stacks.find(stack => stack.lens); }

function layersView(view) {
  const stack = lensStack(view);
  if (!stack) return [element("p", {}, label("noLens"))];
  const token = Math.min(state.token, stack.tokens.length - 1), table = element("table", {id: "lens"});
  table.append(element("tr", {}, element("th", {class: "word"}, label("afterLayer")), element("th", {class: "word", colspan: 5}, ""), element("th", {}, label("entropy")), element("th", {}, label("cosine"))));
  stack.lens.forEach((layer, i) => table.append(element("tr", {}, element("th", {class: "word"}, i ? String(i - 1) : label("embeddings")),
    ...layer.ids[token].map((id, n) => wordCell(view, id, layer.probabilities[token][n])), element("td", {}, number(layer.entropy[token])), element("td", {}, number(layer.cosine[token])))));
  return [element("p", {class: "faint"}, label("lensText")), tokenButtons(stack.tokens, token, chosen => change({token: chosen})), element("h2", {}, `${token} “${isolated(stack.tokens[token].label)}” ${nextWord(view, stack, token)}`),
    element("div", {class: "scroll"}, table), element("h2", {}, label("entropy")), entropyMap(view, stack)];
}

function wordCell(view, id, probability) {
  return element("td", {class: "word", style: `background:${shade(probability, 1, colors())};${probability > 0.6 ? "color:var(--paper)" : ""}`, title: percent(probability)}, `${word(view, id)} `, element("small", {}, percent(probability)));
}

// What really follows a token: the next one of the text, or of the translation.
function followingToken(view, stack, token) { return view.outputs.length ? view.outputs[token] : stack.causal ? stack.tokens[token + 1] : stack.tokens[token]; }
function nextWord(view, stack, token) {
  const next = followingToken(view, stack, token);
  return next ? `→ “${isolated(next.label)}”` : "";
}

// Layers down, tokens across: how undecided the model is.
function entropyMap(view, stack) {
  const rows = stack.lens.map(layer => layer.entropy), table = element("table", {class: "matrix"}), top = Math.log2(view.model.vocabulary), palette = colors();
  if (stack.tokens.length > LARGEST_TABLE) return element("div", {class: "scroll"}, matrixCanvas(rows, 1000, top));
  table.append(element("tr", {}, element("th"), ...stack.tokens.map(token => element("th", {class: "column"}, token.label))));
  rows.forEach((row, i) => table.append(element("tr", {}, element("th", {class: "word"}, i ? String(i - 1) : label("embeddings")), ...row.map(value => element("td", {style: `background:${shade(value, top, palette)}${value > 0.6 * top ? ";color:var(--paper)" : ""}`}, fixed(value, 1))))));
  return element("div", {class: "scroll"}, table);
}

function searchView(view) { return [...treeParts(), ...alternativesParts(view)]; }

function alternativesParts(view) {
  const stack = lensStack(view);
  if (!stack) return [element("p", {}, label("noLens"))];
  const last = stack.lens[stack.lens.length - 1], table = element("table", {id: "alternatives"});
  table.append(element("tr", {}, element("th"), element("th", {class: "word"}, label("predictedAt")), element("th", {class: "word"}, label("taken")), element("th", {class: "word", colspan: 5}, label("alternatives")), element("th", {}, label("entropy"))));
  stack.tokens.forEach((token, i) => {
    const next = followingToken(view, stack, i);
    table.append(element("tr", {}, element("td", {}, String(i)), element("td", {class: "word"}, `… ${token.label}`), element("td", {class: "word"}, next ? next.label : ""), ...last.ids[i].map((id, n) => {
      const cell = wordCell(view, id, last.probabilities[i][n]);
      if (next && next.id === id) cell.append(" ✓");
      return cell;
    }), element("td", {}, number(last.entropy[i]))));
  });
  return [element("h2", {}, label("alternatives")), element("p", {class: "faint"}, label("searchText")), element("div", {class: "scroll"}, table)];
}
