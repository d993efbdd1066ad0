/** Origin of a hub on this machine. Browsers resolve `*.localhost` to loopback; Node does not. */
export function localOrigin(port: number): string {
  return `http://hub.localhost:${port}`;
}
