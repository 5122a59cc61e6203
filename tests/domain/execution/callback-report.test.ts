import { describe, expect, it } from 'vitest';
import { readCallbackReport } from '../../../src/domain/execution/callback-report.ts';

function issuesOf(body: unknown): unknown {
  const reading = readCallbackReport(body);
  return reading.ok ? [] : reading.issues;
}

describe('the body of a callback', () => {
  it('needs only the status', () => {
    expect(readCallbackReport({ status: 'success' })).toEqual({
      ok: true,
      report: { status: 'success', message: null, output: null, retry: true },
    });
  });

  it('may have all fields', () => {
    const body = { status: 'failure', message: 'Disk full.', output: { rows: [1, null] }, retry: false };
    expect(readCallbackReport(body)).toEqual({
      ok: true,
      report: { status: 'failure', message: 'Disk full.', output: '{"rows":[1,null]}', retry: false },
    });
  });

  it.each([
    ['text', 'as it is', 'as it is'],
    ['a number', 0, '0'],
    ['false', false, 'false'],
    ['an empty text', '', ''],
    ['null', null, null],
  ])('has an output that may be %s', (_what, output, text) => {
    expect(readCallbackReport({ status: 'success', output })).toMatchObject({ report: { output: text } });
  });

  it('accepts null, and an empty message, as no value', () => {
    const body = { status: 'success', message: '', output: null, retry: null };
    expect(readCallbackReport(body)).toMatchObject({ report: { message: null, output: null, retry: true } });
  });

  it.each([[[]], [null], ['success'], [7]])('is refused when it is not an object: %j', (body) => {
    expect(issuesOf(body)).toEqual([{ path: [], message: 'The body must be a JSON object.' }]);
  });

  it.each([
    [{}, 'status'],
    [{ status: 'SUCCESS' }, 'status'],
    [{ status: true }, 'status'],
    [{ status: 'success', message: 7 }, 'message'],
    [{ status: 'success', message: 'x'.repeat(1_001) }, 'message'],
    [{ status: 'success', message: 'a\0b' }, 'message'],
    [{ status: 'failure', retry: 'no' }, 'retry'],
    [{ status: 'success', output: 'a\0b' }, 'output'],
    [{ status: 'failure', retries: false }, 'retries'],
  ])('names the field that is wrong in %j', (body, field) => {
    expect(issuesOf(body)).toEqual([{ path: [field], message: expect.any(String) as string }]);
  });

  it('names all errors at once', () => {
    expect(issuesOf({ status: 'done', retry: 1, more: true })).toMatchObject([
      { path: ['more'] },
      { path: ['status'] },
      { path: ['retry'] },
    ]);
  });

  it('is refused when it nests too deep', () => {
    const deep = JSON.parse('['.repeat(50_000) + ']'.repeat(50_000)) as unknown;
    expect(issuesOf({ status: 'success', output: deep })).toMatchObject([
      { path: ['output'], message: expect.stringContaining('Nests deeper') as string },
    ]);
  });
});
