// What is known of a prediction: labels with bars, the version, and how good it was in its test.

import { cardPath, hasKey } from "./api.js";
import { element, percent } from "./text.js";

const byId = (id) => document.getElementById(id);

/** Say what happens, to screen readers too; `isSeen` is false where the page shows the same in another way. */
export function showStatus(sentence, isSeen = true) {
  byId("status").textContent = sentence;
  byId("status").classList.toggle("unseen", !isSeen);
}

export function showWaiting(isWaiting) {
  byId("progress").hidden = !isWaiting;
  byId("result").setAttribute("aria-busy", String(isWaiting));
}

export function hideResult() {
  byId("result").hidden = true;
}

/** Show an error in the gateway's words, and a note of the page's own. */
export function showProblem(problem, note = "") {
  const place = byId("problem");
  place.replaceChildren(
    element("strong", { text: problem.title ?? "This did not work" }),
    element("p", { text: problem.message }),
  );
  if (note) place.append(element("p", { text: note }));
  const known = [problem.code, problem.requestId && `request ${problem.requestId}`].filter(Boolean);
  if (known.length) place.append(element("p", { className: "small", text: known.join(", ") }));
  place.hidden = false;
  bringIntoView(place);
}

/** On a phone what is new may be below the screen's edge. */
function bringIntoView(place) {
  place.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

export function hideProblem() {
  byId("problem").hidden = true;
}

/** Show a response of the predict API; `card` is the manifest of its version, undefined if it could not be read. */
export function showPrediction(response, card, milliseconds) {
  const { label, probability, top } = response.predictions[0];
  byId("label").replaceChildren(element("bdi", { text: label }), " ", element("span", { text: percent(probability) }));
  byId("bars").replaceChildren(...top.map(barOf));
  byId("facts").replaceChildren(...factsOf(response, card, milliseconds));
  byId("result").hidden = false;
  bringIntoView(byId("bars"));
  showStatus(`${label}, ${percent(probability)}: ${response.model}, version ${response.version}, in ${milliseconds} ms`, false);
}

function barOf({ label, probability }) {
  const fill = element("i", { "aria-hidden": "true" });
  fill.style.setProperty("--share", String(probability));
  return element("li", {}, element("bdi", { text: label }), element("span", { text: percent(probability) }), fill);
}

function factsOf(response, card, milliseconds) {
  const version = element("dd", { text: `${response.model} ${response.version}` });
  if (!hasKey()) version.append(" ", cardLink(response.model, response.version));
  return [
    element("dt", { text: "Version" }),
    version,
    element("dt", { text: "Accuracy" }),
    element("dd", { text: accuracyOf(card) }),
    element("dt", { text: "Time" }),
    element("dd", { text: `${milliseconds} ms` }),
    element("dt", { text: "Digest" }),
    element("dd", {}, element("code", { text: response.digest })),
  ];
}

/** A browser sends no key with a link, so there is one only where none is needed. */
export function cardLink(model, version, text = "card") {
  const name = `${text}: card of ${model}, version ${version}`;
  return element("a", { text, href: cardPath(model, version), "aria-label": name });
}

function accuracyOf(card) {
  if (!card) return "could not be read";
  const test = card.metrics?.test;
  if (typeof test?.accuracy !== "number") return "not recorded in this version";
  const [low, high] = test.accuracy_interval ?? [];
  const interval = low === undefined ? "" : `; 95\u00a0% interval ${percent(low)} to ${percent(high)}`;
  return `${percent(test.accuracy)} of ${test.images} test images${interval}`;
}
