"use strict";
// The stored numbers, and the arithmetic of a Transformer on them. Everything is computed in double precision.

const data = JSON.parse(document.getElementById("data").textContent);
const coded = document.getElementById("numbers").textContent.trim();
const matrices = new Map();

// Three bytes are four letters of base64: an array is decoded when it is looked at for the first time.
function bytesAt(offset, length) {
  const first = Math.floor(offset / 3), binary = atob(coded.slice(4 * first, 4 * Math.ceil((offset + length) / 3))), skip = offset - 3 * first;
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = binary.charCodeAt(skip + i);
  return out;
}

function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * fraction * 2 ** -24;
}

// All numbers of 16 bits, made at the first use.
let halves;
function fromF16(offset, count) {
  halves = halves || Float32Array.from({length: 65536}, (_, bits) => fromHalf(bits));
  const bits = new Uint16Array(bytesAt(offset, 2 * count).buffer), out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = halves[bits[i]];
  return out;
}

// Numbers of 24 bits are those of 32 without their last byte.
function fromF24(offset, count) {
  const bytes = bytesAt(offset, 3 * count), bits = new Uint32Array(count);
  for (let i = 0, at = 0; i < count; i++, at += 3) bits[i] = bytes[at] << 8 | bytes[at + 1] << 16 | bytes[at + 2] << 24;
  return new Float32Array(bits.buffer);
}

const STORED = {f32: (offset, count) => new Float32Array(bytesAt(offset, 4 * count).buffer), f24: fromF24, f16: fromF16};

// A stored array by its number: {rows, columns, values, type}. undefined gives undefined.
function matrix(number) {
  if (number === undefined) return undefined;
  if (!matrices.has(number)) {
    const {shape: [rows, columns], type, offset} = data.arrays[number];
    matrices.set(number, {rows, columns, type, values: STORED[type](offset, rows * columns)});
  }
  return matrices.get(number);
}

function rowOf(stored, row) { return stored && stored.values.subarray(row * stored.columns, (row + 1) * stored.columns); }

// ---- vectors ----

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
function plus(a, b) { return Float64Array.from(a, (value, i) => value + (b ? b[i] : 0)); }
function times(a, factor) { return Float64Array.from(a, value => value * factor); }

// The same direction with length 1, as cosine scores take it.
function unitLength(a) { return times(a, 1 / Math.max(1e-8, Math.sqrt(dot(a, a)))); }

function rootMeanSquare(values) { return Math.sqrt(dot(values, values) / values.length); }

function cosine(a, b) {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  return lengths > 0 ? dot(a, b) / lengths : 0;
}

function softmax(scores) {
  const out = new Float64Array(scores.length);
  let top = -Infinity, sum = 0;
  for (let i = 0; i < scores.length; i++) top = Math.max(top, scores[i]);
  for (let i = 0; i < scores.length; i++) sum += out[i] = Math.exp(scores[i] - top);
  for (let i = 0; i < scores.length; i++) out[i] /= sum;
  return out;
}

// {result, mean, variance}: layer norm (Ba et al. 2016), or the root mean square alone (Zhang and Sennrich 2019). Norms over rows
// come with statistics {mean, variance}, a number for each group of columns.
function normalise(x, gain, bias, model, statistics) {
  const rms = model.norm === "rms";
  const mean = statistics ? statistics.mean : [rms ? 0 : x.reduce((a, b) => a + b, 0) / x.length];
  const variance = statistics ? statistics.variance : [x.reduce((sum, value) => sum + (value - mean[0]) ** 2, 0) / x.length];
  const deviation = model.epsilon_outside ? variance.map(v => Math.sqrt(v) + model.epsilon) : variance.map(v => Math.sqrt(v + model.epsilon));
  const width = x.length / mean.length, group = i => Math.floor(i / width);
  const result = Float64Array.from(x, (value, i) => (value - mean[group(i)]) / deviation[group(i)] * gain[i] + (bias ? bias[i] : 0));
  return {result, mean, variance};
}

// y = W x + bias; W [outputs, inputs]. Outputs from `first` to before `end`.
function product(weight, x, bias, first = 0, end = weight.rows) {
  return Float64Array.from({length: end - first}, (_, i) => dot(rowOf(weight, first + i), x) + (bias ? bias.values[first + i] : 0));
}

// Series for small arguments, continued fraction for large ones: 12 digits and more.
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = a, sum = a;
    for (let n = 1; n < 80; n++) {
      term *= -a * a / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * sum * 2 / Math.sqrt(Math.PI);
  }
  let fraction = a;
  for (let n = 60; n > 0; n--) fraction = a + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (fraction * Math.sqrt(Math.PI)));
}

const ACTIVATIONS = {
  none: x => x,
  relu: x => Math.max(0, x),
  gelu: x => x / 2 * (1 + erf(x / Math.SQRT2)),
  gelu_tanh: x => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: x => x / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

// ---- attention ----

// Where an attention stands: its stack, the sublayer's numbers, and whose tokens are looked at.
function attentionPlace(view, kind, layer) {
  const stack = view.stacks.find(s => s.name === (kind === "cross" ? "decoder" : kind));
  const sublayer = stack.layers[layer][kind === "cross" ? "cross" : "self"];
  const keyStack = kind === "cross" ? view.stacks.find(s => s.name === "encoder") : stack;
  return {stack, sublayer, keyStack, causal: stack.causal && kind !== "cross", window: view.model.window || Infinity, vectors: matrix(sublayer.score_vectors)};
}

// Keys that a query of a causal stack sees: itself and those before it, as far back as its window reaches.
function seenFrom(place, row) { return place.causal ? Math.max(0, row - place.window + 1) : 0; }
function isMasked(place, row, key) { return place.causal && (key > row || key < seenFrom(place, row)); }

function slice(stored, row, head, width) { return rowOf(stored, row).subarray(head * width, (head + 1) * width); }

// What a learnt table adds to a score for the distance between key and query.
function distanceBias({stack, keyStack}, head, distance) {
  const table = keyStack === stack ? matrix(stack.relative) : undefined;
  if (!table) return 0;
  const reach = (table.columns - 1) / 2;
  return rowOf(table, head)[Math.max(-reach, Math.min(reach, distance)) + reach];
}

// One query's way to its weights: {query, products, scaled, weights}; masked places of `scaled` are minus infinity.
function attentionRow(place, head, row) {
  const {stack, sublayer, keyStack} = place;
  const keyHead = Math.floor(head / (stack.heads / stack.kv_heads));
  const width = stack.width, query = slice(matrix(sublayer.query), row, head, width), keys = matrix(sublayer.key), values = keys.values;
  const vector = rowOf(place.vectors, head);
  const products = new Float64Array(keyStack.tokens.length), scaled = new Float64Array(products.length);
  for (let k = 0; k < products.length; k++) {
    let product = 0;
    const at = k * keys.columns + keyHead * width;
    if (vector) for (let i = 0; i < width; i++) product += vector[i] * Math.tanh(query[i] + values[at + i]);
    else for (let i = 0; i < width; i++) product += query[i] * values[at + i];
    products[k] = product;
    scaled[k] = isMasked(place, row, k) ? -Infinity : products[k] * stack.scale + distanceBias(place, head, k - row);
  }
  return {query, products, scaled, weights: softmax(scaled), keyHead};
}

const weightCache = new Map();

// All weights of a head, [queries][keys]; head -1: the mean of the heads. They are kept in single precision, since those of a long text
// are many.
function attentionWeights(place, kind, layer, head) {
  const key = [state.moment, kind, layer, head].join();
  if (!weightCache.has(key)) weightCache.set(key, head < 0 ? meanWeights(place, kind, layer) : place.stack.tokens.map((_, row) => Float32Array.from(attentionRow(place, head, row).weights)));
  return weightCache.get(key);
}

function meanWeights(place, kind, layer) {
  const heads = place.stack.heads, mean = place.stack.tokens.map(() => new Float32Array(place.keyStack.tokens.length));
  for (let head = 0; head < heads; head++)
    attentionWeights(place, kind, layer, head).forEach((row, q) => {
      for (let k = 0; k < row.length; k++) mean[q][k] += row[k] / heads;
    });
  return mean;
}

function mixedValues(place, head, weights, keyHead) {
  const values = matrix(place.sublayer.value), out = new Float64Array(place.stack.width);
  weights.forEach((weight, k) => slice(values, k, keyHead, place.stack.width).forEach((value, i) => { out[i] += weight * value; }));
  return out;
}

// ---- is what was computed here what the model computed? ----

const TOLERANCE = {f32: 1e-4, f24: 1e-3, f16: 1e-2};

// {largest difference, fine}. The model computes in single precision and in another order; type: of the numbers that went in.
function compare(own, models, type = "f32") {
  let difference = 0, size = 0;
  for (let i = 0; i < own.length; i++) {
    difference = Math.max(difference, Math.abs(own[i] - models[i]));
    size = Math.max(size, Math.abs(models[i]));
  }
  return {difference, fine: difference <= TOLERANCE[type] * Math.max(size, 1e-3)};
}
