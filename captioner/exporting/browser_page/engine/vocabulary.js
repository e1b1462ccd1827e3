// Word ids to text, as captioner/vocabulary.py has it.

export const PAD = 0, START = 1, END = 2, UNKNOWN = 3;
const SPECIAL_WORDS = ["<pad>", "<start>", "<end>", "<unknown>"];
const NEVER = 2 ** 31 - 1; // the distance of a word that is not repeatable

// Scripts written without spaces: Thai, Lao, Burmese, Khmer, Japanese and Chinese.
const IS_SPACELESS = new RegExp(
  "^[\\u0e00-\\u0eff\\u1000-\\u109f\\u1780-\\u17ff\\u3005-\\u3007\\u3040-\\u30ff\\u31f0-\\u31ff"
  + "\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\uff66-\\uff9f\\u{20000}-\\u{3ffff}]", "u");

/** The text of some words: one space between them, none beside characters of such a script. */
export function detokenize(words) {
  let text = "", needsSpace = false;
  for (const word of words) {
    const isSpaceless = IS_SPACELESS.test(word);
    text += needsSpace && !isSpaceless ? ` ${word}` : word;
    needsSpace = !isSpaceless;
  }
  return text;
}

export class Vocabulary {
  /** @param {object} config what Vocabulary.to_config of captioner/vocabulary.py gives */
  constructor({ words, direction = "forward", repeatable = [] }) {
    this.texts = [...SPECIAL_WORDS, ...words];
    this.isBackward = direction === "backward";
    this.repeatable = new Map(repeatable);
  }

  /** The text of a caption's ids, which have neither start nor end. */
  decode(ids) {
    const words = ids.map((id) => this.texts[id]);
    return detokenize(this.isBackward ? words.reverse() : words);
  }

  /** The words of a caption one by one, in the order in which the model says them. */
  wordsOf(ids) { return ids.map((id) => this.texts[id]); }

  /** The distance in words from which each id may be repeated. */
  leastDistances() { return this.texts.map((word) => this.repeatable.get(word) ?? NEVER); }
}
