// Where things are: the programs, the tools of the tests, and where pictures are put.

import { createRequire } from "node:module";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export const ROOT = resolve(import.meta.dirname, "../..");
export const PAGE = join(ROOT, "page");
export const PROGRAMS = resolve(process.env.SYNCLAVE_PROGRAMS ?? join(ROOT, "target/debug"));
export const PICTURES = join(ROOT, "target/page");
/** Folder of an enclave image: rooms are then on an emulated host, and not simulated. */
export const IMAGE = process.env.SYNCLAVE_PAGE_IMAGE && resolve(process.env.SYNCLAVE_PAGE_IMAGE);
export const EMULATOR_TOOLS =
  process.env.SYNCLAVE_EMULATOR_TOOLS ?? join(homedir(), ".cache/synclave/tools/vm");
const TOOLS = process.env.SYNCLAVE_PAGE_TOOLS ?? join(homedir(), ".cache/synclave/tools/page");

/** Of the packages that scripts/install-page has put outside of the tree. */
export const tool = createRequire(join(TOOLS, "package.json"));
