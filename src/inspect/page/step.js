"use strict";
// One step in numbers: what happens to one token in one layer, formula by formula. Each part says whether its numbers were
// computed here and equal the model's, or are taken from the model (products with weights that this file doesn't hold).

function stepView(view) {
  const stack = stackOf(view), place = stack.detail.indexOf(state.token);
  const buttons = tokenButtons(stack.tokens, state.token, token => change({token, part: 0}));
  const missing = missingDetail(stack);
  if (missing.length) return [buttons, ...missing];
  const parts = stepParts(view, stack, place);
  const now = Math.min(state.part, parts.length - 1);
  parts.forEach((part, i) => { part.id = `part-${i}`; part.classList.toggle("now", i === now); });
  const large = element("button", {class: "button", id: "large", onclick: () => change({large: state.large ? 0 : 1})}, `${label("large")} (${now + 1}/${parts.length})`);
  return [buttons, element("p", {}, large), element("div", {class: state.large ? "large" : "", id: "parts"}, ...parts)];
}

// What of the chosen token, layer and head this file has no steps of, each with buttons for those that it has.
function missingDetail(stack) {
  const kinds = [["token", stack.detail, i => stack.tokens[i].label], ["layer", stack.detail_layers, i => `${label("layer")} ${i}`], ["head", stack.detail_heads, i => `${label("head")} ${i}`]];
  return kinds.filter(([key, has]) => !has.includes(state[key])).flatMap(([key, has, name]) => [element("p", {class: "wrong"}, label(`no ${key}`)),
    tokenButtons(has.map(i => ({label: name(i)})), -1, i => change({[key]: has[i]}), (_, i) => String(has[i]))]);
}

function stackOf(view) { return view.stacks.find(stack => stack.name === (state.kind === "encoder" ? "encoder" : "decoder")) || view.stacks[0]; }

function stepParts(view, stack, place) {
  const layer = stack.layers[state.layer], parts = [];
  if (state.layer === 0) parts.push(...embeddingParts(view, stack, place));
  for (const name of ["self", "cross"])
    if (layer[name]) parts.push(...attentionParts(view, stack, place, name));
  parts.push(...feedForwardParts(view, stack, place, layer.feed_forward));
  if (state.layer === stack.layers.length - 1 && stack.lens) parts.push(wordsPart(view, stack, place));
  return parts;
}

// ---- pieces ----

function part(title, formula, shape, ...children) {
  const line = formula ? element("div", {class: "formula"}, ...indexed(formula), element("span", {class: "shape"}, shape || "")) : undefined;
  return element("section", {class: "part"}, element("h3", {}, title), line, ...children);
}

function checked(own, models, type) {
  const {difference, fine} = compare(own, models, type);
  if (fine) return element("div", {class: "fine", "data-difference": difference}, `✓ ${label("computed")}`);
  return element("div", {class: "wrong", "data-difference": difference}, `✗ ${label("differs")} ${difference.toExponential(2)}`);
}

function given() { return element("div", {class: "given"}, label("given")); }

// y = W x + b by the weights that a small model's file holds, outputs from `first` to before `end`; undefined where it holds none.
function ownProduct(view, name, x, first, end) {
  const weights = view.weights || {}, bias = weights[`${name}.bias`];
  return weights[`${name}.weight`] === undefined ? undefined : product(matrix(weights[`${name}.weight`]), x, bias === undefined ? undefined : matrix(bias), first, end);
}

// Else it is what the model says.
function checkedProduct(view, name, x, models, first, end) {
  const own = ownProduct(view, name, x, first, end);
  return own ? checked(own, models) : given();
}

// Layers that share weights are named after their group.
function weightPrefix(stack, name) { return `${stack.name}.${Math.floor(state.layer / stack.sharing)}.${name}.`; }

function detailRow(number, place) { return rowOf(matrix(number), place); }
function wholeVector(number) { const stored = matrix(number); return stored && stored.values; }

// ---- the embedding ----

function embeddingParts(view, stack, place) {
  const token = stack.tokens[state.token], embedded = detailRow(stack.embedded, place), position = detailRow(stack.position_rows, place), segment = detailRow(stack.segment_rows, place);
  const word = detailRow(stack.word_rows, place), scale = view.model.embedding_scale, parts = [];
  if (embedded) {
    const scaled = times(word, scale), rows = [vectorRow(`E_{${token.id}}${scale === 1 ? "" : ` · ${number(scale)}`}`, scaled)];
    if (position) rows.push(vectorRow(`P_{${state.token}}`, position));
    if (segment) rows.push(vectorRow(`S_{${token.type}}`, segment));
    const formula = `x = E_{id}${scale === 1 ? "" : " · s"}${position ? " + P_{pos}" : ""}${segment ? " + S_{seg}" : ""}`;
    parts.push(part(`${label("embedding")}: “${isolated(token.label)}”`, formula, `[${embedded.length}]`, element("p", {class: "faint"}, label("embeddingText")), ...rows, vectorRow("x", embedded), checked(plus(plus(scaled, position), segment), embedded)));
  }
  if (stack.embedding_gain !== undefined) parts.push(normPart(view, embedded, normNumbers(stack, "embedding_"), detailRow(stack.embedding_result, place)));
  if (stack.embedding_projected !== undefined) {
    const narrow = detailRow(stack.embedding_gain === undefined ? stack.embedded : stack.embedding_result, place), wide = detailRow(stack.embedding_projected, place);
    parts.push(part(label("embeddingProjection"), "x' = W_E x + b_E", `[${wide.length} × ${narrow.length}] [${narrow.length}] → [${wide.length}]`, vectorRow("x", narrow), vectorRow("x'", wide), checkedProduct(view, `${stack.name}.embedding_projection`, narrow, wide)));
  }
  if (stack.first_gain !== undefined) parts.push(normPart(view, rowOf(matrix(stack.states[0]), state.token), normNumbers(stack, "first_"), detailRow(stack.first_result, place), matrix(stack.states[0]).type));
  return parts.filter(Boolean);
}

// ---- attention ----

function attentionParts(view, stack, place, name) {
  const kind = name === "cross" ? "cross" : stack.name, where = attentionPlace(view, kind, state.layer), sublayer = where.sublayer;
  const head = Math.max(0, Math.min(state.head, stack.heads - 1)), row = attentionRow(where, head, state.token);
  const weights = rowOf(matrix(sublayer.weights), place * stack.detail_heads.length + stack.detail_heads.indexOf(head)), type = matrix(sublayer.query).type;
  const input = detailRow(sublayer.input, place), query = slice(matrix(sublayer.query), state.token, head, stack.width);
  const title = `${name === "cross" ? label("cross") : label("attention")}, ${label("layer")} ${state.layer}, ${label("head")} ${head}`;
  return [
    part(`${title}: ${label("query")}`, view.model.bare ? "q = x" : "q = W_Q x + b_Q", `[${stack.width} × ${view.model.hidden}] [${view.model.hidden}] → [${stack.width}]`, vectorRow("x", input), vectorRow("q", asked(sublayer, stack, head) || query),
      queryCheck(view, stack, name, sublayer, input, head, asked(sublayer, stack, head) || query), askedCheck(view, stack, name, sublayer, head, query)),
    part(`${title}: ${label("keys")}, ${label("values")}`, keysFormula(view), `[${where.keyStack.tokens.length} × ${stack.width}]`, keysTable(where, row.keyHead), keysCheck(view, where, name, row.keyHead)),
    scoresPart(view, where, row, weights, type, title),
    mixedPart(where, row, head, place, title),
    outputPart(view, stack, place, name, sublayer),
    residualPart(view, sublayer, place),
    sublayer.gain === undefined ? undefined : normPart(view, detailRow(sublayer.after, place), normNumbers(sublayer, ""), detailRow(sublayer.result, place)),
  ].filter(Boolean);
}

// The query as it was before cosine or general scores made theirs of it; undefined elsewhere.
function asked(sublayer, stack, head) {
  const rows = detailRow(sublayer.asking, stack.detail.indexOf(state.token));
  return rows && rows.subarray(head * stack.width, (head + 1) * stack.width);
}

function askedCheck(view, stack, name, sublayer, head, query) {
  const before = asked(sublayer, stack, head);
  if (!before) return undefined;
  if (view.model.score === "cosine") return element("div", {}, vectorRow("q / |q|", query), checked(unitLength(before), query));
  const own = view.weights && view.weights[`${weightPrefix(stack, name)}score.weight`], width = stack.width;
  if (own === undefined) return element("div", {}, vectorRow("Wᵀ q", query), given());
  const w = matrix(own), result = Float64Array.from({length: width}, (_, j) => before.reduce((sum, q, i) => sum + q * w.values[(head * width + i) * width + j], 0));
  return element("div", {}, vectorRow("Wᵀ q", query), checked(result, query));
}

function queryCheck(view, stack, name, sublayer, input, head, query) {
  const first = head * stack.width, prefix = weightPrefix(stack, name), end = first + stack.width;
  if (view.model.bare && !sublayer.rotated) return checked(input.subarray(first, end), query);
  if (!sublayer.rotated) return checkedProduct(view, prefix + (name === "cross" ? "query" : "query_key_value"), input, query, first, end);
  const before = detailRow(sublayer.unrotated, stack.detail.indexOf(state.token)).subarray(first, end);
  return element("div", {}, vectorRow(label("unrotated"), before), element("p", {class: "faint"}, label("rotatedText")), lengthCheck(before, query),
    view.model.bare ? checked(input.subarray(first, end), before) : checkedProduct(view, `${prefix}query_key_value`, input, before, first, end));
}

// A rotation changes no pair's length: entry i turns with entry i + width / 2.
function lengthCheck(before, after) {
  const half = before.length / 2, lengths = vector => Float64Array.from({length: half}, (_, i) => Math.hypot(vector[i], vector[i + half]));
  const own = lengths(before), models = lengths(after), scale = largest(own) > 0 ? largest(models) / largest(own) : 1;
  return checked(times(own, scale), models);
}

function keysTable(where, head) {
  const keys = matrix(where.sublayer.key), values = matrix(where.sublayer.value), width = where.stack.width;
  const table = element("table");
  table.append(element("tr", {}, ...["", "k", "v"].map(text => element("th", {class: "word"}, text))));
  where.keyStack.tokens.slice(0, LARGEST_TABLE).forEach((token, j) => table.append(element("tr", {}, element("td", {class: "word"}, `${j} ${token.label}`),
    element("td", {}, strip(slice(keys, j, head, width), `k_${j}`)), element("td", {}, strip(slice(values, j, head, width), `v_${j}`)))));
  const more = where.keyStack.tokens.length > LARGEST_TABLE ? element("p", {class: "faint"}, `… ${LARGEST_TABLE} / ${where.keyStack.tokens.length}`) : undefined;
  return element("div", {class: "scroll"}, table, more);
}

function keysFormula({model: {bare, score}}) {
  const [key, value] = bare ? ["x_j", "x_j"] : ["W_K x_j + b_K", "W_V x_j + b_V"];
  return score === "cosine" ? `k_j = (${key}) / |${key}|,  v_j = ${value}` : bare ? "k_j = v_j = x_j" : `k_j = ${key},  v_j = ${value}`;
}

// Keys and values of the tokens whose input this file holds: of the source all, of the stack itself those whose steps are given.
function keysCheck(view, where, name, head) {
  const {stack, keyStack, sublayer} = where, cross = name === "cross", {width} = stack, keys = matrix(sublayer.key), values = matrix(sublayer.value);
  const inputs = matrix(cross ? keyStack.states[keyStack.states.length - 1] : sublayer.input), tokens = cross ? keyStack.tokens.map((_, j) => j) : stack.detail;
  const first = (cross ? 0 : stack.heads * width) + head * width, reach = stack.kv_heads * width, weight = weightPrefix(stack, name) + (cross ? "key_value" : "query_key_value");
  const project = (x, at) => view.model.bare ? x.subarray(head * width, (head + 1) * width) : ownProduct(view, weight, x, at, at + width);
  const before = place => detailRow(sublayer.unrotated, place).subarray(first, first + width), own = [], models = [];
  if (!view.model.bare && !ownProduct(view, weight, rowOf(inputs, 0), 0, 0)) return given();
  tokens.forEach((j, place) => {
    const x = rowOf(inputs, place), key = project(x, first);
    own.push(...(view.model.score === "cosine" && !sublayer.rotated ? unitLength(key) : key), ...project(x, first + reach));
    models.push(...(sublayer.rotated ? before(place) : slice(keys, j, head, width)), ...slice(values, j, head, width));
  });
  const place = tokens.indexOf(state.token), turned = sublayer.rotated ? lengthCheck(before(place), slice(keys, state.token, head, width)) : undefined;
  return element("div", {}, checked(own, models, [inputs, keys].map(m => m.type).sort()[0]), turned);
}

// How a query's scores are made, and what they are multiplied by.
const SCORES = {product: ["q · k", "q Kᵀ"], cosine: ["cos(q, k)", "cos(q, K)"], general: ["q W k", "q W Kᵀ"], additive: ["v · tanh(q + k)", "vᵀ tanh(q + K)"]};

function scoresPart(view, where, row, weights, type, title) {
  const [one, all] = SCORES[view.model.score], root = view.model.score === "product" && Math.abs(where.stack.scale * Math.sqrt(where.stack.width) - 1) < 1e-6;
  const scale = root ? " / √d" : where.stack.scale === 1 ? "" : " · s";
  const table = element("table", {id: "scores"}), tokens = where.keyStack.tokens;
  table.append(element("tr", {}, ...["", one, `× ${number(where.stack.scale)}`, "softmax", ""].map(text => element("th", {}, text))));
  tokens.forEach((token, j) => table.append(element("tr", {}, element("td", {class: "word"}, `${j} ${token.label}`), element("td", {}, number(row.products[j])),
    element("td", {}, number(row.scaled[j])), element("td", {}, number(row.weights[j])), element("td", {class: "word"}, bar(row.weights[j])))));
  return part(`${title}: ${label("softmax")}`, `a = softmax(${all}${scale}${where.causal ? " + M" : ""})`, `[${where.stack.width}] [${where.stack.width} × ${tokens.length}] → [${tokens.length}]`,
    element("p", {class: "faint"}, `${root ? `${label("scaled")}: 1 / √${where.stack.width} = ${number(where.stack.scale)}. ` : ""}${where.causal ? label("maskText") : ""}${where.causal && Number.isFinite(where.window) ? ` ${label("windowText")} ${where.window}.` : ""}`),
    element("div", {class: "scroll"}, table), checked(row.weights, weights, type));
}

function mixedPart(where, row, head, place, title) {
  const mixed = mixedValues(where, head, row.weights, row.keyHead), width = where.stack.width;
  const models = detailRow(where.sublayer.mixed, place).subarray(head * width, (head + 1) * width);
  return part(`${title}: ${label("weightedSum")}`, "z = Σ a_j v_j", `[${row.weights.length}] [${row.weights.length} × ${width}] → [${width}]`, vectorRow("z", mixed), checked(mixed, models, matrix(where.sublayer.value).type));
}

function outputPart(view, stack, place, name, sublayer) {
  const output = detailRow(sublayer.output, place), bias = wholeVector(sublayer.output_bias), contributions = matrix(sublayer.contributions);
  let sum = bias ? Float64Array.from(bias) : new Float64Array(output.length);
  const full = largest(output), rows = [], each = contributions.rows / stack.detail.length;
  for (let i = 0; i < each; i++) {
    const one = rowOf(contributions, place * each + i), head = stack.detail_heads[i];
    sum = plus(sum, one);
    rows.push(vectorRow(head === undefined ? label("otherHeads") : `${label("head")} ${head}`, one, full));
  }
  if (bias) rows.push(vectorRow("b", bias, full));
  return part(`${label(name === "cross" ? "cross" : "attention")}: ${label("concatenated")}`, view.model.bare ? "o = [z_0; z_1; …]" : "o = W_O [z_0; z_1; …] + b = Σ_h W_O^h z_h + b", `[${output.length} × ${stack.heads * stack.width}] → [${output.length}]`,
    element("p", {class: "faint"}, label("contributions")), ...rows, vectorRow("o", output, full), checked(sum, output),
    view.weights && !view.model.bare ? checkedProduct(view, `${weightPrefix(stack, name)}output`, detailRow(sublayer.mixed, place), output) : undefined);
}

// ---- what every sublayer ends with ----

function residualPart(view, sublayer, place) {
  const before = detailRow(sublayer.before, place), output = detailRow(sublayer.output, place), after = detailRow(sublayer.after, place);
  if (!view.model.residual) return undefined;
  return part(label("residual"), "y = x + o", `[${after.length}]`, vectorRow("x", before), vectorRow("o", output), vectorRow("y", after), checked(plus(before, output), after));
}

// The numbers of a norm: of a sublayer (prefix ""), or of a stack: of its embeddings ("embedding_"), its first one ("first_").
function normNumbers(place, prefix) {
  const vector = name => wholeVector(place[prefix + name]), mean = vector("mean");
  return {gain: vector("gain"), bias: vector("bias"), statistics: mean && {mean, variance: vector("variance")}};
}

function normPart(view, x, {gain, bias, statistics}, models, type) {
  if (!models) return undefined;
  const {result, mean, variance} = normalise(x, gain, bias, view.model, statistics), rms = view.model.norm === "rms", outside = view.model.epsilon_outside;
  const spread = rms ? "mean(y²)" : "σ²", root = outside ? `(√${rms ? "(" + spread + ")" : spread} + ε)` : `√(${spread} + ε)`;
  const formula = rms ? `n = g · y / ${root}` : `n = g · (y − μ) / ${root} + b`;
  const facts = rms ? `mean(y²) = ${number(variance[0])}` : `μ (${label("meanOf")}) = ${number(mean[0])}, σ² (${label("variance")}) = ${number(variance[0])}`;
  return part(`${label("norm")}${statistics ? ` (${view.model.norm})` : ""}`, formula, `[${x.length}]`,
    element("p", {class: "numbers"}, statistics ? `${label(view.model.norm + "Norm")} ε = ${view.model.epsilon}` : `${facts}, ε = ${view.model.epsilon}`), vectorRow("y", x),
    ...statistics ? [vectorRow("μ", mean), vectorRow("σ²", variance)] : [], vectorRow("g", gain), bias ? vectorRow("b", bias) : undefined, vectorRow("n", result), checked(result, models, type));
}

// ---- feed-forward ----

function activationName(view) { return view.model.activation.replace("_", "-"); }

function feedForwardParts(view, stack, place, sublayer) {
  const input = detailRow(sublayer.input, place), up = detailRow(sublayer.up, place), halves = detailRow(sublayer.halves, place), output = detailRow(sublayer.output, place);
  const prefix = weightPrefix(stack, "feed_forward"), active = up.reduce((count, value) => count + (Math.abs(value) > 1e-6), 0);
  const activation = ACTIVATIONS[view.model.activation];
  const inner = halves ? undefined : ownProduct(view, `${prefix}up`, input), own = halves ? gated(halves, activation) : inner && inner.map(activation);
  return [
    part(`${label("feedForward")}: ${label("inner")}`, halves ? `h = (W_1 x) · ${activationName(view)}(W_g x)` : `h = ${activationName(view)}(W_1 x + b_1)`, `[${up.length} × ${input.length}] [${input.length}] → [${up.length}]`, vectorRow("x", input), halves ? vectorRow("W_1 x", halves.subarray(0, up.length)) : undefined, halves ? vectorRow("W_g x", halves.subarray(up.length)) : undefined, halves ? checkedProduct(view, `${prefix}up`, input, halves) : undefined, vectorRow("h", up),
      element("p", {class: "numbers"}, `${label("activeUnits")}: ${active} / ${up.length}`), own ? checked(own, up) : given()),
    part(label("feedForward"), "o = W_2 h + b_2", `[${output.length} × ${up.length}] → [${output.length}]`, vectorRow("o", output), checkedProduct(view, prefix + "down", up, output)),
    residualPart(view, sublayer, place),
    sublayer.gain === undefined ? undefined : normPart(view, detailRow(sublayer.after, place), normNumbers(sublayer, ""), detailRow(sublayer.result, place)),
  ].filter(Boolean);
}

// Shazeer, "GLU variants improve Transformer", 2020: one half times the activation of the other.
function gated(halves, activation) {
  const width = halves.length / 2;
  return Float64Array.from({length: width}, (_, i) => halves[i] * activation(halves[width + i]));
}

// ---- the words ----

function wordsPart(view, stack, place) {
  const last = stack.lens[stack.lens.length - 1], ids = last.ids[state.token], probabilities = last.probabilities[state.token], logits = detailRow(stack.logits, place);
  const table = element("table", {id: "next-words"}), own = softmax(logits);
  table.append(element("tr", {}, ...["", "logit", "p", ""].map(text => element("th", {}, text))));
  ids.forEach((id, i) => table.append(element("tr", {}, element("td", {class: "word"}, word(view, id)), element("td", {}, number(logits[id])), element("td", {}, percent(probabilities[i])), element("td", {class: "word"}, bar(probabilities[i])))));
  return part(label("logits"), "p = softmax(W x + b)", `[${view.model.vocabulary} × ${view.model.hidden}] → [${view.model.vocabulary}]`, logitsCheck(view, stack, logits), table, checked(ids.map(id => own[id]), probabilities));
}

// W x + b of a small model.
function logitsCheck(view, stack, logits) {
  const weights = view.weights || {}, name = ["head.weight", "embedding", `${stack.name}.embedding`].find(n => weights[n] !== undefined);
  if (!name || weights["head.transform.weight"] !== undefined) return given();  // a transform stands before the vocabulary
  const bias = weights["head.bias"] === undefined ? undefined : matrix(weights["head.bias"]);
  return checked(product(matrix(weights[name]), rowOf(matrix(stack.states[stack.states.length - 1]), state.token), bias), logits);
}
