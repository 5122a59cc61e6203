import { describe, expect, it } from 'vitest';
import { JOB_DEFAULTS } from '../../../src/domain/job/job-definition.ts';
import type { Draft } from '../../../src/domain/job/job-input.ts';
import { checkJobDefinition } from '../../../src/domain/job/job-validation.ts';
import { maskUrl } from '../../../src/domain/request/secrets.ts';
import { checkTemplates } from '../../../src/domain/request/template-check.ts';

const draft = (facts: Partial<Draft>): Draft => ({
  ...JOB_DEFAULTS,
  name: 'Job',
  api: 'https://a.example/',
  ...facts,
});
const issuesOf = (facts: Partial<Draft>) => {
  const check = checkJobDefinition(draft(facts));
  return check.ok ? [] : check.issues;
};

describe('templates of a job', () => {
  it('are allowed in URL, header values and body', () => {
    expect(
      issuesOf({
        api: 'https://a.example/{{ job.id }}/x?run={{execution.id}}&at={{ execution.scheduledAt }}',
        headers: { 'X-Attempt-Of': '{{attempt.number}} of {{job.name}}' },
        body: { upstream: ['{{trigger.body}}', { id: '{{trigger.executionId}}' }] },
      }),
    ).toEqual([]);
  });

  it('that name unknown values are refused, each with its place and the known names', () => {
    const issues = issuesOf({
      api: 'https://a.example/{{ no }}',
      headers: { 'X-A': '{{job.nam}}' },
      body: { a: [1, { b: 'x {{trigger.bod}}' }] },
    });
    expect(issues.map(({ path }) => path)).toEqual([['api'], ['headers', 'X-A'], ['body', 'a', '1', 'b']]);
    expect(issues[2]?.message).toMatch(
      /^\{\{trigger\.bod\}\} is no known name; known are execution\.id, .*trigger\.body\./,
    );
  });

  it.each([
    'https://{{job.name}}/',
    'https://a.example:{{attempt.number}}/',
    'https://{{job.name}}:x@a.example/',
  ])('may not decide the destination of the call: %s', (api) => {
    expect(issuesOf({ api })).toEqual([
      { path: ['api'], message: expect.stringContaining('behind the host only') as string },
    ]);
  });

  it.each(['{{job.name}}', '{{job.name}}://a.example/', 'ht{{job.name}}tp://a.example/'])(
    'may not be the scheme: %s',
    (api) => {
      expect(issuesOf({ api }).map(({ path }) => path)).toContainEqual(['api']);
    },
  );

  it('cannot bypass the limits of a URL', () => {
    expect(issuesOf({ api: `https://a.example/${'{{job.id}}'.repeat(300)}` })[0]?.message).toContain(
      'At most 2048',
    );
    expect(issuesOf({ api: 'https://a.example/a b{{job.id}}' })[0]?.message).toContain('White space');
  });

  it('may not stand in the names of fields', () => {
    expect(issuesOf({ body: { a: { '{{job.id}}': 1 } } })).toEqual([
      {
        path: ['body', 'a', '{{job.id}}'],
        message: 'Templates may stand in values, not in the names of fields.',
      },
    ]);
  });

  it('are limited in number, and so are the reported issues', () => {
    expect(issuesOf({ body: Array<string>(100).fill('{{job.id}}') })).toEqual([]);
    expect(issuesOf({ body: Array<string>(101).fill('{{job.id}}') })).toEqual([
      { path: ['body', '100'], message: 'The request holds 101 templates; allowed are 100.' },
    ]);
    expect(issuesOf({ body: Array<string>(5_000).fill('{{x}}') })).toHaveLength(10);
  });

  it('are not searched in values that are refused anyway', () => {
    expect(issuesOf({ headers: ['{{x}}'], body: '\0{{x}}' }).map(({ path }) => path)).toEqual([
      ['headers'],
      ['body'],
    ]);
  });

  it('of a body alone are checked like those of a job', () => {
    expect(checkTemplates({ body: 'x {{job.id}}' })).toEqual([]);
    expect(checkTemplates({ body: ['{{x}}'] })).toMatchObject([{ path: ['body', '0'] }]);
    expect(checkTemplates({ body: null })).toEqual([]);
  });
});

describe('a URL that is shown', () => {
  it('keeps its templates, and masks the secrets beside them', () => {
    expect(maskUrl('https://a.example/{{job.id}}')).toBe('https://a.example/{{job.id}}');
    expect(maskUrl('https://a.example/{{ job.id }}?token=abc&run={{execution.id}}')).toBe(
      'https://a.example/{{ job.id }}?token=***&run={{execution.id}}',
    );
    expect(maskUrl('https://a.example/?token={{trigger.body}}')).toBe('https://a.example/?token=***');
  });
});
