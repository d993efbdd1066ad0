/** Listening as another user of this machine, for tests that run as root. */

const NOBODY = 65_534;

/** Only root can be somebody else. */
export const canBeOtherUser: boolean = process.platform === "linux" && process.getuid?.() === 0;

/** Does it with the rights of the user "nobody": sockets made meanwhile are that user's for ever. */
export async function asOtherUser<T>(work: () => Promise<T>): Promise<T> {
  process.seteuid?.(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}
