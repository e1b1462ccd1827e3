// What the engine must know of a .tflite file: which tensors go in and come out under which names,
// and for how many rows it computes. LiteRT.js runs only networks whose number of rows is
// fixed, and gives one name to outputs that share a tensor, so both are read here from the file.
//
// The format: https://github.com/google-ai-edge/LiteRT, tflite/schema/schema.fbs, stored as
// https://flatbuffers.dev/internals says.

// The numbers of the fields in their tables.
const MODEL = { subgraphs: 2, signatures: 7 };
const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2 };
const TENSOR = { shape: 0, shapeSignature: 7 };
const SIGNATURE = { inputs: 0, outputs: 1 };
const NAMED = { name: 0, tensor: 1 };
const ANY = -1; // in a shape: any number

class Tables {
  constructor(bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.bytes = bytes;
  }

  int(place) { return this.view.getInt32(place, true); }

  /** Where a place leads to that holds an offset. */
  follow(place) { return place + this.view.getUint32(place, true); }

  /** Where a field of a table is; null where the table leaves it out. */
  field(table, number) {
    const layout = table - this.int(table);
    const entry = 4 + 2 * number;
    const offset = entry < this.view.getUint16(layout, true) ? this.view.getUint16(layout + entry, true) : 0;
    return offset ? table + offset : null;
  }

  /** The places of a vector's elements, of four bytes each. */
  elements(table, number) {
    const field = this.field(table, number);
    if (field === null) return [];
    const vector = this.follow(field);
    return Array.from({ length: this.int(vector) }, (_, index) => vector + 4 + 4 * index);
  }

  tables(table, number) { return this.elements(table, number).map((place) => this.follow(place)); }

  ints(table, number) { return this.elements(table, number).map((place) => this.int(place)); }

  text(table, number) {
    const start = this.follow(this.field(table, number));
    return new TextDecoder().decode(this.bytes.subarray(start + 4, start + 4 + this.int(start)));
  }
}

/**
 * Fixes the number of rows of a network, in place, and returns what goes in and comes out.
 * @param {Uint8Array} bytes the content of a .tflite file with one signature
 * @param {number} rows
 * @returns {{inputs: {name: string, shape: number[]}[], outputs: {names: string[], shape: number[]}[]}}
 *   in the order in which LiteRT takes and gives them; an output has several names, or none,
 *   where several share a tensor: then only the last place of that tensor has names.
 */
export function fixRows(bytes, rows) {
  const tables = new Tables(bytes);
  const model = tables.follow(0);
  const [subgraph] = tables.tables(model, MODEL.subgraphs);
  const [signature] = tables.tables(model, MODEL.signatures);
  const tensors = tables.tables(subgraph, SUBGRAPH.tensors);
  for (const tensor of tensors) fixRowsOf(tables, tensor, rows);

  const shapeOf = (index) => tables.ints(tensors[index], TENSOR.shape);
  const namesOf = (kind) => tables.tables(signature, kind).map((named) => {
    const field = tables.field(named, NAMED.tensor); // left out where it is 0
    return { name: tables.text(named, NAMED.name), tensor: field === null ? 0 : tables.int(field) };
  });
  const inputNames = namesOf(SIGNATURE.inputs), outputNames = namesOf(SIGNATURE.outputs);
  const outputs = tables.ints(subgraph, SUBGRAPH.outputs);
  return {
    inputs: tables.ints(subgraph, SUBGRAPH.inputs).map((tensor) => (
      { name: inputNames.find((each) => each.tensor === tensor).name, shape: shapeOf(tensor) })),
    outputs: outputs.map((tensor, place) => ({
      names: outputs.lastIndexOf(tensor) !== place ? []
        : outputNames.filter((each) => each.tensor === tensor).map((each) => each.name),
      shape: shapeOf(tensor),
    })),
  };
}

function fixRowsOf(tables, tensor, rows) {
  const [first] = tables.elements(tensor, TENSOR.shapeSignature);
  if (first === undefined || tables.int(first) !== ANY) return;
  const [size] = tables.elements(tensor, TENSOR.shape);
  tables.view.setInt32(first, rows, true);
  tables.view.setInt32(size, rows, true);
}
