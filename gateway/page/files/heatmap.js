// Where the prediction comes from, for versions with the signature `heatmap`: docs/published-version.md.

import { request } from "./api.js";

const SIGNATURE = "heatmap";
const canvas = document.getElementById("heatmap");
const choice = document.getElementById("heatmap-choice");
const box = document.getElementById("heatmap-shown");
let draw = null;

export function offersHeatmap(card) {
  return Boolean(card?.signatures?.[SIGNATURE]);
}

/** Offer the heatmap of an image, or take the offer back if `load` is null; it is requested when it is first wanted. */
export function offerHeatmap(load, refuse) {
  draw = load && once(async () => paint(await load()));
  choice.hidden = draw === null;
  canvas.hidden = true;
  show(refuse);
  box.onchange = () => show(refuse);
}

async function show(refuse) {
  const wanted = draw;
  try {
    if (wanted && box.checked) await wanted();
    if (wanted === draw) canvas.hidden = !(wanted && box.checked);
  } catch (error) {
    box.checked = false;
    if (wanted === draw && error.name !== "AbortError") refuse(error);
  }
}

function once(make) {
  let made = null;
  return () => (made ??= make());
}

/** Return a version's heatmap of an image, by the Open Inference Protocol with a binary tensor. */
export async function loadHeatmap(model, version, content, signal) {
  const head = new TextEncoder().encode(
    JSON.stringify({
      parameters: { signature_name: SIGNATURE },
      inputs: [{ name: "image_bytes", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 4 + content.byteLength } }],
    }),
  );
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, content.byteLength, true);
  const path = `v2/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(version)}/infer`;
  const headers = { "Content-Type": "application/octet-stream", "Inference-Header-Content-Length": String(head.byteLength) };
  const response = await request(path, { method: "POST", headers, body: new Blob([head, length, content]), signal });
  return response.outputs.find(({ name }) => name === SIGNATURE);
}

/** Paint values of 0 to 1, [1, rows, columns], over the whole image; the browser smooths what it enlarges. */
function paint({ shape: [, rows, columns], data }) {
  Object.assign(canvas, { width: columns, height: rows });
  const pixels = new ImageData(columns, rows);
  data.forEach((value, at) => pixels.data.set(colourOf(value), 4 * at));
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function colourOf(value) {
  const heat = Math.min(Math.max(value, 0), 1);
  return [255, Math.round(220 * (1 - heat)), 0, Math.round(200 * heat)];
}
