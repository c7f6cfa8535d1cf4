// Chromium, with everything counted that a page must not do.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { PAGE, PICTURES, tool } from "./tools.mjs";

const { chromium } = tool("playwright-core");
const AXE = readFileSync(tool.resolve("axe-core/axe.min.js"), "utf8");

/** Debian's Chromium. As root, and in a container, it has no sandbox of its own to offer. */
export function launch(more = []) {
  const args = [...(process.getuid() === 0 ? ["--no-sandbox"] : []), ...more];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

/** While one works on the page: its files as they are now, in place of those in the program. */
function serveTree(context) {
  return context.route(/\/(page\/(?!api\/|download\/).*|)$/, async (route) => {
    const { pathname } = new URL(route.request().url());
    const path = join(PAGE, pathname === "/" ? "index.html" : pathname.slice("/page/".length));
    const headers = (await route.fetch()).headers();
    const types = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html" };
    const type = types[extname(path)];
    await route.fulfill({ path, headers: { ...headers, "content-type": type } });
  });
}

/** A person's browser at a page, and what went wrong in it. */
export class Person {
  static async at(browser, address, options = {}) {
    const context = await browser.newContext({
      viewport: { width: 1200, height: 900 },
      acceptDownloads: true,
      ...options,
    });
    const person = new Person();
    person.faults = [];
    person.context = context;
    // Before any script of the page: what the browser itself refuses.
    await context.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => {
        console.error(
          `CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`,
        );
      });
    });
    if (process.env.SYNCLAVE_PAGE_LIVE) await serveTree(context);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on("pageerror", (error) => person.faults.push(String(error)));
    // Answered with no: a question that nobody answers stops all that the test does next.
    page.on("dialog", (dialog) => {
      person.faults.push(`dialog: ${dialog.message() || dialog.type()}`);
      return dialog.dismiss();
    });
    page.on("console", (message) => {
      // A refusal that the page shows in words is in the console as well.
      if (message.type() === "error" && !/Failed to load resource/.test(message.text())) {
        person.faults.push(message.text());
      }
    });
    person.page = page;
    person.origin = new URL(address).origin;
    await page.goto(address);
    await page.waitForSelector("h1");
    return person;
  }

  /** Goes to a step by its link. */
  async step(name) {
    await this.page.locator(`.steps a[href="#${name}"]`).click();
    await this.page.waitForSelector(`.step.${name} h1`);
  }

  press(name) {
    return this.page.getByRole("button", { name, exact: true }).click();
  }

  async sees(text) {
    try {
      await this.page.getByText(text).first().waitFor();
    } catch {
      const said = await this.page.locator("[role=alert], [role=status]").allInnerTexts();
      await this.picture("not-seen");
      throw new Error(`the page does not say "${text}", but: ${said.join(" | ")}`);
    }
  }

  async picture(name) {
    mkdirSync(PICTURES, { recursive: true });
    await this.page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
  }

  /** What axe-core finds, of which nothing may be left. The page's policy keeps scripts out, so it is run from outside. */
  async isAccessible() {
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(() => globalThis.axe.run());
    const violations = found.violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`,
    );
    assert.deepEqual(violations, [], await this.page.title());
  }

  /** Nothing was refused by the browser, nothing ran that should not, nothing failed. */
  isUnharmed() {
    assert.deepEqual(this.faults, []);
  }
}
