/**
 * What the browser holds instead of claudecodeui's token. It has the shape the page checks for (three base64url parts), no
 * `iat` or `exp` so that the page neither renews nor expires it, and it opens nothing: the connector puts the real token in
 * its place on this machine, behind the hub's own sign-in.
 */
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");

export const PLACEHOLDER_TOKEN = [
  part({ alg: "none", typ: "JWT" }),
  part({ sub: "signed in by the connector" }),
  "placeholder",
].join(".");
