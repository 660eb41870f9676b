// The gateway's API. Addresses are relative to the page's, so that it works behind a path prefix.

const KEY = "graft-key";
let key = "";
try {
  key = sessionStorage.getItem(KEY) ?? "";
} catch {
  // storage may be forbidden; then the key is kept by this page alone
}

/** An error in the gateway's own words. */
export class Problem extends Error {
  constructor(status, { title, detail, code, request_id: requestId } = {}) {
    super(detail);
    Object.assign(this, { status, title, code, requestId });
  }
}

export function hasKey() {
  return key !== "";
}

/** Use a key or token from now on; an empty one forgets it. */
export function useKey(given) {
  key = given.trim();
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    // as above
  }
}

export function addressOf(path) {
  return new URL(path, document.baseURI).href;
}

/** The path of a request for the prediction of an image; without `version` it is the newest one. */
export function predictPath(model, version) {
  const query = version ? `?version=${encodeURIComponent(version)}` : "";
  return `v1/models/${encodeURIComponent(model)}/predict${query}`;
}

export function cardPath(model, version) {
  return `v1/models/${encodeURIComponent(model)}/card?version=${encodeURIComponent(version)}`;
}

/** Return the JSON of a response; throw a Problem if it is an error or there is none. */
export async function request(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (key) headers.Authorization = `Bearer ${key}`;
  let response;
  try {
    response = await fetch(addressOf(path), { ...options, headers, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "No response", detail: "The gateway cannot be reached. Is it running?" });
  }
  const content = await response.json().catch(() => null);
  if (response.ok && content !== null) return content;
  throw problemOf(response, content);
}

function problemOf(response, content) {
  if (typeof content?.detail === "string") return new Problem(response.status, content);
  const said = typeof content?.error === "string" ? content.error : `${response.status} ${response.statusText}`;
  return new Problem(response.status, { title: "The request failed", detail: `The server responded: ${said.trim()}` });
}
