// How files come into the page: chosen, dropped, pasted or taken by the camera.
import { find } from "./dom.js";

// take(list of { file, name }) gets them; isPicture({ file, name }) says which of a folder are wanted.
export function listen(take, isPicture) {
  const pass = (files, isFolder = false) => takeSome(files, isFolder, take, isPicture);
  for (const [button, input] of [["choose", "file"], ["choose-folder", "folder"], ["take", "camera"]]) {
    find(button).addEventListener("click", () => find(input).click());
    find(input).addEventListener("change", () => {
      pass(named(find(input).files), input === "folder");
      find(input).value = "";  // so that the same files can be chosen again
    });
  }
  find("choose-folder").hidden = !("webkitdirectory" in find("folder"));
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.toggle("over", kind === "dragover");
    });
  }
  document.addEventListener("drop", (event) => takeDropped(event.dataTransfer, pass));
  document.addEventListener("paste", (event) => pass(named(event.clipboardData.files)));
}

const named = (files) => [...files].map((file) => ({ file, name: file.webkitRelativePath || file.name }));

function takeSome(files, isFolder, take, isPicture) {
  const isHidden = ({ name }) => name.split("/").some((part) => part.startsWith("."));
  const chosen = isFolder ? files.filter((each) => isPicture(each) && !isHidden(each)) : files;
  if (isFolder) chosen.sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
  if (chosen.length) take(chosen);
  else if (isFolder) find("problem").textContent = "There are no pictures in this folder.";
}

async function takeDropped(transfer, pass) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const files = named(transfer.files);
  if (!entries.some((entry) => entry.isDirectory)) return pass(files);
  const found = await Promise.all(entries.map(filesIn));
  entries.forEach((entry, n) => pass(found[n], entry.isDirectory));
}

async function filesIn(entry) {  // of a dropped folder and its subfolders
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return [{ file, name: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {  // it gives a hundred at a time
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) return found;
    for (const each of some) found.push(...await filesIn(each));
  }
}
