import { expect, it, onTestFinished } from 'vitest';
import { allEnded } from '../acceptance/endings.ts';
import type { FailureReason } from '../../src/domain/execution/outcome.ts';
import { MAX_RESPONSE_BODY_CHARACTERS } from '../../src/domain/request/outgoing-request.ts';
import { apiClient } from '../support/api-client.ts';
import * as bad from '../support/bad-targets.ts';
import type { Misbehaviour } from '../support/bad-targets.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { reportFigures } from '../support/faults/figures.ts';
import { residentMb, socketsTo, watchProcess } from '../support/faults/process-watch.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
/** Simultaneous calls of each kind, with all kinds at once. */
const CALLS = 20;
const WARM_UP_ROUNDS = 2;
const ROUNDS = 5;
/** For targets that never end. All others have enough time on any machine. */
const TIMEOUT_MS = 2_000;
const MEMORY_LIMIT_MB = 50;
/** A small heap, so that growth shows memory that is held, and not memory that waits for garbage collection. */
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=128 --max-semi-space-size=2' };

/** The expected result of each. A target that has sent 200 and then sends too much has answered. */
const KINDS: readonly [kind: string, misbehave: Misbehaviour, reason: FailureReason | 'SUCCESS'][] = [
  ['silence', bad.silence, 'TIMEOUT'],
  ['slow-loris head', bad.slowHead, 'TIMEOUT'],
  ['slow-loris body', bad.slowBody, 'TIMEOUT'],
  ['endless information', bad.endlessInformation, 'CONNECTION'],
  ['flood of information', bad.floodOfInformation, 'CONNECTION'],
  ['half-close', bad.halfClose, 'CONNECTION'],
  ['close without answer', bad.closeWithoutAnswer, 'CONNECTION'],
  ['reset', bad.reset, 'CONNECTION'],
  ['reset in the body', bad.resetInBody, 'CONNECTION'],
  ['bad chunk', bad.badChunk, 'CONNECTION'],
  ['cut chunks', bad.cutChunks, 'CONNECTION'],
  ['bad gzip', bad.badGzip, 'CONNECTION'],
  ['spoiled gzip', bad.spoiledGzip, 'CONNECTION'],
  ['empty gzip members', bad.emptyGzipMembers, 'TIMEOUT'],
  ['endless headers', bad.endlessHeaders, 'CONNECTION'],
  ['unasked upgrade', bad.unaskedUpgrade, 'CONNECTION'],
  ['not HTTP', bad.notHttp, 'CONNECTION'],
  ['gzip bomb', bad.gzipBomb, 'SUCCESS'],
  ['endless body', bad.endlessBody, 'SUCCESS'],
  ['1 GB body', bad.gigabyteBody, 'SUCCESS'],
  ['redirect loop', bad.redirectLoop, 'TOO_MANY_REDIRECTS'],
  ['redirect loop with endless bodies', bad.endlessRedirect('/again'), 'TOO_MANY_REDIRECTS'],
];

type Ended = { name: string; result: string; executions: number; longestBody: number | null };

it(
  'reports the right reason for each kind of bad target, and keeps neither memory nor sockets',
  { timeout: 300_000 },
  async () => {
    const { pool } = world;
    const server = await world.startServer({ ...DEFAULTS, ...SMALL_HEAP });
    const api = apiClient(server);
    const targets = await Promise.all(KINDS.map(([, misbehave]) => bad.startBadTarget(misbehave)));
    for (const { close } of targets) onTestFinished(close);
    const ports = new Set(targets.map(({ url }) => Number(new URL(url).port)));
    const jobs = await Promise.all(
      KINDS.map(([name, , reason], index) =>
        api.createJob({
          name,
          api: `${targets[index]?.url ?? ''}/called`,
          ...(reason === 'TIMEOUT' && { timeoutMs: TIMEOUT_MS }),
        }),
      ),
    );
    const callAll = async () => {
      for (const job of jobs) await api.triggerMany(job, CALLS);
      await allEnded(pool);
    };

    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await callAll();
    const memoryBefore = await residentMb(server.pid);
    const watch = watchProcess(server.pid, ports);
    for (let round = 0; round < ROUNDS; round += 1) await callAll();
    await watch.stop();
    const isFree = async () =>
      (await socketsTo(server.pid, ports)) === 0 && targets.every((target) => target.openSockets() === 0);
    await until(isFree, { what: 'no socket is open to any target' });

    // The request after a redirect is not another attempt.
    const calls = targets.flatMap((target) => target.calls).filter(({ path }) => path === '/called');
    const history = await checkHistory(pool, calls);
    reportFigures('bad targets', {
      kinds: KINDS.length,
      ...history,
      memoryMb: { before: memoryBefore, peak: watch.peak.residentMb },
      sockets: { peak: watch.peak.sockets, after: await socketsTo(server.pid, ports) },
    });
    const { rows } = await pool.query<Ended>(
      `SELECT j.name, coalesce(e.failure_reason::text, e.status::text) AS result, count(*)::int AS executions,
         max(length(e.response_body)) FILTER (WHERE e.response_truncated) AS "longestBody"
       FROM job_executions AS e JOIN jobs AS j ON j.id = e.job_id GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    const expected = KINDS.map(([name, , result]) => ({
      name,
      result,
      executions: (WARM_UP_ROUNDS + ROUNDS) * CALLS,
      longestBody: result === 'SUCCESS' ? MAX_RESPONSE_BODY_CHARACTERS : null,
    }));
    expect(new Set(rows)).toEqual(new Set(expected));
    expect(watch.peak.residentMb - memoryBefore).toBeLessThanOrEqual(MEMORY_LIMIT_MB);
    expect(watch.peak.sockets).toBeGreaterThan(CALLS);
    expect(unhandledErrors(server)).toEqual([]);
  },
);
