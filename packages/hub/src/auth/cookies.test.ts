import { expect, test } from "vitest";
import { readCookie, serializeCookie } from "./cookies.ts";

const NAME = "__Host-orchestrator-session";
const read = (cookie: string) => {
  // Header values are bytes; the platform reads them as UTF-8.
  const request = new Request("http://hub.localhost/");
  Object.defineProperty(request, "headers", { value: { get: () => cookie } });
  return readCookie(request, NAME);
};

test.each([
  [`${NAME}=own`, "own"],
  [`a=b; ${NAME}=own; c=d`, "own"],
  [`a=b;\t${NAME} = own `, "own"],
  [`a=b=c;${NAME}=own==`, "own=="],
  [`x${NAME}=other`, undefined],
  [`${NAME.toLowerCase()}=other`, undefined],
  [`${NAME}`, undefined],
  ["", undefined],
])("finds a cookie by its exact name in %j", (cookie, value) => {
  expect(read(cookie)).toBe(value);
});

// A sibling host may set these for the whole site: browsers guard `__Host-` only where a name begins with it exactly.
test.each(["\u0085", "\u00a0", "\u1680", "\u2000", "\u2028", "\u3000", "\ufeff", "\u000b", "\u000c"])(
  "takes a name with %j around it for another name",
  (space) => {
    expect(read(`${space}${NAME}=planted; ${NAME}=own`)).toBe("own");
    expect(read(`${NAME}${space}=planted; ${NAME}=own`)).toBe("own");
    expect(read(`a=b; ${space}${NAME}=planted`)).toBeUndefined();
  },
);

test("makes cookies of this host alone that no script reads", () => {
  expect(serializeCookie(NAME, "v", 5)).toBe(`${NAME}=v; Path=/; Max-Age=5; HttpOnly; Secure; SameSite=Lax`);
});
