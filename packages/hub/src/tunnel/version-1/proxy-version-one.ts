/** A viewer's request to an instance that speaks version 1. */
import { errorResponse, isErrorResponse, type ErrorDetail } from "../../errors.ts";
import { routes } from "../../routes.ts";
import type { VerifiedViewer } from "../headers.ts";
import type { InstanceConnection } from "../instance-connection.ts";
import { CLIENT_VERSION } from "../internal-headers.ts";
import { proxy } from "../proxy.ts";

interface Ways extends Pick<ErrorDetail, "link" | "otherLink"> {
  hubOrigin: string;
}

/** As `proxy`; says in the answer that its body is to be left alone. Its client fits it to path mode, and to nothing else. */
export async function proxyVersionOne(
  active: InstanceConnection,
  request: Request,
  viewer: VerifiedViewer,
  { hubOrigin, ...ways }: Ways,
): Promise<Response> {
  if (viewer.prefix === "") {
    const href = new URL(`${routes.clientProxy(active.attachment.label)}/`, hubOrigin).href;
    return errorResponse("version_1_address", request, { link: { href, text: "Open it there" } });
  }
  const response = await proxy(active, request, viewer, ways);
  if (response.webSocket === null && !isErrorResponse(response)) response.headers.set(CLIENT_VERSION, "1");
  return response;
}
