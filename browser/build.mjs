// Writes the runtime of the exported web page: `npm ci && npm run build` in this folder, with
// Python 3 on the PATH, whose tarfile and lzma modules pack it.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const SOURCE = path("node_modules/@litertjs/core/wasm/");
const OUT = path("../captioner/exporting/browser_page/runtime/litert.tar.xz");
// The names here and in the package: the quicker build needs relaxed SIMD, which not every browser
// has. They are nearly the same, so that one archive of both is hardly larger than of one.
const BUILDS = { litert: "litert_wasm_internal", litert_compat: "litert_wasm_compat_internal" };
const PACK = `
import io, lzma, pathlib, sys, tarfile
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
    for path in map(pathlib.Path, sys.argv[2:]):
        entry = tarfile.TarInfo(path.name)  # without time and owner: the same each time
        entry.size = path.stat().st_size
        with path.open("rb") as file:
            tar.addfile(entry, file)
filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "pb": 0}]
pathlib.Path(sys.argv[1]).write_bytes(lzma.compress(archive.getvalue(), filters=filters))
`;

const folder = mkdtempSync(join(tmpdir(), "captioner-"));
for (const [name, built] of Object.entries(BUILDS)) {
  const script = readFileSync(`${SOURCE}${built}.js`, "utf8");
  const module = `${script}\nexport default ModuleFactory;\n`; // it is written for a page's <script>
  const { code } = transformSync(module, { format: "esm", minify: true, target: "es2022" });
  writeFileSync(join(folder, `${name}.js`), code);
  copyFileSync(`${SOURCE}${built}.wasm`, join(folder, `${name}.wasm`));
}
mkdirSync(dirname(OUT), { recursive: true });
const files = Object.keys(BUILDS).flatMap((name) => [`${name}.js`, `${name}.wasm`]);
execFileSync("python3", ["-c", PACK, OUT, ...files.map((name) => join(folder, name))]);
rmSync(folder, { recursive: true });
