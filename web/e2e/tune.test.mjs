// What a person does in the Fine-tune tab, on the CPU.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { MODEL, PHOTO, bring, equip, failed, give, settled, shot, status } from "./harness.mjs";

const { onPage } = await equip();

/** A test of the tab. */
const onTab = (name, body, options) =>
  onPage(
    name,
    async (page, t) => {
      await page.click("#tab-tune");
      return body(page, t);
    },
    options,
  );

onTab("two classes are learned, saved, opened after a reload, and predict the same", async (page, t) => {
  await addSamples(page);
  await train(page, "linear");
  const accuracy = await accuracyOf(page);
  t.diagnostic(await page.textContent("#tune-result"));
  assert.ok(accuracy >= 90, `${accuracy} %`);
  assert.equal(await page.locator("#tune-confusion tr").count(), 3);
  for (const scope of ["col", "row"]) {
    assert.deepEqual(await page.locator(`#tune-confusion th[scope=${scope}]`).allTextContents(), scope === "col" ? ["fish", "house", "recall"] : ["fish", "house"]);
  }
  assert.equal(await page.locator("#tune-confusion th:not([scope])").count(), 0);
  const before = await predict(page, PHOTO);
  assert.match(before, /fish/);
  assert.match(before, /house/);
  await page.click("#tune-scene");
  await settled(page);
  assert.match(await page.textContent("#tune-prediction"), /^fish/, "a scene of the first class that was not learned");
  await shot(page, "tune");
  const project = await download(page, "#tune-export");

  await page.reload();
  await page.waitForFunction(() => !document.querySelector("#tune-samples").disabled);
  await page.click("#tab-tune");
  await give(page, "#tune-import", "project.ibot.safetensors", project);
  await page.waitForFunction(() => document.querySelector("#tune-result").textContent.includes("accuracy"));
  await settled(page);
  assert.deepEqual(await counts(page), { fish: 20, house: 20 });
  assert.equal(await accuracyOf(page), accuracy);
  assert.equal(await predict(page, PHOTO), before);
});

for (const [mode, steps] of [["knn"], ["lora", 6], ["last-blocks", 6], ["adapt", 3]]) {
  onTab(`the mode ${mode} learns, and again with an image less`, async (page, t) => {
    await addSamples(page);
    await train(page, mode, steps);
    t.diagnostic(await page.textContent("#tune-result"));
    if (mode === "knn") assert.ok((await accuracyOf(page)) >= 90);
    if (mode !== "adapt") assert.match(await predict(page, PHOTO), /\d/);
    // One image less is another lesson.
    await page.click(".tune-thumbs button >> nth=0");
    await settled(page);
    assert.deepEqual(await counts(page), { fish: 19, house: 20 });
    await train(page, mode, steps);
  });
}

onTab("learning stops and goes on", async (page) => {
  await addSamples(page);
  await page.selectOption("#tune-mode", "lora");
  await page.fill("#tune-steps", "500");
  await page.click("#tune-train");
  await page.waitForFunction(() => /Step \d+/.test(document.querySelector("#tune-result").textContent));
  assert.equal(await page.getAttribute("#tune-result", "aria-live"), "off", "steps are not read out");
  await page.click("#tune-stop");
  await page.waitForFunction(() => /stopped/.test(document.querySelector("#tune-result").textContent));
  const steps = async () => Number((await page.textContent("#tune-result")).match(/(\d+) steps in/)[1]);
  const first = await steps();
  assert.equal(await page.getAttribute("#tune-result", "aria-live"), "polite");
  await page.click("#tune-train");
  await page.waitForFunction((first) => Number(document.querySelector("#tune-result").textContent.match(/Step (\d+)/)?.[1]) > first, first);
  await page.click("#tune-stop");
  await page.waitForFunction(() => /stopped/.test(document.querySelector("#tune-result").textContent));
  assert.ok((await steps()) > first);
});

onTab("classes have names and images of the person", async (page) => {
  await page.click("#tune-add-class");
  await page.click("#tune-add-class");
  const names = page.locator(".tune-class[data-class] input.tune-name");
  const first = await names.count() - 2;
  await names.nth(first).fill("cats");
  await names.nth(first + 1).fill("dogs");
  await page.setInputFiles(`.tune-class[data-class="${first}"] .tune-input`, { name: "a.jpg", mimeType: "image/jpeg", buffer: PHOTO });
  await settled(page);
  assert.equal((await counts(page)).cats, 1);
  await page.click("#tune-train");
  assert.match(await failed(page), /dogs/);
  await page.setInputFiles(`.tune-class[data-class="${first}"] .tune-input`, { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("no image") });
  await page.waitForFunction(() => /a\.txt/.test(document.querySelector("#status.failed")?.textContent));
  assert.equal((await counts(page)).cats, 1);
});

onTab("the focus stays among the images while they are removed", async (page) => {
  await page.click("#tune-add-class");
  const images = ["a.jpg", "b.jpg", "c.jpg"].map((name) => ({ name, mimeType: "image/jpeg", buffer: PHOTO }));
  await page.setInputFiles(".tune-input", images);
  await thumbs(page, 3);
  const [first, , last] = await page.$$eval(".tune-thumbs button", (buttons) => buttons.map((button) => button.dataset.id));
  const focused = () => page.evaluate(() => document.activeElement.dataset.id ?? document.activeElement.className);
  await page.locator(".tune-thumbs button").nth(1).focus();
  for (const next of [last, first, "tune-open"]) {
    await page.keyboard.press("Enter");
    await settled(page);
    assert.equal(await focused(), next);
  }
  assert.equal(await page.textContent(".tune-count"), "0 images");

  await page.setInputFiles(".tune-input", images);
  await thumbs(page, 3);
  await page.locator(".tune-thumbs button").first().focus();
  for (let held = 0; held < 5; held++) await page.keyboard.down("Enter");
  await page.keyboard.up("Enter");
  await settled(page);
  assert.equal(await page.textContent(".tune-count"), "2 images", "a key that is held removes one image");
});

onTab("the focus stays among the classes while they are removed", async (page) => {
  for (let n = 0; n < 3; n++) await page.click("#tune-add-class");
  const focused = () => page.evaluate(() => {
    const { activeElement: element } = document;
    return [element.id || element.className, element.closest(".tune-class")?.querySelector(".tune-name").value];
  });
  await page.locator(".remove-class").nth(1).focus();
  for (const next of [["remove-class", "class 3"], ["remove-class", "class 1"], ["tune-add-class", undefined]]) {
    await page.keyboard.press("Enter");
    await settled(page);
    assert.deepEqual(await focused(), next);
  }
});

onTab("images are dropped and pasted where they belong", async (page) => {
  await addSamples(page);
  await train(page, "linear");
  await page.evaluate(() => document.querySelector("#tune-prediction").replaceChildren());
  assert.ok(await bring(page, "drop", "#tune-shown", "cat.jpg", PHOTO, "image/jpeg"));
  await page.waitForFunction(() => document.querySelector("#tune-prediction").textContent !== "");
  assert.deepEqual(await counts(page), { fish: 20, house: 20 }, "what is tried out belongs to no class");

  await bring(page, "drop", ".tune-class[data-class='1'] .tune-thumbs", "cat.jpg", PHOTO, "image/jpeg");
  await thumbs(page, 41);
  assert.deepEqual(await counts(page), { fish: 20, house: 21 }, "the class that it was dropped on");
  await bring(page, "paste", "body", "cat.jpg", PHOTO, "image/jpeg");
  await thumbs(page, 42);
  assert.deepEqual(await counts(page), { fish: 21, house: 21 }, "the class that is chosen");
});

onTab("a class is recorded as long as the camera's button is held", async (page) => {
  await page.click("#tune-add-class");
  await page.hover(".tune-record");
  await page.mouse.down();
  await thumbs(page, 3);
  await page.mouse.up();
  await page.waitForTimeout(500);
  const count = await page.locator(".tune-thumbs button").count();
  await page.waitForTimeout(500);
  assert.equal(await page.locator(".tune-thumbs button").count(), count);
});

onTab("the webcam is switched on, off, and on again", async (page) => {
  await addSamples(page);
  await train(page, "linear");
  await page.click("#tune-live");
  await page.waitForFunction(() => document.querySelector("#tune-prediction").textContent !== "");
  await page.click("#tune-live");
  await page.waitForTimeout(500);
  await page.click("#tune-live");
  // Longer than the camera stays on after its first use.
  await page.waitForTimeout(6000);
  assert.equal(await page.getAttribute("#tune-live", "aria-pressed"), "true");
  await page.click("#tune-live");
  await page.waitForSelector("#tune-view", { state: "hidden" });
});

onTab("the webcam that is switched off and on at once is watched by one loop", async (page) => {
  await addSamples(page);
  await train(page, "knn");
  // Until the project is saved.
  await page.waitForTimeout(2500);
  await settled(page);
  await page.click("#tune-live");
  await page.waitForFunction(() => document.querySelector("#tune-prediction").textContent !== "");
  await page.$eval("#tune-live", (button) => {
    button.click();
    button.click();
    window.seen.rests.length = 0;
  });
  await page.waitForFunction(() => window.seen.rests.length > 8);
  assert.equal(await page.getAttribute("#tune-live", "aria-pressed"), "true");
  // The new loop begins at once; the old one ends when it wakes. Each rests for 150 ms, and timers may be a bit early.
  const rests = (await page.evaluate(() => window.seen.rests)).slice(1);
  assert.ok(Math.min(...rests) > 140, rests.join(" "));
  await page.click("#tune-live");
  await settled(page);
  const asked = await page.evaluate(() => window.seen.asked);
  await page.waitForTimeout(500);
  assert.equal(await page.evaluate(() => window.seen.asked), asked);
});

onTab("a camera that comes late and is no longer wanted leaves the webcam alone", async (page) => {
  await addSamples(page);
  await train(page, "knn");
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const lend = mediaDevices.getUserMedia.bind(mediaDevices);
    let delay = 0;
    mediaDevices.getUserMedia = async (...args) => {
      delay += 500;
      await new Promise((resolve) => setTimeout(resolve, delay));
      return lend(...args);
    };
  });
  for (const pressed of ["true", "false", "true"]) {
    await page.click("#tune-live");
    assert.equal(await page.getAttribute("#tune-live", "aria-pressed"), pressed);
  }
  await page.waitForFunction(() => document.querySelector("#tune-prediction").textContent !== "");
  // Longer than the first one stays on.
  await page.waitForTimeout(6000);
  assert.ok(await page.$eval("#tune-view", (view) => view.srcObject?.active));
  assert.equal(await page.getAttribute("#tune-live", "aria-pressed"), "true");
});

onTab("of what the webcam sees, changes of the class are read out, numbers are not", async (page, t) => {
  await addSamples(page);
  await train(page, "linear");
  await page.evaluate(() => {
    window.heard = [];
    const hear = (changes) => {
      const regions = new Set(changes.map(({ target }) => (target.closest ? target : target.parentElement)?.closest("[aria-live]")));
      for (const region of regions) {
        if (region && region.getAttribute("aria-live") !== "off") window.heard.push(region.textContent);
      }
    };
    new MutationObserver(hear).observe(document.querySelector("#tune"), { subtree: true, childList: true, characterData: true });
  });
  const heard = () => page.evaluate(() => window.heard.splice(0));
  const asked = await page.evaluate(() => window.seen.asked);
  await page.click("#tune-live");
  await page.waitForFunction((asked) => window.seen.answered > asked + 12, asked);
  await page.click("#tune-live");
  await settled(page);
  const live = await heard();
  t.diagnostic(live.join(", "));
  assert.ok(live.length > 0);
  for (const [n, said] of live.entries()) {
    assert.match(said, /^(fish|house), \d+ %$/);
    assert.notEqual(said.split(",")[0], live[n - 1]?.split(",")[0], "the same class once more");
  }
  await page.setViewportSize({ width: 1000, height: 800 });
  await settled(page);
  assert.deepEqual(await heard(), [], "what is drawn anew is not news");
  // A picture by itself is another matter: its class is said though it is that of the one before.
  for (const file of ["first.jpg", "second.jpg"]) {
    await give(page, "#tune-try", file, PHOTO, "image/jpeg");
    await settled(page);
    const [said, ...more] = await heard();
    assert.match(said, /^(fish|house), \d+ %$/, file);
    assert.deepEqual(more, []);
  }
});

onTab("the tuned model is a model for Explore", async (page) => {
  await addSamples(page);
  await train(page, "lora", 3);
  const model = await download(page, "#tune-export-model");
  await page.click("#tab-explore");
  await give(page, "#model-file", "tuned.safetensors", model);
  await page.waitForFunction(() => document.querySelector("#model-name").textContent === "tuned.safetensors");
  await settled(page);
  assert.equal(await page.$("#status.failed"), null);
  assert.match(await page.textContent("#reading"), /closest in image 2/);
});

onTab("the last project is offered after a reload", async (page) => {
  await addSamples(page);
  await page.waitForTimeout(3000);
  await page.reload();
  await page.waitForSelector("#tune-banner:not([hidden])");
  await page.waitForFunction(() => !document.querySelector("#tune-samples").disabled);
  await page.click("#tune-resume");
  await thumbs(page, 40);
  await page.waitForTimeout(3000);
  await page.reload();
  await page.waitForSelector("#tune-banner:not([hidden])");
  await page.click("#tune-discard");
  await page.waitForSelector("#tune-banner", { state: "hidden" });
  await page.reload();
  await page.waitForFunction(() => !document.querySelector("#tune-samples").disabled);
  await page.waitForTimeout(300);
  assert.ok(await page.locator("#tune-banner").isHidden());
});

onTab("a project that is none is refused", async (page) => {
  await addSamples(page);
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(1000, 7), MODEL]) {
    await page.evaluate(() => (document.querySelector("#status").className = ""));
    await give(page, "#tune-import", "broken.safetensors", bytes);
    await failed(page);
    assert.deepEqual(await counts(page), { fish: 20, house: 20 });
  }
  await train(page, "linear");
});

onTab("a worker that breaks off while it learns is replaced", async (page) => {
  await addSamples(page);
  await page.selectOption("#tune-mode", "lora");
  await page.click("#tune-train");
  const [worker] = page.workers().slice(-1);
  await worker.evaluate(() => void setTimeout(() => { throw new Error("out of luck"); }));
  assert.match(await failed(page), /the computation broke off/);
  await settled(page);
  assert.deepEqual(await counts(page), { fish: 20, house: 20 });
  await train(page, "linear");
  assert.ok((await accuracyOf(page)) >= 90);
  return [/out of luck/];
});

onTab(
  "on a phone nothing is wider than the screen",
  async (page) => {
    await addSamples(page);
    await train(page, "linear");
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
  },
  { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
);

/** Two classes of builtin scenes. */
async function addSamples(page) {
  await page.click("#tune-samples");
  await page.waitForFunction(() => /sample set is here/.test(document.querySelector("#status").textContent));
  assert.deepEqual(await counts(page), { fish: 20, house: 20 });
}

/** The number of images of each class that has some. */
const counts = async (page) => {
  const cards = await page.$$eval(".tune-class[data-class]", (cards) =>
    cards.map((card) => [card.querySelector("input.tune-name").value, parseInt(card.querySelector(".tune-count").textContent, 10)]));
  return Object.fromEntries(cards.filter(([, count]) => count > 0));
};

/** Waits until the classes have this many images, or more. */
async function thumbs(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll(".tune-thumbs button").length >= count, count);
  await settled(page);
}

/** Learns, and waits for what came of it. */
async function train(page, mode, steps) {
  await page.selectOption("#tune-mode", mode);
  if (steps) await page.fill("#tune-steps", String(steps));
  await page.click("#tune-train");
  await page.waitForFunction(() => {
    const idle = document.querySelector("#tune-stop").disabled;
    return idle && /Validation accuracy|unlabelled/.test(document.querySelector("#tune-result").textContent);
  });
  await settled(page);
  assert.equal(await page.$("#status.failed"), null, await status(page));
}

/** Percent of the images that were put aside. */
const accuracyOf = async (page) => Number((await page.textContent("#tune-result")).match(/accuracy ([\d.]+) %/)[1]);

/** What the page says of an image. */
async function predict(page, bytes) {
  await page.evaluate(() => document.querySelector("#tune-prediction").replaceChildren());
  await give(page, "#tune-try", "photo.jpg", bytes, "image/jpeg");
  await page.waitForFunction(() => document.querySelector("#tune-prediction").textContent !== "");
  await settled(page);
  return page.textContent("#tune-prediction");
}

/** The file that a button gives. */
async function download(page, button) {
  const [file] = await Promise.all([page.waitForEvent("download"), page.click(button)]);
  return readFile(await file.path());
}
