import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fillTemplate,
  parseTemplate,
  SAMPLE_VALUES,
  TEMPLATE_NAMES,
} from '../../../src/domain/request/template.ts';

function fill(text: string, values: Partial<typeof SAMPLE_VALUES> = {}): string {
  const template = parseTemplate(text);
  if (typeof template === 'string') throw new Error(template);
  return fillTemplate(template, { ...SAMPLE_VALUES, ...values }, (value) => value);
}

describe('a template', () => {
  it.each([
    ['no template', 'no template'],
    ['', ''],
    ['{{job.name}}', 'Ada'],
    ['{{ job.name }}', 'Ada'],
    ['a {{job.name}} b {{job.name}}', 'a Ada b Ada'],
    ['{{job.name}}{{trigger.status}}', 'AdaFAILED'],
    ['{ {job.name} }', '{ {job.name} }'],
    ['}} {{job.name}} }}', '}} Ada }}'],
    ["{{'{'}}{ name }}", '{{ name }}'],
    ["{{'{'}}{{'{'}}{{job.name}}}}", '{{Ada}}'],
    ['{"deep":{"x":1}}', '{"deep":{"x":1}}'],
  ])('%j is filled as %j', (text, expected) => {
    expect(fill(text, { 'job.name': 'Ada', 'trigger.status': 'FAILED' })).toBe(expected);
  });

  it('does not search filled-in values for templates', () => {
    expect(fill('{{trigger.body}}', { 'trigger.body': '{{job.name}}' })).toBe('{{job.name}}');
  });

  it.each([
    '{{',
    '{{}}',
    '{{ }}',
    '{{job.name',
    '{{job.name}',
    'a {{ b {{job.name}}',
    `{{${' '.repeat(200_000)}job.name}}`,
    '{{'.repeat(50_000),
  ])('that is not closed is refused: %.20s', (text) => {
    expect(parseTemplate(text)).toMatch(
      /^Holds a \{\{ that no name and \}\} follow; known are execution\.id, /,
    );
  });

  it.each([
    'name',
    'job',
    'job.name.length',
    'JOB.NAME',
    'job.key',
    'constructor',
    '__proto__',
    'toString',
    '#job.name',
    '/job.name',
    '^job.name',
    '>partial',
    '!comment',
    '&job.name',
    '=<% %>=',
    'job["name"]',
    'trigger.body | upper',
    '1 + 1',
  ])('may not name %j', (name) => {
    expect(parseTemplate(`x {{${name}}} y`)).toContain(
      `{{${name}}} is no known name; known are execution.id, `,
    );
  });

  it('cannot be unescaped: there is no such syntax', () => {
    expect(parseTemplate('{{{job.name}}}')).toContain('is no known name');
  });

  it('explains how to send braces', () => {
    expect(parseTemplate('Dear {{name}}')).toContain("To send {{ itself, write {{'{'}}{{'{'}}.");
  });

  it('fills every name, and turns a lone surrogate into the replacement character', () => {
    for (const name of TEMPLATE_NAMES)
      expect(fill(`{{${name}}}`, { [name]: `of ${name}` })).toBe(`of ${name}`);
    expect(fill('{{job.name}}', { 'job.name': '\uD800' })).toBe('\uFFFD');
  });

  it('never throws, and keeps text without braces unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('{', '}', ' ', 'a', '.', "'", 'job.name') }), (text) => {
        const parsed = parseTemplate(text);
        if (typeof parsed !== 'string') expect(parsed.strings).toHaveLength(parsed.names.length + 1);
        if (!text.includes('{{')) expect(parsed).toEqual({ strings: [text], names: [] });
      }),
    );
  });
});
