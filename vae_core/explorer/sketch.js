// The widget in which a person draws an image, drops a picture of one, or takes a test image. It knows no network, and
// what is dropped stays in the page.
//
// sketching.widget(host, { shape, placing, tests, texts, onImage }) fills the element `host` and returns
// { clear, take(file), showTest(index) }.
//   shape: [height, width, channels] of an image
//   placing: how the data set places its images, from sketch.py: { box, pen, dark }
//     box: the ink is scaled to fit a square of so many pixels, and its centre of mass is put in the middle, as MNIST
//       was made; null: a picture covers the shape
//     pen: pixels of the image across a stroke
//     dark: the ground is dark, so that a picture on a light ground is inverted
//   tests: { labels: class of each image, class_names, image(i) } of the test images
//   texts: those of sketch.py, by their names
//   onImage(image, how): called with every new image, Float32Array of height * width * channels, 0 to 1, or null once
//     there is none; how: { by: "drawing" }, { by: "picture", name } or { by: "test image", index }

const sketching = (() => {
  "use strict";

  const FULL = 0.8;  // mean ink of the box: MNIST's thickest digits have 0.66
  const MEGAPIXELS = 25, MEGABYTES = 20;
  const SIDE = 512;  // pixels of a picture that are looked at, across its longer side
  const LEAST = 0.05;  // of the square: a smaller drawing, such as a dot, is not enlarged further
  const QUIET_MILLISECONDS = 300;  // before a screen reader is told where the pen is

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // ---- arrays: (height, width) of grey, 0 to 1

  // Which pixels a row of `count` cells covers, from `start` over `length` pixels: pairs of a pixel and its share.
  const cells = (start, length, count, size) => Array.from({ length: count }, (_, i) => {
    const low = start + i * length / count, high = start + (i + 1) * length / count, covered = [];
    for (let pixel = Math.max(0, Math.floor(low)); pixel < Math.min(size, high); pixel++) {
      covered.push([pixel, (Math.min(high, pixel + 1) - Math.max(low, pixel)) * count / length]);
    }
    return covered;
  });

  // The mean of the pixels that each cell covers; what lies outside the picture counts as 0.
  function resized(grey, height, width, { top, left, tall, wide }, rows, columns) {
    const result = new Float32Array(rows * columns), across = cells(left, wide, columns, width);
    cells(top, tall, rows, height).forEach((down, i) => across.forEach((row, j) => {
      for (const [y, share] of down) {
        for (const [x, part] of row) result[columns * i + j] += share * part * grey[width * y + x];
      }
    }));
    return result;
  }

  // The smallest rectangle with all ink; null if there is none.
  function inkBox(grey, height, width) {
    let top = height, bottom = 0, left = width, right = 0;
    grey.forEach((ink, i) => {
      if (ink <= 0) return;
      const y = Math.floor(i / width), x = i % width;
      [top, left] = [Math.min(top, y), Math.min(left, x)];
      [bottom, right] = [Math.max(bottom, y + 1), Math.max(right, x + 1)];
    });
    return bottom ? { top, left, tall: bottom - top, wide: right - left } : null;
  }

  // The pixel at which the ink balances: [row, column], from 0.
  function centreOfMass(grey, width) {
    let mass = 0, row = 0, column = 0;
    grey.forEach((ink, i) => {
      mass += ink;
      row += ink * Math.floor(i / width);
      column += ink * (i % width);
    });
    return [row / mass, column / mass];
  }

  // As MNIST was made: the ink scaled to fit a square of `box` pixels, with its centre of mass within half a pixel of
  // pixel (rows / 2, columns / 2). Nothing is cut off. null: there is no ink.
  // http://yann.lecun.com/exdb/mnist/; that it is pixel 14 of 28, and whole pixels, was measured on MNIST.
  function centred(grey, height, width, [rows, columns], box) {
    const found = inkBox(grey, height, width);
    if (!found) return null;
    const scale = box / Math.max(found.tall, found.wide);
    const [tall, wide] = [found.tall, found.wide].map((length) => Math.ceil(length * scale - 1e-6));
    const ink = resized(grey, height, width, { ...found, tall: tall / scale, wide: wide / scale }, tall, wide);
    const [row, column] = centreOfMass(ink, wide), image = new Float32Array(rows * columns);
    const start = (length, size, mass) => clamp(Math.ceil(length / 2 - mass - 0.5 - 1e-6), 0, length - size);
    const top = start(rows, tall, row), left = start(columns, wide, column);
    ink.forEach((value, i) => { image[columns * (top + Math.floor(i / wide)) + left + i % wide] = value; });
    return image;
  }

  // The largest part of a picture, from its middle, that has the shape's proportions.
  function covering(grey, height, width, [rows, columns]) {
    const scale = Math.max(rows / height, columns / width), tall = rows / scale, wide = columns / scale;
    const part = { top: (height - tall) / 2, left: (width - wide) / 2, tall, wide };
    return resized(grey, height, width, part, rows, columns);
  }

  // ---- strokes: lists of points [x, y]

  function distance(x, y, [ax, ay], [bx, by]) {  // from a point to the line between two others
    const length = (bx - ax) ** 2 + (by - ay) ** 2;
    const share = length ? clamp(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1) : 0;
    return Math.hypot(x - ax - share * (bx - ax), y - ay - share * (by - ay));
  }

  // Ink of a round pen, anti-aliased; points in pixels.
  function inked(strokes, rows, columns, pen) {
    const grey = new Float32Array(rows * columns), reach = pen / 2 + 0.5;
    const first = (a, b) => Math.max(0, Math.floor(Math.min(a, b) - reach));
    const end = (a, b, size) => Math.min(size, Math.ceil(Math.max(a, b) + reach));
    for (const stroke of strokes) stroke.forEach((to, i) => {
      const from = stroke[Math.max(i - 1, 0)];
      for (let y = first(from[1], to[1]); y < end(from[1], to[1], rows); y++) {
        for (let x = first(from[0], to[0]); x < end(from[0], to[0], columns); x++) {
          const ink = clamp(reach - distance(x + 0.5, y + 0.5, from, to), 0, 1), pixel = columns * y + x;
          if (ink > grey[pixel]) grey[pixel] = ink;
        }
      }
    });
    return grey;
  }

  const mapped = (strokes, change) => strokes.map((stroke) => stroke.map((point) => point.map(change)));

  // The image of a drawing, points from 0 to 1; null: nothing is drawn. Small drawings are enlarged, their pen is not.
  function imageOfStrokes(strokes, [rows, columns, channels], { box, pen }) {
    if (!strokes.length) return null;
    const whole = () => inked(mapped(strokes, (value, axis) => value * [columns, rows][axis]), rows, columns, pen);
    if (!box) return repeated(whole(), channels);
    const points = strokes.flat(), ends = [0, 1].map((axis) => points.map((point) => point[axis]));
    const low = ends.map((values) => values.reduce((one, other) => Math.min(one, other)));
    const high = ends.map((values) => values.reduce((one, other) => Math.max(one, other)));
    const scale = (box - pen) / Math.max(high[0] - low[0], high[1] - low[1], LEAST);
    const ink = inked(mapped(strokes, (value, axis) => pen / 2 + scale * (value - low[axis])), box, box, pen);
    const { tall, wide } = inkBox(ink, box, box);
    return repeated(centred(ink, box, box, [rows, columns], Math.max(tall, wide)), channels);
  }

  // The same in every channel; what is no image stays none.
  const repeated = (grey, channels) => grey && interleaved(Array(channels).fill(grey));

  // (height, width) of each channel as (height, width, channels).
  function interleaved(parts) {
    const image = new Float32Array(parts.length * parts[0].length);
    parts.forEach((values, channel) => values.forEach((value, i) => { image[parts.length * i + channel] = value; }));
    return image;
  }

  // ---- pictures: their pixels as a canvas gives them, red, green, blue and opacity

  const middle = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

  // The pixels at the edge of a picture.
  const border = (grey, height, width) => grey.filter((_, i) =>
    i < width || i >= width * (height - 1) || i % width === 0 || i % width === width - 1);

  // What stands out from the ground: 0 on it, 1 at the strongest ink. Shadows as at the edge and JPEG's blots are ground.
  function inkOf(grey, height, width) {
    const edge = border(grey, height, width), ground = middle(edge);
    const shadow = Math.max(0.08, 2 * middle(edge.map((value) => Math.abs(value - ground))));
    const peak = grey.reduce((most, value) => Math.max(most, value)) - ground - shadow;
    return peak < 0.1 ? grey.map(() => 0) : grey.map((value) => Math.max(0, (value - ground - shadow) / peak));
  }

  // The image of a picture; null: it has no ink.
  function imageOfPicture(pixels, height, width, shape, { box, dark }) {
    const colours = [0, 1, 2].map(() => new Float32Array(height * width)), [red, green, blue] = colours;
    colours.forEach((values, channel) => values.forEach((_, i) => { values[i] = pixels[4 * i + channel] / 255; }));
    const grey = red.map((value, i) => 0.299 * value + 0.587 * green[i] + 0.114 * blue[i]);
    const inverted = dark && middle(border(grey, height, width)) > 0.5;
    const light = (values) => inverted ? values.map((value) => 1 - value) : values;
    if (box) return repeated(centred(inkOf(light(grey), height, width), height, width, shape, box), shape[2]);
    return interleaved((shape[2] === 3 ? colours : [grey]).map((values) => covering(light(values), height, width, shape)));
  }

  // What is wrong with a file, by its bytes, one character each; undefined: nothing that they tell.
  function faultOf(bytes) {
    if (/^\W*<(\?xml|!doctype svg|!--|svg)/i.test(bytes)) return "vector";
    const frames = bytes.startsWith("GIF8") && bytes.match(/\x21\xf9\x04[^]{4}\x00[\x21\x2c]/g)?.length;
    const moves = frames > 1 || bytes.slice(1, 4) === "PNG" && bytes.slice(0, bytes.indexOf("IDAT")).includes("acTL")
      || bytes.slice(8, 16) === "WEBPVP8X" && bytes.slice(0, 64).includes("ANIM") || bytes.slice(4, 12) === "ftypavis";
    return moves ? "moving" : undefined;
  }

  // A picture's pixels on white paper: { pixels, height, width }. Throws the name of a text.
  async function read(file) {
    if (file.size > 1e6 * MEGABYTES) throw "large";
    const fault = faultOf(new TextDecoder("latin1").decode(await file.arrayBuffer()));
    if (fault) throw fault;
    const image = new Image(), reader = new FileReader();
    await new Promise((resolve, reject) => {
      reader.onload = () => { image.src = reader.result; };  // as data: the page's policy allows no other source
      image.onload = resolve;
      reader.onerror = image.onerror = reject;
      reader.readAsDataURL(file);
    });
    const { naturalWidth: across, naturalHeight: down } = image;
    if (across * down > 1e6 * MEGAPIXELS) throw "large";  // before it is decoded
    const scale = Math.min(1, SIDE / Math.max(across, down)), canvas = document.createElement("canvas");
    const [width, height] = [across, down].map((length) => Math.max(1, Math.round(length * scale)));
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    Object.assign(context, { fillStyle: "#fff", imageSmoothingQuality: "high" });
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    return { pixels: context.getImageData(0, 0, width, height).data, height, width };
  }

  // ---- the widget

  const made = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
    element.append(...children);
    return element;
  };

  function widget(host, { shape, placing, tests, texts, onImage }) {
    const text = (name) => texts[`sketch.${name}`];
    const [rows, columns, channels] = shape;
    const button = (name) => made("button", { type: "button" }, text(name));
    const canvas = made("canvas", { tabindex: 0, role: "application", "aria-label": text("canvas"),
      "aria-describedby": "sketch-help" });
    const problem = made("p", { class: "problem", role: "alert" }), says = made("p", { class: "help", role: "status" });
    const undo = button("undo"), clear = button("clear"), another = button("another");
    const file = made("input", { type: "file", accept: "image/*" });
    const options = tests.class_names.map((name, i) => made("option", { value: i }, name));
    const kinds = made("select", {}, made("option", { value: "" }, text("anyClass")), ...options);
    host.classList.add("sketch");
    host.replaceChildren(canvas, problem, says, made("div", { class: "buttons" }, undo, clear),
      made("label", {}, text("file"), file),
      made("div", { class: "buttons" }, options.length ? made("label", {}, text("test"), kinds) : text("test"), another),
      made("p", { class: "help", id: "sketch-help" }, text("help")));
    canvas.style.aspectRatio = `${columns} / ${rows}`;

    let strokes = [], shown = null;  // the drawing, or the picture or test image that was taken instead
    let pointer = null;  // the one that draws
    const pen = { at: [0.5, 0.5], down: false, used: false };
    let taken = 0, test = -1, frame = 0, quiet = 0;
    const pressed = new Set();

    function report(image, how, fault) {
      problem.textContent = fault ? text(fault) : "";
      onImage(fault ? null : image, how);
    }

    function sayPen() {
      const [x, y] = pen.at.map((value) => Math.round(100 * value)), said = text(pen.down ? "penDown" : "penUp");
      clearTimeout(quiet);
      quiet = setTimeout(() => { says.textContent = `${said}: ${x}, ${y}`; }, QUIET_MILLISECONDS);
    }

    function drawn() {
      const image = imageOfStrokes(strokes, shape, placing), room = FULL * channels * placing.box ** 2;
      const full = placing.box && image?.reduce((sum, value) => sum + value) > room;
      report(image, { by: "drawing" }, image ? full && "full" : "empty");
    }

    function paint() {
      const width = Math.round(canvas.clientWidth * devicePixelRatio), height = Math.round(width * rows / columns);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
      const context = canvas.getContext("2d");
      context.fillStyle = "#000";
      context.fillRect(0, 0, width, height);
      if (shown) paintImage(context, width, height);
      Object.assign(context, { lineCap: "round", lineJoin: "round", strokeStyle: "#fff" });
      context.lineWidth = width * placing.pen / columns;
      for (const stroke of strokes) {
        context.beginPath();
        stroke.forEach(([x, y], i) => context[i ? "lineTo" : "moveTo"](x * width, y * height));
        if (stroke.length === 1) context.lineTo(stroke[0][0] * width, stroke[0][1] * height);
        context.stroke();
      }
      if (pen.used) paintPen(context, width, height);
    }

    function paintImage(context, width, height) {
      const small = made("canvas", { width: columns, height: rows }), pixels = new ImageData(columns, rows);
      pixels.data.forEach((_, i) => {
        const channel = i % 4, value = shown[channels * Math.floor(i / 4) + channel % channels];
        pixels.data[i] = channel === 3 ? 255 : Math.round(255 * value);
      });
      small.getContext("2d").putImageData(pixels, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, 0, 0, width, height);
    }

    function paintPen(context, width, height) {  // a ring, filled while the pen is down
      Object.assign(context, { lineWidth: 2 * devicePixelRatio, strokeStyle: "#ffa90e", fillStyle: "#ffa90e" });
      context.beginPath();
      context.arc(pen.at[0] * width, pen.at[1] * height, width * placing.pen / columns / 2, 0, 2 * Math.PI);
      context[pen.down ? "fill" : "stroke"]();
    }

    function changed() {  // once in a frame, however fast the pointer is
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        paint();
        drawn();
      });
    }

    function letGo() {
      [pointer, pen.down, pen.used] = [null, false, false];
      clearTimeout(quiet);
      says.textContent = "";
    }

    function begin(at) {
      taken++;
      shown = null;
      strokes.push([at]);
      changed();
    }

    function extend(at) {
      const stroke = strokes.at(-1), last = stroke.at(-1);
      if (Math.hypot(at[0] - last[0], at[1] - last[1]) < 1 / 200) return;  // cannot be told apart in the image
      stroke.push(at);
      changed();
    }

    function undoStroke() {
      if (!strokes.length) return;
      letGo();
      strokes.pop();
      changed();
    }

    function clearAll() {
      taken++;
      letGo();
      [strokes, shown] = [[], null];
      changed();
    }

    function show(image, how) {
      taken++;
      letGo();
      [strokes, shown] = [[], image];
      cancelAnimationFrame(frame);
      frame = 0;
      paint();
      report(image, how);
    }

    async function takePicture(picture) {
      const turn = ++taken;
      let image, fault = "noPicture";
      try {
        if (!picture) throw fault;
        const { pixels, height, width } = await read(picture);
        image = imageOfPicture(pixels, height, width, shape, placing);
        fault = image ? undefined : "blank";
      } catch (error) {
        if (text(error)) fault = error;
      }
      if (turn !== taken) return;  // something else was drawn or taken meanwhile
      if (fault) problem.textContent = text(fault);  // and what was there stays
      else show(image, { by: "picture", name: picture.name });
    }

    function showTest(index) {
      test = index;
      show(tests.image(index), { by: "test image", index });
    }

    function nextTest() {  // of the chosen class
      const count = tests.labels.length;
      for (let step = 1; step <= count; step++) {
        const index = (test + step) % count;
        if (kinds.value === "" || tests.labels[index] === Number(kinds.value)) return showTest(index);
      }
    }

    // ---- pointers

    const place = ({ clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      return [clamp((clientX - box.left) / box.width, 0, 1), clamp((clientY - box.top) / box.height, 0, 1)];
    };

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || pointer !== null) return;  // a second finger does not draw
      letGo();  // of the keyboard's pen
      pointer = event.pointerId;
      canvas.setPointerCapture(pointer);
      begin(place(event));
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== pointer) return;
      for (const step of event.getCoalescedEvents?.() ?? []) extend(place(step));
      extend(place(event));
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, (event) => { if (event.pointerId === pointer) pointer = null; });
    }

    // ---- keys

    const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

    function movePen(step) {
      const moves = [...pressed].map((key) => ARROWS[key]);
      const sum = (axis) => moves.reduce((total, move) => total + move[axis], 0);
      pen.at = pen.at.map((value, axis) => clamp(value + step * sum(axis), 0, 1));
      if (pen.down) extend(pen.at);
    }

    canvas.addEventListener("keydown", (event) => {
      if (event.altKey || event.metaKey || event.ctrlKey && event.key !== "z") return;  // the browser's own keys
      if (event.key in ARROWS) {
        pressed.add(event.key);
        movePen(event.shiftKey ? 0.1 : 0.02);
      } else if (event.key === " ") {
        if (!event.repeat) pen.down = !pen.down;
        if (!event.repeat && pen.down) begin(pen.at);
      } else if (event.key === "Backspace" || event.ctrlKey) undoStroke();
      else if (event.key === "Delete") clearAll();
      else return;
      event.preventDefault();
      pen.used = true;
      paint();
      sayPen();
    });
    canvas.addEventListener("keyup", (event) => pressed.delete(event.key));
    canvas.addEventListener("blur", () => pressed.clear());

    // ---- files

    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => event.preventDefault());  // else the browser leaves the page for the file
    host.addEventListener("drop", (event) => takePicture(event.dataTransfer.files[0]));
    file.addEventListener("change", () => {
      if (file.files.length) takePicture(file.files[0]);
      file.value = "";  // so that the same one can be chosen again
    });

    undo.addEventListener("click", undoStroke);
    clear.addEventListener("click", clearAll);
    another.addEventListener("click", nextTest);
    kinds.addEventListener("change", nextTest);
    new ResizeObserver(paint).observe(canvas);
    return { clear: clearAll, take: takePicture, showTest };
  }

  return { centred, covering, inked, imageOfStrokes, imageOfPicture, widget };
})();
