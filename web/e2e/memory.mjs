// The worker's memory after a lesson of each mode, each on a fresh page: node memory.mjs [steps]

import { chromium } from "playwright-core";
import { openReady, serve, settled } from "./harness.mjs";

const STEPS = process.argv[2] ?? "3";
const MODES = ["none", "linear", "lora", "last-blocks", "adapt"];
/** Longest that a lesson may take. */
const PATIENCE = 300_000;

const server = await serve();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
console.log("| lesson | megabytes of the worker |\n| --- | ---: |");
for (const mode of MODES) {
  const { page, close } = await openReady(browser, server.origin);
  page.setDefaultTimeout(PATIENCE);
  await page.click("#tab-tune");
  await page.click("#tune-samples");
  await page.waitForFunction(() => /sample set is here/.test(document.querySelector("#status").textContent));
  if (mode !== "none") await learn(page, mode);
  console.log(`| ${mode} | ${((await memory(page)) / 1e6).toFixed(1)} |`);
  await close();
}
await browser.close();
server.close();

async function learn(page, mode) {
  await page.selectOption("#tune-mode", mode);
  await page.fill("#tune-steps", STEPS);
  await page.click("#tune-train");
  await page.waitForFunction(() => {
    const idle = document.querySelector("#tune-stop").disabled;
    return idle && /Validation accuracy|unlabelled/.test(document.querySelector("#tune-result").textContent);
  });
  await settled(page, PATIENCE);
}

/** The most that the worker ever had: WebAssembly's memory never shrinks. The page asks for it after loading a model. */
async function memory(page) {
  const loads = await page.evaluate(() => window.seen.loads);
  await page.click("#model-included");
  await page.waitForFunction((loads) => window.seen.loads > loads, loads);
  await settled(page, PATIENCE);
  return Number(await page.getAttribute("body", "data-memory"));
}
