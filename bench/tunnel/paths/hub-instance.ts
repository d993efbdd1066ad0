/** What the paths through a hub have in common: a connector that is connected, and a person who has signed in. */
import { Viewer } from "../../../e2e/tunnel/viewer.ts";
import { type ConnectorProcess, startConnector } from "../../../packages/hub/local/connector.ts";
import { until } from "../children.ts";
import { atEnd } from "../cleanup.ts";
import { temporaryFolder } from "../folder.ts";
import type { Target } from "./path.ts";

/** A hub as these paths need it. */
export interface PathHub {
  origin: string;
  port: number;
  signInLink: () => Promise<string>;
  createToken: () => Promise<string>;
}

export interface Instance {
  /** Where browsers find it: `http://<label>.hub.localhost:<port>`. */
  origin: string;
  connector: ConnectorProcess;
}

/** Starts the built command line, as people do, and waits until it is connected. */
export async function connect(hub: PathHub, target: Target): Promise<Instance> {
  const home = temporaryFolder("connector");
  let printed = "";
  const settings = {
    hub: hub.origin,
    target: `http://127.0.0.1:${target.port}`,
    token: await hub.createToken(),
    environment: { HOME: home, ...target.environment },
  };
  const connector = startConnector(settings, (line) => (printed += `${line}\n`));
  atEnd(() => connector.stop());
  const address = () => /Connected: (http:\S+)/.exec(printed)?.[1];
  await until(() => address() !== undefined, {
    isOver: () => !connector.running(),
    printed: () => printed,
  });
  return { origin: address() ?? "", connector };
}

/** Signs in as a browser would, opens `url`, and returns the headers that every request to it must have from then on. */
export async function signIn(hub: PathHub, url: string): Promise<Record<string, string>> {
  const viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
  const page = await viewer.navigate(url);
  if (page.status !== 200)
    throw new Error(`${url} answers ${page.status}: ${page.body.toString().slice(0, 400)}`);
  const { host } = new URL(page.url);
  return { host, cookie: viewer.cookieHeader(host) };
}
