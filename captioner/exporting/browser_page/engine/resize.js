// Pillow's bicubic resize of 8-bit pixels, bit for bit: src/libImaging/Resample.c of Pillow.
//
// A picture that becomes smaller is averaged over all pixels that fall on one (a canvas would leave
// some out), in fixed point, first along rows and then along columns, with 8 bits in between.

const CHANNELS = 3;
const A = -0.5; // of the bicubic kernel
const SUPPORT = 2; // how far the kernel reaches, in pixels of the smaller picture
const PRECISION = 32 - 8 - 2; // bits of a weight after the point
const STRIP = 2 ** 20; // pixels read at once: all those of a large photo would take too much memory

function bicubic(x) {
  x = Math.abs(x);
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * A;
  return 0;
}

/** For each new pixel the first old one that counts, and the weights from there on. */
function weightsOf(oldSize, newSize) {
  const scale = oldSize / newSize;
  const filterScale = Math.max(scale, 1);
  const support = SUPPORT * filterScale;
  return Array.from({ length: newSize }, (_, place) => {
    const center = (place + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), oldSize);
    const weights = Array.from({ length: end - start },
      (_, tap) => bicubic((tap + start - center + 0.5) * (1 / filterScale)));
    let total = 0;
    for (const weight of weights) total += weight;
    return { start, weights: Int32Array.from(weights, (weight) => inFixedPoint(total ? weight / total : weight)) };
  });
}

function inFixedPoint(weight) {
  return Math.trunc((weight < 0 ? -0.5 : 0.5) + weight * 2 ** PRECISION);
}

/**
 * Resizes along one axis; the other one is called a line.
 * @param {Uint8Array | Uint8ClampedArray} pixels
 * @param {number} lines
 * @param {{from: number, to: number}} lineStep how far a line is from the next, in bytes
 * @param {{from: number, to: number}} step how far a pixel of a line is from the next, in bytes
 */
function resizeLines(pixels, resized, weights, lines, lineStep, step) {
  for (let place = 0; place < weights.length; place += 1) {
    const { start, weights: taps } = weights[place];
    for (let line = 0; line < lines; line += 1) {
      const from = line * lineStep.from + start * step.from;
      let red = 1 << (PRECISION - 1), green = red, blue = red;
      for (let tap = 0, at = from; tap < taps.length; tap += 1, at += step.from) {
        const weight = taps[tap];
        red += pixels[at] * weight;
        green += pixels[at + 1] * weight;
        blue += pixels[at + 2] * weight;
      }
      const to = line * lineStep.to + place * step.to;
      resized[to] = clip(red >> PRECISION);
      resized[to + 1] = clip(green >> PRECISION);
      resized[to + 2] = clip(blue >> PRECISION);
    }
  }
}

function clip(value) { return value < 0 ? 0 : value > 255 ? 255 : value; }

/**
 * @param {{width: number, height: number, read: function}} picture `read(top, rows)` gives the
 *   pixels of some rows, RGB or RGBA whose alpha is not looked at; called from top to bottom
 * @param {number} width
 * @param {number} height
 * @returns {Uint8Array} RGB, row by row
 */
export function resize(picture, width, height) {
  const columns = weightsOf(picture.width, width);
  const wide = new Uint8Array(picture.height * width * CHANNELS);
  const atOnce = Math.max(1, Math.floor(STRIP / picture.width));
  for (let top = 0; top < picture.height; top += atOnce) {
    const rows = Math.min(atOnce, picture.height - top);
    const pixels = picture.read(top, rows);
    const channels = pixels.length / (rows * picture.width);
    resizeLines(pixels, wide.subarray(top * width * CHANNELS), columns, rows,
      { from: picture.width * channels, to: width * CHANNELS }, { from: channels, to: CHANNELS });
  }
  const resized = new Uint8Array(height * width * CHANNELS);
  resizeLines(wide, resized, weightsOf(picture.height, height), width,
    { from: CHANNELS, to: CHANNELS }, { from: width * CHANNELS, to: width * CHANNELS });
  return resized;
}

/**
 * A picture a whole number of times smaller, each of its pixels the mean of a square: Pillow's
 * Image.reduce. Rows are computed when they are read, so that no whole picture is in memory.
 * @param {{width: number, height: number, read: function}} picture as `resize` takes it
 * @param {number} factor
 */
export function shrink(picture, factor) {
  const width = Math.ceil(picture.width / factor);
  return {
    width,
    height: Math.ceil(picture.height / factor),
    read(top, rows) {
      const from = top * factor;
      const oldRows = Math.min(rows * factor, picture.height - from);
      const pixels = picture.read(from, oldRows);
      return means(pixels, { oldWidth: picture.width, oldRows }, { width, rows }, factor);
    },
  };
}

function means(pixels, { oldWidth, oldRows }, { width, rows }, factor) {
  const channels = pixels.length / (oldWidth * oldRows);
  const small = new Uint8Array(rows * width * CHANNELS);
  for (let row = 0; row < rows; row += 1) {
    const lastRow = Math.min((row + 1) * factor, oldRows);
    for (let column = 0; column < width; column += 1) {
      const lastColumn = Math.min((column + 1) * factor, oldWidth);
      let red = 0, green = 0, blue = 0;
      for (let y = row * factor; y < lastRow; y += 1) {
        for (let x = column * factor; x < lastColumn; x += 1) {
          const at = (y * oldWidth + x) * channels;
          red += pixels[at];
          green += pixels[at + 1];
          blue += pixels[at + 2];
        }
      }
      const number = (lastRow - row * factor) * (lastColumn - column * factor);
      const half = number >> 1, to = (row * width + column) * CHANNELS;
      small[to] = Math.floor((red + half) / number);
      small[to + 1] = Math.floor((green + half) / number);
      small[to + 2] = Math.floor((blue + half) / number);
    }
  }
  return small;
}
