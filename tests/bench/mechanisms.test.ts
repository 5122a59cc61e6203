import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { MECHANISMS } from '../../bench/ablation/mechanisms.ts';

describe('the mechanisms that a benchmark switches off', () => {
  it.each(MECHANISMS)('finds the switch for $name exactly once', ({ file, from, to }) => {
    const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
    expect(source.split(from)).toHaveLength(2);
    expect(to).not.toBe(from);
    const { diagnostics } = ts.transpileModule(source.replace(from, to), { reportDiagnostics: true });
    expect(diagnostics).toEqual([]);
  });
});
