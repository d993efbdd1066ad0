/** What an adapter is asked to do, however it fails at that. */
import type { Adapter } from "./adapter.ts";

const FAILURES = {
  start: "The application could not be prepared",
  stop: "What watches the application did not end",
  refresh: "The status could not be refreshed",
};

export type AdapterStep = keyof typeof FAILURES;

/** Calls back once it is done, with a sentence where it threw or rejected. */
export function takeStep(
  adapter: Pick<Adapter, AdapterStep>,
  step: AdapterStep,
  then: (failure?: string) => void,
): void {
  // What is thrown at once becomes a rejection, too.
  const taken = async () => adapter[step]();
  taken().then(
    () => then(),
    (error: unknown) => then(`${FAILURES[step]}: ${String(error)}`),
  );
}
