import type { PersonAnswer, WhyAnswer } from "../access-answers.ts";
import { routes } from "../routes.ts";
import { answerWords, KIND_WORDS, standingWords, strangerWords, untoldWords } from "./access-words.ts";
import { EntityName } from "./access.tsx";
import { Since } from "./time.tsx";

/** Asks about a person. */
export function WhyForm({ user }: { user?: string }) {
  return (
    <form class="inline-form" id="why-form" method="get" action={routes.whyAccess}>
      <label for="why-user">Login at GitHub</label>
      <input
        id="why-user"
        name="user"
        required
        maxlength={120}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        placeholder="octocat"
        value={user}
      />
      <button class="button" type="submit">
        Ask
      </button>
    </form>
  );
}

/** Why somebody can or cannot get in. */
export function Why({ answer, now }: { answer: WhyAnswer; now: number }) {
  const { user, people } = answer;
  if (people.length > 0)
    return (
      <>
        {people.map((person) => (
          <PersonWhy person={person} now={now} />
        ))}
      </>
    );
  return (
    <section class="why" data-answer="stranger">
      <p class="why-answer">
        Nobody called <bdi>{user}</bdi> has tried to sign in here.
      </p>
      <p>{strangerWords(answer)}</p>
    </section>
  );
}

function PersonWhy({ person, now }: { person: PersonAnswer; now: number }) {
  const { standings, decision } = person;
  const isIn = decision === "local" || (decision !== "never_asked" && decision.allowed);
  return (
    <section class="why" data-answer={isIn ? "in" : "out"}>
      <p class="why-answer">{answerWords(person)}</p>
      {decision !== "local" && <Source person={person} now={now} />}
      {standings.length > 0 && <Standings standings={standings} />}
    </section>
  );
}

/** Who this is at GitHub, and how old its answer is. */
function Source({ person, now }: { person: PersonAnswer; now: number }) {
  const { userId, checkedAt, triedAt, isDue } = person;
  if (checkedAt === null) return <p class="hint">{userId}</p>;
  return (
    <p class="hint">
      {userId}. GitHub said so <Since at={checkedAt} now={now} ago />
      {triedAt !== null && triedAt > checkedAt && (
        <>
          {" "}
          and did not answer <Since at={triedAt} now={now} ago />
        </>
      )}
      {isDue && "; it is asked again when they come next"}.
    </p>
  );
}

function Standings({ standings }: Pick<PersonAnswer, "standings">) {
  return (
    <ul class="rows">
      {standings.map(({ entity, state }) => (
        <li data-state={state}>
          <p>
            <EntityName entity={entity} />
          </p>
          <p class="hint">
            {KIND_WORDS[entity.kind]} {entity.id}
            {untoldWords(state)}
          </p>
          <p>{standingWords(entity, state)}</p>
        </li>
      ))}
    </ul>
  );
}
