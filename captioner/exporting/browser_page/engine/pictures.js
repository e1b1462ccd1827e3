// Picture files to pixels, as captioner/images.py does it.
//
// The browser decodes: it turns a photo upright as its EXIF data say, and converts its colours to
// sRGB. Its own resizing would not look the same to the model, so that is done here.

import { resize, shrink } from "./resize.js";

const HEAD = 16; // bytes at the start of a file that tell its kind
const SCALES = [8, 4, 2]; // at which Pillow decodes large JPEG pictures
const HEIF_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"];

/**
 * @param {Blob} file
 * @param {number} size height and width, in pixels
 * @returns {Promise<Uint8Array>} RGB, size x size
 * @throws {Error} one line that says why the file cannot be read
 */
export async function readPicture(file, size) {
  if (!file.size) throw new Error("file is empty");
  const head = await headOf(file);
  const bitmap = await decoded(file, head);
  try {
    return resize(scaled(readerOf(bitmap), head, size), size, size);
  } finally {
    bitmap.close();
  }
}

async function headOf(file) {
  try {
    return new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  } catch {
    throw new Error("the file cannot be read any more");
  }
}

async function decoded(file, head) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "default" });
  } catch {
    const text = String.fromCharCode(...head);
    if (text.slice(4, 8) === "ftyp" && HEIF_BRANDS.includes(text.slice(8, 12))) {
      throw new Error("this browser cannot read HEIC pictures; convert it to JPEG, or use Safari");
    }
    throw new Error("not a picture, or of a kind that this browser cannot read");
  }
}

/**
 * A JPEG at a half, a quarter or an eighth where that is still twice the size wanted. Pillow has it
 * decoded so; means of squares come closest to that.
 */
function scaled(picture, head, size) {
  const isJpeg = head[0] === 0xff && head[1] === 0xd8;
  const most = Math.floor(Math.min(picture.width, picture.height) / (2 * size));
  const scale = isJpeg && SCALES.find((each) => each <= most);
  return scale ? shrink(picture, scale) : picture;
}

/** A bitmap as `resize` reads it: some rows at a time, transparent areas white. */
function readerOf(bitmap) {
  const { width, height } = bitmap;
  let canvas, context;
  return {
    width,
    height,
    read(top, rows) {
      if (canvas?.height !== rows) {
        canvas = new OffscreenCanvas(width, rows);
        context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
      }
      context.fillStyle = "white";
      context.fillRect(0, 0, width, rows);
      context.drawImage(bitmap, 0, top, width, rows, 0, 0, width, rows);
      return context.getImageData(0, 0, width, rows).data;
    },
  };
}
