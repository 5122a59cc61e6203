import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SAMPLE_VALUES, type TemplateValues } from '../../../src/domain/request/template.ts';
import { fillRequest, hasTemplates, TemplateError } from '../../../src/domain/request/template-request.ts';

const valuesWith = (body: string): TemplateValues => ({ ...SAMPLE_VALUES, 'trigger.body': body });
const url = (template: string, body: string) =>
  fillRequest({ url: template, headers: {}, body: null }, valuesWith(body)).url;
const header = (template: string, body: string) =>
  fillRequest({ url: 'http://a/', headers: { 'X-Note': template }, body: null }, valuesWith(body)).headers[
    'X-Note'
  ];
const sent = (body: unknown, value: string, contentType?: string) =>
  fillRequest(
    { url: 'http://a/', headers: contentType === undefined ? {} : { 'Content-Type': contentType }, body },
    valuesWith(value),
  ).body;

describe('a URL', () => {
  it.each([
    ['http://a/{{trigger.body}}', 'a b/c', 'http://a/a%20b%2Fc'],
    ['http://a/?q={{trigger.body}}&z=1', 'x&admin=1#top', 'http://a/?q=x%26admin%3D1%23top&z=1'],
    ['http://a/x?{{trigger.body}}', 'é', 'http://a/x?%C3%A9'],
    ['http://a/{{trigger.body}}', '@evil.example/', 'http://a/%40evil.example%2F'],
    ['http://a/{{trigger.body}}', '\r\nHost: b', 'http://a/%0D%0AHost%3A%20b'],
    ['http://a/{{trigger.body}}', '%2e%2e', 'http://a/%252e%252e'],
    ['http://a/v{{trigger.body}}/x', '..', 'http://a/v../x'],
    ['http://a/?path={{trigger.body}}', '..', 'http://a/?path=..'],
    ['http://a/../{{trigger.body}}', 'x', 'http://a/../x'],
    ['http://a/{{trigger.body}}/b', '', 'http://a//b'],
    ["http://a/?f={{'{'}}{x}}", '', 'http://a/?f={{x}}'],
  ])('%s is filled with %j as %s', (template, value, expected) => {
    expect(url(template, value)).toBe(expected);
  });

  it.each([
    ['http://a/files/{{trigger.body}}', '..'],
    ['http://a/files/{{trigger.body}}/x', '.'],
    ['http://a/files/.{{trigger.body}}/x', '.'],
    ['http://a/files/%2e{{trigger.body}}', '.'],
    ['http://a/files\\{{trigger.body}}', '..'],
    ['http://a/files/..{{trigger.body}}/x', ''],
    ['http://a/{{trigger.body}}{{trigger.body}}', '.'],
  ])('%s may not be redirected by %j', (template, value) => {
    expect(() => url(template, value)).toThrow(TemplateError);
  });

  it.each([
    'http://{{trigger.body}}/',
    'http://a:{{trigger.body}}/',
    'http://{{trigger.body}}@a/',
    '{{trigger.body}}',
  ])('%s may not take its destination from a value', (template) => {
    expect(() => url(template, 'evil.example')).toThrow('Templates may stand behind the host only');
  });

  it('keeps host, port and the rest of its path for any values', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        try {
          const filled = new URL(
            url('http://user@a.example:8080/one/{{trigger.body}}/three?q={{trigger.body}}&z=1', value),
          );
          expect(filled.host).toBe('a.example:8080');
          expect(filled.pathname).toMatch(/^\/one\/[^/]*\/three$/);
          expect(filled.searchParams.get('z')).toBe('1');
          expect(filled.searchParams.get('q')).toBe(value.toWellFormed());
          expect([...filled.searchParams.keys()]).toEqual(['q', 'z']);
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
    );
  });
});

describe('a header', () => {
  it.each([
    ['{{trigger.body}}', 'plain, with 50% "quotes"', 'plain, with 50% "quotes"'],
    ['run {{trigger.body}}', 'a\r\nX-Admin: 1', 'run a%0D%0AX-Admin: 1'],
    ['{{trigger.body}}', 'é 😀\u0000', '%C3%A9 %F0%9F%98%80%00'],
    ['{{trigger.body}}', 'tab\there', 'tab\there'],
    ['{{trigger.body}}', '', ''],
  ])('%s is filled with %j as %j', (template, value, expected) => {
    expect(header(template, value)).toBe(expected);
  });

  it('never contains invalid header text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (value) => {
        expect(header('{{trigger.body}}', value)).toMatch(/^[\t\x20-\x7e]*$/);
      }),
    );
  });

  it('that is too long after it is filled is refused by its name', () => {
    expect(() => header('{{trigger.body}}', 'x'.repeat(4_097))).toThrow(
      'The header X-Note has 4097 characters',
    );
    const headers = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name) => [name, '{{trigger.body}}']));
    const request = { url: 'http://a/', headers, body: null };
    expect(() => fillRequest(request, valuesWith('x'.repeat(4_000)))).toThrow('allowed are 16384');
  });
});

describe('a body', () => {
  it('that is JSON is filled in every text at any depth, and keeps its shape', () => {
    const body = { a: ['{{trigger.body}}', { b: 'x {{job.name}}' }], n: 1, t: true, z: null };
    expect(sent(body, '","admin":true')).toEqual({
      a: ['","admin":true', { b: 'x Sample job' }],
      n: 1,
      t: true,
      z: null,
    });
  });

  it('that is JSON keeps fields with unusual names', () => {
    const body: unknown = JSON.parse('{"__proto__":"{{trigger.body}}","x":"{{trigger.body}}"}');
    expect(JSON.stringify(sent(body, 'v'))).toBe('{"__proto__":"v","x":"v"}');
  });

  it.each([
    [undefined, '<a&"b\'>\n', '<a&"b\'>\n'],
    ['text/plain', '<a&"b\'>\n', '<a&"b\'>\n'],
    ['application/json', '"\n\\', '\\"\\n\\\\'],
    ['application/cloudevents+json; charset=utf-8', '"', '\\"'],
    ['application/x-www-form-urlencoded', 'a&b=c d', 'a%26b%3Dc%20d'],
    ['text/xml', '<a&"b\'>', '&lt;a&amp;&quot;b&#39;&gt;'],
    ['text/HTML; charset=utf-8', '<script>', '&lt;script&gt;'],
  ])('of type %s is filled with %j as %j', (contentType, value, expected) => {
    expect(sent('<{{trigger.body}}>', value, contentType)).toBe(`<${expected}>`);
  });

  it('that is JSON as text cannot be escaped by a value', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const text = sent('{"a":"{{trigger.body}}","b":1}', value, 'application/json') as string;
        expect(JSON.parse(text)).toEqual({ a: value.toWellFormed(), b: 1 });
      }),
    );
  });
});

describe('a request without templates', () => {
  it('is recognized by a quick check', () => {
    const plain = { url: 'http://a/{x}', headers: { a: '{' }, body: { a: ['}', { b: '{ {' }] } };
    expect(hasTemplates(plain)).toBe(false);
    expect(hasTemplates({ ...plain, url: 'http://a/{{job.id}}' })).toBe(true);
    expect(hasTemplates({ ...plain, headers: { a: '{{job.id}}' } })).toBe(true);
    expect(hasTemplates({ ...plain, body: { a: [{ b: '{{job.id}}' }] } })).toBe(true);
  });
});
