/** `Origin` as everybody but a page of `origin` would send it. `origin` has a host of letters, e.g. `https://hub.example.com`. */
export function foreignOrigins(origin: string): [why: string, value: string][] {
  const { protocol, hostname, host, port } = new URL(origin);
  const other = protocol === "https:" ? "http:" : "https:";
  const otherPort = port === "" ? "8443" : `${port}0`;
  return [
    ["null", "null"],
    ["empty", ""],
    ["evil", "https://evil.example"],
    ["an instance", `${protocol}//laptop-abc.${host}`],
    ["a parent", `${protocol}//${hostname.split(".").slice(1).join(".")}`],
    ["prefix", `${protocol}//${hostname}.evil.example`],
    ["prefix without a dot", `${protocol}//${hostname}evil.example`],
    ["suffix", `${protocol}//evil${host}`],
    ["user name", `${protocol}//${host}@evil.example`],
    ["another port", `${protocol}//${hostname}:${otherPort}`],
    ["the default port, written out", `${protocol}//${hostname}:${protocol === "https:" ? 443 : 80}`],
    ["upper case", `${protocol}//${host.toUpperCase()}`],
    ["another scheme", `${other}//${host}`],
    ["a scheme in upper case", `${protocol.toUpperCase()}//${host}`],
    ["no scheme", `//${host}`],
    ["only the host", host],
    ["trailing dot", `${protocol}//${hostname}.${port === "" ? "" : `:${port}`}`],
    ["trailing slash", `${origin}/`],
    ["a path", `${origin}/dashboard`],
    ["two", `${origin}, https://evil.example`],
    ["the same twice", `${origin}, ${origin}`],
    ["a browser extension", "chrome-extension://abcdefghijklmnop"],
    ["a file", "file://"],
    ["punycode", `${protocol}//xn--${hostname.replaceAll(".", "-")}-abc.example`],
  ];
}
