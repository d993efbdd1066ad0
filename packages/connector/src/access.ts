/**
 * Who may use this instance: its list, held against what the hub says of who asks, for every stream. The hub refuses earlier and
 * with a page; this refuses whatever the hub did, before anything reaches the application.
 */
import {
  decideAccess,
  IDENTITY_FIELDS,
  isAccessList,
  isGitHubId,
  StreamError,
  type AccessList,
  type AccessPerson,
  type AccessRefusal,
} from "@ai-orchestrator/protocol";
import type { HeaderList } from "./adapter.ts";

/** Of whom it is remembered that their refusal was said. */
const MAX_SAID = 1000;

/** What the browser's page or socket is told. */
const REASONS: Record<AccessRefusal, string> = {
  nobody_named: "the list of who may use this instance names nobody",
  not_from_github: "not signed in with GitHub, and this instance is for a list of GitHub's people",
  not_on_list: "not on the list of who may use this instance",
};

export class AccessGuard {
  readonly #list: AccessList | undefined;
  readonly #say: (message: string) => void;
  readonly #said = new Set<string>();
  #refused = 0;

  /** `say` is told of each person once, in a sentence. Throws a RangeError for a list that cannot be declared. */
  constructor(list: AccessList | undefined, say: (message: string) => void) {
    if (list !== undefined && !isAccessList(list))
      throw new RangeError("access: at most 100 users, and names of at most 160 characters");
    this.#list = list;
    this.#say = say;
  }

  /** Streams refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Why a request with these fields must not reach the application; undefined where it may. */
  check(fields: HeaderList): StreamError | undefined {
    if (this.#list === undefined) return undefined;
    const person = personOf(fields);
    const decision = decideAccess(this.#list, person);
    if (decision.allowed) return undefined;
    this.#refused++;
    this.#note(person, decision.refusal);
    return new StreamError("denied", REASONS[decision.refusal]);
  }

  #note(person: AccessPerson, refusal: AccessRefusal): void {
    const key = `${person.id} ${refusal}`;
    if (this.#said.has(key) || this.#said.size >= MAX_SAID) return;
    this.#said.add(key);
    this.#say(`${nameOf(person)} was refused: ${REASONS[refusal]}.`);
  }
}

/** Who asks, by the hub's word. What it says more than once it did not say: one of the two could be somebody else's. */
function personOf(fields: HeaderList): AccessPerson {
  const valueOf = (field: string) => {
    const values = fields.filter(([name]) => name === field);
    return values.length === 1 ? (values[0]?.[1] ?? "") : "";
  };
  const namesOf = (field: string) =>
    valueOf(field)
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "");
  return {
    id: valueOf(IDENTITY_FIELDS.userId),
    login: valueOf(IDENTITY_FIELDS.login),
    organizations: namesOf(IDENTITY_FIELDS.organizations),
    teams: namesOf(IDENTITY_FIELDS.teams),
  };
}

function nameOf({ id, login }: AccessPerson): string {
  if (login === "") return "Somebody of whom the hub did not say who they are";
  return isGitHubId(id) ? `${login} (GitHub id ${id})` : `The user ${login} of the hub`;
}
