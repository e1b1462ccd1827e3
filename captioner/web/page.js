import { BYTE_ORDER_MARK, csvText, save } from "./parts/downloads.js";
import { confidenceNote, otherCaptions, shadedWords } from "./parts/captions.js";
import { announce, copyButton, find, make } from "./parts/dom.js";
import { listen } from "./parts/intake.js";
import { showProgress } from "./parts/progress.js";
import { Queue } from "./parts/queue.js";
import { makeSettings, readSettings } from "./parts/settings.js";
import { forgetAll, watch } from "./parts/thumbnails.js";

const about = JSON.parse(find("about").textContent);
const AT_ONCE = 4;  // requests

const queue = new Queue({ atOnce: AT_ONCE, caption, show, changed,
  say: (problem) => { find("problem").textContent = problem; } });
let query;

const isPicture = ({ name }) => about.endings.includes(name.slice(name.lastIndexOf(".")).toLowerCase());

function changed() {
  showProgress(queue);
  find("csv").disabled = !queue.cards.some((card) => card.answer.captions || card.answer.error);
}

function settingsChanged() {
  query = new URLSearchParams(readSettings(about.settings));
  const address = `'${location.origin}/caption${query.size ? "?" : ""}${query}'`;
  const key = about.needs_key ? " -H 'X-API-Key: KEY'" : "";
  find("script").textContent = `curl${key} --data-binary @photo.jpg ${address}\n`
    + `curl${key} -F file=@one.jpg -F file=@two.jpg ${address}`;
}

// What the server is asked

async function caption(file, signal) {
  try {
    return await ask(file, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!await isReadable(file)) return { error: "the file cannot be read any more" };
    throw new Error("The server does not answer. Is it still running? Continue tries again.", { cause: error });
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
  if (queue.isStopped && !find("key").hidden) return;
  sessionStorage.removeItem("key");
  queue.stop(problem);
  find("key").hidden = false;
  find("key-text").focus();
}

// Cards

function add(files) {
  const added = files.map(({ file, name }) => makeCard({ file, name }));
  queue.add(added);
  find("cards").append(...added.map((card) => card.element));
  const isSingle = queue.cards.length === 1;
  find("cards").className = isSingle ? "single" : "";
  if (!isSingle) for (const each of find("cards").querySelectorAll("details")) each.open = false;
  if (!about.needs_key || sessionStorage.getItem("key")) queue.start();
  else askForKey("");
  changed();
  if (added.length > 1) announce(`${added.length} photos added`);
}

function makeCard(card) {
  card.image = make("img", { alt: "" });
  card.picture = make("div", { className: "picture" }, card.image);
  card.below = make("div", { className: "below" });
  card.element = make("li", {}, card.picture, card.below);
  card.element.setAttribute("aria-label", card.name);
  watch(card);
  return card;
}

function show(card) {
  const { state, answer } = card;
  card.picture.querySelector("canvas")?.remove();
  card.image.alt = answer.caption || "";
  card.element.className = state === "working" ? "waiting working" : state;
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
  const line = make("p", { className: "caption" }), words = shadedWords(best);
  line.append(...words.flatMap((word) => [word, " "]));
  find("legend").hidden = false;
  if (best.attention) {
    find("look-hint").hidden = false;
    words.forEach((word, n) => looksSomewhere(word, card.picture, best.attention[n]));
    movesWithArrows(line);
  }
  return [line, ...confidenceNote(best), ...otherCaptions(others, queue.cards.length === 1)];
}

function looksSomewhere(part, picture, weights) {  // weights: rows of 0 to 255
  part.tabIndex = -1;
  part.setAttribute("role", "button");
  part.setAttribute("aria-label", `${part.textContent}, ${part.title}; where the model looked`);
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

// What leaves the page

function csv() {
  // A spreadsheet would run a text that begins with one of these as a formula.
  const safe = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const rows = queue.cards.filter(({ state }) => state === "done" || state === "failed").map((card) => {
    const [best] = card.answer.captions || [{}];
    return [safe(card.name), safe(best.text ?? ""), best.score ?? "", best.confidence ?? ""];
  });
  return csvText([["file", "caption", "score", "confidence"], ...rows]);
}

find("stop").addEventListener("click", () => { if (queue.isStopped) queue.start(); else queue.stop(); });
find("csv").addEventListener("click", () => save([BYTE_ORDER_MARK, csv()], "captions.csv", "text/csv"));
find("clear").addEventListener("click", () => {
  forgetAll();
  queue.clear();
  find("cards").replaceChildren();
  find("legend").hidden = true;
  find("choose").focus();
});
find("key").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("key", find("key-text").value);
  find("key").hidden = true;
  find("key-text").value = "";
  queue.start();
});
find("model").textContent = about.model;
makeSettings(about.settings, { changed: settingsChanged, captionAgain: () => queue.again() });
listen(add, isPicture);
