// The files that leave a page.

export const BYTE_ORDER_MARK = "\ufeff";  // by which spreadsheets know that a table is UTF-8

export function csvText(rows) {
  const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return rows.map((row) => row.map((each) => field(String(each))).join(",") + "\r\n").join("");
}

export function save(parts, name, type) {
  const url = URL.createObjectURL(new Blob(parts, { type })), link = document.createElement("a");
  Object.assign(link, { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
