// A photo from the camera: the phone's own app where there is one, else a stream in a dialog.

const byId = (id) => document.getElementById(id);
const QUALITY = 0.92;

/** Let the button take photos; each is handed on as a file, and what goes wrong as a sentence. */
export function setUpCamera(take, refuse) {
  const dialog = byId("camera-dialog");
  const video = byId("video");
  // a stream needs https or this machine; without it the file chooser offers the camera on phones
  const hasStream = Boolean(navigator.mediaDevices?.getUserMedia) && !matchMedia("(pointer: coarse)").matches;

  byId("camera").addEventListener("click", async () => {
    if (!hasStream) {
      byId("capture").click();
      return;
    }
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      dialog.showModal();
    } catch (error) {
      refuse(sentenceFor(error));
    }
  });
  video.addEventListener("loadeddata", () => (byId("shoot").disabled = false));
  byId("shoot").addEventListener("click", async () => {
    const photo = await photoOf(video);
    dialog.close();
    take(photo);
  });
  byId("camera-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
    byId("shoot").disabled = true;
  });
}

async function photoOf(video) {
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0);
  const content = await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY });
  return new File([content], "photo.jpg", { type: "image/jpeg" });
}

function sentenceFor(error) {
  if (error.name === "NotAllowedError") return "The browser does not let this page use the camera. Allow it, or choose a file.";
  if (error.name === "NotFoundError") return "There is no camera. Choose a file instead.";
  return `The camera cannot be used: ${error.message}`;
}
