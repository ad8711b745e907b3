// The image at the point, and a test image: the followed one, else the nearest to the point.

// The test image that is shown and the distance of its code from the point; -1 if there is none.
function shownImage() {
  if (state.image === null) return nearestCode(now, labels, state.visible, state.point);
  const u = toPlane(now, codeOf(now, state.image));
  return [state.image, Math.hypot(u[0] - state.point[0], u[1] - state.point[1])];
}

function follow() {  // the image that is shown, or none
  const [image] = shownImage();
  if (state.image !== null || image < 0) change({ image: null });
  else {
    change({ image });
    say(text("said.followed", { number: testNumbers[image] }));
  }
}

const nats = (value, count) => text("nats", { number: digits(value, count) });

function readoutOf(image, distance) {
  const squared = state.point[0] ** 2 + state.point[1] ** 2;
  const log10 = -(squared / 2 + Math.log(2 * Math.PI)) / Math.LN10;  // of the prior's density
  const rows = isTurned(now) ? [["u", inPlane(state.point)]] : [];
  rows.push(["z", inPlane(toModel(now, state.point))]);
  rows.push(["density", log10 < -3 ? minus(`10^${log10.toFixed(1)}`) : (10 ** log10).toFixed(4)]);
  const code = image < 0 ? text("point.no_class") : text("point.away", { distance: digits(distance) });
  rows.push([state.image === null ? "code" : "own_code", code]);
  if (image < 0) return rows;
  if (data.class_names.length) rows.push(["class", data.class_names[labels[image]]]);
  const rate = rateOf(now, image), distortion = distortionOf(now, image);
  rows.push(["distortion", nats(distortion, 4)], ["rate", nats(rate)], ["elbo", nats(distortion + rate, 4)]);
  rows.push(["deviations", deviationsOf(now, image).map((value) => digits(value)).join(", ")]);
  return rows;
}

function drawPoint() {
  const [image, distance] = shownImage(), decoded = decodeAt(now, state.point);
  draw(element("decoded"), decoded);
  draw(element("small"), decoded);
  document.querySelectorAll(".of-image").forEach((figure) => { figure.hidden = image < 0; });
  if (image >= 0) {
    draw(element("original"), originalOf(image));
    draw(element("reconstruction"), decode(now, ...codeOf(now, image)));
    const near = distance < 12 * 2 * state.view.half / (plane.clientWidth || 1);
    element("original-caption").textContent = state.image === null ? text(near ? "point.near" : "point.nearest")
      : text("point.followed", { number: testNumbers[image] });
  }
  const lines = readoutOf(image, distance).flatMap(([name, value]) =>
    [node("dt", text(`point.${name}`)), node("dd", value)]);
  element("readout").replaceChildren(...lines);
  const button = element("follow");
  button.disabled = image < 0;
  press("follow", state.image !== null);
  button.textContent = text(state.image === null ? "point.follow" : "point.follow.none");
  press("hold", state.held);
}

// The same at the other weight.
function drawOther() {
  document.querySelectorAll(".other").forEach((figure) => { figure.hidden = !other; });
  if (!other) return;
  const [image] = shownImage();
  draw(element("other-decoded"), decodeAt(other, state.point));
  element("other-image").hidden = image < 0;
  if (image >= 0) draw(element("other-reconstruction"), decode(other, ...codeOf(other, image)));
  document.querySelectorAll(".other-weight").forEach((caption) => {
    caption.textContent = text("beside.image", { weight: other.kl_weight });
  });
}

draws(["weight", "visible", "image", "point", "held", "view"], drawPoint);
draws(["weight", "beside", "visible", "image", "point"], drawOther);
element("follow").addEventListener("click", follow);
