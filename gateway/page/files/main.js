// The page: an image and a version in, labels out. Every other file has one part of it.

import { Problem, addressOf, cardPath, hasKey, predictPath, request, useKey } from "./api.js";
import { setUpCamera } from "./camera.js";
import { setUpCopying, showCommand } from "./command.js";
import { loadHeatmap, offerHeatmap, offersHeatmap } from "./heatmap.js";
import { chosen, isListed, newestOf, onChoice, showModels } from "./models.js";
import { hideImage, onImage, showAccepted, showImage } from "./photo.js";
import { hideProblem, hideResult, showPrediction, showProblem, showStatus, showWaiting } from "./result.js";

const keyForm = document.getElementById("key-form");
const HEIC = /^image\/hei[cf]$|\.hei[cf]$/i;
const HEIC_NOTE = "An iPhone takes JPEG with Settings, Camera, Formats, Most Compatible; photos that it shares are JPEG already.";
const RELOAD_MILLISECONDS = 3000;
const NEEDS_KEY = new Set([401, 403]);
const cards = new Map(); // by the path of the card
let maxBodyBytes = 0;
let reloading = 0;
let photo = null;
let running = new AbortController();

/** Load the list of models, and say what the chosen one takes. */
async function loadModels() {
  try {
    const listed = await request("v1/models");
    maxBodyBytes = listed.max_body_bytes;
    cards.clear();
    showModels(listed.models);
    keyForm.hidden = !hasKey();
    clearTimeout(reloading);
    if (listed.models.some(({ available }) => !available)) reloading = setTimeout(loadModels, RELOAD_MILLISECONDS);
    await describeChoice();
    return true;
  } catch (error) {
    report(error);
    return false;
  }
}

async function describeChoice() {
  const { model, version } = chosen();
  const card = await cardOf(model, version || newestOf(model));
  const now = chosen();
  if (now.model === model && now.version === version) showAccepted(card, maxBodyBytes);
}

/** Return a version's manifest, undefined if there is none to be had. */
async function cardOf(model, version) {
  if (!version) return undefined;
  const path = cardPath(model, version);
  if (!cards.has(path)) {
    const card = await request(path).catch(() => undefined);
    if (card) cards.set(path, card);
  }
  return cards.get(path);
}

/** Predict the image with the chosen version; whatever was running before is given up. */
async function predict(note = "") {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const { model, version } = chosen();
  if (!photo || !model) return;
  hideProblem();
  offerHeatmap(null);
  showRequest(model, version);
  showWaiting(true);
  showStatus(`Waiting for the prediction of ${photo.name}. ${note}`);
  const started = performance.now();
  try {
    const response = await send(predictPath(model, version), signal);
    const milliseconds = Math.round(performance.now() - started);
    const card = await cardOf(response.model, response.version);
    if (signal.aborted) return;
    showPrediction(response, card, milliseconds);
    const { content } = photo;
    offerHeatmap(offersHeatmap(card) ? () => loadHeatmap(response.model, response.version, content, signal) : null, report);
    if (!isListed(response.model, response.version)) await loadModels();
  } catch (error) {
    if (signal.aborted) return;
    hideResult();
    report(error);
  } finally {
    if (!signal.aborted) showWaiting(false);
  }
}

async function send(path, signal) {
  const { content, type } = photo;
  if (maxBodyBytes && content.byteLength > maxBodyBytes) {
    const detail = `The body has ${content.byteLength} bytes; at most ${maxBodyBytes} are accepted.`;
    throw new Problem(413, { title: "The body is too large", detail, code: "body_too_large" });
  }
  return request(path, { method: "POST", headers: { "Content-Type": type }, body: content, signal });
}

function showRequest(model, version) {
  const { name, type, isOnDisk } = photo;
  showCommand({ address: addressOf(predictPath(model, version)), name, type, isOnDisk, withKey: hasKey() });
}

function report(error) {
  if (!(error instanceof Problem)) throw error;
  const isHeic = error.code === "unsupported_image" && (HEIC.test(photo?.type) || HEIC.test(photo?.name));
  showProblem(error, isHeic ? HEIC_NOTE : "");
  showStatus("There is no prediction.");
  if (NEEDS_KEY.has(error.status)) {
    keyForm.hidden = false;
    document.getElementById("key").focus();
  }
}

function refuse(sentence) {
  running.abort();
  showWaiting(false);
  showProblem(new Problem(0, { title: "No image", detail: sentence }));
}

keyForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = document.getElementById("key");
  if (/[^\x21-\x7e]/.test(given.value.trim())) {
    showProblem(new Problem(0, { title: "The key cannot be sent", detail: "A key has only letters, digits and signs of ASCII." }));
    return;
  }
  useKey(given.value);
  given.value = "";
  hideProblem();
  if (await loadModels()) await predict();
});

const take = onImage((given, note) => {
  photo = given;
  hideImage();
  hideResult();
  showImage(photo);
  predict(note);
}, refuse);
setUpCamera(take, refuse);
setUpCopying();
onChoice(() => {
  describeChoice();
  predict();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) loadModels();
});
loadModels();
