// The caption files that `caption.py` writes: --format csv and jsonl with --scores, and --sidecar.
// A card here is { name, text, best, error }: the caption to write, which a person may have edited;
// the model's caption, where it is the one to write; and why there is none.
import { csvText } from "./downloads.js";

const rounded = (number) => Number(number.toFixed(4));
const hasConfidence = (caption) => typeof caption?.confidence === "number";

export function csvOf(cards) {
  const rows = cards.filter((card) => card.text).map(({ name, text, best }) => [
    // A spreadsheet would run a name that begins with one of these as a formula. It is the same file.
    /^[=+\-@\t\r]/.test(name) ? `./${name}` : name,
    text, best ? best.score.toFixed(4) : "", hasConfidence(best) ? best.confidence.toFixed(4) : ""]);
  return csvText([["image", "caption", "score", "confidence"], ...rows]);
}

export function jsonLinesOf(cards) {
  const entries = cards.map(({ name, text, best, error }) => {
    if (!text) return { image: name, error };
    if (!best) return { image: name, caption: text };
    const words = best.words.map((word, n) => ({ word, log_probability: rounded(best.word_scores[n]) }));
    return { image: name, caption: text, score: rounded(best.score),
      ...(hasConfidence(best) ? { confidence: rounded(best.confidence) } : {}), words };
  });
  return entries.map((each) => JSON.stringify(each) + "\n").join("");
}

// The text files beside the pictures: { files: [{ name, text }], refused: [line] }.
export function sidecarsOf(cards) {
  const owners = new Map(), files = [], refused = [];
  for (const { name, text } of cards.filter((card) => card.text)) {
    const beside = sidecarName(name), owner = owners.get(beside);
    if (owner) refused.push(`${name}: ${beside} is of ${owner}, which has the same name`);
    else files.push({ name: beside, text: `${text}\n` });
    owners.set(beside, owner ?? name);
  }
  return { files, refused };
}

function sidecarName(name) {
  const [, stem] = /^(.*[^/.][^/]*)\.[^./]*$/s.exec(name) ?? [name, name];  // as os.path.splitext
  return `${stem}.txt`;
}
