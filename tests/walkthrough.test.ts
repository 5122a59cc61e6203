import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const PAGE = new URL('../docs/walkthrough.md', import.meta.url);

it('the walk through a slot has at most ten steps, each with one link to a file that exists', () => {
  const steps = readFileSync(PAGE, 'utf8')
    .split(/^(?=\d+\. )/m)
    .slice(1)
    .map((step) => step.split('\n\n')[0] ?? '');
  expect(steps.length).toBeLessThanOrEqual(10);
  const links = steps.map((step) => [...step.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => String(link)));
  expect(links.map(({ length }) => length)).toEqual(steps.map(() => 1));
  expect(links.flat().filter((link) => !existsSync(new URL(link, PAGE)))).toEqual([]);
});
