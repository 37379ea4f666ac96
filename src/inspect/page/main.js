"use strict";
// What is shown is a function of `state`, and the page's address holds it: a link to a view opens that view again.

const VIEWS = {tokens: tokensView, attention: attentionView, step: stepView, layers: layersView, search: searchView, heads: headsView, tables: tablesView};
const WORDS = ["view", "kind", "lang", "theme"];  // the other values of the state are numbers

var state = {view: "attention", moment: 0, kind: "", layer: 0, head: 0, token: 0, part: 0, decimals: 3, swap: 0, large: 0, sort: 0, node: -1, lang: "en", theme: ""};

function readAddress() {
  const said = new URLSearchParams(location.hash.slice(1) || JSON.parse(document.getElementById("start").textContent));
  for (const [key, value] of said) if (Object.hasOwn(state, key)) state[key] = WORDS.includes(key) ? value : Number(value) || 0;
}

function writeAddress() {
  const said = new URLSearchParams(Object.entries(state).filter(([, value]) => value !== ""));
  history.replaceState(null, "", "#" + said);
}

// Brings every choice back to what the view at hand has.
function settle() {
  state.moment = between(state.moment, 0, data.views.length - 1);
  const view = currentView(), kinds = attentionKinds(view);
  if (!Object.hasOwn(VIEWS, state.view) || !shows(view, state.view)) state.view = "attention";
  if (!LANGUAGES.includes(state.lang)) state.lang = "en";
  if (!kinds.includes(state.kind)) state.kind = kinds[kinds.length - 1];
  const stack = stackOf(view);
  state.layer = between(state.layer, 0, stack.layers.length - 1);
  state.head = between(state.head, state.view === "attention" ? -1 : 0, stack.heads - 1);
  state.token = between(state.token, 0, stack.tokens.length - 1);
  state.decimals = between(state.decimals, 0, 8);
  state.part = Math.max(0, state.part);
}

// Views that have something to show.
function shows(view, key) {
  if (key === "heads") return Boolean(data.heads);
  return key === "layers" ? Boolean(lensStack(view)) : key === "search" ? Boolean(data.search || lensStack(view)) : true;
}

function between(value, low, high) { return Math.max(low, Math.min(high, Math.round(value))); }
function currentView() { return data.views[state.moment]; }

function change(what) {
  Object.assign(state, what);
  settle();
  writeAddress();
  draw();
}

// ---- the frame ----

function draw() {
  const view = currentView(), top = scrollY;
  document.documentElement.lang = state.lang;
  if (state.theme) document.documentElement.dataset.theme = state.theme;
  hideHint();
  document.title = `qkv: ${view.texts[0]}`;
  document.getElementById("title").textContent = view.texts.map(isolated).join(" → ");
  document.getElementById("about").textContent = `${view.title}: ${view.model.layout}, ${view.model.parameters.toLocaleString(state.lang)} ${label("parameters")}`;
  document.getElementById("views").replaceChildren(...Object.keys(VIEWS).filter(key => shows(view, key)).map(key => element("button", {role: "tab", "aria-selected": String(key === state.view), id: `view-${key}`, onclick: () => change({view: key})}, label(key))));
  document.getElementById("choices").replaceChildren(...choices(view));
  document.getElementById("main").replaceChildren(...VIEWS[state.view](view).filter(Boolean));
  document.getElementById("footer").textContent = `qkv ${data.qkv}. ${label("keysHelp")}`;
  scrollTo(0, top);
}

function choices(view) {
  const stack = stackOf(view), controls = [], numbers = (count, name) => Array.from({length: count}, (_, i) => [i, `${name} ${i}`]);
  if (data.views.length > 1) controls.push(momentSlider());
  if (["attention", "step", "tables"].includes(state.view)) controls.push(chooser(label("where"), state.kind, attentionKinds(view).map(kind => [kind, label(kind)]), kind => change({kind})));
  if (state.view === "attention" || state.view === "step") {
    controls.push(chooser(label("layer"), state.layer, numbers(stack.layers.length, label("layer")), layer => change({layer: Number(layer)})));
    const heads = numbers(stack.heads, label("head"));
    controls.push(chooser(label("head"), state.head, state.view === "attention" ? [[-1, label("mean")], ...heads] : heads, head => change({head: Number(head)})));
  }
  controls.push(element("label", {}, label("decimals"), element("input", {type: "number", min: 0, max: 8, value: state.decimals, onchange: event => change({decimals: Number(event.target.value)})})));
  controls.push(chooser(label("language"), state.lang, LANGUAGES.map(lang => [lang, lang]), lang => change({lang})));
  controls.push(element("button", {class: "button", id: "theme", onclick: () => change({theme: isDark() ? "light" : "dark"})}, label("theme")));
  return controls;
}

function isDark() { return state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; }

function momentSlider() {
  return element("label", {}, label("moment"), element("input", {type: "range", id: "moment", min: 0, max: data.views.length - 1, value: state.moment, oninput: event => change({moment: Number(event.target.value)})}), element("span", {}, currentView().title));
}

// ---- keys ----

function step(event) {
  if (event.target.closest("input, select") || event.ctrlKey || event.altKey || event.metaKey) return;
  const sideways = state.view === "step" ? "part" : "token";
  const moves = {ArrowLeft: {[sideways]: state[sideways] - 1}, ArrowRight: {[sideways]: state[sideways] + 1}, ArrowUp: {layer: state.layer - 1}, ArrowDown: {layer: state.layer + 1},
    h: {head: state.head + 1}, H: {head: state.head - 1}};
  const move = moves[event.key];
  if (!move) return;
  event.preventDefault();
  if (sideways === "part" && "part" in move) move.part = between(move.part, 0, document.querySelectorAll("#parts .part").length - 1);
  change(move);
  const now = state.view === "step" && document.querySelector(".part.now");
  if (now) now.scrollIntoView({block: "nearest"});
}

document.addEventListener("keydown", step);
addEventListener("hashchange", () => { readAddress(); settle(); draw(); });
readAddress();
settle();
draw();
