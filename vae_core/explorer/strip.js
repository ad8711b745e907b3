// The images between the two pins.

const STRIP = 9;  // images

function drawStrip() {
  const strip = element("strip"), [a, b] = state.pins;
  strip.hidden = !b;
  element("strip-caption").textContent = text(`strip.${["none", "one", "two"][state.pins.length]}`);
  if (!b) return;
  const images = Array.from({ length: STRIP }, (_, i) => i / (STRIP - 1)).map((share) =>
    decodeAt(now, [0, 1].map((axis) => (1 - share) * a[axis] + share * b[axis])));
  drawGrid(strip, images, STRIP);
}

draws(["weight", "pins"], drawStrip);
