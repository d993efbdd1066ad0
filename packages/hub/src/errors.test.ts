import { expect, test } from "vitest";
import documentation from "../../../docs/errors.md?raw";
import { MARKUP } from "../test/corpora/markup.ts";
import { ERROR_CODES, errorMeaning } from "./error-codes.ts";
import { errorResponse } from "./errors.ts";

const page = new Request("http://hub.localhost:8787/x", { headers: { accept: "text/html,*/*" } });
const program = new Request("http://hub.localhost:8787/x", { headers: { accept: "*/*" } });

test("the documentation lists every error as it is", () => {
  const rows = documentation
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  const listed = rows.map(([, code = "", status = "", happened = "", next = ""]) => ({
    code: code.replaceAll("`", ""),
    status: Number(status),
    happened,
    next,
  }));
  expect(listed).toEqual(
    ERROR_CODES.map((code) => {
      const { status, happened, next } = errorMeaning(code);
      return { code, status, happened, next };
    }),
  );
});

test.each(ERROR_CODES)("%s is a page for people and JSON for programs, never stored", async (code) => {
  const forPeople = errorResponse(code, page);
  expect(forPeople.status).toBe(errorMeaning(code).status);
  expect(forPeople.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(forPeople.headers.get("cache-control")).toBe("no-store");
  // A service worker's cache takes no heed of Cache-Control, but refuses this.
  expect(forPeople.headers.get("vary")).toBe("*");
  expect(forPeople.headers.get("content-security-policy")).toContain("default-src 'none'");
  const text = await forPeople.text();
  expect(text).toContain(`${errorMeaning(code).status} ${code}`);
  expect(text).not.toMatch(/<script>|style=|onerror/);
  const forPrograms = errorResponse(code, program);
  expect(forPrograms.status).toBe(errorMeaning(code).status);
  expect(await forPrograms.json()).toMatchObject({ error: { code } });
});

test.each(Object.entries(MARKUP))("whatever is put into a page is escaped: %s", async (_what, text) => {
  const detail = { instance: text, message: text, link: { href: text, text } };
  const shown = await errorResponse("instance_offline", page, detail).text();
  const plain = await errorResponse("instance_offline", page, {
    instance: "",
    message: "",
    link: { href: "", text: "" },
  }).text();
  const tags = (html: string) => html.match(/<[^>]*>/g)?.map((tag) => tag.split(/[\s>]/)[0]);
  expect(tags(shown)).toEqual(tags(plain));
  expect(shown).not.toMatch(/ on\w+="/);
});

test("the page of an instance that is away waits for it", async () => {
  const response = errorResponse("instance_offline", page, { instance: "laptop" });
  expect(response.headers.get("retry-after")).toBe("5");
  const text = await response.text();
  expect(text).toContain("laptop");
  expect(text).toContain(`data-ready="/.orchestrator/ready"`);
  expect(text).toContain("recover.js");
});
