// From next-word probabilities to captions of one picture: greedy search and beam search, as
// captioner/decoding.py has them.
//
// Nothing here knows a network. A search sees `step(words, states)`, where words has the last word
// of each hypothesis and states whatever the step before gave for it. The step returns, or promises,
// { logProbs, states }: for each hypothesis a Float32Array over the vocabulary, and what comes with
// the next step. A search chooses which hypotheses continue, and repeats or leaves out their states.

import { END, PAD, START, UNKNOWN } from "./vocabulary.js";

const IMPOSSIBLE = -1e9; // in place of -Infinity, which would turn into NaN where it meets a zero
const NEVER_SAID = [PAD, START, UNKNOWN];

/**
 * The most probable word at every step.
 * @param {function} step see the top of this module
 * @param {*} state what the first step takes
 * @param {object} rules max_length: most words in a caption; no_repeat_ngram: no n words in the
 *   same order twice, 0 for no such rule; no_repeat_word: how many words later each word may be
 *   used again, as Vocabulary.leastDistances says, null for no such rule
 * @returns {Promise<object[]>} one hypothesis: { words, wordScores, score }, the end's score last
 */
export async function greedy(step, state, rules) {
  const words = [], wordScores = [];
  let last = START, states = [state], logProbs;
  for (let length = 0; length <= rules.max_length; length += 1) {
    ({ logProbs: [logProbs], states } = await step([last], states));
    logProbs = permitted(logProbs, words, length, rules);
    last = bestWords(logProbs, 1)[0];
    wordScores.push(logProbs[last]);
    if (last === END) break;
    words.push(last);
  }
  return [{ words, wordScores, score: sum(wordScores) / wordScores.length }];
}

/**
 * The best of many hypotheses kept side by side.
 *
 * At every step the live hypotheses are extended by every word. Those of the beam_size best
 * extensions that end are finished and set aside; the best of the rest fill the beam again. The
 * picture is done when beam_size hypotheses are finished.
 * @param {function} step as in greedy
 * @param {*} state as in greedy
 * @param {object} rules as in greedy, and beam_size; length_penalty: the summed log-probability is
 *   divided by the length to this power; n_best: hypotheses returned
 * @returns {Promise<object[]>} n_best hypotheses, best first; fewer only where there are not so many
 */
export async function beam(step, state, rules) {
  const { beam_size: size, length_penalty: penalty } = rules;
  const finished = [];
  let live = [{ words: [], wordScores: [], total: 0, state }];
  for (let length = 0; length <= rules.max_length; length += 1) {
    const last = live.map(({ words }) => words.at(-1) ?? START);
    const found = await step(last, live.map((each) => each.state));
    const extensions = live.flatMap((each, row) => {
      const logProbs = permitted(found.logProbs[row], each.words, length, rules);
      // Twice as many as the beam is wide are enough to fill it: a hypothesis ends in one way only.
      return bestWords(logProbs, 2 * size).map((word) => (
        { from: each, row, word, score: logProbs[word], total: each.total + logProbs[word] }));
    });
    const best = extensions.filter(({ total }) => total > IMPOSSIBLE / 2)
      .sort((one, other) => other.total - one.total).slice(0, 2 * size);
    best.slice(0, size).filter(({ word }) => word === END)
      .forEach((each) => finished.push(ended(each, penalty)));
    live = best.filter(({ word }) => word !== END).slice(0, size)
      .map(({ from, row, word, score, total }) => ({
        words: [...from.words, word], wordScores: [...from.wordScores, score], total, state: found.states[row],
      }));
    if (finished.length >= size || !live.length) break;
  }
  return finished.sort((one, other) => other.score - one.score).slice(0, rules.n_best);
}

export const SEARCHES = { greedy, beam };

function ended({ from, score }, penalty) {
  const wordScores = [...from.wordScores, score];
  return { words: from.words, wordScores, score: sum(wordScores) / wordScores.length ** penalty };
}

/** A copy in which words that may not come next are impossible. */
function permitted(logProbs, said, length, rules) {
  const left = Float32Array.from(logProbs);
  for (const word of NEVER_SAID) left[word] = IMPOSSIBLE;
  if (length === rules.max_length) {
    const end = Math.max(left[END], IMPOSSIBLE / 4); // there is always an answer
    left.fill(IMPOSSIBLE);
    left[END] = end;
  }
  if (rules.no_repeat_ngram) forbidNgrams(left, said, rules.no_repeat_ngram);
  if (rules.no_repeat_word) forbidWords(left, said, rules.no_repeat_word);
  return left;
}

/** Makes impossible, in place, every word that would repeat n words in the same order. */
function forbidNgrams(logProbs, said, n) {
  const last = said.length - n + 1; // where the last n - 1 words begin
  for (let start = 0; start < last; start += 1) {
    let same = 0;
    while (same < n - 1 && said[start + same] === said[last + same]) same += 1;
    if (same === n - 1) logProbs[said[start + n - 1]] = IMPOSSIBLE;
  }
}

/** Makes impossible, in place, every word that would be repeated too soon. */
function forbidWords(logProbs, said, leastDistances) {
  said.forEach((word, place) => {
    if (said.length - place < leastDistances[word]) logProbs[word] = IMPOSSIBLE;
  });
}

/** The `count` best words, best first; of equal scores the lower id comes first. */
function bestWords(logProbs, count) {
  const best = []; // few, so that inserting costs less than sorting all words
  for (let word = 0; word < logProbs.length; word += 1) {
    if (best.length === count && logProbs[word] <= logProbs[best.at(-1)]) continue;
    let place = best.length;
    while (place && logProbs[word] > logProbs[best[place - 1]]) place -= 1;
    best.splice(place, 0, word);
    if (best.length > count) best.pop();
  }
  return best;
}

function sum(values) { return values.reduce((total, each) => total + each, 0); }
