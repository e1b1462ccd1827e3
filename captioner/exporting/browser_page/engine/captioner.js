// Pixels in, captions out: an exported model, as captioner/lite_captioner.py runs it.

import { confidenceOf } from "./confidence.js";
import { Runtime } from "./runtime.js";
import { SEARCHES } from "./search.js";
import { searchSettings } from "./settings.js";
import { Vocabulary } from "./vocabulary.js";

export class Captioner {
  /**
   * @param {Uint8Array} program see Runtime.open
   * @param {object} manifest of the model
   * @param {{encode: Uint8Array, start: Uint8Array, step: Uint8Array}} networks .tflite files
   */
  static async open(program, manifest, networks) {
    const runtime = await Runtime.open(program);
    // A step for several hypotheses at once hardly takes longer than for one: most of its time goes
    // into reading its weights.
    const rows = manifest.generation.beam_size;
    return new Captioner(manifest, rows, {
      encode: await runtime.network(networks.encode, 1),
      start: await runtime.network(networks.start, 1),
      step: await runtime.network(networks.step, rows),
    });
  }

  constructor(manifest, rows, networks) {
    this.manifest = manifest;
    this.rows = rows;
    this.networks = networks;
    this.vocabulary = new Vocabulary(manifest.vocabulary);
  }

  /** What a page shows of the model. */
  get about() {
    const { name, version, picture_size, generation, confidence, settings } = this.manifest;
    return { name, version, picture_size, generation, has_confidence: Boolean(confidence), settings };
  }

  /** The settings of a search; an error says what is wrong with those given. */
  settings(given) { return searchSettings(given, this.manifest.settings); }

  /**
   * What the model sees in a picture.
   * @param {Uint8Array} pixels RGB, picture_size x picture_size
   */
  async encode(pixels) {
    const { image } = await this.networks.encode.run({ pixels });
    return image;
  }

  /**
   * @param {Float32Array} image what `encode` gave
   * @param {object} settings what `settings` gave
   * @returns {Promise<object[]>} { text, score, confidence, words, word_scores }, best first
   */
  async decode(image, { method, ...settings }) {
    const { contexts, states } = divided(await this.networks.start.run({ image }));
    const rules = {
      ...settings,
      no_repeat_word: settings.no_repeat_word ? this.vocabulary.leastDistances() : null,
    };
    const step = (words, rows) => this.#step(words, contexts, rows);
    return (await SEARCHES[method](step, states, rules)).map((each) => this.#caption(each));
  }

  /** Any number of rows, by runs of as many as the network takes. */
  async #step(words, contexts, states) {
    const found = { logProbs: [], states: [] };
    for (let first = 0; first < words.length; first += this.rows) {
      const chosen = states.slice(first, first + this.rows);
      const results = await this.networks.step.run({
        words: Int32Array.from({ length: this.rows }, (_, row) => words[first + row] ?? 0),
        ...stacked(contexts, Array(chosen.length).fill(contexts), this.rows),
        ...stacked(states[0], chosen, this.rows),
      });
      chosen.forEach((_, row) => {
        const own = Object.entries(results).map(([name, values]) => [name, rowOf(values, row, this.rows)]);
        const { log_probs: logProbs, ...state } = Object.fromEntries(own);
        found.logProbs.push(logProbs);
        found.states.push(state);
      });
    }
    return found;
  }

  #caption({ words, wordScores, score }) {
    const { confidence } = this.manifest;
    return {
      text: this.vocabulary.decode(words),
      score,
      confidence: confidence ? confidenceOf(confidence, wordScores) : null,
      words: this.vocabulary.wordsOf(words),
      word_scores: wordScores,
    };
  }
}

/** The arrays that stay the same for a picture, and those that every step changes. */
function divided(arrays) {
  const isState = ([name]) => name.startsWith("state_");
  const all = Object.entries(arrays);
  return {
    contexts: Object.fromEntries(all.filter((each) => !isState(each))),
    states: Object.fromEntries(all.filter(isState)),
  };
}

/** Arrays by name of one row each as arrays of all rows; rows that are missing stay zero. */
function stacked(like, rows, count) {
  return Object.fromEntries(Object.entries(like).map(([name, { length }]) => {
    const all = new Float32Array(count * length);
    rows.forEach((row, number) => all.set(row[name], number * length));
    return [name, all];
  }));
}

function rowOf(values, row, rows) {
  const length = values.length / rows;
  return values.subarray(row * length, (row + 1) * length);
}
