// Fetches the files of the site, and reports how much of them has arrived.

/**
 * @param {URL} site the address of the folder with files.json
 * @param {string[]} paths
 * @param {function} onProgress called with the bytes that have arrived, and all bytes
 * @returns {Promise<Uint8Array[]>} the content of the files
 * @throws {Error} one line that says which file cannot be fetched
 */
export async function fetchFiles(site, paths, onProgress) {
  const { files } = await fetchJson(new URL("files.json", site));
  const sizes = paths.map((path) => {
    const file = files.find((each) => each.path === path);
    if (!file) throw new Error(`${path}: is not in files.json; export the site again`);
    return file.bytes;
  });
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let loaded = 0;
  const arrived = (bytes) => {
    loaded += bytes;
    onProgress(loaded, total);
  };
  return Promise.all(paths.map((path, index) => fetchFile(new URL(path, site), path, sizes[index], arrived)));
}

export async function fetchJson(address) {
  const response = await answerFrom(address, address.pathname);
  try {
    return await response.json();
  } catch {
    throw new Error(`${address.pathname}: is damaged; export the site again`);
  }
}

async function fetchFile(address, path, size, arrived) {
  const { body } = await answerFrom(address, path);
  const content = new Uint8Array(size);
  let length = 0;
  try {
    for (let reader = body.getReader(), part = await reader.read(); !part.done; part = await reader.read()) {
      content.set(part.value, length);
      length += part.value.length;
      arrived(part.value.length);
    }
  } catch {
    length = -1; // the connection broke, or there is more than there should be
  }
  if (length !== size) throw new Error(`${path}: did not arrive whole; reload the page`);
  return content;
}

async function answerFrom(address, path) {
  let response;
  try {
    response = await fetch(address);
  } catch {
    throw new Error(`${path}: cannot be fetched; is the connection still there?`);
  }
  if (!response.ok) throw new Error(`${path}: cannot be fetched (status ${response.status})`);
  return response;
}
