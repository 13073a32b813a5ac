// dist/ behind a file server, a browser in front of it, and what a test needs to know of the page.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { after, test } from "node:test";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
/** A photograph, which is wider than high. */
export const PHOTO = await readFile(path.join(ROOT, "web/static/samples/chelsea.jpg"));
export const MODEL = await readFile(path.join(ROOT, "web/static/model.safetensors"));
const DIST = path.join(ROOT, "dist");
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".jpg": "image/jpeg" };
/** A camera that sees a test picture, and may be used. */
const CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
/** Longest that anything on the CPU may take, on a busy machine. */
const PATIENCE = 30_000;

/** A server of dist/ without any special header, and without one file. */
export async function serve({ without } = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = path.join(DIST, path.normalize(pathname === "/" ? "/index.html" : pathname));
    try {
      if (pathname === without) throw new Error("left out");
      const { size } = await stat(file);
      response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream", "content-length": size });
      createReadStream(file).pipe(response);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { origin: `http://127.0.0.1:${server.address().port}`, close: () => server.close().closeAllConnections() };
}

/** A server and a browser, to which `args` go, for all tests of a file; and what makes a test of the page there. */
export async function equip(args = []) {
  const server = await serve();
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-background-networking", ...CAMERA, ...args],
  });
  after(async () => {
    await browser.close();
    server.close();
  });
  /** A test of the page when all of it is there; `body` gives back which problems are expected. */
  const onPage = (name, body, options) =>
    test(name, async (t) => {
      const { page, problems, close } = await openReady(browser, server.origin, options);
      t.after(close);
      const expected = (await body(page, t)) ?? [];
      assert.deepEqual(problems.filter((problem) => !expected.some((known) => known.test(problem))), []);
    });
  return { browser, origin: server.origin, onPage };
}

/** Opens the page and watches it. `problems` collects what should not happen: errors in the console, requests elsewhere. */
export async function open(browser, origin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1240, height: 900 }, ...options });
  await context.addInitScript(recordAnswers);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const problems = [];
  page.on("console", (message) => message.type() === "error" && problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  context.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url)) problems.push(`request: ${url}`);
  });
  await page.goto(`${origin}/`);
  return { page, problems, close: () => context.close() };
}

/** Opens the page and waits until all of it is there. */
export async function openReady(browser, origin, options) {
  const opened = await open(browser, origin, options);
  await opened.page.waitForSelector("#legend canvas");
  await opened.page.waitForFunction((count) => document.querySelectorAll(".sample").length === count, SAMPLES);
  await settled(opened.page);
  return opened;
}

/** Images in the strip. */
export const SAMPLES = 13;

/** Keeps the worker's last answer of each kind, by a field that only this kind has, and counts questions and answers;
 * `rests` are the milliseconds from the last answer to each question, 0 if another one had no answer yet. */
function recordAnswers() {
  const seen = { asked: 0, answered: 0, rests: [], loads: 0, similar: null, predicted: null };
  let last = 0;
  window.seen = seen;
  const floats = (map) => map && Array.from(new Float32Array(map.slice().buffer));
  window.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      seen.asked = seen.answered = 0;
      this.addEventListener("message", ({ data }) => {
        if (!data.id) return;
        seen.answered++;
        last = performance.now();
        const { answer } = data;
        if (answer?.network) seen.loads++;
        if (answer?.best) seen.similar = { maps: answer.maps.map(floats), best: answer.best };
        if (answer?.agreement) seen.predicted = answer;
      });
    }
    postMessage(...args) {
      seen.rests.push(seen.asked === seen.answered ? performance.now() - last : 0);
      seen.asked++;
      super.postMessage(...args);
    }
  };
}

/** Waits until every question is answered and no new one follows. */
export async function settled(page, patience = PATIENCE) {
  const quiet = () =>
    new Promise((resolve) => {
      const { seen } = window;
      const asked = seen.asked;
      requestAnimationFrame(() => setTimeout(() => resolve(asked === seen.asked && asked === seen.answered), 50));
    });
  const deadline = Date.now() + patience;
  while (!(await page.evaluate(quiet))) {
    if (Date.now() > deadline) throw new Error(`the worker does not answer: ${await status(page)}`);
  }
}

/** Waits until an image of this name has its tokens. */
export async function encoded(page, name) {
  await page.waitForFunction((name) => document.querySelector("#status").textContent.startsWith(`${name}: `), name);
  await settled(page);
}

/** What the page says of its state, its patch, its colors and its device. */
export const status = (page) => page.textContent("#status");
export const reading = (page) => page.textContent("#reading");
export const failed = (page) => page.waitForSelector("#status.failed").then((line) => line.textContent());

/** The patch under the cursor: image, row and column from 1. */
export async function cursor(page) {
  const [, image, row, column] = (await reading(page)).match(/image (\d), row (\d+), column (\d+)/).map(Number);
  return { image, row, column };
}

/** Chooses what is shown. */
export async function show(page, mode) {
  await page.check(`input[name=mode][value=${mode}]`);
  await settled(page);
}

/** Gives a file to one of the page's fields. */
export const give = (page, field, name, buffer, mimeType = "") => page.setInputFiles(field, { name, mimeType, buffer });

/** Drops or pastes a file over an element, `across` its width; whether the page kept the browser from opening it. */
export const bring = (page, how, over, name, buffer, mimeType, across = 0.5) =>
  page.$eval(over, (element, { how, name, base64, mimeType, across }) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], name, { type: mimeType }));
    const { left, top, width, height } = element.getBoundingClientRect();
    const place = { clientX: left + across * width, clientY: top + height / 2 };
    const event = how === "drop"
      ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true, ...place })
      : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    return !element.dispatchEvent(event);
  }, { how, name, base64: buffer.toString("base64"), mimeType, across });

/** Sets a slider. */
export const slide = (page, slider, value) =>
  page.$eval(slider, (input, value) => {
    input.value = value;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }, value);

/** Keeps a picture of the page for the documentation, if IBOT_SHOTS names a folder for them. */
export async function shot(page, name) {
  if (process.env.IBOT_SHOTS) {
    await page.screenshot({ path: path.join(process.env.IBOT_SHOTS, `${name}.jpg`), type: "jpeg", quality: 80 });
  }
}
