// Keeps the interface of the engine's worker, and says what colour a photo is. The channel "fake"
// holds it up and lets it go on, and tells it to die.
let isHeld = false, about;
const held = [], cancelled = new Set(), COLOURS = ["red", "green", "blue"];

new BroadcastChannel("fake").onmessage = ({ data }) => {
  if (data === "die") throw new Error("died");
  isHeld = data === "hold";
  if (!isHeld) for (const message of held.splice(0)) caption(message);
};

onmessage = async ({ data }) => {
  if (data.type === "open") await open(data.folder);
  else if (data.type === "cancel") cancelled.add(data.id);
  else if (isHeld) held.push(data);
  else await caption(data);
};

async function open(folder) {
  postMessage({ type: "progress", loaded: 5e6, total: 20e6 });
  const response = await fetch(new URL(`../${folder}about.json`, import.meta.url));
  if (!response.ok) return postMessage({ type: "failed", error: "model/about.json cannot be loaded" });
  about = await response.json();
  postMessage({ type: "opened", about });
}

async function caption({ id, file, settings }) {
  if (cancelled.has(id)) return;
  let colour;
  try {
    const bitmap = await createImageBitmap(file), pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.drawImage(bitmap, 0, 0, 1, 1);
    const pixel = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
    colour = pixel.indexOf(Math.max(...pixel));
  } catch {
    return postMessage({ type: "error", id, error: "not a picture, or of a kind that this browser cannot read" });
  }
  const captions = Array.from({ length: settings.n_best ?? 1 }, (_, rank) => {
    const words = ["a", COLOURS[colour], "photo", ...(settings.method ? [settings.method] : []),
      ...(settings.length_penalty ? [`${settings.length_penalty}`] : []),
      ...Array(rank).fill("again")];
    return { text: words.join(" "), score: -0.5 - rank, words,
      word_scores: [...words, ""].map((_, n) => -0.05 - 0.4 * n),
      confidence: about.has_confidence ? 0.75 - 0.25 * colour - 0.0625 * rank : null };
  });
  postMessage({ type: "captioned", id, captions, milliseconds: 5 });
}
