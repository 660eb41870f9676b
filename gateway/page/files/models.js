// Which models and versions there are, and which of them is chosen.

import { hasKey } from "./api.js";
import { cardLink } from "./result.js";
import { element } from "./text.js";

const AVAILABLE = "AVAILABLE";
const modelSelect = document.getElementById("model");
const versionSelect = document.getElementById("version");
let models = [];

/** Show the models of `GET /v1/models`; what was chosen stays so if it is still there. */
export function showModels(listed) {
  models = listed;
  fill(modelSelect, models.map(({ name }) => ({ value: name, text: name })), modelSelect.value);
  showVersions(versionSelect.value);
  document.getElementById("models").replaceChildren(...models.flatMap(rowsOf));
}

/** Return the chosen model, and its chosen version, which is empty for the newest one. */
export function chosen() {
  return { model: modelSelect.value, version: versionSelect.value };
}

/** Return whether the list has this version. */
export function isListed(model, version) {
  return models.some(({ name, versions }) => name === model && versions.some((each) => each.version === version));
}

export function newestOf(model) {
  const served = versionsOf(model).filter(({ state }) => state === AVAILABLE);
  return served[0]?.version;
}

/** Call back when another model or version was chosen. */
export function onChoice(callback) {
  modelSelect.addEventListener("change", () => {
    showVersions("");
    callback();
  });
  versionSelect.addEventListener("change", callback);
}

function versionsOf(model) {
  const found = models.find(({ name }) => name === model)?.versions ?? [];
  // an int64, which a number here cannot hold
  return [...found].sort((one, other) => (BigInt(other.version) > BigInt(one.version) ? 1 : -1));
}

function showVersions(selected) {
  const newest = newestOf(modelSelect.value);
  const options = [{ value: "", text: newest === undefined ? "newest" : `newest (${newest})` }];
  for (const { version, state } of versionsOf(modelSelect.value)) {
    const isServed = state === AVAILABLE;
    options.push({ value: version, text: isServed ? version : `${version} (${state.toLowerCase()})`, disabled: !isServed });
  }
  fill(versionSelect, options, selected);
}

function fill(select, options, selected) {
  select.replaceChildren(
    ...options.map(({ value, text, disabled }) => Object.assign(document.createElement("option"), { value, text, disabled: disabled ?? false })),
  );
  if (options.some(({ value, disabled }) => value === selected && !disabled)) select.value = selected;
}

function rowsOf(model) {
  const versions = versionsOf(model.name);
  if (!versions.length) {
    return [element("tr", {}, nameCell(model), element("td", { text: model.reason ?? "no version", colspan: "4" }))];
  }
  return versions.map((version) => rowOf(model, version));
}

function nameCell(model) {
  return element("th", { scope: "row" }, element("bdi", { text: model.name }));
}

function rowOf(model, { version, state, failed, architecture, labels }) {
  const number = element("td");
  const hasCard = state === AVAILABLE && architecture && !hasKey();
  number.append(hasCard ? cardLink(model.name, version, version) : version);
  return element(
    "tr",
    {},
    nameCell(model),
    number,
    element("td", { text: failed ? `${state}, failed` : state }),
    element("td", { text: architecture ?? "" }),
    element("td", { className: "number", text: labels ? String(labels.length) : "" }),
  );
}
