// The modules of the page that need no page.
import assert from "node:assert/strict";
import { test } from "node:test";

import { csvOf, jsonLinesOf, sidecarsOf } from "../../../captioner/web/parts/caption_files.js";
import { csvText } from "../../../captioner/web/parts/downloads.js";
import { paceText } from "../../../captioner/web/parts/progress.js";
import { Queue } from "../../../captioner/web/parts/queue.js";
import { zip } from "../../../captioner/web/parts/zip.js";

test("a table quotes what would break it", () => {
  assert.equal(csvText([["a", 'b "c"', "d,e", "f\ng"], [1, "", "é", " "]]),
    'a,"b ""c""","d,e","f\ng"\r\n1,,é, \r\n');
});

test("a caption without confidence, and an edited one, have empty cells", () => {
  const best = { score: -1 / 3, confidence: null, words: [], word_scores: [] };
  assert.equal(csvOf([{ name: "a", text: "b", best }, { name: "c", text: "d" }, { name: "e", text: "", error: "f" }]),
    "image,caption,score,confidence\r\na,b,-0.3333,\r\nc,d,,\r\n");
  assert.equal(jsonLinesOf([{ name: "a", text: "b", best }, { name: "e", text: "", error: "f" }]),
    '{"image":"a","caption":"b","score":-0.3333,"words":[]}\n{"image":"e","error":"f"}\n');
});

test("text files are named as os.path.splitext names them", () => {
  const names = ["a.jpg", "b/c.d.png", ".png", "b/.e.png", "b.c/f", "b/..g", "h.", "two\nlines.png"];
  const { files } = sidecarsOf(names.map((name) => ({ name, text: "x" })));
  assert.deepEqual(files.map(({ name }) => name),
    ["a.txt", "b/c.d.txt", ".png.txt", "b/.e.txt", "b.c/f.txt", "b/..g.txt", "h.txt", "two\nlines.txt"]);
});

test("the second photo of a text file's name is refused", () => {
  const cards = ["a.jpg", "a.png", "a.gif"].map((name) => ({ name, text: name }));
  const { files, refused } = sidecarsOf(cards);
  assert.deepEqual(files, [{ name: "a.txt", text: "a.jpg\n" }]);
  assert.deepEqual(refused, ["png", "gif"].map((each) => `a.${each}: a.txt is of a.jpg, which has the same name`));
});

test("an archive of more files than the format can count is refused", () => {
  const files = Array(65536).fill({ name: "a", text: "" });
  assert.throws(() => zip(files), /65535 files, not 65536/);
});

test("the time left", () => {
  assert.equal(paceText(0, 100), "");
  assert.equal(paceText(2.5, 100), "2.5 photos a second, 40 seconds left");
  assert.equal(paceText(0.5, 100), "2.0 seconds a photo, 3 minutes left");
  assert.equal(paceText(0.1, 1000), "10.0 seconds a photo, 2.8 hours left");
});

// A queue of so many photos, whose captions are given by hand, and what it says when it stops.
function makeQueue(number) {
  const asked = [], problems = [];
  const queue = new Queue({ atOnce: 2, show() {}, changed() {}, say: (problem) => problems.push(problem),
    caption: (file, signal) => new Promise((resolve, reject) => { asked.push({ file, signal, resolve, reject }); }) });
  queue.add(Array.from({ length: number }, (_, n) => ({ file: n })));
  queue.start();
  return { queue, asked, problems, states: () => queue.cards.map(({ state }) => state).join(" ") };
}
const settled = () => new Promise(setImmediate);

test("two photos at once, in their order; an error is one photo's own", async () => {
  const { queue, asked, states } = makeQueue(3);
  assert.equal(states(), "working working waiting");
  asked[1].resolve({ error: "broken" });
  await settled();
  assert.equal(states(), "working failed working");
  asked[0].resolve({ captions: ["a"] });
  asked[2].resolve({ captions: ["c"] });
  await settled();
  assert.equal(states(), "done failed done");
  assert.deepEqual(queue.cards.map(({ answer }) => answer), [{ captions: ["a"] }, { error: "broken" }, { captions: ["c"] }]);
});

test("what is answered after a stop is not taken", async () => {
  const { queue, asked, states } = makeQueue(2);
  queue.stop();
  assert.equal(states(), "waiting waiting");
  assert.ok(asked[0].signal.aborted);
  asked[0].resolve({ captions: ["old"] });
  asked[1].reject(new Error("aborted"));
  await settled();
  assert.equal(states(), "waiting waiting");
  queue.start();
  assert.equal(asked.length, 4);
});

test("a broken captioner stops the queue, and start tries again", async () => {
  const { queue, asked, problems, states } = makeQueue(2);
  asked[0].reject(new Error("gone"));
  await settled();
  assert.equal(states(), "waiting waiting");
  assert.deepEqual(problems, ["", "gone"]);
  asked[1].reject(new Error("gone, too"));
  await settled();
  queue.start();
  assert.equal(states(), "working working");
  assert.deepEqual(problems, ["", "gone", ""]);
});
