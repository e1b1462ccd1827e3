import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { searchSettings } from "../../../captioner/exporting/browser_page/engine/settings.js";

const { CASES } = process.env; // a JSON file that tests/exporting/test_browser.py writes
const skip = !CASES && "Python writes the cases";

test("settings and errors are Python's", { skip }, () => {
  const { table, settings } = JSON.parse(readFileSync(CASES));
  for (const { given, expected, error } of settings) {
    if (error) assert.throws(() => searchSettings(given, table), { message: error });
    else assert.deepEqual(searchSettings(given, table), expected);
  }
});

test("what is no setting is reported", { skip }, () => {
  const { table } = JSON.parse(readFileSync(CASES));
  assert.throws(() => searchSettings({ beams: 3 }, table), { message: "beams: no such setting" });
  assert.throws(() => searchSettings({ method: "sample" }, table),
    { message: 'method "sample": no such method; choose greedy, beam' });
  assert.throws(() => searchSettings({ beam_size: 21 }, table),
    { message: "beam size 21: must be from 1 to 20" });
});
