"use strict";
// One page, no framework, no request: the data stands in it, and everything from it goes in as text or pixels.

const data = JSON.parse(document.getElementById("data").textContent);
const [HEIGHT, WIDTH, CHANNELS] = data.image_shape, PIXELS = HEIGHT * WIDTH * CHANNELS;
const loaded = [];  // promises of the arrays of each weight

// Deflated, in base64.
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Whole numbers between the least and the largest value of each column.
async function numbers({ packed, rows, low, step }) {
  const planes = await unpacked(packed), size = planes.length / 2;  // low bytes, then high bytes
  const result = new Float32Array(size), columns = size / rows;
  for (let i = 0; i < size; i++) {
    const column = i % columns;
    result[i] = low[column] + step[column] * (planes[i] + 256 * planes[size + i]);
  }
  return result;
}

async function load(packed) {
  const names = ["first", "first_bias", "last", "last_bias", "mean", "distortion", "rate"];
  const arrays = await Promise.all(names.map((name) => numbers(packed[name])));
  return { ...packed, ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])) };
}

const loadWeight = (index) => loaded[index] ??= load(data.weights[index]);

const indexOf = (klWeight) => data.weights.findIndex(({ kl_weight }) => kl_weight === klWeight);

const sigmoid = (l) => 1 / (1 + Math.exp(-l));

// The mean of a continuous Bernoulli pixel, 1 / (1 - exp(-l)) - 1/l; at 0 the formula has no digits left.
function continuous(l) {
  const size = Math.max(Math.abs(l), 1e-5), distance = 1 / size - 1 / Math.expm1(size);
  return l < 0 ? distance : 1 - distance;
}

// outputs = relu(z W + b) V + c, and the image is their mean
function decode(weights, z0, z1) {
  const { first, first_bias: bias, last, last_bias } = weights, units = bias.length;
  const outputs = Float32Array.from(last_bias), mean = data.likelihood === "continuous_bernoulli" ? continuous : sigmoid;
  for (let unit = 0; unit < units; unit++) {
    const active = z0 * first[unit] + z1 * first[units + unit] + bias[unit];
    if (active <= 0) continue;
    const row = unit * PIXELS;
    for (let pixel = 0; pixel < PIXELS; pixel++) outputs[pixel] += active * last[row + pixel];
  }
  for (let pixel = 0; pixel < PIXELS; pixel++) outputs[pixel] = mean(outputs[pixel]);
  return outputs;
}

// The nearest code whose class is shown, and its distance; -1 if no class is.
function nearestCode(weights, labels, visible, z) {
  let nearest = -1, least = Infinity;
  for (let i = 0; i < labels.length; i++) {
    if (!visible[labels[i]]) continue;
    const distance = Math.hypot(weights.mean[2 * i] - z[0], weights.mean[2 * i + 1] - z[1]);
    if (distance < least) [nearest, least] = [i, distance];
  }
  return [nearest, least];
}
