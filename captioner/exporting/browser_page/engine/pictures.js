// Picture files to pixels, as captioner/images.py does it.
//
// The browser decodes: it turns a photo upright as its EXIF data say, and converts its colours to
// sRGB. Its own resizing would not look the same to the model, so that is done here.

import { resize } from "./resize.js";

const HEIF_BRANDS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1"];

/**
 * @param {Blob} file
 * @param {number} size height and width, in pixels
 * @returns {Promise<Uint8Array>} RGB, size x size
 * @throws {Error} one line that says why the file cannot be read
 */
export async function readPicture(file, size) {
  if (!file.size) throw new Error("file is empty");
  const bitmap = await decoded(file);
  try {
    return resize(readerOf(bitmap), size, size);
  } finally {
    bitmap.close();
  }
}

async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "default" });
  } catch {
    throw new Error(await reasonOf(file));
  }
}

async function reasonOf(file) {
  let head;
  try {
    head = new TextDecoder("latin1").decode(await file.slice(0, 16).arrayBuffer());
  } catch {
    return "the file cannot be read any more";
  }
  if (head.slice(4, 8) === "ftyp" && HEIF_BRANDS.includes(head.slice(8, 12))) {
    return "this browser cannot read HEIC pictures; convert it to JPEG, or use Safari";
  }
  return "not a picture, or of a kind that this browser cannot read";
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
