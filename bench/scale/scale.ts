/**
 * A thousand instances on the hub of `npm start`, of one person and of a thousand: connecting, memory, the dashboard, a storm of
 * changes, a restart. Connectors are the real ones, with the limits of the product in force: a local hub has no edge, whose rough
 * limit lets about 600 dials a minute in from one address.
 */
import { benchManyPeople } from "./many-people.ts";
import { benchOnePerson } from "./one-person.ts";

const INSTANCES = 1000;

export async function benchScale(): Promise<void> {
  await benchOnePerson(INSTANCES);
  await benchManyPeople(INSTANCES);
}
