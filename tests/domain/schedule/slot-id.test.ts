import { describe, expect, it } from 'vitest';
import { jitterFor, slotExecutionId } from '../../../src/domain/schedule/slot-id.ts';

const JOB = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER_JOB = '01890a5d-ac96-774b-bcce-b302099a8058';
const SLOT = new Date('2026-09-01T12:00:00.000Z');

describe('slotExecutionId', () => {
  it('never changes, because stored ids depend on it in the database and at the targets', () => {
    expect(slotExecutionId(JOB, SLOT)).toBe('01a05cd7-2a00-7e52-917d-55507cd7aca1');
  });

  it('is a version 7 UUID whose time is the slot', () => {
    const id = slotExecutionId(JOB, SLOT);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(SLOT.getTime());
  });

  it('is the same for any case of the job id', () => {
    expect(slotExecutionId(JOB.toUpperCase(), SLOT)).toBe(slotExecutionId(JOB, SLOT));
  });

  it('differs between jobs and between slots, also a millisecond apart', () => {
    const ids = [JOB, OTHER_JOB].flatMap((job) =>
      Array.from({ length: 1000 }, (_, ms) => slotExecutionId(job, new Date(SLOT.getTime() + ms)).slice(14)),
    );
    expect(new Set(ids).size).toBe(2000);
  });

  it.each([new Date(-1), new Date(NaN)])('refuses %s', (slot) => {
    expect(() => slotExecutionId(JOB, slot)).toThrow(RangeError);
  });
});

describe('jitterFor', () => {
  it('is the same each time for a job and a slot', () => {
    expect(jitterFor(JOB, SLOT, 60_000)).toBe(jitterFor(JOB, new Date(SLOT), 60_000));
  });

  it('is zero when the job has none', () => {
    expect(jitterFor(JOB, SLOT, 0)).toBe(0);
  });

  it('spreads over the whole of its range, and stays below its end', () => {
    const draws = Array.from({ length: 2000 }, (_, second) =>
      jitterFor(JOB, new Date(SLOT.getTime() + second * 1000), 10),
    );
    const counts = Array.from({ length: 10 }, (_, ms) => draws.filter((draw) => draw === ms).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(2000);
    expect(Math.min(...counts)).toBeGreaterThan(120);
    expect(Math.max(...counts)).toBeLessThan(280);
  });
});
