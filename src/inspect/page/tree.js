"use strict";
// The tree of a beam search: a column for each step, its continuations by rank, lines to what they go on from.

const TREE_COLUMN = 118, TREE_ROW = 44, TREE_BOX = 96;

function treeParts() {
  const search = data.search;
  if (!search) return [];
  const facts = `${label("beam")} ${search.beam} · “${isolated(search.text)}” · ${label("score")} ${number(search.score)}`;
  return [element("h2", {}, label("tree")), element("p", {}, facts), element("p", {class: "faint"}, label("treeText")), element("div", {class: "scroll", id: "tree-scroll"}, treePicture(search.nodes))];
}

// From the beginning to this node.
function treePath(nodes, i) {
  const path = [];
  for (let at = i; at >= 0; at = nodes[at].parent) path.unshift(at);
  return path;
}

function treePicture(nodes) {
  const steps = nodes.length ? nodes[nodes.length - 1].step : 0, ranks = nodes.reduce((most, node) => Math.max(most, node.rank), 0) + 1;
  const svg = svgElement("svg", {id: "tree", width: steps * TREE_COLUMN + 60, height: ranks * TREE_ROW + 34, role: "img"});
  const x = node => 20 + (node.step - 1) * TREE_COLUMN, y = node => 30 + node.rank * TREE_ROW;
  for (let step = 1; step <= steps; step++) svg.append(svgElement("text", {x: 20 + (step - 1) * TREE_COLUMN + TREE_BOX / 2, y: 16, class: "step", "text-anchor": "middle"}, String(step)));
  const onPath = new Set(treePath(nodes, state.node < nodes.length ? state.node : -1));
  nodes.forEach((node, i) => {
    if (node.parent < 0) return;
    const from = nodes[node.parent], x1 = x(from) + TREE_BOX, y1 = y(from) + 16, x2 = x(node), y2 = y(node) + 16, middle = (x1 + x2) / 2;
    svg.append(svgElement("path", {class: `branch ${node.fate} ${node.best ? "best" : ""} ${onPath.has(i) ? "path" : ""}`, d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`}));
  });
  nodes.forEach((node, i) => svg.append(treeNode(nodes, node, i, x(node), y(node), onPath.has(i))));
  return svg;
}

function treeNode(nodes, node, i, x, y, marked) {
  const group = svgElement("g", {class: `node ${node.fate} ${node.best ? "best" : ""} ${marked ? "path" : ""}`, "data-node": i, transform: `translate(${x} ${y})`, tabindex: 0, role: "button"});
  const end = node.fate === "finished" ? " ■" : "", shown = node.token.length > 11 ? node.token.slice(0, 10) + "…" : node.token;
  group.append(svgElement("rect", {width: TREE_BOX, height: 34, rx: 5}), svgElement("text", {x: 7, y: 14}, shown + end), svgElement("text", {x: 7, y: 28, class: "sum"}, number(node.sum)));
  group.addEventListener("click", () => change({node: state.node === i ? -1 : i}));
  return withHint(group, () => `${treePath(nodes, i).map(at => isolated(nodes[at].token)).join(" ")}\nlog p = ${number(node.log_probability)}, Σ = ${number(node.sum)}, ${label("score")} ${number(node.score)}\n${label(node.fate)}`);
}
