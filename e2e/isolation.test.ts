/**
 * Two hostile instances on one hub, in the browser of one signed-in person: what the page of one tries against the other
 * and against the hub (security.md 4 and 6). Every attempt is a test of its own. Cookies have theirs in isolation-cookies.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startHostileUpstream, type HostileUpstream } from "./pages/hostile-upstream.ts";
import { type Dashboard, type Puppet, startStage, type Stage } from "./pages/stage.ts";

/** Where the attacks go. */
interface Targets {
  hub: string;
  other: string;
  tokenId: string;
  otherLabel: string;
}

let stage: Stage;
let [mine, theirs]: HostileUpstream[] = [];
let attacker: Puppet;
let victim: Puppet;
let dashboard: Dashboard;
let context: BrowserContext;
let page: Page;
let targets: Targets;
const TOKEN_NAME = "secret-token-name";
/** The ids of the tokens there are before any attempt. */
let tokenIds: string[];

beforeAll(async () => {
  [stage, mine, theirs] = await Promise.all([
    startStage(),
    startHostileUpstream("attacker"),
    startHostileUpstream("victim"),
  ]);
  attacker = await stage.instance({ target: mine.target, project: "/home/dev/attacker" });
  victim = await stage.instance({
    target: theirs.target,
    project: "/home/dev/secret-project",
    token: await stage.hub.createToken(TOKEN_NAME),
  });
  dashboard = await stage.dashboard();
  context = dashboard.context;
  page = await context.newPage();
  const theirPage = await context.newPage();
  await theirPage.goto(`${victim.origin}/`);
  await theirPage.evaluate(() => {
    localStorage.setItem("key", "secret-in-storage");
    document.cookie = "theirs=secret-in-cookie; path=/";
  });
  await theirPage.close();
  const known = await tokens();
  tokenIds = known.map(({ id }) => id).toSorted();
  targets = {
    hub: stage.hub.origin,
    other: victim.origin,
    otherLabel: victim.label,
    tokenId: known.find(({ name }) => name === TOKEN_NAME)?.id ?? "",
  };
  expect(targets.tokenId).not.toBe("");
});
beforeEach(async () => {
  if (page.url() !== `${attacker.origin}/`) await page.goto(`${attacker.origin}/`);
});
afterAll(async () => {
  await stage.stop();
  await mine?.stop();
  await theirs?.stop();
});

/** What a script of the attacker tries; returns everything it came to know, as text. */
type Attempt = (targets: Targets & { url: string }) => Promise<string>;

const readings: Record<string, Attempt> = {
  "fetch with credentials": ({ url }) =>
    fetch(url, { credentials: "include" }).then((answer) => answer.text(), String),
  "fetch without CORS": ({ url }) =>
    fetch(url, { credentials: "include", mode: "no-cors" }).then((answer) => answer.text(), String),
  "fetch with an Authorization of its own": ({ url }) =>
    fetch(url, { credentials: "include", headers: { authorization: "Bearer x" } }).then(
      (answer) => answer.text(),
      String,
    ),
  "fetch through a redirect of its own": ({ url }) =>
    fetch(`/redirect?status=302&to=${encodeURIComponent(url)}`, { credentials: "include" }).then(
      (answer) => answer.text(),
      String,
    ),
  XMLHttpRequest: ({ url }) =>
    new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", url);
      request.withCredentials = true;
      request.addEventListener("loadend", () => resolve(`${request.status} ${request.responseText}`));
      request.send();
    }),
  EventSource: ({ url }) =>
    new Promise((resolve) => {
      const source = new EventSource(url.replace("/secret", "/events"), { withCredentials: true });
      source.addEventListener("message", ({ data }) => resolve(String(data)));
      source.addEventListener("error", () => {
        source.close();
        resolve("error");
      });
    }),
  WebSocket: ({ url, hub }) =>
    new Promise((resolve) => {
      const address = url.startsWith(hub) ? `${hub}/dashboard/socket` : url;
      const socket = new WebSocket(address.replace("http", "ws"));
      socket.addEventListener("open", () => resolve("secret- socket is open"));
      socket.addEventListener("message", ({ data }) => resolve(String(data)));
      socket.addEventListener("close", ({ code }) => resolve(`closed ${code}`));
    }),
  "script element": ({ url }) =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = url.replace("/secret", "/secret.js");
      script.addEventListener("load", () =>
        resolve(`secret- loaded ${String(Reflect.get(globalThis, "stolen"))}`),
      );
      script.addEventListener("error", () => resolve("error"));
      document.head.append(script);
    }),
  "module import": ({ url }) =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      script.type = "module";
      const address = JSON.stringify(url.replace("/secret", "/secret.js"));
      script.textContent = `import(${address}).then(() => "secret- loaded", String).then((text) => dispatchEvent(new MessageEvent("told", { data: text })));`;
      addEventListener("told", (event) => resolve(String(Reflect.get(event, "data"))), { once: true });
      document.head.append(script);
    }),
  stylesheet: ({ url }) =>
    new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = url.replace("/secret", "/secret.css");
      link.addEventListener("load", () => resolve(`secret- loaded`));
      link.addEventListener("error", () => resolve("error"));
      document.head.append(link);
    }),
  image: ({ url }) =>
    new Promise((resolve) => {
      const image = new Image();
      image.src = url.replace("/secret", "/secret.svg");
      image.addEventListener("load", () => resolve(`secret- width ${image.width}`));
      image.addEventListener("error", () => resolve("error"));
    }),
  worker: ({ url }) =>
    new Promise((resolve) => {
      const script = url.replace("/secret", "/secret.js");
      const source = `try { importScripts(${JSON.stringify(script)}); postMessage(stolen); } catch (error) { postMessage(String(error)); }`;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      worker.addEventListener("message", ({ data }) => resolve(String(data)));
    }),
  "service worker of another origin": ({ url }) =>
    navigator.serviceWorker
      .register(url.replace("/secret", "/worker.js"))
      .then(() => "secret- registered", String),
  "service worker for another origin's scope": ({ url }) =>
    navigator.serviceWorker
      .register("/worker.js", { scope: new URL("/", url).href })
      .then(() => "secret- registered", String),
  "preloading and prefetching": ({ url }) =>
    new Promise((resolve) => {
      for (const rel of ["preload", "prefetch", "modulepreload"]) {
        const link = document.createElement("link");
        link.rel = rel;
        link.href = url.replace("/secret", "/secret.js");
        link.setAttribute("as", "script");
        document.head.append(link);
      }
      setTimeout(() => resolve(JSON.stringify(performance.getEntries())), 300);
    }),
};

it.each(Object.entries(readings))("%s does read what is one's own", async (name, attempt) => {
  if (name === "preloading and prefetching") return;
  const learnt = await page.evaluate(attempt, { ...targets, url: `${attacker.origin}/secret` });
  expect(learnt).toContain("secret-");
  await page.evaluate(forgetWorkers);
  await page.reload();
});

describe.each(["the other instance", "the hub"])("reading %s", (whose) => {
  it.each(Object.entries(readings))("by %s", async (name, attempt) => {
    const path = whose === "the hub" ? "/api/tokens" : "/secret";
    const url = `${whose === "the hub" ? targets.hub : targets.other}${path}?by=${encodeURIComponent(name)}`;
    const learnt = await page.evaluate(attempt, { ...targets, url });
    expect(learnt).not.toContain("secret-");
    // The hub does not even pass it on.
    expect(theirs?.seen.filter((request) => request.includes(`by=${encodeURIComponent(name)}`))).toEqual([]);
  });
});

it.each(["iframe", "object", "embed"])("shows nothing in an %s", async (element) => {
  const addresses = [
    "/dashboard",
    "/tokens",
    "/open/LABEL",
    "OTHER/frame",
    "OTHER/.orchestrator/enter?next=/frame",
  ];
  await page.evaluate(
    async ([tag, urls]) => {
      for (const url of urls) {
        const frame = document.createElement(tag);
        frame.setAttribute(tag === "object" ? "data" : "src", url);
        document.body.append(frame);
      }
      await new Promise((resolve) => setTimeout(resolve, 700));
    },
    [element, addresses.map(absolute)] as const,
  );
  for (const frame of page.frames().filter((one) => one !== page.mainFrame())) {
    const shown = await frame.content().catch(() => "");
    expect(shown).not.toContain("secret-");
    expect(shown).not.toContain('class="top"');
  }
  expect(theirs?.seen.filter((request) => request.includes("/frame"))).toEqual([]);
  await page.reload();
});

describe("a window of one's own", () => {
  it("on the dashboard: the handle is dead", async () => {
    const [opened] = await Promise.all([
      context.waitForEvent("page"),
      openWindow(`${targets.hub}/dashboard`),
    ]);
    await opened.waitForSelector(".card");
    expect(await probe()).toEqual({ closed: true, length: "0", href: "gone", document: "gone" });
    expect(await opened.evaluate(() => String(window.opener))).toBe("null");
    await opened.evaluate(() => addEventListener("message", () => (document.body.dataset["heard"] = "yes")));
    await page.evaluate(() => (Reflect.get(globalThis, "handle") as Window).postMessage("hello", "*"));
    // It can neither be led away nor closed.
    await page.evaluate((url) => {
      const handle = Reflect.get(globalThis, "handle") as Window;
      handle.location = `${url}/`;
      handle.close();
    }, attacker.origin);
    await page.waitForTimeout(300);
    expect(opened.isClosed()).toBe(false);
    expect(opened.url()).toBe(`${targets.hub}/dashboard`);
    expect(await opened.getAttribute("body", "data-heard")).toBe(null);
    await opened.close();
  });

  it("on the other instance: nothing of it can be read, even where both call themselves by the parent's name", async () => {
    const [opened] = await Promise.all([context.waitForEvent("page"), openWindow(`${targets.other}/`)]);
    await opened.waitForSelector("text=secret-of-victim");
    for (const one of [page, opened])
      await one.evaluate(() => {
        try {
          Reflect.set(document, "domain", "hub.localhost");
        } catch {
          document.title = "refused";
        }
      });
    expect(await probe()).toMatchObject({ href: "SecurityError", document: "SecurityError" });
    await opened.close();
  });

  it("opened from the dashboard, whichever way: the instance's page has no handle on it", async () => {
    const link = `${attacker.card} .card-open`;
    for (const modifier of ["Control", "Shift"] as const) {
      const [opened] = await Promise.all([
        context.waitForEvent("page"),
        dashboard.page.click(link, { modifiers: [modifier] }),
      ]);
      await opened.waitForURL(`${attacker.origin}/**`);
      expect(await opened.evaluate(() => [String(window.opener), document.referrer])).toEqual(["null", ""]);
      await opened.close();
    }
  });
});

const writings: Record<string, Attempt> = {
  "make a token by a simple request": ({ hub }) =>
    fetch(`${hub}/tokens/new`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      body: new URLSearchParams({ name: "planted" }),
    }).then((answer) => answer.text(), String),
  "make a token by the API": ({ hub }) =>
    fetch(`${hub}/api/tokens`, {
      method: "POST",
      credentials: "include",
      headers: { "content-type": "application/json" },
      body: `{"name":"planted"}`,
    }).then((answer) => answer.text(), String),
  "make a token by JSON that says it is text": ({ hub }) =>
    fetch(`${hub}/api/tokens`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      body: `{"name":"planted"}`,
    }).then((answer) => answer.text(), String),
  "revoke a token by the API": ({ hub, tokenId }) =>
    fetch(`${hub}/api/tokens/${tokenId}`, { method: "DELETE", credentials: "include" }).then(
      (answer) => answer.text(),
      String,
    ),
  "revoke a token by its form's address": ({ hub, tokenId }) =>
    fetch(`${hub}/tokens/${tokenId}/revoke`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
    }).then((answer) => answer.text(), String),
  "forget an instance": ({ hub, otherLabel }) =>
    fetch(`${hub}/clients/${otherLabel}/forget`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
    }).then((answer) => answer.text(), String),
  "sign out by a beacon": ({ hub }) =>
    Promise.resolve(String(navigator.sendBeacon(`${hub}/auth/logout`, ""))),
  "sign out by fetch": ({ hub }) =>
    fetch(`${hub}/auth/logout`, { method: "POST", mode: "no-cors", credentials: "include" }).then(
      (answer) => answer.text(),
      String,
    ),
  "sign out by fetch without an origin": ({ hub }) =>
    fetch(`${hub}/auth/logout`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      referrerPolicy: "no-referrer",
    }).then((answer) => answer.text(), String),
  "sign out through a redirect of its own": ({ hub }) =>
    fetch(`/redirect?status=307&to=${encodeURIComponent(`${hub}/auth/logout`)}`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
    }).then((answer) => answer.text(), String),
  "sign out by reading": ({ hub }) =>
    fetch(`${hub}/auth/logout`, { mode: "no-cors", credentials: "include" }).then(
      (answer) => answer.text(),
      String,
    ),
  "post to the other instance": ({ other }) =>
    fetch(`${other}/written`, {
      method: "POST",
      mode: "no-cors",
      credentials: "include",
      body: "planted",
    }).then((answer) => answer.text(), String),
  "post to the other instance by a beacon": ({ other }) =>
    Promise.resolve(String(navigator.sendBeacon(`${other}/written`, "planted"))),
};

describe("changing something", () => {
  afterEach(nothingChanged);

  it.each(Object.entries(writings))("%s", async (_name, attempt) => {
    const learnt = await page.evaluate(attempt, { ...targets, url: "" });
    expect(learnt).not.toContain("secret-");
    await page.waitForTimeout(30);
  });

  const forms = (["_self", "_blank", "frame"] as const).flatMap((target) =>
    ["/auth/logout", "/tokens/new", "/tokens/ID/revoke", "/clients/LABEL/forget", "OTHER/written"].map(
      (action) => [action, target] as const,
    ),
  );
  it.each(forms)("a form to %s in %s", async (action, target) => {
    await submit({ action, target });
  });
  it.each(["/auth/logout", "/tokens/new"])("a form to %s that hides where it comes from", async (action) => {
    await submit({ action, target: "_self", referrerPolicy: "no-referrer" });
  });
  it.each(["/auth/logout", "/tokens/new"])("a form to itself, sent on to %s", async (action) => {
    await submit({ action, target: "_self", through: "/redirect?status=307&to=" });
  });

  it.each([
    "/auth/logout",
    "/tokens/ID/revoke",
    "/tokens/new?name=planted",
    "/clients/LABEL/forget",
    "/auth/local?code=guessed",
    "/open/LABEL?next=//evil.example/",
    "/open/LABEL?next=%2F%5Cevil.example",
    "/open/LABEL?binding=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "/auth/sign-in?next=https://evil.example/",
  ])("leading the tab to %s", async (path) => {
    const arrived = page.waitForEvent("framenavigated");
    await page.evaluate((url) => void (location.href = url), absolute(path));
    await arrived;
    await page.waitForLoadState("load");
    expect(new URL(page.url()).hostname).toMatch(/(?:^|\.)hub\.localhost$/);
  });
});

it("keeps storage apart", async () => {
  const found = await page.evaluate(async () => {
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    return JSON.stringify([
      localStorage.length,
      sessionStorage.length,
      databases,
      await caches.keys(),
      document.cookie,
    ]);
  });
  expect(found).toBe('[0,0,[],[],""]');
});

it("keeps what instances call through channels apart", async () => {
  const opened = await context.newPage();
  await opened.goto(`${victim.origin}/`);
  await opened.evaluate(() => {
    const channel = new BroadcastChannel("shared");
    channel.addEventListener("message", () => (document.title = "heard"));
    Reflect.set(globalThis, "channel", channel);
  });
  await page.evaluate(() => new BroadcastChannel("shared").postMessage("hello"));
  await page.waitForTimeout(200);
  expect(await opened.title()).toBe("victim");
  await opened.close();
});

it("a service worker of an instance sees its own origin alone, and codes that are of no use to it", async () => {
  await page.evaluate(async () => {
    await navigator.serviceWorker.register("/worker.js", { scope: "/" });
    await navigator.serviceWorker.ready;
  });
  // Everything else this browser does meanwhile.
  const busy = await context.newPage();
  for (const url of [`${targets.hub}/tokens`, `${victim.origin}/`, `${attacker.origin}/`])
    await busy.goto(url);
  await context.clearCookies({ name: "__Host-orchestrator-viewer" });
  await busy.goto(`${attacker.origin}/again`);
  expect(await busy.title()).toBe("attacker");
  const seen = await busy.evaluate(
    () =>
      new Promise<string[]>((resolve) => {
        navigator.serviceWorker.addEventListener("message", ({ data }) => resolve(data as string[]));
        navigator.serviceWorker.controller?.postMessage("what did you see?");
      }),
  );
  expect(seen.length).toBeGreaterThan(0);
  expect(seen.filter((url) => new URL(url).origin !== attacker.origin)).toEqual([]);
  const codes = seen.filter((url) => url.includes("code="));
  // Without the browser's nonce, which no script can read, it lets nobody in.
  for (const url of codes) {
    const thief = await (await stage.profile()).newPage();
    expect((await thief.goto(url))?.status()).toBe(403);
  }
  await busy.evaluate(forgetWorkers);
  await busy.close();
});

it("has told neither instance anything of the hub or of the other", async () => {
  const ofHub = (await context.cookies(targets.hub)).map(({ value }) => value);
  const viewers = (await context.cookies([attacker.origin, victim.origin]))
    .filter(({ name }) => name.startsWith("__Host-"))
    .map(({ value }) => value);
  expect(ofHub.length).toBeGreaterThan(0);
  expect(viewers.length).toBeGreaterThan(2);
  for (const upstream of [mine, theirs]) {
    const all = upstream?.seen.join("\n") ?? "";
    expect(all.length).toBeGreaterThan(100);
    const canaries = [...ofHub, ...viewers, "__host-orchestrator", "code=", "orc_"];
    expect(canaries.filter((canary) => all.toLowerCase().includes(canary.toLowerCase()))).toEqual([]);
  }
  const atMine = mine?.seen.join("\n") ?? "";
  expect(["secret-in-cookie", "secret-in-storage"].filter((canary) => atMine.includes(canary))).toEqual([]);
  expect(theirs?.seen.some((request) => request.includes("secret-in-cookie"))).toBe(true);
});

/** After each attempt: the same tokens, still signed in, the same dashboard, and nothing written to the other instance. */
async function nothingChanged(): Promise<void> {
  expect((await tokens()).map(({ id }) => id).toSorted()).toEqual(tokenIds);
  expect(await dashboard.page.getAttribute(victim.card, "data-status")).not.toBe("unreachable");
  expect(await dashboard.page.isVisible("#not-connected")).toBe(false);
  expect(new URL(dashboard.page.url()).pathname).toBe("/dashboard");
  expect(theirs?.seen.filter((request) => request.includes("/written"))).toEqual([]);
}

/** Asks as the dashboard's own page would. */
function tokens(): Promise<{ id: string; name: string }[]> {
  return dashboard.page.evaluate(async () => {
    const answer = await fetch("/api/tokens");
    const { tokens: list } = (await answer.json()) as { tokens: { id: string; name: string }[] };
    return list;
  });
}

function absolute(path: string): string {
  if (path.startsWith("OTHER")) return path.replace("OTHER", targets.other);
  return `${targets.hub}${path.replace("LABEL", targets.otherLabel).replace("ID", targets.tokenId)}`;
}

async function submit(form: {
  action: string;
  target: "_self" | "_blank" | "frame";
  referrerPolicy?: string;
  through?: string;
}): Promise<void> {
  const { target, referrerPolicy = "", through } = form;
  const action =
    through === undefined ? absolute(form.action) : through + encodeURIComponent(absolute(form.action));
  const opened = target === "_blank" ? context.waitForEvent("page") : undefined;
  const refused = context.waitForEvent("response", (answer) => answer.url() === absolute(form.action));
  await page.evaluate(
    (settings) => {
      const { body } = document;
      if (settings.referrerPolicy !== "") {
        const meta = document.createElement("meta");
        Object.assign(meta, { name: "referrer", content: settings.referrerPolicy });
        document.head.append(meta);
      }
      const frame = document.createElement("iframe");
      frame.name = "frame";
      body.append(frame);
      const element = document.createElement("form");
      Object.assign(element, { method: "post", action: settings.action, target: settings.target });
      const input = document.createElement("input");
      Object.assign(input, { name: "name", value: "planted" });
      element.append(input);
      body.append(element);
      element.submit();
    },
    { action, target, referrerPolicy },
  );
  expect([401, 403]).toContain((await refused).status());
  if (target === "_self") await page.waitForURL((url) => url.href === absolute(form.action));
  await (await opened)?.close();
  await page.goto(`${attacker.origin}/`);
}

async function forgetWorkers(): Promise<void> {
  for (const registration of await navigator.serviceWorker.getRegistrations())
    await registration.unregister();
}

async function openWindow(url: string): Promise<void> {
  await page.evaluate((address) => void Reflect.set(globalThis, "handle", window.open(address)), url);
}

/** What the handle on an opened window tells. */
function probe(): Promise<Record<string, unknown>> {
  return page.evaluate(() => {
    const handle = Reflect.get(globalThis, "handle") as Window;
    const attempt = (read: () => unknown) => {
      try {
        return handle.closed ? "gone" : String(read());
      } catch (error) {
        return (error as Error).name;
      }
    };
    return {
      closed: handle.closed,
      length: String(handle.length),
      href: attempt(() => handle.location.href),
      document: attempt(() => handle.document.body.innerHTML),
    };
  });
}
