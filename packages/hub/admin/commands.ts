/** What each command asks of the hub, and what it says about the answer. */
import * as v from "valibot";
import { routes } from "../src/routes.ts";
import { entityWords, ROLE_WORDS } from "../src/ui/access-words.ts";
import { AddedSchema, AuditSchema, ListSchema, WhySchema } from "./answers.ts";
import type { Command } from "./arguments.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { askHub, type ApiRequest } from "./hub-client.ts";
import { showAudit, showList, showWhy } from "./show.ts";
import type { Target } from "./target.ts";

/** The API's answer, and the lines that say it. */
export interface Outcome {
  answer: unknown;
  lines: string[];
}

type Asked<Name extends Command["command"]> = Extract<Command, { command: Name }>;

export async function run(
  target: Target,
  asked: Asked<"list" | "add" | "remove" | "why" | "audit">,
): Promise<Outcome> {
  switch (asked.command) {
    case "list": {
      const answer = await ask(target, { method: "GET", path: routes.apiAccess }, ListSchema);
      return { answer, lines: showList(answer) };
    }
    case "add": {
      const { kind, name, role } = asked;
      const request = { method: "POST", path: routes.apiAccess, body: { kind, name, role } } as const;
      const answer = await ask(target, request, AddedSchema);
      return {
        answer,
        lines: [`Let in: ${entityWords(answer)} (${answer.id}), as ${ROLE_WORDS[answer.role]}.`],
      };
    }
    case "remove":
      return remove(target, asked);
    case "why": {
      const path = `${routes.apiWhyAccess}?${new URLSearchParams({ user: asked.user }).toString()}`;
      const answer = await ask(target, { method: "GET", path }, WhySchema);
      return { answer, lines: showWhy(answer) };
    }
    case "audit": {
      const path = `${routes.apiAudit}?${new URLSearchParams(asked.query).toString()}`;
      const answer = await ask(target, { method: "GET", path }, AuditSchema);
      return { answer, lines: showAudit(answer) };
    }
  }
}

/** By id, or by the name that is on the list. */
async function remove(target: Target, { kind, name }: Asked<"remove">): Promise<Outcome> {
  const { entities } = await ask(target, { method: "GET", path: routes.apiAccess }, ListSchema);
  const wanted = name.slice(name.lastIndexOf(":") + 1);
  const found = entities.filter((one) => {
    return one.kind === kind && (String(one.id) === wanted || one.name.toLowerCase() === name.toLowerCase());
  });
  requireOne(found);
  const entity = found.find(({ source }) => source === "database") ?? found[0];
  if (entity === undefined)
    throw new CommandError(
      EXIT.refused,
      `The allow-list has no ${entityWords({ kind, name })}. See: npm run access -- list`,
    );
  await askHub(target, { method: "DELETE", path: routes.apiAccessEntity(entity.kind, entity.id) });
  return { answer: entity, lines: [`Removed: ${entityWords(entity)} (${entity.id}).`] };
}

/** Names may be out of date, so two may have the same, and a login may look like an id. */
function requireOne(found: readonly { id: number; name: string }[]): void {
  if (new Set(found.map(({ id }) => id)).size < 2) return;
  const several = found.map(({ id, name }) => `${name}:${id}`).join(", ");
  throw new CommandError(EXIT.wrongUse, `That could be several. Say which, with its id: ${several}`);
}

async function ask<T>(target: Target, request: ApiRequest, schema: v.GenericSchema<unknown, T>): Promise<T> {
  const parsed = v.safeParse(schema, await askHub(target, request));
  if (parsed.success) return parsed.output;
  throw new CommandError(
    EXIT.unexpected,
    `The hub at ${target.origin} is of a version that this command does not know.`,
  );
}
