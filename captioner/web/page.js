"use strict";
const about = JSON.parse(document.getElementById("about").textContent);
const AT_ONCE = 4;  // requests
const THUMBNAIL = 800;  // pixels of the longer side
const PAUSE = 400;  // milliseconds after a change of a setting
const LABELS = { n_best: "Captions", no_repeat_ngram: "No repeated N words", no_repeat_word: "No repeated word" };
const STARTING_VALUES = { n_best: 3 };  // unlike the model's own, which scripts get

const cards = [];
let running = 0, isStopped = false, control = new AbortController(), query;

const find = (id) => document.getElementById(id);
function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
const percent = (share) => `${Math.round(100 * share)} %`;
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
const isPicture = (name) => about.endings.includes(name.slice(name.lastIndexOf(".")).toLowerCase());
function announce(text) { find("announcement").textContent = text; }

// Settings

function makeSettings() {
  for (const setting of about.settings) {
    const id = `setting-${setting.name}`, value = STARTING_VALUES[setting.name] ?? "";
    const help = make("span", { className: "note", id: `${id}-help`, textContent: setting.help });
    const label = make("label", { htmlFor: id,
      textContent: LABELS[setting.name] ?? setting.label[0].toUpperCase() + setting.label.slice(1) });
    const input = setting.enum || setting.type === "boolean" ? listOf(setting)
      : make("input", { type: "number", value, placeholder: setting.default,
        min: setting.minimum ?? setting.exclusiveMinimum ?? "", max: setting.maximum ?? "",
        step: setting.type === "integer" ? 1 : "any" });
    Object.assign(input, { id, name: setting.name });
    input.setAttribute("aria-describedby", help.id);
    const field = make("div", {}, label, input, help);
    field.dataset.methods = setting.methods.join(" ");
    find("settings").append(field);
  }
}

function listOf(setting) {
  const values = setting.enum || ["true", "false"];
  const options = values.map((each) => new Option(each === "true" ? "yes" : each === "false" ? "no" : each, each));
  const list = make("select", {}, ...options);
  list.value = String(setting.default);
  return list;
}

function readSettings() {
  const { elements } = find("settings"), method = elements.method.value;
  query = new URLSearchParams();
  for (const setting of about.settings) {
    const input = elements[setting.name];
    const isOfMethod = !setting.methods.length || setting.methods.includes(method);
    input.closest("div").hidden = input.disabled = !isOfMethod;
    const isChosen = input.value !== "" && input.value !== String(setting.default);
    if (isOfMethod && isChosen) query.set(setting.name, input.value);
  }
  // More captions than the beam keeps side by side would be an error.
  if (query.has("beam_size") && Number(query.get("beam_size")) < Number(query.get("n_best"))) {
    query.set("beam_size", query.get("n_best"));
  }
  const address = `'${location.origin}/caption${query.size ? "?" : ""}${query}'`;
  const key = about.needs_key ? " -H 'X-API-Key: KEY'" : "";
  find("script").textContent = `curl${key} --data-binary @photo.jpg ${address}\n`
    + `curl${key} -F file=@one.jpg -F file=@two.jpg ${address}`;
}

let change;
function settingChanged() {
  clearTimeout(change);
  readSettings();
  if (!find("settings").reportValidity()) return;
  change = setTimeout(() => captionAgain(cards), PAUSE);
}

// The queue

function captionAgain(chosen) {
  control.abort();
  control = new AbortController();
  for (const card of chosen) show(card, "waiting");
  start();
}

function start() {
  isStopped = false;
  find("problem").textContent = "";
  next();
}

function stop(problem = "") {
  isStopped = true;
  control.abort();
  control = new AbortController();
  for (const card of cards) if (card.state === "working") show(card, "waiting");
  find("problem").textContent = problem;
  showProgress();
}

function next() {
  while (running < AT_ONCE && !isStopped) {
    const card = cards.find((each) => each.state === "waiting");
    if (!card) break;
    running += 1;
    show(card, "working");
    caption(card, control.signal).finally(() => { running -= 1; next(); });
  }
  showProgress();
}

async function caption(card, signal) {
  try {
    const answer = await ask(card.file, signal);
    if (!signal.aborted) show(card, answer.error ? "failed" : "done", answer);
  } catch (error) {
    if (signal.aborted) return;  // stopped, removed, or to be captioned with other settings
    if (!await isReadable(card.file)) show(card, "failed", { error: "the file cannot be read any more" });
    else stop("The server does not answer. Is it still running? Continue tries again.");
  }
}

async function ask(file, signal) {
  if (file.size > about.most_bytes) {
    return { error: `larger than ${about.most_bytes / 2 ** 20} MB, the most that this server takes` };
  }
  const headers = { "Content-Type": "application/octet-stream" }, key = sessionStorage.getItem("key");
  if (key) headers["X-API-Key"] = key;
  const response = await fetch(`/caption?${query}`, { method: "POST", body: file, headers, signal });
  if (response.status === 503) {
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => { setTimeout(resolve, 1000 * seconds); });
    signal.throwIfAborted();
    return ask(file, signal);
  }
  const answer = await response.json();
  if (response.status === 401) askForKey(key ? "The key is wrong." : "");
  // The page shows the file's name itself.
  return answer.error ? { error: answer.error.replace(/^file of \d+ bytes: /, "") } : answer;
}

async function isReadable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function askForKey(problem) {
  if (isStopped && !find("key").hidden) return;
  sessionStorage.removeItem("key");
  stop(problem);
  find("key").hidden = false;
  find("key-text").focus();
}

function showProgress() {
  const number = (state) => cards.filter((card) => card.state === state).length;
  const failed = number("failed"), ended = number("done") + failed, isDone = ended === cards.length;
  find("toolbar").hidden = !cards.length;
  find("progress").hidden = isDone;
  find("progress").max = cards.length;
  find("progress").value = ended;
  const text = isDone ? `${count(cards.length - failed, "photo")} captioned` : `${ended} of ${cards.length}`;
  find("count").textContent = text + (failed ? `, ${failed} failed` : "") + (isStopped && !isDone ? ", stopped" : "");
  find("stop").hidden = isDone;
  find("stop").textContent = isStopped ? "Continue" : "Stop";
  find("csv").disabled = !ended;
  if (isDone && cards.length) {
    announce(cards.length === 1 ? cards[0].answer.caption || "" : find("count").textContent);
  }
}

// Cards

function add(files) {
  const added = files.map(({ file, name }) => ({ file, name, state: "waiting" }));
  for (const card of added) makeCard(card);
  cards.push(...added);
  find("cards").append(...added.map((card) => card.element));
  const isSingle = cards.length === 1;
  find("cards").className = isSingle ? "single" : "";
  if (!isSingle) for (const each of find("cards").querySelectorAll("details")) each.open = false;
  if (!about.needs_key || sessionStorage.getItem("key")) start();
  else askForKey("");
  showProgress();
  if (added.length > 1) announce(`${added.length} photos added`);
}

function makeCard(card) {
  card.image = make("img", { alt: "" });
  card.picture = make("div", { className: "picture" }, card.image);
  card.below = make("div", { className: "below" });
  card.element = make("li", {}, card.picture, card.below);
  card.element.setAttribute("aria-label", card.name);
  thumbnails.observe(card.element);
  show(card, "waiting");
}

function show(card, state, answer = {}) {
  Object.assign(card, { state, answer });
  card.picture.querySelector("canvas")?.remove();
  card.image.alt = answer.caption || "";
  card.element.className = state === "working" ? "waiting" : state;
  const foot = make("div", { className: "foot" }, make("span", { className: "name", textContent: card.name }));
  const parts = {
    waiting: () => [make("p", { className: "caption", textContent: "Waiting" })],
    working: () => [make("p", { className: "caption", textContent: "…" })],
    failed: () => [make("p", { className: "error", textContent: answer.error })],
    done: () => {
      foot.append(copyButton(answer.caption));
      return captionParts(card, answer.captions);
    },
  };
  card.below.replaceChildren(...parts[state](), foot);
}

function captionParts(card, [best, ...others]) {
  const line = make("p", { className: "caption" }), parts = [line];
  best.words.forEach((word, n) => line.append(wordOf(card, best, word, n), " "));
  find("legend").hidden = false;
  if (best.attention) {
    find("look-hint").hidden = false;
    movesWithArrows(line);
  }
  if (best.confidence !== undefined) {
    parts.push(make("span", { className: "note confidence", textContent: `Confidence ${percent(best.confidence)}`,
      title: "how often captions like this one are right" }));
  }
  if (others.length) {
    const items = others.map((each) => make("li", { textContent: each.text + " " },
      make("span", { className: "note", textContent: each.confidence === undefined
        ? `(score ${each.score.toFixed(2)})` : `(confidence ${percent(each.confidence)})` })));
    parts.push(make("details", { open: cards.length === 1 },
      make("summary", { textContent: count(others.length, "other caption") }), make("ol", { start: 2 }, ...items)));
  }
  return parts;
}

function wordOf(card, best, word, n) {
  const sureness = Math.exp(best.word_scores[n]), title = `${percent(sureness)} sure`;
  const part = make("span", { textContent: word, title });
  part.style.setProperty("--sureness", (0.45 * sureness).toFixed(3));
  if (best.attention) looksSomewhere(part, card.picture, best.attention[n], `${word}, ${title}; where the model looked`);
  return part;
}

function looksSomewhere(part, picture, weights, label) {  // weights: rows of 0 to 255
  part.tabIndex = -1;
  part.setAttribute("role", "button");
  part.setAttribute("aria-label", label);
  const hide = () => picture.querySelector("canvas")?.remove();
  const look = () => { hide(); drawLook(picture, weights); };
  part.addEventListener("mouseenter", look);
  part.addEventListener("mouseleave", hide);
  part.addEventListener("focus", look);
  part.addEventListener("blur", hide);
  part.addEventListener("click", look);
  part.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (picture.querySelector("canvas")) hide(); else look();
  });
}

function movesWithArrows(line) {  // one stop of the Tab key for each caption, not for each word
  line.firstElementChild?.setAttribute("tabindex", "0");
  line.addEventListener("keydown", (event) => {
    const neighbour = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
    const word = neighbour && event.target[neighbour];
    if (!word) return;
    event.preventDefault();
    event.target.tabIndex = -1;
    word.tabIndex = 0;
    word.focus();
  });
}

function drawLook(picture, weights) {  // dark where it did not look
  const image = picture.querySelector("img");
  if (!image.naturalWidth) return;
  const canvas = make("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const small = new OffscreenCanvas(weights[0].length, weights.length);
  const pixels = new ImageData(small.width, small.height);
  weights.flat().forEach((weight, n) => { pixels.data[4 * n + 3] = 0.8 * (255 - weight); });
  small.getContext("2d").putImageData(pixels, 0, 0);
  canvas.getContext("2d").drawImage(small, 0, 0, canvas.width, canvas.height);
  picture.append(canvas);
}

// Thumbnails: made when a card comes into sight, one after the other, so that many do not fill the memory

let lastThumbnail = Promise.resolve();
const thumbnails = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    thumbnails.unobserve(target);
    const card = cards.find((each) => each.element === target);
    if (card) lastThumbnail = lastThumbnail.then(() => showThumbnail(card));
  }
}, { rootMargin: "600px" });

async function showThumbnail(card) {
  try {
    const bitmap = await createImageBitmap(card.file);
    const share = Math.min(1, THUMBNAIL / Math.max(bitmap.width, bitmap.height));
    const side = (length) => Math.max(1, Math.round(share * length));
    const canvas = new OffscreenCanvas(side(bitmap.width), side(bitmap.height)), pen = canvas.getContext("2d");
    pen.fillStyle = "white";  // as the server shows transparent areas to the model
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const url = URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 }));
    card.image.onload = card.image.onerror = () => URL.revokeObjectURL(url);
    card.image.src = url;
  } catch {  // of a kind that only the server can read, or no picture at all
    card.picture.append(make("span", { className: "no-preview", textContent: "No preview of this file" }));
  }
}

// What leaves the page

function copyButton(text) {
  const button = make("button", { type: "button", textContent: "Copy", className: "copy" });
  button.setAttribute("aria-label", `Copy: ${text}`);
  button.addEventListener("click", async () => {
    await copy(text, button);
    button.textContent = "Copied";
    announce("Copied");
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // browsers have a clipboard only for pages from this machine or by https
    const area = make("textarea", { value: text, className: "unseen" });
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
}

function csv() {
  // A spreadsheet would run a text that begins with one of these as a formula.
  const safe = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = cards.filter((card) => card.state === "done" || card.state === "failed").map((card) => {
    const [best] = card.answer.captions || [{}];
    return [safe(card.name), safe(best.text ?? ""), best.score ?? "", best.confidence ?? ""];
  });
  return [["file", "caption", "score", "confidence"], ...rows]
    .map((row) => row.map((each) => field(String(each))).join(",") + "\r\n").join("");
}

function download() {
  const mark = "\ufeff";  // by which spreadsheets know that it is UTF-8
  const url = URL.createObjectURL(new Blob([mark, csv()], { type: "text/csv" }));
  make("a", { href: url, download: "captions.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// What comes into the page

function take(files, isFolder = false) {
  const named = [...files].map((each) => (each.file ? each : { file: each, name: each.webkitRelativePath || each.name }));
  const isHidden = ({ name }) => name.split("/").some((part) => part.startsWith("."));
  const chosen = isFolder ? named.filter((each) => isPicture(each.name) && !isHidden(each)) : named;
  if (isFolder) chosen.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  if (chosen.length) add(chosen);
  else if (isFolder) find("problem").textContent = "There are no pictures in this folder.";
}

async function filesIn(entry) {  // of a dropped folder and those in it
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [{ file, name: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {  // it gives a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return found;
    for (const each of some) found.push(...await filesIn(each));
  }
}

async function takeDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = [...transfer.files];
  if (!entries.some((entry) => entry.isDirectory)) return take(files);
  const found = await Promise.all(entries.map(filesIn));
  entries.forEach((entry, n) => take(found[n], entry.isDirectory));
}

for (const [button, input] of [["choose", "file"], ["choose-folder", "folder"], ["take", "camera"]]) {
  find(button).addEventListener("click", () => find(input).click());
  find(input).addEventListener("change", () => {
    take(find(input).files, input === "folder");
    find(input).value = "";  // so that the same files can be chosen again
  });
}
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", kind === "dragover");
  });
}
document.addEventListener("drop", (event) => takeDropped(event.dataTransfer));
document.addEventListener("paste", (event) => take(event.clipboardData.files));
find("settings").addEventListener("change", settingChanged);
find("settings").addEventListener("submit", (event) => event.preventDefault());
find("stop").addEventListener("click", () => { if (isStopped) start(); else stop(); });
find("csv").addEventListener("click", download);
find("clear").addEventListener("click", () => {
  stop();
  thumbnails.disconnect();
  cards.length = 0;
  find("cards").replaceChildren();
  find("legend").hidden = true;
  showProgress();
  find("choose").focus();
});
find("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", find("key-text").value);
  find("key").hidden = true;
  find("key-text").value = "";
  start();
});
find("model").textContent = about.model;
find("choose-folder").hidden = !("webkitdirectory" in find("folder"));
makeSettings();
readSettings();
