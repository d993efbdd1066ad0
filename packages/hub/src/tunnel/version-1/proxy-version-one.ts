/** A viewer's request to an instance that speaks version 1. */
import { errorResponse, isErrorResponse } from "../../errors.ts";
import { routes } from "../../routes.ts";
import type { VerifiedViewer } from "../headers.ts";
import type { InstanceConnection } from "../instance-connection.ts";
import { CLIENT_VERSION } from "../internal-headers.ts";
import { proxy, type Ways } from "../proxy.ts";

interface Place {
  hubOrigin: string;
  waysOn: () => Ways;
}

/** As `proxy`; says in the answer that its body is to be left alone. Its client fits it to path mode, and to nothing else. */
export async function proxyVersionOne(
  active: InstanceConnection,
  request: Request,
  viewer: VerifiedViewer,
  { hubOrigin, waysOn }: Place,
): Promise<Response> {
  if (viewer.prefix === "") {
    const href = new URL(`${routes.clientProxy(active.attachment.label)}/`, hubOrigin).href;
    return errorResponse("version_1_address", request, { link: { href, text: "Open it there" } });
  }
  const response = await proxy(active, request, viewer, waysOn);
  if (response.webSocket === null && !isErrorResponse(response)) response.headers.set(CLIENT_VERSION, "1");
  return response;
}
