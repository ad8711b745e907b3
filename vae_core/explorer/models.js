// Where the model at a weight comes from: a trained run for each weight of data.weights, and between the runs the one
// network, where there is one.

const WEIGHTS = data.weights.map(({ kl_weight }) => kl_weight);  // of the runs, from the least to the largest
const loaded = new Map();  // promises of runs' models, by their weight
const recent = new Map();  // of the network's, only a few
const RECENT = 4;

const isReached = (weight) => NETWORK !== null && weight >= NETWORK.least && weight <= NETWORK.most;
const hasModel = (weight) => WEIGHTS.includes(weight) || isReached(weight);

// The slider's stops: the runs, and the ends of the network.
const ENDS = NETWORK === null ? [] : [NETWORK.least, NETWORK.most];
const STOPS = [...new Set([...WEIGHTS, ...ENDS])].toSorted((one, another) => one - another);

async function load(weight) {
  const index = WEIGHTS.indexOf(weight), packed = payload(`weight-${index}`), names = Object.keys(packed);
  const arrays = await Promise.all(names.map((name) => numbers(packed[name])));
  return { ...data.weights[index], ...Object.fromEntries(names.map((name, i) => [name, arrays[i]])) };
}

function runAt(weight) {
  if (!loaded.has(weight)) loaded.set(weight, load(weight));
  return loaded.get(weight);
}

function networkModelAt(weight) {
  if (!recent.has(weight)) recent.set(weight, networkAt(weight));
  const model = recent.get(weight);
  recent.delete(weight);
  recent.set(weight, model);  // the last one asked for is the last one to go
  if (recent.size > RECENT) recent.delete(recent.keys().next().value);
  return model;
}

// encodes: wanted is a model that encodes, which runs cannot in the page
const modelAt = (weight, encodes = false) =>
  (isReached(weight) && (encodes || !WEIGHTS.includes(weight)) ? networkModelAt(weight) : runAt(weight));

// The next weight of a list above (1) or below (-1) a weight; undefined at the end.
const nextOf = (weights, weight, direction) => (direction > 0 ? weights.find((one) => one > weight)
  : weights.findLast((one) => one < weight));

// So that the next step of the slider does not wait. What is damaged is told once it is asked for.
function loadNeighbours(weight) {
  [1, -1].map((way) => nextOf(WEIGHTS, weight, way)).filter((one) => one !== undefined && !loaded.has(one)).forEach((one) => {
    (window.requestIdleCallback ?? setTimeout)(() => modelAt(one).catch(() => {}));
  });
}

// The place of a weight on the slider, between two stops by its logarithm; NaN beyond its ends.
function positionOf(weight) {
  const above = STOPS.findIndex((one) => one >= weight);
  if (above < 0 || weight < STOPS[0]) return NaN;
  if (STOPS[above] === weight) return above;
  const [low, high] = [STOPS[above - 1], STOPS[above]];
  return above - 1 + (low > 0 ? Math.log(weight / low) / Math.log(high / low) : weight / high);
}

const inThree = (weight) => String(Number(weight.toPrecision(3)));

// The weight at a place, with three digits between two stops.
function weightAt(position) {
  const below = Math.floor(position), share = position - below, [low, high] = [STOPS[below], STOPS[below + 1]];
  if (share === 0) return low;
  return Number(inThree(low > 0 ? low * (high / low) ** share : share * high));
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
