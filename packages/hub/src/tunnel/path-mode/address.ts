/** Path mode's addresses: `/clients/<label or client id>/proxy` and everything below it, on the hub's own host. */
import { routes } from "../../routes.ts";

export interface PathAddress {
  /** A label, or a client id that is to be looked up. */
  id: string;
  /** The path below which people see the instance, without a slash at its end. */
  prefix: string;
  /** What is left for the instance: begins with a slash. */
  path: string;
}

const SHAPE = /^\/clients\/([^/]+)\/proxy(\/.*)?$/s;

/** Reads the path of a URL that was parsed; undefined where it is no instance's. */
export function parsePathAddress(pathname: string): PathAddress | undefined {
  const [, segment, path = "/"] = SHAPE.exec(pathname) ?? [];
  const id = segment === undefined ? undefined : decoded(segment);
  return id === undefined ? undefined : { id, prefix: routes.clientProxy(id), path };
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
