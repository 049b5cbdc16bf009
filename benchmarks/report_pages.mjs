// Opens pages in Chromium: errors of the console, violations found by axe-core, texts below 11 px, screenshots.
//
//   npm install axe-core puppeteer-core        in any folder, which NODE_MODULES names
//   NODE_MODULES=FOLDER/node_modules node benchmarks/report_pages.mjs PAGE.html … [--screenshots FOLDER] [--full] [--no-axe]
//
// Prints a JSON object of the findings by page, width and colour scheme. CHROMIUM names the browser if it is not
// /usr/bin/chromium, WIDTHS the widths (400,500,1280,2560). Without --full, a screenshot is of the first 1,400 px; with --no-axe, axe-core is not asked.
import { createRequire } from "node:module";
import { readFileSync, mkdirSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const modules = resolve(process.env.NODE_MODULES ?? "node_modules");
const require = createRequire(`${modules}/`);
const puppeteer = require("puppeteer-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const words = process.argv.slice(2);
const full = words.includes("--full"), judged = !words.includes("--no-axe");
const at = words.indexOf("--screenshots");
const folder = at >= 0 ? words[at + 1] : null;
const widths = process.env.WIDTHS ? process.env.WIDTHS.split(",").map(Number) : [400, 500, 1280, 2560];
const pages = words.filter((word, i) => !word.startsWith("--") && (at < 0 || i !== at + 1));
if (folder) mkdirSync(folder, { recursive: true });

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
  protocolTimeout: 600000,
  timeout: 600000,
});
const findings = [];
try {
  for (const path of pages) {
    for (const width of widths) {
      for (const scheme of ["light", "dark"]) {
        const tab = await browser.newPage();
        const errors = [];
        tab.on("console", (message) => { if (message.type() === "error") errors.push(message.text()); });
        tab.on("pageerror", (error) => errors.push(String(error)));
        tab.on("request", (request) => {
          if (!/^(file|data):/.test(request.url())) errors.push(`request of ${request.url()}`);
        });
        await tab.setViewport({ width, height: 1400 });
        await tab.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        await tab.goto(pathToFileURL(resolve(path)).href, { waitUntil: "load", timeout: 120000 });
        const known = await tab.evaluate(() => {
          const small = new Set(), cut = new Set();
          const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const parent = walker.currentNode.parentElement;
            if (!walker.currentNode.data.trim() || parent.closest("script, style, title, desc")) continue;
            const box = parent.getBoundingClientRect();
            if (!box.width || !parent.checkVisibility()) continue;
            const text = walker.currentNode.data.trim().slice(0, 40);
            if (parseFloat(getComputedStyle(parent).fontSize) < 11) small.add(text);
            const inside = parent.closest(".scroll");
            if (!inside && !parent.closest(".skip") && (box.left < -1 || box.right > innerWidth + 1)) cut.add(text);
          }
          // Texts of one figure that lie over each other.
          const over = new Set();
          for (const figure of document.querySelectorAll("main svg[role=img]")) {
            if (!figure.checkVisibility()) continue;
            const texts = [...figure.querySelectorAll("text")].filter((text) => text.checkVisibility());
            const boxes = texts.map((text) => text.getBoundingClientRect());
            for (let i = 0; i < boxes.length; i++) {
              for (let j = i + 1; j < boxes.length; j++) {
                const a = boxes[i], b = boxes[j];
                const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (wide > 1 && high > 3) over.add(`${texts[i].textContent} / ${texts[j].textContent}`);
              }
            }
          }
          return { small: [...small], cut: [...cut], over: [...over].slice(0, 10),
            wider: document.documentElement.scrollWidth - innerWidth };
        });
        let violations = [];
        if (judged) {
          await tab.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
          await tab.evaluate(axe);
          violations = await tab.evaluate(async () => {
            // eslint-disable-next-line no-undef
            const result = await axe.run(document, { resultTypes: ["violations"] });
            return result.violations.map((v) => ({ id: v.id, count: v.nodes.length, first: v.nodes[0].html.slice(0, 160),
              why: v.nodes[0].failureSummary }));
          });
        }
        const name = `${basename(dirname(resolve(path)))}-${basename(path, ".html")}-${width}-${scheme}`;
        await tab.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = d.hasAttribute("data-open"); }));
        if (folder) await tab.screenshot({ path: `${folder}/${name}.png`, fullPage: full });
        findings.push({ page: path, width, scheme, errors, violations, ...known });
        await tab.close();
      }
    }
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(findings, null, 1));
