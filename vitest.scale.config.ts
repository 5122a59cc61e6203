import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** What only shows in large tables: filling them takes too long for every run of the tests. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  defineConfig({ test: { include: ['tests/scale/**/*.test.ts'], fileParallelism: false, maxWorkers: 1 } }),
);
