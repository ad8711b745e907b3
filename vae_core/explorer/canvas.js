// What all drawings share: canvases, colours, and elements of the page.

// Colours of the page, as they are now; on paper they are the light ones.
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const darkScheme = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const classColors = () => data.class_colors[darkScheme.matches && !printing ? "dark" : "light"];

// What is a pixel at the usual font size, so that figures grow with the text: in pixels of the page.
const unitLength = () => parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;

// A square canvas as fine as the screen; unit: its pixels for a pixel at the usual font size.
function sized(canvas) {
  const ratio = devicePixelRatio || 1, side = Math.round(canvas.clientWidth * ratio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  return { side, unit: ratio * unitLength(), context: canvas.getContext("2d") };
}

function draw(canvas, image, left = 0, top = 0) {
  const pixels = new ImageData(WIDTH, HEIGHT);
  for (let pixel = 0; pixel < WIDTH * HEIGHT; pixel++) {
    for (let i = 0; i < 3; i++) pixels.data[4 * pixel + i] = Math.round(255 * image[CHANNELS * pixel + i % CHANNELS]);
    pixels.data[4 * pixel + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, left, top);
}

// Images in rows of so many columns.
function drawGrid(canvas, images, columns) {
  canvas.width = columns * WIDTH;
  canvas.height = Math.ceil(images.length / columns) * HEIGHT;
  images.forEach((image, i) => draw(canvas, image, WIDTH * (i % columns), HEIGHT * Math.floor(i / columns)));
}

const node = (name, content, attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = content;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
};

const svgNode = (name, attributes, content = "") => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  made.textContent = content;
  return made;
};

const QUIET_MILLISECONDS = 300;  // before a screen reader is told: it should not be told of every step of a held key
let quiet = 0;
function say(sentence) {
  clearTimeout(quiet);
  quiet = setTimeout(() => { element("spoken").textContent = sentence; }, QUIET_MILLISECONDS);
}

const press = (id, pressed) => element(id).setAttribute("aria-pressed", String(pressed));
