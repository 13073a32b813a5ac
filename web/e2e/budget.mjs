// What the page weighs over the wire, against what it may weigh: node budget.mjs

import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const DIST = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../dist");
/** Bytes of the program that shows, before compression: it is to start at once, and does not need burn. */
const PAGE = 700_000;
/** Bytes of all programs and styles, compressed. */
const CODE = 2_500_000;
/** Bytes of the included model, which does not compress. */
const MODEL = 6_000_000;

const compress = async (bytes) => {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  return (await promisify(brotliCompress)(bytes, { params })).length;
};
const names = (await readdir(DIST, { withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);
const code = names.filter((name) => /\.(html|js|css|wasm)$/.test(name));
const rows = await Promise.all(
  code.map(async (name) => {
    const bytes = await readFile(path.join(DIST, name));
    return { name, raw: bytes.length, brotli: await compress(bytes) };
  }),
);
rows.sort((a, b) => b.brotli - a.brotli);
const total = rows.reduce((sum, { raw, brotli }) => ({ raw: sum.raw + raw, brotli: sum.brotli + brotli }), { raw: 0, brotli: 0 });
const page = rows.find(({ name }) => /^page-.*_bg\.wasm$/.test(name));
const model = (await readFile(path.join(DIST, "model.safetensors"))).length;

const number = (value) => value.toLocaleString("en");
const line = (...cells) => console.log(`| ${cells.map(number).join(" | ")} |`);
line("file", "bytes", "brotli 11", "at most");
line("---", "---:", "---:", "---:");
for (const row of rows) line(row.name, row.raw, row.brotli, row === page ? `${number(PAGE)} bytes` : "");
line("all code", total.raw, total.brotli, `${number(CODE)} brotli`);
line("model.safetensors", model, "", `${number(MODEL)} bytes`);
for (const [what, weight, most] of [[page.name, page.raw, PAGE], ["all code", total.brotli, CODE], ["the model", model, MODEL]]) {
  if (weight > most) {
    console.error(`${what} weighs ${number(weight)} bytes, ${number(weight - most)} more than it may`);
    process.exitCode = 1;
  }
}
