import { expect, it } from 'vitest';
import { settle, settlementRow, type Settlement } from '../../../src/store/executions/settling.ts';
import { START } from '../../support/manual-clock.ts';
import { insertJob, logLinesOf } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { insertRunning, succeeded } from '../../support/settlements.ts';

const scene = useScene();

/** Ends one claim after the other, as the scheduler does with a target that always fails. */
async function failOften(
  executionId: string,
  { claims, url }: { claims: number; url: string },
): Promise<void> {
  for (let claimSeq = 1; claimSeq <= claims; claimSeq += 1) {
    await scene.pool.query(
      `UPDATE job_executions SET status = 'RUNNING', claim_seq = $2, attempt_count = $2, lease_expires_at = now()
       WHERE id = $1`,
      [executionId, claimSeq],
    );
    const settlement: Settlement = {
      ...succeeded(executionId),
      claimSeq,
      status: 'RETRYING',
      availableAt: START,
      failureReason: 'HTTP_STATUS',
      errorMessage: 'Status 500.',
      responseStatus: 500,
      request: { method: 'GET', url, headers: {}, body: null },
      log: { level: 'WARN', message: `Attempt ${claimSeq} failed.`, metadata: null },
    };
    expect((await settle(scene.pool, [settlementRow(settlement)])).written).toEqual(new Set([executionId]));
  }
}

type Line = { message: string; attempt: number | null; metadata: Record<string, unknown> | null };
const linesOf = async (id: string) => (await logLinesOf(scene.pool, id)) as unknown as Line[];
const bytesOf = (lines: readonly Line[]) =>
  lines.reduce((sum, line) => sum + line.message.length + JSON.stringify(line.metadata).length, 0);

it('keeps the first and the last lines of a log that would be too long, and says what is left out', async () => {
  const [id = ''] = await insertRunning(scene.pool, await insertJob(scene.pool));
  await failOften(id, { claims: 101, url: `https://target.test/${'x'.repeat(2_000)}` });
  const lines = await linesOf(id);
  expect(bytesOf(lines)).toBeLessThan(60_000);

  const place = lines.findIndex(({ message }) => message.includes('left out'));
  const leftOut = Number(lines[place]?.metadata?.['linesLeftOut']);
  expect(lines[place]).toMatchObject({
    message: expect.stringMatching(
      new RegExp(`^${leftOut} lines \\(\\d+ bytes\\) are left out here: .* 60 KB\\.$`),
    ) as string,
    attempt: null,
  });
  const numbers = lines.map(({ attempt }) => attempt);
  expect(numbers.slice(0, place)).toEqual([1, 2, 3]);
  const behind = numbers.slice(place + 1);
  expect(behind.length).toBeGreaterThan(8);
  expect(behind).toEqual(Array.from(behind, (_, index) => 101 - behind.length + 1 + index));
  expect(leftOut).toBe(101 - (lines.length - 1));
  expect(lines.filter(({ message }) => message.includes('left out'))).toHaveLength(1);
});

it('leaves out nothing of a log that is short, however many its claims', async () => {
  const [id = '', other = ''] = await insertRunning(scene.pool, await insertJob(scene.pool), 2);
  await failOften(other, { claims: 30, url: `https://target.test/${'x'.repeat(2_000)}` });
  await failOften(id, { claims: 101, url: 'https://target.test/' });
  expect((await linesOf(id)).map(({ attempt }) => attempt)).toEqual(
    Array.from({ length: 101 }, (_, n) => n + 1),
  );
});
