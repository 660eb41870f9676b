// The command that is shown, and copying it.

import { curlCommand } from "./curl.js";

const byId = (id) => document.getElementById(id);
const COPIED_MILLISECONDS = 2000;

/** Show the command of a request. */
export function showCommand({ isOnDisk, withKey, ...request }) {
  byId("curl").textContent = curlCommand({ ...request, withKey });
  const where = isOnDisk ? "Run it in the folder of the image." : "Save the image, and run it in that folder.";
  byId("curl-note").textContent = withKey ? `${where} KEY is the variable with the key.` : where;
  byId("request").hidden = false;
}

export function setUpCopying() {
  const button = byId("copy");
  button.addEventListener("click", async () => {
    const isCopied = await copied(byId("curl"));
    button.textContent = isCopied ? "Copied" : "Select it and copy";
    setTimeout(() => (button.textContent = "Copy"), COPIED_MILLISECONDS);
  });
}

async function copied(place) {
  try {
    await navigator.clipboard.writeText(place.textContent);
    return true;
  } catch {
    // there is no clipboard over plain http on another machine; then the text is selected and copied as by hand
    getSelection().selectAllChildren(place);
    return document.execCommand("copy");
  }
}
