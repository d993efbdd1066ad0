import { Hono } from "hono";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { byOrder, instanceTitle } from "../instance.ts";
import { instanceOrigin } from "../origins.ts";
import { routes } from "../routes.ts";

/** Every instance and page there is to go to: for the command palette, and for the frame of an instance's mark. */
export const switcherPages = new Hono<HubContext>();

switcherPages.get(routes.switcher, async (c) => {
  const session = c.get("session");
  const instances = await c.env.USER_HUB.getByName(session.userId).list(session.id);
  if (instances === "signed_out") throw new HubError("sign_in_required");
  return c.html(
    <ul>
      {instances.toSorted(byOrder).map((instance) => (
        <li>
          <a href={`${instanceOrigin(instance.label, c.env)}/`}>{instanceTitle(instance)}</a>
        </li>
      ))}
    </ul>,
  );
});
