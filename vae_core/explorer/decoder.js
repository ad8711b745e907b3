// The arithmetic of a model: { first, first_bias, last, last_bias } of the decoder; mean, log_var, (N, 2), and distortion
// of the codes of the test images; and turn, which takes a latent point z to the point u where the page draws it.

const sigmoid = (l) => 1 / (1 + Math.exp(-l));

// The mean of a continuous Bernoulli pixel, 1 / (1 - exp(-l)) - 1/l; at 0 the formula has no digits left.
function continuous(l) {
  const size = Math.max(Math.abs(l), 1e-5), distance = 1 / size - 1 / Math.expm1(size);
  return l < 0 ? distance : 1 - distance;
}

// outputs = relu(z W + b) V + c, and the image is their mean
function decode(model, z0, z1) {
  const { first, first_bias: bias, last, last_bias } = model, units = bias.length;
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

const toPlane = ({ turn: [[a, b], [c, d]] }, [z0, z1]) => [a * z0 + b * z1, c * z0 + d * z1];
const toModel = ({ turn: [[a, b], [c, d]] }, [u0, u1]) => [a * u0 + c * u1, b * u0 + d * u1];  // the turn is orthogonal

const decodeAt = (model, u) => decode(model, ...toModel(model, u));

const codeOf = (model, image) => [model.mean[2 * image], model.mean[2 * image + 1]];

const deviationsOf = (model, image) => [0, 1].map((axis) => Math.exp(model.log_var[2 * image + axis] / 2));

// KL(q(z|x) || p(z)) in nats
function rateOf(model, image) {
  const mean = codeOf(model, image), deviations = deviationsOf(model, image);
  return mean.reduce((sum, m, axis) => sum + (deviations[axis] ** 2 + m ** 2 - 1) / 2 - Math.log(deviations[axis]), 0);
}

// A point of q(z|x) so many deviations from its mean; noise: [2]
function drawOf(model, image, noise) {
  const deviations = deviationsOf(model, image);
  return codeOf(model, image).map((m, axis) => m + deviations[axis] * noise[axis]);
}

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
