// The image: chosen, dropped, pasted or taken, read once, and shown as its EXIF orientation says.

import { bytes, element } from "./text.js";

const byId = (id) => document.getElementById(id);
const SERVED_TYPE = /^image\/[\w.+-]+$/;
let shownUrl = "";

/** An image as it is sent: a file's bytes, its name, its type, and whether it is a file of the caller's disk. */
async function read(file, isOnDisk) {
  const type = SERVED_TYPE.test(file.type) ? file.type : "application/octet-stream";
  return { name: file.name, type, isOnDisk, content: await file.arrayBuffer() };
}

/** Call back with every image that is given to the page, or with a sentence about why there is none. */
export function onImage(callback, refuse) {
  const take = async (files, isOnDisk = true) => {
    if (!files.length) return;
    try {
      const note = files.length > 1 ? `Of ${files.length} files the first was taken.` : "";
      callback(await read(files[0], isOnDisk), note);
    } catch {
      refuse(`${files[0].name} cannot be read; it may have been moved or changed.`);
    }
  };
  for (const id of ["file", "capture"]) {
    byId(id).addEventListener("change", ({ target }) => {
      const files = [...target.files];
      target.value = ""; // so that the same file can be chosen again
      take(files, id === "file");
    });
  }
  document.addEventListener("paste", ({ clipboardData }) => take([...(clipboardData?.files ?? [])], false));
  listenToDrops(take, refuse);
  return (file) => take([file], false);
}

function listenToDrops(take, refuse) {
  const mark = (isOver) => byId("drop").classList.toggle("over", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) mark(false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const { files, items } = event.dataTransfer;
    if ([...items].some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
      refuse("That is a folder. Drop one image here; graft predict takes whole folders.");
    } else if (!files.length) {
      refuse("What was dropped is not a file. Save the image first, then drop it here.");
    } else {
      take([...files]);
    }
  });
}

/** Show an image, and say so if this browser cannot. */
export function showImage(photo) {
  URL.revokeObjectURL(shownUrl);
  shownUrl = URL.createObjectURL(new Blob([photo.content], { type: photo.type }));
  const image = byId("image");
  image.onload = () => showPreview(true);
  image.onerror = () => showPreview(false);
  image.alt = `The image ${photo.name}`;
  image.src = shownUrl;
  byId("file-name").textContent = photo.name;
  byId("no-preview").textContent = `This browser cannot show ${photo.name}.`;
  byId("file-size").textContent = bytes(photo.content.byteLength);
  Object.assign(byId("save"), { href: shownUrl, download: photo.name, hidden: photo.isOnDisk });
}

function showPreview(isShown) {
  byId("preview").hidden = !isShown;
  byId("no-preview").hidden = isShown;
}

export function hideImage() {
  byId("preview").hidden = true;
  byId("no-preview").hidden = true;
}

/** Say what files the chosen version takes; `input` is its manifest's `image_input`. */
export function showAccepted(card, maxBodyBytes) {
  const input = card?.image_input;
  const served = card?.target?.encodings;
  const kinds = input?.encodings?.filter((kind) => !served || served.includes(kind)).map((kind) => kind.toUpperCase());
  const sentences = [];
  if (kinds?.length) sentences.push(`${kinds.join(", ")}.`);
  if (maxBodyBytes) sentences.push(`At most ${bytes(maxBodyBytes)}${input ? ` and ${Math.round(input.max_pixels / 1e6)} megapixels` : ""}.`);
  byId("accepted").replaceChildren(element("span", { text: sentences.join(" ") }));
}
