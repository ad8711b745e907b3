// 24 draws from the prior, or from q(z|x) of the followed image, decoded.

const SAMPLES = 24, SAMPLE_COLUMNS = 8;
let drawing = 0;  // how often somebody has drawn: the seed

// Latent points: at every weight with the same noise, until somebody draws again.
function samplesOf(model) {
  const noise = normals(2 * SAMPLES, state.samples.seed);
  return Array.from({ length: SAMPLES }, (_, i) => noise.subarray(2 * i, 2 * i + 2)).map((one) =>
    (state.samples.of === "prior" ? toModel(model, one) : drawOf(model, state.image, one)));
}

function drawSamples() {
  const { samples } = state, canvas = element("samples");
  canvas.hidden = !samples;
  element("no-samples").disabled = !samples;
  element("samples-caption").textContent = samples
    ? text(`samples.caption.${samples.of}`, { number: testNumbers[state.image ?? 0] }) : "";
  if (samples) drawGrid(canvas, samplesOf(now).map((z) => decode(now, ...z)), SAMPLE_COLUMNS);
}

const sample = (of) => change({ samples: { of, seed: ++drawing } });

draws(["image"], () => { if (state.image === null && state.samples?.of === "posterior") change({ samples: null }); });
draws(["weight", "samples", "image"], drawSamples);
element("sample-prior").addEventListener("click", () => sample("prior"));
element("sample-posterior").addEventListener("click", () => {
  if (state.image === null) follow();
  if (state.image !== null) sample("posterior");
});
element("no-samples").addEventListener("click", () => change({ samples: null }));
