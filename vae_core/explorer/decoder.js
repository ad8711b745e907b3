// The arithmetic of a model: { first, first_bias, last, last_bias } of the decoder; mean, log_var, (N, 2), and distortion
// of the codes of the test images; and turn, which takes a latent point z to the point u where the page draws it. The one
// network has a gate, [gain, shift] of the decoder's outputs, encodes in the page, and has no distortions.

const sigmoid = (l) => 1 / (1 + Math.exp(-l));

// The mean of a continuous Bernoulli pixel, 1 / (1 - exp(-l)) - 1/l; at 0 the formula has no digits left.
function continuous(l) {
  const size = Math.max(Math.abs(l), 1e-5), distance = 1 / size - 1 / Math.expm1(size);
  return l < 0 ? distance : 1 - distance;
}

// outputs = relu(z W + b) V + c, behind the gate if there is one
function outputsOf(model, z0, z1) {
  const { first, first_bias: bias, last, last_bias, gate } = model, units = bias.length;
  const outputs = Float32Array.from(last_bias);
  for (let unit = 0; unit < units; unit++) {
    const active = z0 * first[unit] + z1 * first[units + unit] + bias[unit];
    if (active <= 0) continue;
    const row = unit * PIXELS;
    for (let pixel = 0; pixel < PIXELS; pixel++) outputs[pixel] += active * last[row + pixel];
  }
  if (gate) for (let pixel = 0; pixel < PIXELS; pixel++) outputs[pixel] = gate[0][pixel] * outputs[pixel] + gate[1][pixel];
  return outputs;
}

// The image is the mean of its pixels' distribution.
function decode(model, z0, z1) {
  const outputs = outputsOf(model, z0, z1), mean = data.likelihood === "continuous_bernoulli" ? continuous : sigmoid;
  for (let pixel = 0; pixel < PIXELS; pixel++) outputs[pixel] = mean(outputs[pixel]);
  return outputs;
}

const toPlane = ({ turn: [[a, b], [c, d]] }, [z0, z1]) => [a * z0 + b * z1, c * z0 + d * z1];
const toModel = ({ turn: [[a, b], [c, d]] }, [u0, u1]) => [a * u0 + c * u1, b * u0 + d * u1];  // the turn is orthogonal

const decodeAt = (model, u) => decode(model, ...toModel(model, u));

const codeOf = (model, image) => [model.mean[2 * image], model.mean[2 * image + 1]];

const deviationsIn = (log_var, image) => [0, 1].map((axis) => Math.exp(log_var[2 * image + axis] / 2));

const deviationsOf = (model, image) => deviationsIn(model.log_var, image);

// KL(q(z|x) || p(z)) in nats
const rateOf = (model, image) => rateOfCode(codeOf(model, image), deviationsOf(model, image));

function rateOfCode(mean, deviations) {
  return mean.reduce((sum, m, axis) => sum + (deviations[axis] ** 2 + m ** 2 - 1) / 2 - Math.log(deviations[axis]), 0);
}

// A point of q(z|x) so many deviations from its mean; noise: [2]
function drawOf(model, image, noise) {
  const deviations = deviationsOf(model, image);
  return codeOf(model, image).map((m, axis) => m + deviations[axis] * noise[axis]);
}

// The mean of -log p(x|z), in nats, over draws from q(z|x), always with the same noise; pixels are Bernoulli's.
const DRAWS = 8;
const drawNoise = normals(2 * DRAWS, 2);
function distortionOfCode(model, image, mean, deviations) {
  let sum = 0;
  for (let i = 0; i < DRAWS; i++) {
    const outputs = outputsOf(model, ...mean.map((m, axis) => m + deviations[axis] * drawNoise[2 * i + axis]));
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const l = outputs[pixel];
      sum += Math.max(l, 0) + Math.log1p(Math.exp(-Math.abs(l))) - image[pixel] * l;
    }
  }
  return sum / DRAWS;
}

// Of a test image: stored for a run, computed by the one network.
const distortionOf = (model, image) => model.distortion?.[image]
  ?? distortionOfCode(model, originalOf(image), codeOf(model, image), deviationsOf(model, image));

// The nearest code whose class is shown, and its distance; -1 if no class is.
function nearestCode(model, labels, visible, u) {
  const z = toModel(model, u);
  let nearest = -1, least = Infinity;
  for (let i = 0; i < labels.length; i++) {
    if (!visible[labels[i]]) continue;
    const distance = Math.hypot(model.mean[2 * i] - z[0], model.mean[2 * i + 1] - z[1]);
    if (distance < least) [nearest, least] = [i, distance];
  }
  return [nearest, least];
}

// Standard normal numbers, the same for the same seed: Box and Muller on the generator mulberry32.
function normals(count, seed) {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), seed | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () =>
    Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()));
}
