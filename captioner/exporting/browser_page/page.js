import { arrange, entryOf, makeCard, show, tellOfEdits } from "./cards.js";
import { Engine } from "./engine.js";
import { keepOffline } from "./offline.js";
import { csvOf, jsonLinesOf, sidecarsOf } from "./parts/caption_files.js";
import { announce, count, find } from "./parts/dom.js";
import { BYTE_ORDER_MARK, save } from "./parts/downloads.js";
import { listen } from "./parts/intake.js";
import { showProgress } from "./parts/progress.js";
import { Queue } from "./parts/queue.js";
import { makeSettings, readSettings } from "./parts/settings.js";
import { forgetAll } from "./parts/thumbnails.js";
import { zip } from "./parts/zip.js";

const AT_ONCE = 2;  // photos: one is decoded while the other is captioned

find("unstarted").remove();  // all modules are here
const engine = new Engine(showLoading);
const queue = new Queue({ atOnce: AT_ONCE, changed, say, show,
  caption: (file, signal) => engine.caption(file, settings, signal) });
const files = new Set(), names = new Set();  // of the photos that are here
let settings = {}, isUnsaved = false;

function say(problem) { find("problem").textContent = problem; }

const megabytes = (bytes) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);

function showLoading(loaded, total) {
  find("loaded").max = total;
  find("loaded").value = loaded;
  find("loaded-text").textContent = `${megabytes(loaded)} of ${megabytes(total)} MB`;
}

function changed() {
  showProgress(queue);
  const entries = queue.cards.map(entryOf);
  find("csv").disabled = find("zip").disabled = !entries.some(({ text }) => text);
  find("jsonl").disabled = find("csv").disabled && !queue.number("failed");
  const isIdle = !queue.number("waiting") && !queue.number("working");
  // Not under the hands of someone who is at a card.
  if (isIdle && find("order").value === "unsure" && !find("cards").matches(":focus-within")) sort();
}

function sort() { arrange(queue.cards, find("order").value); }

// Photos

// Which files of a folder are pictures. HEIC is among them even where this browser cannot read it,
// so that its card says so.
const isPicture = ({ file, name }) => (file.type.startsWith("image/") && file.type !== "image/svg+xml")
  || /\.(hei[cf]s?|hif)$/i.test(name);

function add(chosen) {
  const fresh = chosen.filter(({ file, name }) => isNew(`${name}|${file.size}|${file.lastModified}`));
  const cards = fresh.map(({ file, name }) => makeCard(file, freeName(name)));
  find("cards").className = queue.cards.length + cards.length === 1 ? "single" : "";
  if (cards.length) for (const each of find("cards").querySelectorAll("details")) each.open = false;
  queue.add(cards);
  find("cards").append(...cards.map((card) => card.element));
  queue.start();
  const again = chosen.length - fresh.length;
  announce(`${count(fresh.length, "photo")} added` + (again ? `, ${again} here already` : ""));
}

function isNew(key) {
  if (files.has(key)) return false;
  files.add(key);
  return true;
}

// Pasted photos are all called image.png, and two files of one name would be one in a caption file.
function freeName(name) {
  const [, stem, ending] = /^(.*?)(\.[^./]*)?$/s.exec(name);
  let free = name;
  for (let number = 2; names.has(free); number += 1) free = `${stem} (${number})${ending ?? ""}`;
  names.add(free);
  return free;
}

function removeAll() {
  if (isUnsaved && !confirm("The captions edited by hand are not downloaded yet. Remove them, too?")) return;
  isUnsaved = false;
  forgetAll();
  queue.clear();
  files.clear();
  names.clear();
  find("cards").replaceChildren();
  find("legend").hidden = true;
  find("choose").focus();
}

// Downloads

function download(parts, name, type) {
  save(parts, name, type);
  isUnsaved = false;
  say("");
}

const endedEntries = () => queue.cards.filter((card) => card.answer.captions || card.answer.error || card.edit).map(entryOf);

function downloadZip() {
  const { files: texts, refused } = sidecarsOf(endedEntries());
  download(zip(texts), "captions.zip", "application/zip");
  if (refused.length) say(`Not in the archive: ${refused.join("; ")}`);
}

// The page as a whole

find("stop").addEventListener("click", () => { if (queue.isStopped) queue.start(); else queue.stop(); });
find("csv").addEventListener("click", () => download([BYTE_ORDER_MARK, csvOf(endedEntries())], "captions.csv", "text/csv"));
find("jsonl").addEventListener("click", () => download([jsonLinesOf(endedEntries())], "captions.jsonl", "application/jsonl"));
find("zip").addEventListener("click", downloadZip);
find("clear").addEventListener("click", removeAll);
find("order").addEventListener("change", sort);
addEventListener("beforeunload", (event) => { if (isUnsaved) event.preventDefault(); });
tellOfEdits(() => { isUnsaved = true; changed(); });
listen(add, isPicture);

engine.opened.then(showEngine, (error) => say(error.message)).finally(() => {
  find("loading").hidden = true;
  keepOffline();  // only now, so that what it keeps is taken from the browser's cache
});

function showEngine(about) {
  find("model").textContent = about.name;
  find("ordering").hidden = !about.has_confidence;
  find("options").hidden = false;
  makeSettings(about.settings, { changed: () => { settings = readSettings(about.settings); },
    captionAgain: () => queue.again() });
}
