/** What many exchanges at once cost both ends of a tunnel in memory, those that stand still included. */
import { CROWD, GRANTED_BYTES, MIB, SLACK_BYTES, startCrowdScene } from "../e2e/tunnel/crowds.ts";
import { printTable, type Row } from "./report.ts";

export async function benchCrowdMemory(): Promise<void> {
  const scene = await startCrowdScene();
  const rows: Row[] = [["beyond what was held after the warm-up", "hub", "at most", "connector", "at most"]];
  const note = (what: string) => {
    const { hub, connector } = scene.growth();
    rows.push([what, ...[hub.now, hub.peak, connector.now, connector.peak].map(mebibytes)]);
  };
  await scene.stallReaders();
  note(`${CROWD} readers that stand still`);
  await scene.stallUploads();
  note(`and ${CROWD} uploads to an application that does not read`);
  for (const time of ["once", "twice", "three times"]) {
    await scene.keepBusy();
    note(`and ${CROWD} downloads and uploads at once, ${time}`);
  }
  await scene.stop();
  const [hub, connector] = [SLACK_BYTES.hub, SLACK_BYTES.connector].map((slack) =>
    mebibytes(GRANTED_BYTES + slack),
  );
  rows.push(["what e2e/tunnel/memory.test.ts allows", "", hub ?? "", "", connector ?? ""]);
  printTable("Memory of many exchanges at once", rows);
}

function mebibytes(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
