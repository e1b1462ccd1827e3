// Small pictures of the photos, one made after the other when a card comes into sight, and given up
// when it is out of sight again, so that many do not fill the memory.
import { make } from "./dom.js";

const LONGER_SIDE = 800;  // pixels
const cards = new WeakMap();  // by their elements
let last = Promise.resolve();

const observer = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    const card = cards.get(target);
    card.isInSight = isIntersecting;
    if (isIntersecting) last = last.then(() => showThumbnail(card));
    else card.image.removeAttribute("src");
  }
}, { rootMargin: "600px" });

// A card has an `element`, and in it a `picture` with an `image`.
export function watch(card) {
  cards.set(card.element, card);
  observer.observe(card.element);
}

export function forgetAll() { observer.disconnect(); }

async function showThumbnail(card) {
  if (!card.isInSight || card.image.src || card.hasNoPreview) return;
  try {
    const bitmap = await createImageBitmap(card.file);
    const share = Math.min(1, LONGER_SIDE / Math.max(bitmap.width, bitmap.height));
    const side = (length) => Math.max(1, Math.round(share * length));
    const canvas = new OffscreenCanvas(side(bitmap.width), side(bitmap.height)), pen = canvas.getContext("2d");
    pen.fillStyle = "white";  // as transparent areas are shown to the model
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const small = await canvas.convertToBlob({ type: "image/jpeg", quality: 0.85 });
    if (!card.isInSight) return;
    const url = URL.createObjectURL(small);
    card.image.onload = card.image.onerror = () => URL.revokeObjectURL(url);
    card.image.src = url;
  } catch {  // of a kind that this browser cannot read, or not a picture
    card.hasNoPreview = true;
    card.picture.append(make("span", { className: "no-preview", textContent: "No preview of this file" }));
  }
}
