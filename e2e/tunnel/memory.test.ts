/** What a tunnel costs in memory is what it has granted, however many there are that do not read. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { CROWD, GRANTED_BYTES, MIB, SLACK_BYTES, startCrowdScene, type CrowdScene } from "./crowds.ts";

let scene: CrowdScene;

beforeAll(async () => {
  scene = await startCrowdScene();
});

afterAll(() => scene.stop());

/** Both ends stay within what they may have granted and what engines keep; says what they hold. */
function expectBounded(what: string): void {
  const growth = scene.growth();
  for (const end of ["hub", "connector"] as const) {
    const { now, peak } = growth[end];
    console.log(`${what}: ${end} + ${(now / MIB).toFixed(0)} MiB, at most ${(peak / MIB).toFixed(0)}`);
    expect(peak).toBeLessThan(GRANTED_BYTES + SLACK_BYTES[end]);
  }
}

test(
  `${CROWD} stalled readers, ${CROWD} uploads to an upstream that does not read, and ${CROWD} busy streams at once`,
  { timeout: 180_000 },
  async () => {
    await scene.stallReaders();
    expectBounded(`${CROWD} stalled readers`);
    await scene.stallUploads();
    expectBounded(`and ${CROWD} stalled uploads`);
    await scene.keepBusy();
    expectBounded(`and ${CROWD} busy streams`);
  },
);
