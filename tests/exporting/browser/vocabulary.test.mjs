import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { confidenceOf } from "../../../captioner/exporting/browser_page/engine/confidence.js";
import { Vocabulary, detokenize } from "../../../captioner/exporting/browser_page/engine/vocabulary.js";

const { CASES } = process.env; // a JSON file that tests/exporting/test_browser.py writes
const skip = !CASES && "Python writes the cases";
const NEVER = 2 ** 31 - 1;

test("ids to text, forward and backward", () => {
  const words = ["a", "dog", "runs"];
  assert.equal(new Vocabulary({ words }).decode([4, 5, 6]), "a dog runs");
  assert.equal(new Vocabulary({ words, direction: "backward" }).decode([6, 5, 4]), "a dog runs");
  assert.deepEqual(new Vocabulary({ words, direction: "backward" }).wordsOf([6, 4]), ["runs", "a"]);
});

test("no spaces beside characters of scripts written without them", () => {
  assert.equal(detokenize(["一", "只", "dog", "runs", "狗"]), "一只dog runs狗");
  assert.equal(detokenize(["𠀀", "a"]), "𠀀a"); // beyond 16 bits
});

test("how soon each word may be repeated", () => {
  const vocabulary = new Vocabulary({ words: ["a", "dog", "of"], repeatable: [["a", 3], ["of", 1]] });
  assert.deepEqual(vocabulary.leastDistances(), [NEVER, NEVER, NEVER, NEVER, 3, NEVER, 1]);
});

test("texts are Python's", { skip }, () => {
  for (const { config, ids, text } of JSON.parse(readFileSync(CASES)).vocabulary) {
    assert.equal(new Vocabulary(config).decode(ids), text);
  }
});

test("the confidence is Python's", { skip }, () => {
  for (const { weights, scores, confidence } of JSON.parse(readFileSync(CASES)).confidence) {
    assert.ok(Math.abs(confidenceOf(weights, scores) - confidence) < 1e-12);
  }
});
