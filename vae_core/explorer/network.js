// The one network that was trained for every weight between two, where the sweep has it. In front of each nonlinearity
// stands a gate: gain * (x W + b) + shift, and gain and shift are linear in the logarithm of the weight between the knots.
// So x W + b is computed once for every image, and a new weight costs 1 / 784 of the rest.

const NETWORK = data.network;  // least, most, turn and curve; null: there is none
const SLICE_MILLISECONDS = 8;  // so that the pointer stays at the screen's rate

let network = null;  // a promise of { knots, units, "encoder.hidden.kernel", ... }
const theNetwork = () => (network ??= readNetwork());

async function readNetwork() {
  const { knots, ...packed } = payload("network"), names = Object.keys(packed);
  const arrays = await Promise.all(names.map((name) => numbers(packed[name])));
  const units = packed["encoder.hidden.bias"].low.length;
  return { knots, units, ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])) };
}

// gain and shift of a layer at a weight
function gateOf(network, layer, weight) {
  const { knots } = network, next = knots.findIndex((knot) => knot >= weight);
  const row = Math.max(next < 0 ? knots.length - 1 : next, 1) - 1;
  const share = Math.min(Math.max(Math.log(weight / knots[row]) / Math.log(knots[row + 1] / knots[row]), 0), 1);
  return ["gain", "shift"].map((part) => {
    const all = network[`${layer}.${part}`], width = all.length / knots.length;
    return Float32Array.from({ length: width }, (_, i) =>
      (1 - share) * all[width * row + i] + share * all[width * (row + 1) + i]);
  });
}

// x W + b of the hidden layer of the encoder, into `result` from `start` on; most pixels are 0
function addHidden(network, image, result, start) {
  const { units, "encoder.hidden.kernel": kernel } = network;
  result.set(network["encoder.hidden.bias"], start);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const value = image[pixel];
    if (value === 0) continue;
    for (let unit = 0, row = pixel * units; unit < units; unit++) result[start + unit] += value * kernel[row + unit];
  }
}

function hiddenOf(network, image) {
  const result = new Float32Array(network.units);
  addHidden(network, image, result, 0);
  return result;
}

// The encoder behind that, at a weight: a function of so many images' x W + b, that gives their mean and log_var, (N, 2).
function encoderAt(network, weight) {
  const { units } = network, [gain, shift] = gateOf(network, "encoder.hidden", weight);
  const heads = ["encoder.mean", "encoder.log_var"].map((layer) => {
    const [scale, move] = gateOf(network, layer, weight), bias = network[`${layer}.bias`];
    return { kernel: network[`${layer}.kernel`].map((value, i) => scale[i % 2] * value),
      bias: bias.map((value, i) => scale[i] * value + move[i]) };
  });
  const [means, spreads] = heads.map(({ kernel }) => kernel);
  return (hidden) => {
    const count = hidden.length / units, [mean, log_var] = heads.map(({ bias }) => {
      const result = new Float32Array(2 * count);
      for (let i = 0; i < result.length; i++) result[i] = bias[i % 2];
      return result;
    });
    for (let image = 0; image < count; image++) {
      let m0 = 0, m1 = 0, v0 = 0, v1 = 0;
      for (let unit = 0, at = image * units; unit < units; unit++, at++) {
        const active = gain[unit] * hidden[at] + shift[unit];
        if (active <= 0) continue;
        m0 += active * means[2 * unit];
        m1 += active * means[2 * unit + 1];
        v0 += active * spreads[2 * unit];
        v1 += active * spreads[2 * unit + 1];
      }
      mean[2 * image] += m0;
      mean[2 * image + 1] += m1;
      log_var[2 * image] += v0;
      log_var[2 * image + 1] += v1;
    }
    return { mean, log_var };
  };
}

// The decoder at a weight, as `decode` takes it. The gate of its last layer comes after the sum, so that all weights
// share one kernel.
function decoderAt(network, weight) {
  const [gain, shift] = gateOf(network, "decoder.hidden", weight), { units } = network;
  return {
    first: network["decoder.hidden.kernel"].map((value, i) => gain[i % units] * value),
    first_bias: network["decoder.hidden.bias"].map((value, i) => gain[i] * value + shift[i]),
    last: network["decoder.pixels.kernel"],
    last_bias: network["decoder.pixels.bias"],
    gate: gateOf(network, "decoder.pixels", weight),
  };
}

// x W + b of all test images, in slices; as Float32Array: images x units.
let hiddenOfImages = null;
const hiddenOfAll = () => (hiddenOfImages ??= hiddenInSlices());

async function hiddenInSlices() {
  const network = await theNetwork(), { units } = network, result = new Float32Array(labels.length * units);
  for (let image = 0; image < labels.length;) {
    const started = performance.now();
    while (image < labels.length && performance.now() - started < SLICE_MILLISECONDS) {
      addHidden(network, originalOf(image), result, units * image);
      image++;
    }
    await new Promise((resolve) => setTimeout(resolve));
  }
  return result;
}

// The measures at a weight, between those at which the network was tested.
function measuredAt(weight) {
  const { curve } = NETWORK, above = curve.findIndex(({ kl_weight }) => kl_weight >= weight);
  if (above <= 0) return curve.at(above);
  const [low, high] = [curve[above - 1], curve[above]];
  const share = Math.log(weight / low.kl_weight) / Math.log(high.kl_weight / low.kl_weight);
  return Object.fromEntries(["distortion", "rate"].map((name) => [name, (1 - share) * low[name] + share * high[name]]));
}

async function networkAt(weight) {
  const [network, hidden] = await Promise.all([theNetwork(), hiddenOfAll()]), encode = encoderAt(network, weight);
  const { distortion, rate } = measuredAt(weight), measured = { distortion, rate, negative_elbo: distortion + rate };
  return {
    kl_weight: weight, turn: NETWORK.turn, encode: (image) => encode(hiddenOf(network, image)),
    ...encode(hidden), ...decoderAt(network, weight),
    measured: Object.fromEntries(Object.entries(measured).map(([name, value]) => [name, value.toFixed(2)])),
  };
}
