"use strict";
// Tokens and how they map to the text; the position table; nearest words.

function tokensView(view) {
  const parts = [];
  for (const stack of view.stacks) {
    parts.push(element("h2", {}, `${label(stack.name)} ${label("reads")}`), ...mappedTexts(view, stack), tokenTable(stack.tokens));
  }
  if (view.outputs.length) parts.push(element("h2", {}, `${label("decoder")} ${label("predicts")}`), tokenTable(view.outputs));
  return parts;
}

// Starts and ends are bytes of UTF-8.
function mappedTexts(view, stack) {
  const texts = view.stacks.length === 2 ? [view.texts[stack.name === "encoder" ? 0 : 1]] : view.texts;
  return texts.map((text, sequence) => {
    const coded = new TextEncoder().encode(text), decoder = new TextDecoder(), line = element("p", {class: "mapped", style: "font-size:20px"});
    let at = 0, tint = 0;
    stack.tokens.forEach((token, i) => {
      if (token.start === undefined || token.sequence !== sequence || token.start < at) return;
      line.append(decoder.decode(coded.subarray(at, token.start)));
      const piece = element("span", {style: `background:rgba(${tint++ % 2 ? "var(--negative)" : "var(--cell)"}, 0.22);border-radius:3px`}, decoder.decode(coded.subarray(token.start, token.end)));
      line.append(withHint(piece, () => `${i}: ${isolated(token.name)}, ${label("id")} ${token.id}`));
      at = token.end;
    });
    line.append(decoder.decode(coded.subarray(at)));
    return line;
  });
}

function tokenTable(tokens) {
  const segments = tokens.some(token => token.type), table = element("table");
  const columns = ["position", "text", "name", "id", ...(segments ? ["segment"] : [])];
  table.append(element("tr", {}, ...columns.map(key => element("th", {class: key === "text" || key === "name" ? "word" : ""}, label(key)))));
  tokens.forEach((token, i) => table.append(element("tr", {}, element("td", {}, String(i)), element("td", {class: "word"}, token.label), element("td", {class: "word"}, token.name), element("td", {}, String(token.id)), segments ? element("td", {}, String(token.type)) : undefined)));
  return element("div", {class: "scroll"}, table);
}

function tablesView(view) {
  const stack = stackOf(view), positions = matrix(stack.positions), parts = [];
  if (positions) {
    const rows = Array.from({length: positions.rows}, (_, i) => rowOf(positions, i)), similarity = rows.map(a => rows.map(b => cosine(a, b)));
    parts.push(element("h2", {}, label("positionTable")), element("div", {class: "scroll"}, withCells(matrixCanvas(rows, 1000, Math.min(largest(positions.values), 3 * rootMeanSquare(positions.values))), (y, x) => `P[${y}][${x}] = ${number(rows[y][x])}`)),
      element("h2", {}, label("positionSimilarity")), element("div", {class: "scroll"}, withCells(matrixCanvas(similarity, 640, 1), (y, x) => `cos(${y}, ${x}) = ${number(similarity[y][x])}`)));
  } else {
    parts.push(element("p", {}, label("noPositions")));
  }
  parts.push(element("h2", {}, label("nearest")), nearestTable(view, stack));
  return parts;
}

function withCells(canvas, text) {
  return withHint(canvas, event => {
    const x = Math.floor(event.offsetX / canvas.cellSize), y = Math.floor(event.offsetY / canvas.cellSize);
    return x < canvas.width && y < canvas.height ? text(y, x) : "";
  });
}

function nearestTable(view, stack) {
  const table = element("table", {id: "nearest"}), done = new Set();
  for (const token of stack.tokens) {
    const near = stack.neighbours[token.id];
    if (!near || done.has(token.id)) continue;
    done.add(token.id);
    table.append(element("tr", {}, element("th", {class: "word"}, token.label), ...near.map(([id, similarity]) => element("td", {class: "word"}, `${word(view, id)} `, element("small", {class: "faint"}, fixed(similarity, 2))))));
  }
  return element("div", {class: "scroll"}, table);
}
