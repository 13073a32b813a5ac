// WebGPU, which a software adapter computes here: chosen by the person, never by the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { equip, openReady, reading, settled } from "./harness.mjs";

/** Kernels of a software adapter are compiled slowly. */
const PATIENCE = 240_000;
const TOLERANCE = 1e-3;

const { browser, origin } = await equip(["--enable-unsafe-webgpu"]);

test("WebGPU is tested before it is used, and gives the numbers of the CPU", { timeout: 2 * PATIENCE }, async (t) => {
  const { page, problems, close } = await openReady(browser, origin);
  t.after(close);
  page.setDefaultTimeout(PATIENCE);

  assert.equal(await page.textContent("#device"), "CPU", "a software adapter is not chosen for the person");
  t.diagnostic(await page.getAttribute("#device", "title"));
  const similar = () => page.evaluate(() => window.seen.similar.maps);
  const [cpu, said] = [await similar(), await reading(page)];

  await page.evaluate(() => (window.seen.similar = null));
  const start = Date.now();
  await page.selectOption("#device-choice", "webgpu");
  await page.waitForFunction(() => window.seen.similar);
  await settled(page, PATIENCE);
  const why = await page.getAttribute("#device", "title");
  t.diagnostic(`${why} Heatmap after ${((Date.now() - start) / 1000).toFixed(0)} s.`);
  if (await page.$("#device.webgpu")) {
    assert.match(why, /^WebGPU on .*agree with the CPU/);
  } else {
    assert.match(why, /^The CPU: WebGPU \(.*\) (computes wrong numbers|failed its test|gives no device)/);
  }

  for (const [slot, map] of (await similar()).entries()) {
    const worst = Math.max(...map.map((value, patch) => Math.abs(value - cpu[slot][patch])));
    assert.ok(worst < TOLERANCE, `image ${slot + 1}: cosines differ by ${worst}`);
  }
  assert.equal(await reading(page), said);
  assert.deepEqual(problems, []);
});
