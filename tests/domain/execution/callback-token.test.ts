import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  maskCallbackUrl,
  readCallbackToken,
  signCallbackToken,
  type CallbackClaim,
} from '../../../src/domain/execution/callback-token.ts';

const SECRET = 'a secret';
const CLAIM: CallbackClaim = {
  executionId: '019460d2-1a40-7b2c-8d3e-4f5a6b7c8d9e',
  attempt: 2,
  claimSeq: 3,
};

describe('a callback token', () => {
  it('is valid for the attempt that it was signed for', () => {
    expect(readCallbackToken(signCallbackToken(CLAIM, SECRET), SECRET)).toEqual(CLAIM);
  });

  it('can be part of a URL unchanged', () => {
    const token = signCallbackToken(CLAIM, SECRET);
    expect(encodeURIComponent(token)).toBe(token);
    expect(token).toMatch(/^exec_[0-9a-z]{26}\.2\.3\./);
  });

  it('is invalid under another secret', () => {
    expect(readCallbackToken(signCallbackToken(CLAIM, SECRET), 'another secret')).toBeNull();
  });

  it.each([
    ['execution', { executionId: '019460d2-1a40-7b2c-8d3e-4f5a6b7c8d9f' }],
    ['attempt', { attempt: 1 }],
    ['claim', { claimSeq: 4 }],
  ])('is invalid for another %s with the same signature', (_what, change) => {
    const signature = signCallbackToken(CLAIM, SECRET).split('.').at(-1) ?? '';
    const other = signCallbackToken({ ...CLAIM, ...change }, SECRET)
      .split('.')
      .slice(0, -1);
    expect(readCallbackToken([...other, signature].join('.'), SECRET)).toBeNull();
  });

  it('has no second spelling: any change makes it invalid', () => {
    const token = signCallbackToken(CLAIM, SECRET);
    fc.assert(
      fc.property(fc.nat(token.length), fc.string({ minLength: 1, maxLength: 3 }), (at, text) => {
        const changed = token.slice(0, at) + text + token.slice(at + text.length);
        fc.pre(changed !== token);
        expect(readCallbackToken(changed, SECRET)).toBeNull();
        expect(readCallbackToken(token.slice(0, at), SECRET)).toEqual(at < token.length ? null : CLAIM);
      }),
    );
  });

  it.each(['', '.', 'exec_1.1.1.x', '%00', '../../health'])('is not %j', (text) => {
    expect(readCallbackToken(text, SECRET)).toBeNull();
  });
});

it('A callback URL is shown without its token', () => {
  const url = `https://example.com/jobs/callbacks/${signCallbackToken(CLAIM, SECRET)}`;
  expect(maskCallbackUrl(url)).toBe('https://example.com/jobs/callbacks/***');
});
