import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { resize, shrink } from "../../../captioner/exporting/browser_page/engine/resize.js";

const { CASES } = process.env; // a JSON file that tests/exporting/test_browser.py writes

function pictureOf(pixels, width, height) {
  const bytes = pixels.length / height;
  return { width, height, read: (top, rows) => pixels.subarray(top * bytes, (top + rows) * bytes) };
}

test("one colour stays one colour, and alpha is not looked at", () => {
  const pixels = Uint8Array.from({ length: 9 * 5 * 4 }, (_, place) => [10, 120, 250, place % 256][place % 4]);
  assert.deepEqual(resize(pictureOf(pixels, 9, 5), 4, 7),
    Uint8Array.from({ length: 4 * 7 * 3 }, (_, place) => [10, 120, 250][place % 3]));
});

test("a picture of the same size stays as it is", () => {
  const pixels = Uint8Array.from({ length: 6 * 4 * 3 }, (_, place) => (place * 37) % 256);
  assert.deepEqual(resize(pictureOf(pixels, 6, 4), 6, 4), pixels);
});

test("large pictures are read a strip at a time", () => {
  const width = 4096, height = 600, seen = [];
  const read = (top, rows) => {
    seen.push([top, rows]);
    return new Uint8Array(width * rows * 3).fill(top % 256);
  };
  resize({ width, height, read }, 8, 8);
  assert.deepEqual(seen, [[0, 256], [256, 256], [512, 88]]);
});

test("every pixel is Pillow's", { skip: !CASES && "Python writes the cases" }, () => {
  for (const { width, height, size, pixels, expected } of JSON.parse(readFileSync(CASES)).resize) {
    const given = new Uint8Array(Buffer.from(pixels, "base64"));
    const [newWidth, newHeight] = size;
    const found = resize(pictureOf(given, width, height), newWidth, newHeight);
    assert.equal(Buffer.from(found).toString("base64"), expected, `${width}x${height} to ${size}`);
  }
});

test("means of squares are Pillow's", { skip: !CASES && "Python writes the cases" }, () => {
  for (const { width, height, factor, pixels, expected } of JSON.parse(readFileSync(CASES)).shrink) {
    const small = shrink(pictureOf(new Uint8Array(Buffer.from(pixels, "base64")), width, height), factor);
    assert.deepEqual([small.width, small.height], [Math.ceil(width / factor), Math.ceil(height / factor)]);
    const parts = [small.read(0, 1), small.read(1, small.height - 1)]; // as `resize` reads, by rows
    assert.equal(Buffer.concat(parts).toString("base64"), expected, `${width}x${height} by ${factor}`);
  }
});

test("squares at the edges are as large as what is left", () => {
  const pixels = Uint8Array.of(10, 20, 30, 40, 50, 60, 70, 80, 90);
  const grey = Uint8Array.from({ length: 27 }, (_, place) => pixels[Math.floor(place / 3)]);
  const small = shrink(pictureOf(grey, 3, 3), 2);
  assert.deepEqual(small.read(0, 2).filter((_, place) => place % 3 === 0), Uint8Array.of(30, 45, 75, 90));
});
