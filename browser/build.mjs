// Writes the runtime of the exported web page: `npm ci && npm run build` in this folder, with
// Python 3 on the PATH, whose lzma module packs the program.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
// Of the four builds of LiteRT.js the one that every browser with SIMD runs.
const BUILT = path("node_modules/@litertjs/core/wasm/litert_wasm_compat_internal");
const RUNTIME = path("../captioner/exporting/browser_page/runtime/");
const PACK = `
import lzma, pathlib, sys
filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}]
content = pathlib.Path(sys.argv[1]).read_bytes()
pathlib.Path(sys.argv[2]).write_bytes(lzma.compress(content, filters=filters))
`;

const script = `${readFileSync(`${BUILT}.js`, "utf8")}\nexport default ModuleFactory;\n`;
const { code } = transformSync(script, { format: "esm", minify: true, target: "es2022" });
mkdirSync(RUNTIME, { recursive: true });
writeFileSync(`${RUNTIME}litert.js`, code);
execFileSync("python3", ["-c", PACK, `${BUILT}.wasm`, `${RUNTIME}litert.wasm.xz`]);
