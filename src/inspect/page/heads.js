"use strict";
// What each head does over many texts: a table to sort.

function headsView(view) {
  const heads = data.heads;
  if (!heads) return [element("p", {}, label("noHeads"))];
  const columns = headColumns(heads), table = element("table", {id: "heads"}), sorted = sortedHeads(heads, columns);
  table.append(element("tr", {}, ...columns.map((column, i) => element("th", {class: column.text ? "word" : ""}, element("button", {class: "button", "aria-pressed": String(Math.abs(state.sort) === i + 1), onclick: () => change({sort: state.sort === -(i + 1) ? i + 1 : -(i + 1)})}, column.name)))));
  const palette = colors();
  for (const row of sorted)
    table.append(element("tr", {}, ...columns.map(column => {
      const value = column.of(row);
      return column.text ? element("td", {class: "word"}, column.link ? headLink(row, value) : value) : element("td", {style: column.share ? `background:${shade(value, 1.5, palette)}` : ""}, value === null ? "–" : number(value));
    })));
  const loss = heads.loss === null ? "" : ` ${label("lossWith")}: ${number(heads.loss)}.`;
  return [element("p", {class: "faint"}, `${heads.texts} ${label("texts")}.${loss} ${label("headsText")}`), element("div", {class: "scroll"}, table)];
}

const SHARES = 8;  // the first measures are shares of the weight

function headColumns(heads) {
  const columns = [
    {name: label("head"), text: true, link: true, of: row => `${label(row.kind)} ${row.layer}.${row.head}`, key: row => row.kind + String(row.layer).padStart(4, "0") + String(row.head).padStart(4, "0")},
    {name: label("pattern"), text: true, of: row => label(row.pattern)},
    ...heads.names.map((name, i) => ({name: label(name), share: i < SHARES, of: row => row.measures[i]})),
  ];
  if (heads.loss !== null) columns.push({name: label("lossChange"), of: row => row.loss_change});
  return columns;
}

function headLink(row, text) { return element("button", {class: "button", onclick: () => change({view: "attention", kind: row.kind, layer: row.layer, head: row.head})}, text); }

// state.sort: the column's number from 1, negative for the largest first; 0: as they come.
function sortedHeads(heads, columns) {
  const column = columns[Math.abs(state.sort) - 1], rows = [...heads.rows];
  if (!column) return rows;
  const value = column.key || column.of, sign = state.sort < 0 ? -1 : 1;
  return rows.sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}
