"use strict";
// No framework, no request: the data stand in the page, and everything from them goes in as text or pixels. Each element
// of data has a checksum, so that a damaged number is never shown.

const element = (id) => document.getElementById(id);

class Damaged extends Error {}

const fail = (text) => { element("failure").textContent = text; };
// A resize that comes late is an "error" without an error.
addEventListener("error", ({ error }) => { if (error) fail(element("failure").dataset.stopped); });
addEventListener("unhandledrejection", () => fail(element("failure").dataset.stopped));

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? 0xedb88320 ^ (byte >>> 1) : byte >>> 1;
  return byte;
});

function checksum(text) {  // CRC-32; the text is ASCII
  let crc = -1;
  for (let i = 0; i < text.length; i++) crc = CRC[(crc ^ text.charCodeAt(i)) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

function payload(id) {
  const { textContent: text, dataset } = element(id);
  if (checksum(text) !== Number(dataset.checksum)) throw new Damaged(id);
  return JSON.parse(text);
}

// Deflated, in base64. A loop: Uint8Array.from with a function takes ten times as long.
async function unpacked(text) {
  const characters = atob(text), bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Whole numbers between the least and the largest value of each column.
async function numbers({ packed, rows, low, step }) {
  const planes = await unpacked(packed), size = planes.length / 2;  // low bytes, then high bytes
  const result = new Float32Array(size), columns = size / rows;
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      result[i] = low[column] + step[column] * (planes[i] + 256 * planes[size + i]);
    }
  }
  return result;
}

const data = payload("data");
const [HEIGHT, WIDTH, CHANNELS] = data.image_shape, PIXELS = HEIGHT * WIDTH * CHANNELS;
