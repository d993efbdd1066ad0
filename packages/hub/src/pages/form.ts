import type { Context } from "hono";
import { HubError } from "../errors.ts";

/** The fields of a form that was sent; throws `bad_request` where it is none. */
export async function readForm({ req }: Context): Promise<Record<string, unknown>> {
  try {
    return await req.parseBody();
  } catch (error) {
    // What the platform says of a body that is no form. One that is too large is somebody else's to refuse.
    if (error instanceof TypeError) throw new HubError("bad_request");
    throw error;
  }
}
