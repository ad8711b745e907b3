// What leaves the page: a picture, a link, paper.

// The plane, what stands beside it and the image at the point, as a picture with a line about them.
function pictureOf() {
  const space = 16, side = plane.width, line = 40, canvas = document.createElement("canvas");
  canvas.width = 3 * side + 4 * space;
  canvas.height = side + 2 * space + line;
  const context = canvas.getContext("2d");
  context.fillStyle = color("--paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingEnabled = false;  // pixels stay squares
  [plane, other ? otherPlane : manifold, element("decoded")].forEach((part, i) => {
    const scale = side / Math.max(part.width, part.height), [width, height] = [part.width * scale, part.height * scale];
    const left = space + i * (side + space) + (side - width) / 2;
    context.drawImage(part, left, space + (side - height) / 2, width, height);
  });
  context.fillStyle = color("--text");
  context.font = "20px system-ui, sans-serif";
  const beside = other ? text("beside.weight", { weight: other.kl_weight }) : text("beside.decoded");
  const about = [data.dataset, text("weight.value", { weight: state.weight }), beside, `z = ${inPlane(state.point)}`];
  context.fillText(about.join("   "), space, side + space + 30);
  return canvas;
}

element("save").addEventListener("click", () => {
  const link = node("a", "", { href: pictureOf().toDataURL("image/png") });
  link.download = text("picture.name", { dataset: data.dataset, weight: state.weight });
  link.click();
});

element("link").addEventListener("click", async () => {
  remember();
  try {
    await navigator.clipboard.writeText(location.href);
    element("told").textContent = text("link.copied");
  } catch {
    element("told").textContent = text("link.by_hand", { link: location.href });
  }
});

element("print").addEventListener("click", () => print());

function drawForPaper(onPaper) {
  printing = onPaper;
  document.documentElement.classList.toggle("paper", onPaper);
  drawAgain();
}
addEventListener("beforeprint", () => drawForPaper(true));
addEventListener("afterprint", () => drawForPaper(false));
