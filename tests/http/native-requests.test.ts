import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { checkServerIdentity } from 'node:tls';
import { Options } from 'got';
import { describe, expect, it } from 'vitest';
import { fewNativeOptions } from '../../src/http/native-requests.ts';

const GOT_VERSION = '14.6.6';

type Package = { version?: string; dependencies?: Record<string, string> };

const GIVEN = {
  method: 'POST',
  headers: { 'user-agent': 'job-scheduler/1.2.3' },
  dnsLookup: () => undefined,
  maxHeaderSize: 16_384,
  agent: { http: new HttpAgent(), https: new HttpsAgent() },
  https: { certificateAuthority: 'a certificate' },
} as const;

/** The options that node gets from got itself, and with the handler, without undefined values. */
function optionsFor(url: string): { whole: Record<string, unknown>; few: Record<string, unknown> } {
  const options = new Options(url, GIVEN);
  const whole = defined(options.createNativeRequestOptions());
  void fewNativeOptions(options, (same) => same as never);
  return { whole, few: defined(options.createNativeRequestOptions()) };
}

function defined(options: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

describe('fewNativeOptions', () => {
  it('replaces an internal of the supported version of got, and of no other', () => {
    const read = (path: string) =>
      JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as Package;
    expect(read('../../package.json').dependencies?.['got']).toBe(GOT_VERSION);
    expect(read('../../node_modules/got/package.json').version).toBe(GOT_VERSION);
  });

  it.each(['http://example.com', 'https://example.com'])('omits only defaults of node for %s', (url) => {
    const { whole, few } = optionsFor(url);
    // A certificate authority has no effect without TLS.
    const left = { ...few, setHost: true, checkServerIdentity, ca: GIVEN.https.certificateAuthority };
    expect(left).toEqual(whole);
  });

  it('passes a certificate authority and the agent for TLS to node', () => {
    expect(optionsFor('https://example.com').few).toMatchObject({
      agent: GIVEN.agent.https,
      ca: GIVEN.https.certificateAuthority,
    });
  });

  it('keeps no connection when a call needs its own', () => {
    const options = new Options('http://example.com', { ...GIVEN, agent: { http: false, https: false } });
    void fewNativeOptions(options, (same) => same as never);
    expect(options.createNativeRequestOptions().agent).toBe(false);
  });
});
