// What goes wrong, and that the page is usable all the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import { MODEL, PHOTO, encoded, equip, failed, give, open, reading, serve, settled, status } from "./harness.mjs";

const { browser, origin, onPage } = await equip();

/** A test of the page that ends with a heatmap. */
const survives = (name, body) =>
  onPage(name, async (page, t) => {
    const expected = await body(page, t);
    await page.click(".sample[title=cat] >> nth=0");
    await settled(page);
    assert.match(await status(page), /cat: \d+ x \d+ patches in/);
    assert.match(await reading(page), /closest in image 1: cosine/);
    return expected;
  });

survives("a model file that is cut off", async (page) => {
  await refuses(page, "half.safetensors", MODEL.subarray(0, MODEL.length / 2), /is no model that can be read/);
});

survives("a model file of noise", async (page) => {
  const noise = Buffer.alloc(100_000);
  for (let i = 0; i < noise.length; i++) noise[i] = (i * 2654435761) >>> 24;
  for (const name of ["noise.safetensors", "noise.pth"]) {
    await refuses(page, name, noise, /is no model that can be read/);
  }
});

survives("an empty model file", async (page) => {
  await refuses(page, "empty.safetensors", Buffer.alloc(0), /is no model that can be read/);
});

survives("a model file that claims to be huge", async (page) => {
  const header = JSON.stringify({ "pos_embed": { dtype: "F32", shape: [1, 1 << 20, 1 << 20], data_offsets: [0, 2 ** 42] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await refuses(page, "huge.safetensors", Buffer.concat([length, Buffer.from(header)]), /is no model that can be read/);
});

survives("a model with tensors of no vision transformer", async (page) => {
  const header = JSON.stringify({ weight: { dtype: "F32", shape: [2, 2], data_offsets: [0, 16] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  await refuses(page, "other.safetensors", Buffer.concat([length, Buffer.from(header), Buffer.alloc(16)]), /does not fit/);
});

survives("a model at an address that is not there", async (page) => {
  await page.fill("#model-url", `${origin}/nothing.safetensors`);
  await page.click("#model-from-url button");
  assert.match(await failed(page), /nothing\.safetensors cannot be loaded: the server answers 404/);
  return [/404/];
});

survives("a file that is no image", async (page) => {
  await give(page, "#image-file", "notes.txt", Buffer.from("no image"), "text/plain");
  assert.match(await failed(page), /notes\.txt is no image that this browser can read \(text\/plain\); use JPEG/);
  await give(page, "#image-file", "cut.jpg", Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), "image/jpeg");
  assert.match(await failed(page), /cut\.jpg is no image/);
});

survives("a file that is no image, and one that is", async (page) => {
  const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("no image") };
  await page.setInputFiles("#image-file", [notes, { name: "cat.jpg", mimeType: "image/jpeg", buffer: PHOTO }]);
  assert.match(await failed(page), /notes\.txt is no image/);
  await settled(page);
  const [first, second] = await page.evaluate(() => window.seen.similar.maps.map((map) => map.length));
  assert.ok(first > second, "the photograph has more patches than the scene beside it");
});

survives("a picture of 40 megapixels", async (page, t) => {
  const start = Date.now();
  await give(page, "#image-file", "large.png", png(8000, 5000), "image/png");
  await encoded(page, "large.png");
  t.diagnostic(`shown after ${((Date.now() - start) / 1000).toFixed(1)} s`);
});

survives("pictures of extreme proportions", async (page) => {
  for (const [width, height] of [[1, 1], [3000, 1], [1, 3000], [8000, 40]]) {
    const name = `${width}x${height}.png`;
    await give(page, "#image-file", name, png(width, height), "image/png");
    await encoded(page, name);
    const [, rows, columns] = (await status(page)).match(/: (\d+) x (\d+) patches/).map(Number);
    assert.ok(rows * columns <= 4096, `${name}: ${rows} x ${columns}`);
  }
});

survives("a worker that breaks off while it computes", async (page) => {
  await kill(page);
  assert.match(await failed(page), /the computation broke off .*; it goes on, on the CPU/);
  // The images are still there, and so is the model.
  assert.match(await reading(page), /closest in image 2/);
  assert.equal(await page.textContent("#model-name"), "the included model");
  // And once more.
  await kill(page);
  await page.waitForFunction(() => !document.querySelector("#status.failed"));
  assert.match(await failed(page), /the computation broke off/);
  return [/out of luck/];
});

survives("memory stays where it is while models are loaded again and again", async (page, t) => {
  const sizes = [];
  for (let i = 0; i < 20; i++) {
    const before = await page.evaluate(() => window.seen.loads);
    await page.click("#model-included");
    await page.waitForFunction((before) => window.seen.loads > before, before);
    await settled(page);
    sizes.push(Number(await page.getAttribute("body", "data-memory")));
  }
  t.diagnostic(`megabytes of the worker: ${sizes.map((size) => (size / 1e6).toFixed(0)).join(" ")}`);
  assert.equal(sizes.at(-1), sizes[4], "no growth after the first five");
});

test("a page without its model says so, and takes another", async (t) => {
  const { page } = await without(t, "/model.safetensors");
  assert.match(await failed(page), /model\.safetensors cannot be loaded: the server answers 404/);
  await give(page, "#model-file", "own.safetensors", MODEL);
  await page.waitForFunction(() => document.querySelector("#model-name").textContent === "own.safetensors");
  await page.click(".sample >> nth=0");
  await page.waitForSelector("#legend canvas");
});

for (const part of ["/worker_loader.js", "/worker_bg.wasm"]) {
  test(`a page without ${part} says that it cannot compute`, async (t) => {
    const { page } = await without(t, part);
    assert.match(await failed(page), /the program that computes does not start/);
  });
}

test("a page without JavaScript says that it needs it", async (t) => {
  const { page, close } = await open(browser, origin, { javaScriptEnabled: false });
  t.after(close);
  assert.match(await page.locator("noscript p").innerText(), /needs JavaScript/);
  assert.ok(await page.locator("#status").isHidden(), "nothing is being loaded");
});

/** The page from a server that lacks a file. */
async function without(t, file) {
  const partial = await serve({ without: file });
  t.after(partial.close);
  const opened = await open(browser, partial.origin);
  t.after(opened.close);
  return opened;
}

/** Gives the page a file that is no model: it says why, and goes on with the model before it. */
async function refuses(page, name, bytes, why) {
  await give(page, "#model-file", name, bytes);
  await page.waitForFunction((name) => document.querySelector("#status.failed")?.textContent.startsWith(name), name);
  assert.match(await status(page), why);
  await settled(page);
  assert.equal(await page.textContent("#model-name"), "the included model");
  assert.match(await reading(page), /closest in image 1: cosine/);
}

/** An error in the worker that nothing catches, as a trap of its program is one. */
function kill(page) {
  const [worker] = page.workers().slice(-1);
  return worker.evaluate(() => void setTimeout(() => { throw new Error("out of luck"); }));
}

/** A gray PNG with a slope. */
function png(width, height) {
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * (width + 1) + 1 + x] = (x + 2 * y) >> 5;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 0, 0, 0, 0], 8);
  const parts = [["IHDR", head], ["IDAT", deflateSync(rows, { level: 1 })], ["IEND", Buffer.alloc(0)]];
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...parts.map(([kind, data]) => chunk(kind, data))]);
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
