import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { beam, greedy } from "../../../captioner/exporting/browser_page/engine/search.js";
import { END, PAD, START, UNKNOWN } from "../../../captioner/exporting/browser_page/engine/vocabulary.js";

const { CASES } = process.env; // a JSON file that tests/exporting/test_browser.py writes
const WORDS = 7; // words 4, 5 and 6, and the end
const LENGTH = 4;
const SAYABLE = [4, 5, 6];
const NEVER = 2 ** 31 - 1;
const RULES = {
  beam_size: 3, length_penalty: 1, n_best: 1, max_length: LENGTH, no_repeat_ngram: 0, no_repeat_word: null,
};

/** Random numbers from 0 to 1, the same for the same seed (mulberry32). */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Next-word probabilities that depend on place and last word: a step, and its table. */
function markov(seed) {
  const draw = random(seed);
  const table = Array.from({ length: LENGTH + 2 }, () => Array.from({ length: WORDS }, () => {
    const values = Array.from({ length: WORDS }, () => 6 * draw());
    const all = Math.log(values.reduce((sum, each) => sum + Math.exp(each), 0));
    return Float32Array.from(values, (each) => each - all);
  }));
  const step = (words, places) => ({
    logProbs: words.map((word, row) => table[places[row]][word]),
    states: places.map((place) => place + 1),
  });
  return { step, table };
}

/** A step that answers the same scores every time. */
function constant(scores) {
  return (words) => ({ logProbs: words.map(() => Float32Array.from(scores)), states: words.map(() => null) });
}

function* allCaptions(length = LENGTH) {
  yield [];
  if (length) for (const rest of allCaptions(length - 1)) for (const word of SAYABLE) yield [word, ...rest];
}

function scoreOf(table, words, penalty) {
  const path = [START, ...words, END];
  const total = words.concat(END).reduce((sum, word, place) => sum + table[place][path[place]][word], 0);
  return total / (words.length + 1) ** penalty;
}

for (const penalty of [0, 0.7, 1]) {
  test(`a beam as wide as everything is brute force, length penalty ${penalty}`, async () => {
    for (let seed = 0; seed < 4; seed += 1) {
      const { step, table } = markov(seed);
      const rules = { ...RULES, beam_size: 130, length_penalty: penalty, n_best: 3 };
      const found = await beam(step, 0, rules);
      const texts = new Map([...allCaptions()].map((words) => [words.join(), words]));
      const best = [...texts.values()].map((words) => ({ words, score: scoreOf(table, words, penalty) }))
        .sort((one, other) => other.score - one.score).slice(0, 3);
      assert.deepEqual(found.map(({ words }) => words), best.map(({ words }) => words));
      found.forEach(({ score }, rank) => assert.ok(Math.abs(score - best[rank].score) < 1e-9));
    }
  });
}

test("a beam of one is greedy", async () => {
  for (let seed = 0; seed < 10; seed += 1) {
    const { step } = markov(seed);
    assert.deepEqual(await beam(step, 0, { ...RULES, beam_size: 1 }), await greedy(step, 0, RULES));
  }
});

for (const search of [greedy, beam]) {
  test(`${search.name}: what must not be said is not said, and there is an answer`, async () => {
    const scores = Array(WORDS).fill(-20);
    for (const word of [PAD, START, UNKNOWN]) scores[word] = -0.1;
    scores[END] = -1e9; // never ends by itself
    const [{ words, wordScores, score }] = await search(constant(scores), null, { ...RULES, max_length: 3 });
    assert.equal(words.length, 3);
    assert.ok(words.every((word) => SAYABLE.includes(word)));
    assert.equal(wordScores.length, 4);
    assert.ok(Number.isFinite(score));
  });

  test(`${search.name}: no two words in the same order twice`, async () => {
    const step = constant([-9, -9, -9, -9, -0.5, -1, -2]);
    const [{ words }] = await search(step, null, { ...RULES, max_length: 6, no_repeat_ngram: 2 });
    const pairs = words.slice(1).map((word, place) => `${words[place]} ${word}`);
    assert.equal(pairs.length, 5);
    assert.equal(new Set(pairs).size, 5);
  });
}

test("words are said again no sooner than people do", async () => {
  const step = constant([-9, -9, -9, -9, -2, -1, -0.5]);
  const least = [NEVER, NEVER, NEVER, NEVER, 1, 3, NEVER]; // at once, from the third word on, never
  const [{ words }] = await greedy(step, null, { ...RULES, max_length: 8, no_repeat_word: least });
  assert.deepEqual(words, [6, 5, 4, 4, 5, 4, 4, 5]);
});

test("of equal words the one of the lower id comes first", async () => {
  const step = constant([-9, -9, -3, -9, -1, -1, -1]);
  const found = await beam(step, null, { ...RULES, n_best: 3, max_length: 1 });
  assert.deepEqual(found.map(({ words }) => words), [[4], [5], [6]].slice(0, found.length));
  const [{ words }] = await greedy(step, null, RULES);
  assert.deepEqual(words, [4, 4, 4, 4]);
});

test("a hypothesis continues from the state that its own words led to", async () => {
  const { step } = markov(5);
  const seen = new Map();
  const watched = (words, paths) => {
    const { logProbs } = step(words, paths.map(({ length }) => length));
    const states = words.map((word, row) => [...paths[row], word]);
    states.forEach((path, row) => seen.set(path.join(), logProbs[row]));
    return { logProbs, states };
  };
  for (const { words, wordScores } of await beam(watched, [], { ...RULES, n_best: 3 })) {
    const path = [START, ...words, END];
    const scores = wordScores.map((_, place) => seen.get(path.slice(0, place + 1).join())[path[place + 1]]);
    assert.deepEqual(wordScores, scores);
  }
});

test("searches find what Python's find", { skip: !CASES && "Python writes the cases" }, async () => {
  for (const { table, rules, method, expected } of JSON.parse(readFileSync(CASES)).searches) {
    const step = (words, places) => ({
      logProbs: words.map((word, row) => Float32Array.from(table[places[row]][word])),
      states: places.map((place) => place + 1),
    });
    const found = await { greedy, beam }[method](step, 0, rules);
    assert.deepEqual(found.map(({ words }) => words), expected.map(({ words }) => words));
    found.forEach(({ score, wordScores }, rank) => {
      assert.deepEqual(wordScores, expected[rank].word_scores);
      assert.ok(Math.abs(score - expected[rank].score) < 1e-12);
    });
  }
});
