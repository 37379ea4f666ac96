"use strict";
// Attention: all layers and heads as a grid of small matrices, one of them large with numbers, and as lines between tokens.

const LARGEST_TABLE = 64;   // beyond, cells have no numbers
const MATRIX_MANY = 32;     // beyond, a browser is too slow with a table: cells are drawn, with two decimals at most

function attentionKinds(view) {
  const kinds = view.stacks.map(stack => stack.name);
  return kinds.length === 2 ? [...kinds, "cross"] : kinds;
}

function attentionView(view) {
  const place = attentionPlace(view, state.kind, state.layer);
  const type = matrix(place.sublayer.query).type;
  return [
    element("p", {class: "faint"}, label("looksFrom")), type === "f32" ? undefined : element("p", {class: "faint"}, label(`rounded ${type}`)),
    tokenButtons(place.stack.tokens, state.token, token => change({token})),
    element("h2", {}, `${label("matrix")}: ${attentionTitle()}`), largeMatrix(place),
    element("h2", {}, label("lines")), linesPicture(place),
    element("h2", {}, label("allHeads")), headGrid(view, place.stack),
  ];
}

function attentionTitle() {
  const head = state.head < 0 ? label("mean") : `${label("head")} ${state.head}`;
  return `${label(state.kind)}, ${label("layer")} ${state.layer}, ${head}`;
}

// ---- one head, large ----

function largeMatrix(place) {
  const weights = attentionWeights(place, state.kind, state.layer, state.head);
  const swap = element("button", {class: "button", id: "swap", onclick: () => change({swap: state.swap ? 0 : 1})}, label("swap"));
  const queries = place.stack.tokens, keys = place.keyStack.tokens;
  const shown = state.swap ? keys.map((_, k) => queries.map((_, q) => weights[q][k])) : weights;
  const [down, across] = state.swap ? [keys, queries] : [queries, keys];
  const hidden = (row, column) => state.swap ? isMasked(place, column, row) : isMasked(place, row, column);
  const size = Math.max(down.length, across.length), draw = size <= MATRIX_MANY ? numberTable : size <= LARGEST_TABLE ? numberCanvas : bigCanvas;
  const picture = draw(shown, down, across, hidden);
  return element("div", {}, swap, element("div", {class: "scroll"}, picture));
}

// Pixels that the rows' labels take.
function labelWidth(tokens) { return Math.min(130, 20 + 8 * Math.max(...tokens.map(token => token.label.length))); }

// Nothing for what would round to 0.
function cellText(value, digits) {
  const least = 0.5 * 10 ** -digits;
  return Number.isNaN(value) ? "NaN" : value < least ? "" : value < 1 - least ? value.toFixed(digits).slice(1) || "0" : "1";
}

function numberTable(rows, down, across, hidden) {
  const palette = colors(), chosen = (axis, i) => (axis === (state.swap ? "across" : "down")) && i === state.token ? " chosen" : "";
  const digits = Math.min(state.decimals, 6), cell = 16 + 7 * digits, labels = labelWidth(down);
  const table = element("table", {class: "matrix", id: "large-matrix", style: `width:${labels + across.length * cell}px`});
  table.append(element("col", {style: `width:${labels}px`}));
  table.append(element("tr", {}, element("th"), ...across.map((token, i) => element("th", {class: "column" + chosen("across", i), scope: "col"}, token.label))));
  rows.forEach((row, y) => table.append(element("tr", {}, element("th", {class: "word" + chosen("down", y), scope: "row"}, down[y].label),
    ...Array.from(row, (value, x) => hidden(y, x) ? element("td", {class: "masked"})
      : element("td", {style: `background:${shade(value, 1, palette)};${value > 0.6 ? "color:var(--paper)" : ""}`, "data-weight": value}, cellText(value, digits))))));
  return table;
}

// The same as one picture: labels left and above, numbers in the cells.
function numberCanvas(rows, down, across, hidden) {
  const digits = Math.min(state.decimals, 2), cell = 16 + 7 * digits, labels = labelWidth(down), height = 24, top = 90, style = getComputedStyle(document.documentElement), palette = colors();
  const wide = labels + across.length * cell, high = top + down.length * height, scale = devicePixelRatio;
  const canvas = element("canvas", {id: "large-matrix", width: wide * scale, height: high * scale, style: `width:${wide}px;height:${high}px;image-rendering:auto`}), pen = canvas.getContext("2d");
  const ink = style.getPropertyValue("--ink"), paper = style.getPropertyValue("--paper"), faint = style.getPropertyValue("--faint"), mark = style.getPropertyValue("--mark");
  const name = (token, i, queries) => { pen.fillStyle = queries && i === state.token ? mark : faint; pen.fillText(token.label.length > 14 ? token.label.slice(0, 13) + "…" : token.label, 0, 0); };
  pen.scale(scale, scale);
  pen.textBaseline = "middle";
  pen.font = "12px system-ui, sans-serif";
  down.forEach((token, y) => { pen.save(); pen.translate(4, top + (y + 0.5) * height); name(token, y, !state.swap); pen.restore(); });
  across.forEach((token, x) => { pen.save(); pen.translate(labels + (x + 0.5) * cell, top - 6); pen.rotate(-Math.PI / 2); name(token, x, Boolean(state.swap)); pen.restore(); });
  pen.font = "11px system-ui, sans-serif";
  pen.textAlign = "center";
  rows.forEach((row, y) => row.forEach((value, x) => {
    const left = labels + x * cell, above = top + y * height;
    pen.fillStyle = hidden(y, x) ? style.getPropertyValue("--panel") : shade(value, 1, palette);
    pen.fillRect(left, above, cell - 1, height - 1);
    pen.fillStyle = value > 0.6 ? paper : ink;
    if (!hidden(y, x)) pen.fillText(cellText(value, digits), left + cell / 2, above + height / 2);
  }));
  return withHint(canvas, event => {
    const x = Math.floor((event.offsetX - labels) / cell), y = Math.floor((event.offsetY - top) / height);
    return down[y] && across[x] ? cellHint(rows, down, across, y, x) : "";
  });
}

function cellHint(rows, down, across, y, x) { return `${y} ${isolated(down[y].label)} → ${x} ${isolated(across[x].label)}: ${rows[y][x].toFixed(4)}`; }

// Weights of a long text are small: the strongest colour is that of the rows' mean largest weight.
function fullOf(rows) { return rows.reduce((sum, row) => sum + largest(row), 0) / rows.length || 1; }

function bigCanvas(rows, down, across) {
  const full = fullOf(rows), canvas = matrixCanvas(rows, 1200, full);
  canvas.id = "large-matrix";
  withHint(canvas, event => {
    const x = Math.floor(event.offsetX / canvas.cellSize), y = Math.floor(event.offsetY / canvas.cellSize);
    return down[y] && across[x] ? cellHint(rows, down, across, y, x) : "";
  });
  return element("div", {}, element("p", {class: "faint"}, `${label("fullColor")} ${full.toPrecision(2)}`), canvas);
}

// ---- lines between tokens ----

const LINE_HEIGHT = 22, FAINTEST = 0.02, MOST_LINES = 60;

// Places of tokens that are drawn: all of a short text; of a long one the chosen token and those that it looks at most.
function drawnPlaces(place, weights) {
  const queries = place.stack.tokens, keys = place.keyStack.tokens, all = tokens => tokens.map((_, i) => i);
  if (Math.max(queries.length, keys.length) <= MOST_LINES) return [all(queries), all(keys)];
  const row = weights[state.token], most = all(keys).sort((a, b) => row[b] - row[a]).slice(0, MOST_LINES / 2);
  return [[state.token], most.sort((a, b) => a - b)];
}

// Left the queries, right the keys. With a token chosen: where it looks to, and who looks at it (dashed).
function linesPicture(place) {
  const weights = attentionWeights(place, state.kind, state.layer, state.head), [queries, keys] = drawnPlaces(place, weights);
  const height = Math.max(queries.length, keys.length) * LINE_HEIGHT + 10, left = 200, right = 480;
  const svg = svgElement("svg", {width: 700, height, id: "lines", role: "img"});
  const y = i => 16 + i * LINE_HEIGHT, full = largest(weights[state.token]) || 1;
  queries.forEach((q, i) => keys.forEach((k, j) => {
    const weight = weights[q][k];
    if (!(weight >= Math.min(FAINTEST, full / 10))) return;
    const from = q === state.token, to = state.kind !== "cross" && k === state.token;
    const strength = from ? weight / full : to ? weight * 0.6 : weight * 0.2;
    const line = svgElement("line", {class: "link", x1: left + 6, y1: y(i), x2: right - 6, y2: y(j), "stroke-opacity": Math.min(1, strength).toFixed(3), "stroke-width": (1 + 4 * weight).toFixed(1)});
    if (to && !from) line.setAttribute("stroke-dasharray", "4 3");
    svg.append(line);
  }));
  queries.forEach((q, i) => svg.append(lineLabel(place.stack.tokens[q], left, y(i), "end", q)));
  keys.forEach((k, j) => svg.append(lineLabel(place.keyStack.tokens[k], right, y(j), "start", state.kind === "cross" ? -1 : k)));
  return element("div", {class: "scroll"}, svg);
}

function lineLabel(token, x, y, anchor, index) {
  const text = svgElement("text", {x, y: y + 5, "text-anchor": anchor}, token.label.length > 22 ? token.label.slice(0, 21) + "…" : token.label);
  if (index >= 0) {
    text.style.cursor = "pointer";
    text.addEventListener("click", () => change({token: index}));
    if (index === state.token) text.setAttribute("font-weight", "700");
  }
  return text;
}

// ---- the grid ----

const SMALL = 72, MOST_GRID_CELLS = 64;

// A text that is longer than a small picture has pixels is averaged in blocks.
function shrunk(rows) {
  const step = Math.ceil(Math.max(rows.length, rows[0].length) / MOST_GRID_CELLS);
  if (step === 1) return rows;
  return Array.from({length: Math.ceil(rows.length / step)}, (_, y) => Array.from({length: Math.ceil(rows[0].length / step)}, (_, x) => {
    let sum = 0;
    for (let i = y * step; i < Math.min(rows.length, (y + 1) * step); i++)
      for (let j = x * step; j < Math.min(rows[0].length, (x + 1) * step); j++) sum += rows[i][j];
    return sum / step;
  }));
}

function headGrid(view, stack) {
  const grid = element("div", {class: "grid", id: "grid", style: `grid-template-columns: auto repeat(${stack.heads + 1}, auto)`});
  grid.append(element("span"), ...Array.from({length: stack.heads}, (_, head) => element("span", {class: "name top"}, `${label("head")} ${head}`)), element("span", {class: "name top"}, label("average")));
  const waiting = [];
  for (let layer = 0; layer < stack.layers.length; layer++) {
    grid.append(element("span", {class: "name"}, `${label("layer")} ${layer}`));
    for (const head of [...Array(stack.heads).keys(), -1]) {
      const here = layer === state.layer && head === state.head;
      const button = element("button", {class: "small", "aria-pressed": String(here), "aria-label": `${label("layer")} ${layer}, ${head < 0 ? label("mean") : `${label("head")} ${head}`}`, onclick: () => change({layer, head})});
      grid.append(button);
      waiting.push([button, layer, head]);
    }
  }
  fillGrid(view, state.kind, waiting);
  return element("div", {class: "scroll"}, grid);
}

// Small pictures come one after the other, so that the page answers meanwhile; a later choice ends the work.
let gridWork = 0;
function fillGrid(view, kind, waiting) {
  const work = ++gridWork;
  const next = () => {
    const until = performance.now() + 30;
    while (waiting.length && work === gridWork && performance.now() < until) {
      const [button, layer, head] = waiting.shift();
      const rows = shrunk(attentionWeights(attentionPlace(view, kind, layer), kind, layer, head));
      button.append(matrixCanvas(rows, SMALL, view.stacks.some(stack => stack.tokens.length > LARGEST_TABLE) ? fullOf(rows) : 1));
    }
    if (waiting.length && work === gridWork) setTimeout(next);
  };
  next();
}
