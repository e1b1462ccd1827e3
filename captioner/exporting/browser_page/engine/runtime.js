// Runs .tflite networks: the only module that knows LiteRT.js.
//
// Of its package only the compiled part is used, and no more of its interface than this file says:
// the JavaScript around it can be loaded neither by a module worker nor with several rows.

import { fixRows } from "./tflite.js";

const THREADS = 1; // more need headers that a static host does not send
// A function of a few instructions, one of them of relaxed SIMD, which the quicker build needs.
const RELAXED = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0,
  10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11);
/** The name of the build of LiteRT.js that suits this browser. */
export const BUILD = WebAssembly.validate(RELAXED) ? "litert" : "litert_compat";

/** The path of the compiled part of LiteRT.js, from the site's folder. */
export const PROGRAM = `runtime/${BUILD}.wasm`;

export class Runtime {
  /** @param {Uint8Array} program the content of the file PROGRAM */
  static async open(program) {
    const silent = () => {}; // it reports each step of its start
    const { default: makeModule } = await import(`../runtime/${BUILD}.js`);
    const module = await makeModule({ wasmBinary: program, print: silent, printErr: silent });
    module.setupLogging();
    return new Runtime(module);
  }

  constructor(module) {
    this.module = module;
    this.environment = module.LiteRtEnvironment.create(null); // null: without a graphics processor
  }

  /**
   * @param {Uint8Array} content of a .tflite file; it is changed
   * @param {number} rows how many rows one run computes
   */
  async network(content, rows) {
    const { module, environment } = this;
    const signature = fixRows(content, rows);
    const place = module._malloc(content.byteLength); // it must stay as long as the network
    module.HEAPU8.set(content, place);
    const model = module.loadModel(environment, place, content.byteLength);
    const compiled = await module.compileModel(environment, model, {
      environment, accelerator: "wasm", cpuOptions: { numThreads: THREADS }, gpuOptions: {}, webNNOptions: {},
    });
    return new Network(this, model, compiled, signature);
  }
}

class Network {
  constructor({ module, environment }, model, compiled, { inputs, outputs }) {
    this.module = module;
    this.compiled = compiled;
    this.names = inputs.map(({ name }) => name);
    this.outputs = outputs;
    this.buffers = inputs.map((_, index) => {
      const type = model.getInputTensorType(0, index);
      const buffer = module.LiteRtTensorBuffer.createManaged(
        environment, module.LiteRtTensorBufferType.HOST_MEMORY, type, type.bytes());
      type.delete();
      return buffer;
    });
  }

  /**
   * @param {object} given the input arrays by name, of all rows together
   * @returns {Promise<object>} the output arrays by name, Float32Array
   */
  async run(given) {
    this.names.forEach((name, index) => this.#write(this.buffers[index], given[name]));
    const found = await this.compiled.run(0, this.buffers);
    const results = {};
    this.outputs.forEach(({ names }, index) => {
      if (names.length) {
        const values = this.#read(found[index]);
        for (const name of names) results[name] = values;
      }
      found[index].delete();
    });
    return results;
  }

  #write(buffer, values) {
    const place = buffer.lock(this.module.LiteRtTensorBufferLockMode.WRITE);
    this.module.HEAPU8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), place);
    buffer.unlock();
  }

  #read(buffer) {
    const place = buffer.lock(this.module.LiteRtTensorBufferLockMode.READ);
    const values = new Float32Array(this.module.HEAPU8.slice(place, place + buffer.packedSize()).buffer);
    buffer.unlock();
    return values;
  }
}
