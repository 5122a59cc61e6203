import { describe, expect, it } from 'vitest';
import { buildRequestHeaders, encodeBody, showRequest } from '../../src/http/request-headers.ts';
import { request } from './sending.ts';

const url = 'http://target.test/';

describe('encodeBody', () => {
  it.each([null, undefined])('sends nothing for %s', (body) => {
    expect(encodeBody(body)).toBeNull();
  });

  it('sends a string unchanged', () => {
    expect(encodeBody('<a/>')).toEqual({ text: '<a/>', contentType: 'text/plain; charset=utf-8' });
  });

  it.each([
    [{ a: 1 }, '{"a":1}'],
    [[1, 2], '[1,2]'],
    [0, '0'],
    [false, 'false'],
    [{}, '{}'],
  ])('sends %j as JSON', (body, text) => {
    expect(encodeBody(body)).toEqual({ text, contentType: 'application/json' });
  });
});

describe('buildRequestHeaders', () => {
  it('contain execution, job, attempt and slot of the call', () => {
    expect(buildRequestHeaders(request(url, { attempt: 3 }), null, '1.2.3')).toEqual({
      'user-agent': 'job-scheduler/1.2.3',
      'accept-encoding': 'gzip, deflate, br',
      'x-execution-id': 'exec_1',
      'x-job-id': 'job_1',
      'x-attempt': '3',
      'x-scheduled-at': '2030-01-01T00:00:00.000Z',
      'idempotency-key': 'exec_1',
    });
  });

  it('contain no slot when there is none, also when the job sets one', () => {
    const headers = buildRequestHeaders(
      request(url, { scheduledAt: null, headers: { 'X-Scheduled-At': 'now' } }),
      null,
      '1',
    );
    expect(headers).not.toHaveProperty('x-scheduled-at');
  });

  it('let the job choose its user agent and content type, in any spelling', () => {
    const own = { 'USER-AGENT': 'mine', 'Content-Type': 'application/xml', 'X-Custom': 'yes' };
    const headers = buildRequestHeaders(request(url, { headers: own }), encodeBody({ a: 1 }), '1');
    expect(headers).toMatchObject({
      'user-agent': 'mine',
      'content-type': 'application/xml',
      'x-custom': 'yes',
    });
    expect(Object.keys(headers).filter((name) => /[A-Z]/.test(name))).toEqual([]);
  });

  it('do not let the job claim another execution', () => {
    const own = {
      'x-execution-id': 'forged',
      'X-JOB-ID': 'forged',
      'X-Attempt': '0',
      'Idempotency-Key': 'forged',
    };
    expect(Object.values(buildRequestHeaders(request(url, { headers: own }), null, '1'))).not.toContain(
      'forged',
    );
  });

  it('contain the callback URL when that completes the job, and the job cannot replace it', () => {
    const own = { 'X-Callback-URL': 'https://elsewhere.test/' };
    const callbackUrl = 'https://scheduler.test/callbacks/token';
    const given = buildRequestHeaders(request(url, { headers: own, callbackUrl }), null, '1');
    expect(given['x-callback-url']).toBe(callbackUrl);
    const without = buildRequestHeaders(request(url, { headers: own, callbackUrl: null }), null, '1');
    expect(without).not.toHaveProperty('x-callback-url');
  });

  it('exclude headers that belong to the connection', () => {
    const own = {
      'Content-Length': '5',
      'Transfer-Encoding': 'chunked',
      Connection: 'close',
      Expect: '100-continue',
    };
    const headers = buildRequestHeaders(request(url, { headers: own }), null, '1');
    for (const name of Object.keys(own)) expect(headers).not.toHaveProperty(name.toLowerCase());
  });

  it('turn the credentials of the URL into authorization', () => {
    const headers = buildRequestHeaders(request('http://us%40er:p%3Ass@target.test/'), null, '1');
    expect(headers['authorization']).toBe(`Basic ${Buffer.from('us@er:p:ss').toString('base64')}`);
  });

  it('accept a password with a single percent sign unchanged', () => {
    const headers = buildRequestHeaders(request('http://user:100%@target.test/'), null, '1');
    expect(headers['authorization']).toBe(`Basic ${Buffer.from('user:100%').toString('base64')}`);
  });

  it("prefer the job's own authorization to the URL's", () => {
    const own = { Authorization: 'Bearer token' };
    const headers = buildRequestHeaders(
      request('http://user:pass@target.test/', { headers: own }),
      null,
      '1',
    );
    expect(headers['authorization']).toBe('Bearer token');
  });
});

describe('showRequest', () => {
  it('hides credentials and keeps the rest', () => {
    const outgoing = request('http://user:s3cret@target.test/?token=s3cret', {
      method: 'POST',
      body: { a: 1, accessToken: 's3cret' },
    });
    const body = encodeBody(outgoing.body);
    const shown = showRequest(outgoing, buildRequestHeaders(outgoing, body, '1'), body);
    expect(JSON.stringify(shown)).not.toContain('s3cret');
    expect(shown.headers['authorization']).toBe('***');
    expect(shown).toMatchObject({
      method: 'POST',
      url: 'http://user:***@target.test/?token=***',
      body: '{"a":1,"accessToken":"***"}',
    });
    expect(shown.headers['idempotency-key']).toBe('exec_1');
  });

  it('shows the callback URL without its token', () => {
    const outgoing = request(url, { callbackUrl: 'https://scheduler.test/callbacks/s3cret' });
    const shown = showRequest(outgoing, buildRequestHeaders(outgoing, null, '1'), null);
    expect(shown.headers['x-callback-url']).toBe('https://scheduler.test/callbacks/***');
  });
});
