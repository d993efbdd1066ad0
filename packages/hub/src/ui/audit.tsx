import { AUDIT_ACTIONS } from "../audit.ts";
import type { AuditPage } from "../pages/audit-page.ts";
import { routes } from "../routes.ts";
import { auditWords } from "./access-words.ts";
import { Since } from "./time.tsx";

/** Which entries are shown. */
export function AuditFilters({ filter }: Pick<AuditPage, "filter">) {
  return (
    <form class="inline-form" id="audit-filter" method="get" action={routes.audit}>
      <label for="audit-action" class="visually-hidden">
        What
      </label>
      <select id="audit-action" name="action">
        <option value="">everything</option>
        {AUDIT_ACTIONS.map((action) => (
          <option value={action} selected={filter.action === action}>
            {auditWords(action)}
          </option>
        ))}
      </select>
      <label for="audit-person">by</label>
      <input
        id="audit-person"
        name="person"
        maxlength={120}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="anybody"
        value={filter.person}
      />
      <button class="button" type="submit">
        Show
      </button>
    </form>
  );
}

/** The entries, a line for each. */
export function AuditList({ entries, now }: Pick<AuditPage, "entries"> & { now: number }) {
  if (entries.length === 0) return <p class="hint">There is no such entry.</p>;
  return (
    <ul class="rows" id="audit">
      {entries.map((entry) => (
        <AuditLine entry={entry} now={now} />
      ))}
    </ul>
  );
}

function AuditLine({ entry, now }: { entry: AuditPage["entries"][number]; now: number }) {
  const { id, at, action, login, user_id: userId, subject, reason, ip, place } = entry;
  const details = [subject, reason, place, ip].filter((detail) => detail !== null);
  return (
    <li id={`entry-${id}`} data-action={action}>
      <p>
        <b>
          <bdi title={userId ?? undefined}>{login ?? userId ?? "somebody"}</bdi>
        </b>{" "}
        {auditWords(action)}
      </p>
      <p class="hint">
        {details.map((detail, index) => (
          <>
            {index > 0 && " · "}
            <bdi>{detail}</bdi>
          </>
        ))}
      </p>
      <p class="hint">
        <Since at={at} now={now} ago />
      </p>
    </li>
  );
}

/** To older entries and back to the newest. */
export function AuditSteps({ filter, next }: Pick<AuditPage, "filter" | "next">) {
  return (
    <p class="pager">
      {filter.before !== undefined && <a href={auditUrl({ ...filter, before: undefined })}>Newest</a>}
      {next !== null && (
        <a href={auditUrl({ ...filter, before: next })} rel="next">
          Older
        </a>
      )}
    </p>
  );
}

function auditUrl({ action, person, before }: AuditPage["filter"]): string {
  const query = new URLSearchParams();
  if (action !== undefined) query.set("action", action);
  if (person !== undefined) query.set("person", person);
  if (before !== undefined) query.set("before", String(before));
  return query.size === 0 ? routes.audit : `${routes.audit}?${query.toString()}`;
}
