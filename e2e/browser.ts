/** A Chromium for the browser tests: the one that is here, or one that this machine can be given without asking anyone. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { chromium, type Browser } from "playwright-core";

const CACHE = path.resolve(import.meta.dirname, "../.cache/chromium");
const FROM_NPM = { name: "@sparticuz/chromium", version: "147.0.0" };

const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/usr/bin/chromium-browser",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

interface Found {
  executablePath: string;
  /** Added to the browser's environment. */
  environment?: Record<string, string>;
  args?: string[];
}

let known: Found | undefined;

/** Starts a headless Chromium; the first call of a process looks for one and may install it. `more` are arguments for it. */
export async function launchBrowser(more: readonly string[] = []): Promise<Browser> {
  known ??= findBrowser();
  const { executablePath, environment = {}, args = [] } = known;
  // Tests run as root in containers, where Chromium's sandbox does not start; it shows only our own pages.
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", ...args, ...more],
    env: { ...ownEnvironment(), ...environment },
  });
}

/** `$CHROMIUM`, one that is installed, Debian's, or npm's; throws, saying what to do, where none of them works. */
function findBrowser(): Found {
  const named = process.env["CHROMIUM"];
  if (named !== undefined && named !== "") {
    if (works({ executablePath: named })) return { executablePath: named };
    throw new Error(`$CHROMIUM is ${named}, which is not a browser that starts.`);
  }
  const here = PLACES.map((executablePath) => ({ executablePath })).find(works);
  if (here !== undefined) return here;
  console.log("No Chromium here: installing one for the browser tests.");
  const installed = installFromDebian() ?? installFromNpm();
  if (installed !== undefined) return installed;
  throw new Error(
    "The browser tests need Chromium, and none could be installed here. " +
      "Install it (apt-get install chromium) or name one: CHROMIUM=/path/to/chromium npm test",
  );
}

function works({ executablePath, environment = {} }: Found): boolean {
  if (!existsSync(executablePath)) return false;
  // Ubuntu's chromium package is a script that only points at a snap: it is there and does not start.
  const env = { ...process.env, ...environment };
  return spawnSync(executablePath, ["--version", "--no-sandbox"], { env, timeout: 20_000 }).status === 0;
}

function installFromDebian(): Found | undefined {
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const aptGet = (...args: string[]) => spawnSync("apt-get", args, { env, stdio: "ignore" }).status === 0;
  const packages = ["chromium", "fonts-liberation"];
  const install = () => aptGet("install", "-y", "-q", "--no-install-recommends", ...packages);
  if (!install() && !(aptGet("update", "-q") && install())) return undefined;
  const debian = { executablePath: "/usr/bin/chromium" };
  return works(debian) ? debian : undefined;
}

/** A Chromium made for bare containers, with the libraries that they lack; Linux on x64 and arm64. */
function installFromNpm(): Found | undefined {
  if (process.platform !== "linux") return undefined;
  const { name, version } = FROM_NPM;
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(path.join(CACHE, "package.json"), `{ "private": true }\n`);
  const options = { cwd: CACHE, encoding: "utf8" } as const;
  spawnSync("npm", ["install", "--no-audit", "--no-fund", `${name}@${version}`], options);
  // It unpacks its libraries only where it believes to be in the cloud it was made for.
  const unpack = `import(${JSON.stringify(name)}).then(async (it) => console.log(await it.default.executablePath()))`;
  const env = { ...process.env, AWS_LAMBDA_JS_RUNTIME: "nodejs22.x" };
  const executablePath = spawnSync(process.execPath, ["-e", unpack], { ...options, env }).stdout.trim();
  const libraries = path.join(path.dirname(executablePath), "al2023/lib");
  // Its own list of arguments would switch off what the tests are about, the walls between origins.
  const found: Found = {
    executablePath,
    environment: { LD_LIBRARY_PATH: libraries },
    args: ["--no-zygote", "--in-process-gpu", "--use-angle=swiftshader"],
  };
  return works(found) ? found : undefined;
}

function ownEnvironment(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
