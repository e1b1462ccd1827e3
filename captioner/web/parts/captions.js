// What a card shows of a photo's captions: { text, score, confidence, words, word_scores }.
import { count, make, percent } from "./dom.js";

// The words of a caption, shaded by how sure the model was of each.
export function shadedWords(caption) {
  return caption.words.map((word, n) => {
    const sureness = Math.exp(caption.word_scores[n]);
    const part = make("span", { textContent: word, title: `${percent(sureness)} sure` });
    part.style.setProperty("--sureness", (0.45 * sureness).toFixed(3));
    return part;
  });
}

const hasConfidence = (caption) => typeof caption.confidence === "number";

export function confidenceNote(caption) {
  return hasConfidence(caption) ? [make("span", { className: "note confidence",
    textContent: `Confidence ${percent(caption.confidence)}`,
    title: "how often captions like this one are right" })] : [];
}

// The captions after the best; each may have a button, button(caption).
export function otherCaptions(others, isOpen, button = () => "") {
  if (!others.length) return [];
  const items = others.map((each) => make("li", { textContent: each.text + " " },
    make("span", { className: "note", textContent: hasConfidence(each)
      ? `(confidence ${percent(each.confidence)})` : `(score ${each.score.toFixed(2)})` }), button(each)));
  return [make("details", { open: isOpen },
    make("summary", { textContent: count(others.length, "other caption") }), make("ol", { start: 2 }, ...items))];
}
