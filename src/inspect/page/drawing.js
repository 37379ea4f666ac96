"use strict";
// Elements, colours, and the few pictures that everything is made of: strips of values and small matrices.

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== undefined));
  return made;
}

function svgElement(name, attributes = {}, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// "W_Q x_{ij} + z^h" with its indices below and above.
function indexed(text) {
  return text.split(/([_^](?:\{[^}]*\}|[A-Za-z0-9]))/).map(piece => {
    if (!/^[_^]./.test(piece)) return piece;
    return element(piece[0] === "_" ? "sub" : "sup", {}, piece.slice(1).replace(/[{}]/g, ""));
  });
}

// A text among others, whatever its direction of writing: the rest keeps its order (Unicode's first strong isolate).
function isolated(text) { return `\u2068${text}\u2069`; }

// Numbers of a model that has diverged are NaN, in JSON null.
function fixed(value, digits) { return Number.isFinite(value) ? value.toFixed(digits) : value === -Infinity ? "−∞" : "NaN"; }
function number(value) { return fixed(value, state.decimals); }
function percent(value) { return !Number.isFinite(value) ? "NaN" : value > 0 && value < 0.0005 ? "< 0.1 %" : (value * 100).toFixed(value >= 0.0995 ? 0 : 1) + " %"; }

function colors() {
  const style = getComputedStyle(document.documentElement);
  return {positive: style.getPropertyValue("--cell").trim(), negative: style.getPropertyValue("--negative").trim()};
}

// From transparent to full: blue for positive, orange for negative values, told apart by everyone.
function shade(value, full, palette) {
  const share = Math.min(1, Math.abs(value) / (full || 1));
  return `rgba(${value < 0 ? palette.negative : palette.positive}, ${Number.isFinite(value) ? share.toFixed(3) : 0})`;
}

function largest(values) {
  let top = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > top && size !== Infinity) top = size;
  }
  return top;
}

// ---- hints ----

const hint = document.getElementById("hint");
function showHint(event, text) {
  hint.textContent = text;
  hint.hidden = false;
  hint.style.left = Math.min(event.clientX + 14, innerWidth - hint.offsetWidth - 8) + "px";
  hint.style.top = Math.min(event.clientY + 16, innerHeight - hint.offsetHeight - 8) + "px";
}
function hideHint() { hint.hidden = true; }
function withHint(node, textAt) {
  node.addEventListener("mousemove", event => { const text = textAt(event); if (text) showHint(event, text); else hideHint(); });
  node.addEventListener("mouseleave", hideHint);
  return node;
}

// ---- pictures ----

// [rows][columns] as a canvas of a pixel for each, which the browser magnifies.
function pixels(rows, top) {
  const columns = rows[0].length, canvas = element("canvas", {width: columns, height: rows.length}), pen = canvas.getContext("2d"), image = pen.createImageData(columns, rows.length);
  const palette = colors(), positive = palette.positive.split(",").map(Number), negative = palette.negative.split(",").map(Number), bytes = image.data;
  let at = 0;
  for (const row of rows)
    for (let x = 0; x < columns; x++) {
      const value = row[x], color = value < 0 ? negative : positive;
      bytes[at++] = color[0];
      bytes[at++] = color[1];
      bytes[at++] = color[2];
      bytes[at++] = Number.isFinite(value) ? 255 * Math.min(1, Math.abs(value) / top) : 0;
    }
  pen.putImageData(image, 0, 0);
  return canvas;
}

function matrixCanvas(rows, size, full) {
  const columns = rows[0].length, cell = Math.max(1, Math.min(12, Math.floor(size / Math.max(columns, rows.length))));
  const canvas = pixels(rows, full || Math.max(...rows.map(largest)) || 1);
  canvas.style.width = `${columns * cell}px`;
  canvas.style.height = `${rows.length * cell}px`;
  canvas.cellSize = cell;
  return canvas;
}

// A vector as a strip of colours; its values show under the pointer.
function strip(values, name, full) {
  const cell = Math.max(1, Math.min(16, Math.floor(720 / values.length))), canvas = pixels([values], full || largest(values) || 1);
  canvas.style.width = `${values.length * cell}px`;
  canvas.style.height = "20px";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", name);
  return withHint(canvas, event => {
    const i = Math.floor(event.offsetX / cell);
    return i < values.length ? `${name}[${i}] = ${number(values[i])}` : "";
  });
}

const FEW = 12;
// A vector with its name: the strip, its shape, and its first values as numbers.
function vectorRow(name, values, full) {
  const shown = Array.from(values.slice(0, FEW), number).join("  ") + (values.length > FEW ? "  …" : "");
  return element("div", {}, element("div", {class: "row"}, element("span", {}, ...indexed(name)), element("div", {class: "scroll"}, strip(values, name, full)), element("span", {class: "shape"}, `[${values.length}]`)),
    element("div", {class: "row"}, element("span", {}), element("span", {class: "numbers"}, shown)));
}

function bar(share, width = 160) { return element("span", {class: "bar", style: `width:${Math.max(1, share * width)}px`}); }

// ---- controls ----

function chooser(name, value, options, choose) {
  const select = element("select", {"aria-label": name, onchange: event => choose(event.target.value)});
  for (const [key, text] of options) select.append(element("option", {value: key, selected: String(key) === String(value)}, text));
  return element("label", {}, name, select);
}

function tokenButtons(tokens, chosen, choose, below) {
  return element("div", {class: "tokens"}, ...tokens.map((token, i) =>
    element("button", {class: "token", "aria-pressed": String(i === chosen), "data-token": i, onclick: () => choose(i)}, token.label, element("small", {}, below ? below(token, i) : String(i)))));
}
