import { expect, test } from "vitest";
import { shareLooks } from "./shared-look.ts";

/** A look that ends when it is told to, and answers how many there have been. */
function steppedLook() {
  const ends: ((fails?: boolean) => void)[] = [];
  const look = () =>
    new Promise<number>((resolve, reject) => {
      const number = ends.length + 1;
      ends.push((fails) => (fails === true ? reject(new Error("broken")) : resolve(number)));
    });
  return { ends, ask: shareLooks(look) };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("who asks during a look waits for one that begins after, and shares it", async () => {
  const { ends, ask } = steppedLook();
  const answers = [ask(), ask(), ask(), ask()];
  expect(ends).toHaveLength(1);
  ends[0]?.();
  await turn();
  expect(ends).toHaveLength(2);
  const late = ask();
  ends[1]?.();
  await turn();
  ends[2]?.();
  expect(await Promise.all([...answers, late])).toEqual([1, 2, 2, 2, 3]);
  expect(ends).toHaveLength(3);
});

test("a look that fails costs those who asked for it, and nobody after", async () => {
  const { ends, ask } = steppedLook();
  const [first, second] = [ask(), ask()];
  ends[0]?.(true);
  await expect(first).rejects.toThrow("broken");
  ends[1]?.();
  expect(await second).toBe(2);
  const third = ask();
  ends[2]?.();
  expect(await third).toBe(3);
});
