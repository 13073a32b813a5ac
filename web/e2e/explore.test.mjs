// What a person does in the Explore tab, on the CPU.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MODEL, PHOTO, bring, cursor, encoded, equip, give, open, reading, settled, shot, show, slide, status } from "./harness.mjs";

/** The aim is a first heatmap within three seconds; a busy machine gets four times as long. */
const FIRST_HEATMAP = 12_000;
/** The scale's color for the highest value, and how far a browser may round it. */
const VIRIDIS_END = [253, 231, 37];
/** Width of the cursor's frame in CSS pixels. */
const FRAME = 4;

const { browser, origin, onPage } = await equip();

test("the first heatmap is there soon", async (t) => {
  const { page, problems, close } = await open(browser, origin);
  t.after(close);
  const canvas = await page.waitForSelector("#legend canvas");
  const time = await canvas.evaluate(() => performance.now());
  t.diagnostic(`first heatmap after ${(time / 1000).toFixed(2)} s`);
  assert.ok(time < FIRST_HEATMAP, `${time} ms`);
  assert.deepEqual(problems, []);
});

onPage("without WebGPU the CPU computes, and the page says why", async (page) => {
  assert.equal(await page.textContent("#device"), "CPU");
  assert.equal(await page.getAttribute("#device", "title"), "The CPU: this browser offers no WebGPU here.");
  assert.match(await page.textContent("#model-network"), /ViT/i);
  assert.match(await page.textContent("#model-report"), /\d/);
});

onPage("the heatmap is highest at the patch that is clicked", async (page) => {
  await slide(page, "#opacity", 100);
  await page.fill("#best", "0");
  const { width, height } = await page.locator("#stage").boundingBox();
  for (const [across, down] of [[0.12, 0.3], [0.4, 0.7], [0.62, 0.2], [0.9, 0.85]]) {
    await page.locator("#stage").click({ position: { x: width * across, y: height * down } });
    await settled(page);
    const { image, row, column } = await cursor(page);
    assert.equal(image, across < 0.5 ? 1 : 2);
    // What the worker answers: cosine 1 at the patch itself, less elsewhere.
    const map = await page.evaluate((slot) => window.seen.similar.maps[slot], image - 1);
    const columns = Math.sqrt(map.length);
    assert.equal(map.indexOf(Math.max(...map)), (row - 1) * columns + column - 1);
    assert.ok(Math.abs(Math.max(...map) - 1) < 1e-4);
    // What is painted: the scale's highest color around the place of the click, in one patch. The cursor's frame
    // hides its edges.
    const painted = await spot(page, VIRIDIS_END);
    const within = (low, at, high) => low - FRAME <= at && at <= high + FRAME;
    assert.ok(within(painted.left, width * across, painted.right), JSON.stringify(painted));
    assert.ok(within(painted.top, height * down, painted.bottom), JSON.stringify(painted));
    assert.ok(painted.right - painted.left < width / (2 * columns), "one patch");
  }
  // A click keeps the patch: the pointer moves on, the heatmap stays. Another click lets it go.
  const kept = await reading(page);
  await page.mouse.move(300, 300);
  await settled(page);
  assert.equal(await reading(page), kept);
});

onPage("an image is compared with itself", async (page) => {
  await page.click("button.clear[data-slot='1']");
  await settled(page);
  assert.doesNotMatch(await reading(page), /in image 2/);
  await page.click(".sample[title=fish] >> nth=0");
  await settled(page);
  assert.match(await reading(page), /closest in image 2: cosine 1\.00/);
  const { row, column } = await cursor(page);
  const [best] = await page.evaluate(() => window.seen.similar.best[1]);
  const columns = Math.sqrt(await page.evaluate(() => window.seen.similar.maps[1].length));
  assert.equal(best.patch, (row - 1) * columns + column - 1, "the same patch of the other image is the most similar one");
  // Each patch has its twin, so that the worst pair is a perfect one.
  await show(page, "match");
  assert.match(await page.textContent("#legend"), /12 mutual nearest neighbours, cosine at least 1\.00/);
});

onPage("images of one class have similar patches", async (page) => {
  await show(page, "match");
  const least = (await page.textContent("#legend")).match(/cosine at least (\d\.\d+)/);
  assert.ok(Number(least[1]) > 0.3, least[1]);
  await shot(page, "match");
});

onPage("every mode explains its colors", async (page) => {
  const expected = {
    similar: /cosine similarity/,
    colors: /%/,
    attention: /attention of CLS/,
    parts: /patches/,
    prototypes: /\(\d+ patches\)/,
    match: /mutual nearest neighbours/,
    predict: /./,
  };
  for (const [mode, legend] of Object.entries(expected)) {
    await show(page, mode);
    assert.match(`${await page.textContent("#legend")} ${await status(page)}`, legend, mode);
    assert.equal(await page.$("#status.failed"), null, mode);
    if (mode === "similar") await shot(page, mode);
  }
  // Every head, every block and another resolution, too.
  await show(page, "attention");
  await page.selectOption("#head", "1");
  await page.selectOption("#block", "1");
  await page.selectOption("#resolution", { index: 0 });
  await settled(page);
  assert.match(await status(page), /4 x 4 patches/);
});

onPage("keys move the cursor", async (page) => {
  await page.focus("#stage");
  const start = await cursor(page);
  const presses = [["ArrowRight", 0, 1], ["ArrowDown", 1, 0], ["ArrowLeft", 0, -1], ["ArrowUp", -1, 0]];
  let { row, column } = start;
  for (const [key, down, right] of presses) {
    await page.keyboard.press(key);
    await settled(page);
    row += down;
    column += right;
    assert.deepEqual(await cursor(page), { ...start, row, column }, key);
  }
  await page.keyboard.press("x");
  await settled(page);
  assert.deepEqual(await cursor(page), { ...start, image: 3 - start.image });
  for (let i = 0; i < 40; i++) await page.keyboard.press("ArrowUp");
  await settled(page);
  assert.equal((await cursor(page)).row, 1, "the cursor stays within the image");
  // Space hides a patch from the student.
  await show(page, "predict");
  await page.click("#mask-clear");
  await page.focus("#stage");
  await page.keyboard.press("Space");
  await settled(page);
  assert.match(await reading(page), /the teacher says prototype/);
});

onPage("the student predicts what is masked", async (page) => {
  await show(page, "predict");
  await page.click("#mask-random");
  await settled(page);
  const { patches, prototypes, agreement } = await page.evaluate(() => window.seen.predicted);
  const side = Math.sqrt(await page.evaluate(() => window.seen.similar.maps[0].length));
  const hidden = new Set(patches.map(({ patch }) => patch)).size / side ** 2;
  assert.ok(Math.abs(hidden - 0.3) < 0.1, `${hidden} of the patches are hidden, 0.3 were asked for`);
  assert.ok(patches.every(({ student, teacher }) => student < prototypes && teacher < prototypes));
  const equal = patches.filter(({ student, teacher }) => student === teacher).length / patches.length;
  assert.ok(Math.abs(equal - agreement[0]) < 1e-6);
  assert.match(await page.textContent("#legend"), /right for \d+ % of the hidden patches/);
  await shot(page, "predict");
  for (const tell of ["probability", "teacher", "student"]) {
    await page.selectOption("#tell", tell);
    await settled(page);
    assert.notEqual(await page.textContent("#legend"), "", tell);
  }
  await page.click("#mask-clear");
  await settled(page);
  assert.doesNotMatch(await page.textContent("#legend"), /of the hidden patches/);
});

onPage("the primary button paints, others do not", async (page) => {
  await show(page, "predict");
  await page.click("#mask-clear");
  await settled(page);
  await page.evaluate(() => (window.seen.predicted = null));
  const hidden = () => page.evaluate(() => window.seen.predicted?.patches.length ?? 0);
  const { x, y, width, height } = await page.locator("#stage").boundingBox();
  const stroke = async (button) => {
    await page.mouse.move(x + 0.15 * width, y + 0.4 * height);
    await page.mouse.down({ button });
    await page.mouse.move(x + 0.3 * width, y + 0.4 * height, { steps: 10 });
    await settled(page);
  };
  for (const button of ["right", "middle"]) {
    await stroke(button);
    await page.mouse.up({ button });
    await settled(page);
    assert.equal(await hidden(), 0, button);
  }
  await stroke("left");
  const count = await hidden();
  assert.ok(count > 1, `${count} patches`);
  // The primary button is released while another one is held: the stroke is over.
  await page.mouse.down({ button: "right" });
  await page.mouse.up({ button: "left" });
  await page.mouse.move(x + 0.3 * width, y + 0.8 * height, { steps: 10 });
  await settled(page);
  assert.equal(await hidden(), count);
  await page.mouse.up({ button: "right" });
});

onPage("images come from files, as they are", async (page) => {
  await page.click("button.clear[data-slot='0']");
  await give(page, "#image-file", "cat.jpg", PHOTO, "image/jpeg");
  await encoded(page, "cat.jpg");
  assert.match(await status(page), /cat\.jpg: \d+ x \d+ patches in/);
});

onPage("images are dropped where they belong, or pasted; models beside them", async (page) => {
  const patches = () => page.evaluate(() => window.seen.similar.maps.map((map) => map.length));
  const [square] = await patches();
  assert.ok(await bring(page, "drop", "#stage", "cat.jpg", PHOTO, "image/jpeg", 0.9), "the browser does not open it");
  await encoded(page, "cat.jpg");
  const [first, wide] = await patches();
  assert.equal(first, square);
  assert.ok(wide > square);
  await bring(page, "paste", "body", "pasted.jpg", PHOTO, "image/jpeg");
  await encoded(page, "pasted.jpg");
  assert.deepEqual(await patches(), [wide, wide]);
  await bring(page, "drop", "#model", "own.safetensors", MODEL, "");
  await page.waitForFunction(() => document.querySelector("#model-name").textContent === "own.safetensors");
  await settled(page);
  assert.deepEqual(await patches(), [wide, wide], "a model is no image");
});

onPage("a picture is taken with the camera, or not", async (page) => {
  const off = () => page.waitForFunction(() => !document.querySelector("#camera").open && !document.querySelector("#camera-view").srcObject);
  for (const slot of [1, 0]) {
    await page.click(`button.camera[data-slot='${slot}']`);
    await page.click("#camera >> text=Cancel");
    await off();
    assert.doesNotMatch(await status(page), /camera/);
  }
  await page.click("button.camera[data-slot='1']");
  await page.click("#camera-take");
  await encoded(page, "camera");
  await off();
  const [scene, picture] = await page.evaluate(() => window.seen.similar.maps.map((map) => map.length));
  assert.ok(picture > scene, "the camera's picture is wider than high");
});

onPage("an image's mask goes with it", async (page) => {
  await page.locator("#stage").click({ position: { x: 10, y: 100 } });
  await show(page, "predict");
  await page.click("#mask-random");
  await settled(page);
  await page.click("button.clear[data-slot='0']");
  await settled(page);
  assert.equal(await page.$("#status.failed"), null);
});

onPage("what changes behind another tab is drawn when its own is shown", async (page) => {
  const size = () => page.$eval("#stage", ({ width, height }) => [width, height]);
  const before = await size();
  await page.click("#tab-tune");
  await page.click("#model-included");
  await page.waitForFunction(() => window.seen.loads > 1);
  await settled(page);
  await page.click("#tab-explore");
  assert.deepEqual(await size(), before);
  await page.locator("#stage").click({ position: { x: before[0] - 20, y: 100 } });
  await settled(page);
  assert.equal((await cursor(page)).image, 2);
});

onPage("the canvas is saved as a picture", async (page) => {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  assert.equal(download.suggestedFilename(), "ibot-patches.png");
});

onPage(
  "on a phone nothing is wider than the screen",
  async (page) => {
    for (const mode of ["similar", "colors", "attention", "parts", "prototypes", "match", "predict"]) {
      await show(page, mode);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, mode);
    }
    await show(page, "similar");
    await page.evaluate(() => scrollTo(0, 0));
    await shot(page, "phone");
    // A tap is a click there.
    await page.locator("#stage").tap({ position: { x: 200, y: 100 } });
    await settled(page);
    assert.equal((await cursor(page)).image, 1);
  },
  { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
);

/** The box around all of the canvas that has a color, in CSS pixels. */
function spot(page, color) {
  return page.$eval("#stage", (canvas, color) => {
    const { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
    const ratio = width / canvas.clientWidth;
    const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    for (let i = 0; i < width * height; i++) {
      if (color.every((value, c) => Math.abs(data[4 * i + c] - value) <= 1)) {
        const [x, y] = [(i % width) / ratio, Math.floor(i / width) / ratio];
        box.left = Math.min(box.left, x);
        box.right = Math.max(box.right, x);
        box.top = Math.min(box.top, y);
        box.bottom = Math.max(box.bottom, y);
      }
    }
    return box;
  }, color);
}
