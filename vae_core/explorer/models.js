// Where the model at a weight comes from: a trained run for each weight of data.weights. A network that was trained for
// all weights would be a second source, asked by `load` for the weights between the runs.

const WEIGHTS = data.weights.map(({ kl_weight }) => kl_weight);  // from the least to the largest
const loaded = new Map();  // promises of models, by their weight

async function load(weight) {
  const index = WEIGHTS.indexOf(weight), packed = payload(`weight-${index}`), names = Object.keys(packed);
  const arrays = await Promise.all(names.map((name) => numbers(packed[name])));
  return { ...data.weights[index], ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])) };
}

function modelAt(weight) {
  if (!loaded.has(weight)) loaded.set(weight, load(weight));
  return loaded.get(weight);
}

// So that the next step of the slider does not wait. What is damaged is told once it is asked for.
function loadNeighbours(weight) {
  const index = WEIGHTS.indexOf(weight);
  [WEIGHTS[index + 1], WEIGHTS[index - 1]].filter((one) => one !== undefined && !loaded.has(one)).forEach((one) => {
    (window.requestIdleCallback ?? setTimeout)(() => modelAt(one).catch(() => {}));
  });
}

// The place of a weight on the slider, between two runs by its logarithm; NaN beyond its ends.
function positionOf(weight) {
  const above = WEIGHTS.findIndex((one) => one >= weight);
  if (above < 0 || weight < WEIGHTS[0]) return NaN;
  if (WEIGHTS[above] === weight) return above;
  const [low, high] = [WEIGHTS[above - 1], WEIGHTS[above]];
  return above - 1 + (low > 0 ? Math.log(weight / low) / Math.log(high / low) : weight / high);
}

// ---- the test images

let labels, originals, testNumbers;  // (N,), (N, pixels) of 0 to data.greys, and (N,): which of all test images they are

async function loadImages() {
  const { images, labels: classes, numbers: which } = payload("images");
  originals = await unpacked(images);
  labels = await unpacked(classes);
  if (data.class_markers.length > 256) labels = new Uint16Array(labels.buffer);
  testNumbers = new Uint32Array((await unpacked(which)).buffer);
}

const originalOf = (image) =>
  Float32Array.from(originals.subarray(PIXELS * image, PIXELS * (image + 1)), (grey) => grey / data.greys);
