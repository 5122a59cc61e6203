import { existsSync, readdirSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ServerProcess } from '../server-process.ts';
import { makeTempFolder } from '../temp-folder.ts';

const LIBRARIES = '/usr/lib';
/** The one for programs with threads, which node is. */
const LIBRARY = 'faketime/libfaketimeMT.so.1';

/** Debian's library lies below the folder of the machine's architecture. */
function findFaketime(): string | null {
  if (!existsSync(LIBRARIES)) return null;
  const candidates = readdirSync(LIBRARIES).map((name) => join(LIBRARIES, name, LIBRARY));
  return candidates.find((path) => existsSync(path)) ?? null;
}

/**
 * Why no clock can be set wrong here, or null where one can. With REQUIRE_FAKETIME=1, and in CI, that fails the tests:
 * what was skipped has shown nothing.
 */
export function missingFaketime(): string | null {
  if (findFaketime() !== null) return null;
  const reason = `no faketime: ${LIBRARIES}/*/${LIBRARY} is missing, install Debian's package "faketime"`;
  if (process.env['REQUIRE_FAKETIME'] === '1' || process.env['CI'])
    throw new Error(`A wrong clock must be tested, and there is ${reason}`);
  return reason;
}

/** A wall clock that one server alone reads; it can jump while the server runs. */
export type WrongClock = {
  /** For the server that is to read it. */
  env: Record<string, string>;
  /** Lets it jump to so far from the right time; negative is behind. Whoever asks it next already gets that. */
  set: (shiftMs: number) => Promise<void>;
};

/**
 * Makes one. The monotonic clock stays as it is: it is what a machine whose wall clock is set has left.
 *
 * @param shiftMs where it begins
 */
export async function makeWrongClock(shiftMs = 0): Promise<WrongClock> {
  const library = findFaketime();
  if (library === null) throw new Error('No faketime');
  const folder = await makeTempFolder('clock');
  onTestFinished(folder.remove);
  const path = join(folder.path, 'shift');
  const set = async (ms: number): Promise<void> => {
    // In its place at once: a server that finds half of it, or nothing, ends.
    await writeFile(`${path}.next`, `${ms < 0 ? '-' : '+'}${Math.abs(ms) / 1_000}\n`);
    await rename(`${path}.next`, path);
  };
  await set(shiftMs);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: path,
      // Reads the file anew each time, where it otherwise would every ten seconds.
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
  };
}

/** A log's clock is the wall clock: far enough from the right time is wrong by that much. */
const TOLERANCE_MS = 60_000;

/** The attempts of which a server has said that they ended at a wall clock wrong by so much. */
export function endedAtClock({ logged }: ServerProcess, shiftMs: number): number {
  const now = Date.now() + shiftMs;
  return logged('Attempt ended').filter(
    ({ timestamp }) => Math.abs(Date.parse(String(timestamp)) - now) < TOLERANCE_MS,
  ).length;
}
