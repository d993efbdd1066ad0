import type { Losses as PolicyLosses } from "../auth/policy-change.ts";
import { errorMeaning, type ErrorCode } from "../error-codes.ts";
import type { Access, ShownEntity } from "../pages/access-actions.ts";
import { routes } from "../routes.ts";
import { KIND_WORDS, ROLE_WORDS } from "./access-words.ts";
import { Since } from "./time.tsx";

/** What the settings say that cannot be read. */
export function Problems({ problems }: Pick<Access, "problems">) {
  if (problems.length === 0) return null;
  return (
    <div class="callout" role="note">
      <h2>Settings that cannot be read</h2>
      <ul>
        {problems.map((problem) => (
          <li>{problem}</li>
        ))}
      </ul>
    </div>
  );
}

/** What was written into the form, where it was refused. */
export interface Written {
  kind: string;
  name: string;
  role: string;
}

/** Lets somebody in. */
export function AddForm({ written }: { written?: Written | undefined }) {
  return (
    <form class="inline-form" id="add-form" method="post" action={routes.addAccess}>
      <label for="add-kind" class="visually-hidden">
        Kind
      </label>
      <select id="add-kind" name="kind">
        {(["organization", "team", "user"] as const).map((kind) => (
          <option value={kind} selected={written?.kind === kind}>
            {KIND_WORDS[kind]}
          </option>
        ))}
      </select>
      <label for="add-name" class="visually-hidden">
        Name at GitHub
      </label>
      <input
        id="add-name"
        name="name"
        required
        maxlength={250}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="acme, acme/core or octocat"
        value={written?.name}
        aria-describedby="add-hint"
      />
      <label for="add-role" class="visually-hidden">
        As
      </label>
      <select id="add-role" name="role">
        {(["member", "admin"] as const).map((role) => (
          <option value={role} selected={written?.role === role}>
            as {ROLE_WORDS[role]}
          </option>
        ))}
      </select>
      <button class="button primary" type="submit">
        Let in
      </button>
      <p class="hint" id="add-hint">
        The hub asks GitHub for the id. Where it cannot, write it too: <code>acme:9919</code>.
      </p>
    </form>
  );
}

/** Who gets in, a line for each. */
export function EntityList({ entities, now }: Pick<Access, "entities"> & { now: number }) {
  return (
    <ul class="rows" id="entities">
      {entities.map((entity) => (
        <EntityLine entity={entity} now={now} />
      ))}
    </ul>
  );
}

function EntityLine({ entity, now }: { entity: ShownEntity; now: number }) {
  const { kind, id, name, source, addedBy, addedAt } = entity;
  return (
    <li id={source === "database" ? `${kind}-${id}` : undefined}>
      <p>
        <EntityName entity={entity} />
      </p>
      <p class="hint">
        {KIND_WORDS[kind]} {id} · let in by{" "}
        {source === "settings" ? "the settings" : <bdi>{addedBy ?? "setup"}</bdi>}{" "}
        {addedAt !== null && <Since at={addedAt} now={now} ago />}
      </p>
      {source === "settings" ? <p class="hint">fixed</p> : <RemoveButton kind={kind} id={id} name={name} />}
    </li>
  );
}

/** A line's name, marked where it makes administrators. */
export function EntityName({ entity: { name, role } }: { entity: Pick<ShownEntity, "name" | "role"> }) {
  return (
    <>
      <b>
        <bdi>{name}</bdi>
      </b>
      {role === "admin" && <span class="mark">{ROLE_WORDS.admin}</span>}
    </>
  );
}

/** Asks first: the answer is a page that says whom it hits. */
function RemoveButton({ kind, id, name }: Pick<ShownEntity, "kind" | "id" | "name">) {
  return (
    <form method="post" action={routes.removeAccess}>
      <input type="hidden" name="kind" value={kind} />
      <input type="hidden" name="id" value={id} />
      <button class="plain danger" type="submit" aria-label={`Remove ${name}`}>
        Remove…
      </button>
    </form>
  );
}

/** An allow-list without anybody on it. */
export function EmptyPolicy() {
  return (
    <div class="callout" role="note">
      <h2>Nobody gets in</h2>
      <p>
        The allow-list is empty, so whoever signs in with GitHub is refused. Let in your organisation, a team
        or a person here, or in the hub’s settings <code>ALLOWED_ORGS</code>, <code>ALLOWED_TEAMS</code>,{" "}
        <code>ALLOWED_USERS</code> and <code>ADMINS</code>.
      </p>
    </div>
  );
}

/** Why nobody was let in just now. */
export function Refused({ code, message }: { code: ErrorCode; message: string | undefined }) {
  const { title, happened, next } = errorMeaning(code);
  return (
    <div class="callout failed" role="alert" data-code={code}>
      <h2>{title}</h2>
      <p>{message ?? `${happened} ${next}`}</p>
    </div>
  );
}

const MAX_NAMED = 20;

/** Whom a removal hits, as far as is known. */
export function Losses({ losses, login }: { losses: PolicyLosses; login: string }) {
  const { access, administration } = losses;
  const isOwn = access.includes(login) || administration.includes(login);
  return (
    <>
      {access.length === 0 && administration.length === 0 && (
        <p>Nobody who has signed in so far loses anything by it.</p>
      )}
      {access.length > 0 && (
        <p>
          Everything these have open is closed, and they do not get in any more: <Logins logins={access} />.
        </p>
      )}
      {administration.length > 0 && (
        <p>
          These are no administrators any more: <Logins logins={administration} />.
        </p>
      )}
      {isOwn && <p class="callout">You are one of them.</p>}
    </>
  );
}

function Logins({ logins }: { logins: string[] }) {
  const more = logins.length - MAX_NAMED;
  return (
    <>
      {logins.slice(0, MAX_NAMED).map((login, index) => (
        <>
          {index > 0 && ", "}
          <bdi>{login}</bdi>
        </>
      ))}
      {more > 0 && ` and ${more} more`}
    </>
  );
}
