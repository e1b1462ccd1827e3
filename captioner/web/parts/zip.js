// A ZIP archive of small text files. They are not compressed, which would save little.
// Source: PKWARE's APPNOTE.TXT, sections 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (end).

const MOST = 65535;  // files that an archive can have
const UTF8 = 0x0800;  // flag: names are UTF-8
const VERSION = 20;  // of the format that is needed to unpack it

// Blob parts of an archive of files, a list of { name, text }.
export function zip(files, now = new Date()) {
  if (files.length > MOST) throw new Error(`an archive can have ${MOST} files, not ${files.length}`);
  const time = now.getHours() << 11 | now.getMinutes() << 5 | now.getSeconds() >> 1;
  const date = now.getFullYear() - 1980 << 9 | now.getMonth() + 1 << 5 | now.getDate();
  const local = [], directory = [];
  let offset = 0;
  for (const file of files) {
    const [name, content] = [file.name, file.text].map((each) => new TextEncoder().encode(each));
    const size = content.length, entry = [[2, VERSION], [2, UTF8], [2, 0], [2, time], [2, date],
      [4, crc32(content)], [4, size], [4, size], [2, name.length], [2, 0]];
    local.push(record([4, 0x04034b50], ...entry), name, content);
    directory.push(record([4, 0x02014b50], [2, VERSION], ...entry, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset]), name);
    offset = lengthOf(local, offset, 3);
  }
  const size = lengthOf(directory, 0, directory.length), count = files.length;
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]);
  return [...local, ...directory, end];
}

// The bytes of the last `number` parts, after those before them.
function lengthOf(parts, before, number) {
  return parts.slice(parts.length - number).reduce((sum, each) => sum + each.length, before);
}

function record(...fields) {  // each [bytes, value], the lowest byte first
  return Uint8Array.from(fields.flatMap(([bytes, value]) =>
    Array.from({ length: bytes }, (_, n) => value >>> 8 * n & 255)));
}

function crc32(content) {
  let rest = -1;
  for (const byte of content) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest >>> 1 ^ (rest & 1 ? 0xedb88320 : 0);
  }
  return ~rest >>> 0;
}
