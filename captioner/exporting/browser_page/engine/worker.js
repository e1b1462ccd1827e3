// The engine in a thread of its own: new Worker("engine/worker.js", { type: "module" }).
//
// It takes these messages:
//   { type: "open", folder }                   the model, as a path from the site's folder: "model/"
//   { type: "caption", id, file, settings }    a File or Blob; settings that are missing are the model's
//   { type: "cancel", id }                     no answer is wanted any more, and none comes
// and sends these:
//   { type: "progress", loaded, total }        bytes of the model and of what runs it
//   { type: "opened", about }                  see Captioner.about
//   { type: "failed", error }                  the model cannot be opened
//   { type: "captioned", id, captions, milliseconds }
//   { type: "error", id, error }               one line, without the file's name
// Photos are captioned one after the other, in the order in which they came.

import { Captioner } from "./captioner.js";
import { fetchFiles, fetchJson } from "./files.js";
import { readPicture } from "./pictures.js";
import { PROGRAM } from "./runtime.js";

const SITE = new URL("../", import.meta.url);
const NETWORKS = ["encode", "start", "step"];

let captioner;
let isWorking = false;
const waiting = new Map(); // the messages not yet answered, by id

self.addEventListener("message", ({ data }) => {
  if (data.type === "open") open(data.folder);
  if (data.type === "cancel") waiting.delete(data.id);
  if (data.type === "caption") {
    waiting.set(data.id, data);
    work();
  }
});

async function open(folder) {
  try {
    const manifest = await fetchJson(new URL(`${folder}manifest.json`, SITE));
    const paths = [PROGRAM, ...NETWORKS.map((name) => `${folder}${name}.tflite`)];
    const [program, encode, start, step] = await fetchFiles(SITE, paths,
      (loaded, total) => self.postMessage({ type: "progress", loaded, total }));
    captioner = await Captioner.open(program, manifest, { encode, start, step });
    self.postMessage({ type: "opened", about: captioner.about });
    work();
  } catch (error) {
    self.postMessage({ type: "failed", error: lineOf(error) });
  }
}

async function work() {
  if (isWorking || !captioner) return;
  isWorking = true;
  for (let [next] = waiting; next; [next] = waiting) {
    const [id, message] = next;
    const answer = await answerTo(message);
    if (waiting.delete(id)) self.postMessage(answer); // else it was cancelled meanwhile
  }
  isWorking = false;
}

async function answerTo({ id, file, settings }) {
  try {
    const start = performance.now();
    const search = captioner.settings(settings ?? {});
    const pixels = await readPicture(file, captioner.about.picture_size);
    const image = await captioner.encode(pixels);
    await otherMessages(); // it may be cancelled
    const captions = waiting.has(id) ? await captioner.decode(image, search) : [];
    return { type: "captioned", id, captions, milliseconds: performance.now() - start };
  } catch (error) {
    return { type: "error", id, error: lineOf(error) };
  }
}

/** Lets messages be heard that have come meanwhile. */
function otherMessages() { return new Promise((resolve) => { setTimeout(resolve); }); }

function lineOf(error) { return String(error?.message ?? error).replace(/\s+/g, " ").trim(); }
